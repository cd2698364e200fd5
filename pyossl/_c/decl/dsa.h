DSA *DSA_new(void);
void DSA_free(DSA *dsa);
int DSA_generate_parameters_ex(DSA *dsa, int bits, const unsigned char *seed, int length, int *counter, unsigned long *h, BN_GENCB *progress);
int DSA_generate_key(DSA *dsa);
