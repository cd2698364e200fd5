#define RSA_F4 ...

RSA *RSA_new(void);
void RSA_free(RSA *rsa);
int RSA_generate_key_ex(RSA *rsa, int bits, BIGNUM *exponent, BN_GENCB *progress);
int RSA_check_key(const RSA *rsa);
int RSA_print(BIO *bio, const RSA *rsa, int offset);
