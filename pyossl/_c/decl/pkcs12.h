#define PKCS12_DEFAULT_ITER ...
#define PKCS12_R_MAC_ABSENT ...
#define PKCS12_R_MAC_VERIFY_FAILURE ...
#define PKCS12_R_PKCS12_CIPHERFINAL_ERROR ...
#define PKCS12_R_UNKNOWN_DIGEST_ALGORITHM ...

X509_SIG *PKCS8_encrypt(int nid, const EVP_CIPHER *cipher, const char *password, int length, unsigned char *salt, int salt_length, int iterations, PKCS8_PRIV_KEY_INFO *plain);
X509_SIG *PKCS8_encrypt_ex(int nid, const EVP_CIPHER *cipher, const char *password, int length, unsigned char *salt, int salt_length, int iterations, PKCS8_PRIV_KEY_INFO *plain, OSSL_LIB_CTX *library, const char *properties);
PKCS8_PRIV_KEY_INFO *PKCS8_decrypt(const X509_SIG *encrypted, const char *password, int length);
PKCS8_PRIV_KEY_INFO *PKCS8_decrypt_ex(const X509_SIG *encrypted, const char *password, int length, OSSL_LIB_CTX *library, const char *properties);
#if HAVE_PROVIDERS
PKCS12 *PKCS12_init_ex(int mode, OSSL_LIB_CTX *library, const char *properties);
#endif
PKCS12 *d2i_PKCS12_bio(BIO *bio, PKCS12 **pkcs12);
int i2d_PKCS12_bio(BIO *bio, PKCS12 *pkcs12);
void PKCS12_free(PKCS12 *pkcs12);
int PKCS12_mac_present(const PKCS12 *pkcs12);
int PKCS12_verify_mac(PKCS12 *pkcs12, const char *password, int length);
int PKCS12_set_mac(PKCS12 *pkcs12, const char *password, int length, unsigned char *salt, int salt_length, int iterations, const EVP_MD *digest);
PKCS12 *PKCS12_create(const char *password, const char *name, EVP_PKEY *key, X509 *certificate, struct stack_st_X509 *ca, int key_nid, int certificate_nid, int iterations, int mac_iterations, int key_type);
int PKCS12_parse(PKCS12 *pkcs12, const char *password, EVP_PKEY **key, X509 **certificate, struct stack_st_X509 **ca);
