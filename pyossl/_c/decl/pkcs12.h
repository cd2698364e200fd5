#define PKCS12_DEFAULT_ITER ...
#define PKCS12_R_MAC_VERIFY_FAILURE ...

PKCS12 *d2i_PKCS12_bio(BIO *bio, PKCS12 **pkcs12);
int i2d_PKCS12_bio(BIO *bio, PKCS12 *pkcs12);
void PKCS12_free(PKCS12 *pkcs12);
int PKCS12_mac_present(const PKCS12 *pkcs12);
int PKCS12_verify_mac(PKCS12 *pkcs12, const char *password, int length);
int PKCS12_set_mac(PKCS12 *pkcs12, const char *password, int length, unsigned char *salt, int salt_length, int iterations, const EVP_MD *digest);
PKCS12 *PKCS12_create(const char *password, const char *name, EVP_PKEY *key, X509 *certificate, struct stack_st_X509 *ca, int key_nid, int certificate_nid, int iterations, int mac_iterations, int key_type);
int PKCS12_parse(PKCS12 *pkcs12, const char *password, EVP_PKEY **key, X509 **certificate, struct stack_st_X509 **ca);
