BIGNUM *BN_new(void);
int BN_set_word(BIGNUM *number, BN_ULONG word);
int BN_hex2bn(BIGNUM **number, const char *text);
int BN_rand_range(BIGNUM *number, const BIGNUM *range);
int BN_generate_prime_ex(BIGNUM *prime, int bits, int safe, const BIGNUM *add, const BIGNUM *remainder, BN_GENCB *progress);
int BN_is_prime_ex(const BIGNUM *number, int checks, BN_CTX *context, BN_GENCB *progress);
int BN_prime_checks_for_size(int bits);
