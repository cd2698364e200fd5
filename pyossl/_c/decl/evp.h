#define EVP_CIPH_FLAG_AEAD_CIPHER ...
#define EVP_PKEY_EC ...
#define EVP_PKEY_RSA ...
#define EVP_MAX_MD_SIZE ...
#define EVP_R_UNKNOWN_CIPHER ...
#define EVP_R_UNKNOWN_DIGEST ...
#define EVP_R_UNKNOWN_PBE_ALGORITHM ...
#define EVP_R_UNSUPPORTED_ALGORITHM ...
#define EVP_R_UNSUPPORTED_CIPHER ...
#define EVP_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION ...
#define EVP_R_UNSUPPORTED_PRF ...

const EVP_CIPHER *EVP_aes_256_cbc(void);
const EVP_MD *EVP_sha256(void);
const EVP_MD *EVP_get_digestbyname(const char *name);
const EVP_CIPHER *EVP_get_cipherbyname(const char *name);
int EVP_CIPHER_get_key_length(const EVP_CIPHER *cipher);
int EVP_CIPHER_get_iv_length(const EVP_CIPHER *cipher);
unsigned long EVP_CIPHER_get_flags(const EVP_CIPHER *cipher);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *context);
int EVP_MD_CTX_copy_ex(EVP_MD_CTX *to, const EVP_MD_CTX *from);
int EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *digest, unsigned int *length);
const EVP_MD *EVP_get_digestbynid(int nid);

#if HAVE_PROVIDERS
int EVP_set_default_properties(OSSL_LIB_CTX *library, const char *properties);
int EVP_default_properties_enable_fips(OSSL_LIB_CTX *library, int enable);
const OSSL_PROVIDER *EVP_PKEY_get0_provider(const EVP_PKEY *key);
EVP_PKEY *d2i_PUBKEY_ex(EVP_PKEY **key, const unsigned char **in, long length, OSSL_LIB_CTX *library, const char *properties);
#endif
EVP_PKEY_CTX *EVP_PKEY_CTX_new(EVP_PKEY *key, ENGINE *engine);
EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_pkey(OSSL_LIB_CTX *library, EVP_PKEY *key, const char *properties);
EVP_PKEY_CTX *EVP_PKEY_CTX_new_id(int id, ENGINE *engine);
EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_name(OSSL_LIB_CTX *library, const char *name, const char *properties);
void EVP_PKEY_CTX_free(EVP_PKEY_CTX *context);
int EVP_PKEY_CTX_ctrl_str(EVP_PKEY_CTX *context, const char *type, const char *value);
int EVP_PKEY_paramgen_init(EVP_PKEY_CTX *context);
int EVP_PKEY_paramgen(EVP_PKEY_CTX *context, EVP_PKEY **parameters);
int EVP_PKEY_keygen_init(EVP_PKEY_CTX *context);
int EVP_PKEY_keygen(EVP_PKEY_CTX *context, EVP_PKEY **key);
int EVP_PKEY_up_ref(EVP_PKEY *key);
void EVP_PKEY_free(EVP_PKEY *key);
int EVP_PKEY_get_id(const EVP_PKEY *key);
const char *EVP_PKEY_get0_type_name(const EVP_PKEY *key);
int EVP_PKEY_get_group_name(const EVP_PKEY *key, char *name, size_t size, size_t *length);
int EVP_PKEY_get_bits(const EVP_PKEY *key);
int EVP_PKEY_get_security_bits(const EVP_PKEY *key);
int EVP_PKEY_eq(const EVP_PKEY *first, const EVP_PKEY *second);
int EVP_PKEY_get_default_digest_nid(EVP_PKEY *key, int *nid);
EVP_PKEY *d2i_PrivateKey_bio(BIO *bio, EVP_PKEY **key);
EVP_PKEY *d2i_PrivateKey_ex_bio(BIO *bio, EVP_PKEY **key, OSSL_LIB_CTX *library, const char *properties);
int i2d_PKCS8PrivateKeyInfo_bio(BIO *bio, EVP_PKEY *key);
EVP_PKEY *EVP_PKCS82PKEY(const PKCS8_PRIV_KEY_INFO *plain);
EVP_PKEY *EVP_PKCS82PKEY_ex(const PKCS8_PRIV_KEY_INFO *plain, OSSL_LIB_CTX *library, const char *properties);
PKCS8_PRIV_KEY_INFO *EVP_PKEY2PKCS8(const EVP_PKEY *key);
EVP_PKEY *d2i_PUBKEY_bio(BIO *bio, EVP_PKEY **key);
int i2d_PUBKEY_bio(BIO *bio, EVP_PKEY *key);

long BIO_set_md(BIO *b, const EVP_MD *md);
long BIO_get_md(BIO *b, const EVP_MD **mdp);
long BIO_get_md_ctx(BIO *b, EVP_MD_CTX **mdcp);
long BIO_set_md_ctx(BIO *b, EVP_MD_CTX *mdcp);
long BIO_get_cipher_status(BIO *b);
long BIO_get_cipher_ctx(BIO *b, EVP_CIPHER_CTX **ctx);
const BIO_METHOD *BIO_f_md(void);
const BIO_METHOD *BIO_f_base64(void);
const BIO_METHOD *BIO_f_cipher(void);
int BIO_set_cipher(BIO *b, const EVP_CIPHER *cipher, const unsigned char *key, const unsigned char *iv, int enc);

int RAND_bytes(unsigned char *buffer, int size);

int EVP_Digest(const void *data, size_t count, unsigned char *digest, unsigned int *size, const EVP_MD *type, ENGINE *engine);
typedef struct { int nid; ...; } EC_builtin_curve;
size_t EC_get_builtin_curves(EC_builtin_curve *curves, size_t count);
int EVP_PKEY_check(EVP_PKEY_CTX *context);
int EVP_PKEY_print_private(BIO *bio, const EVP_PKEY *key, int indent, ASN1_PCTX *parameters);
#define EVP_PKEY_DSA ...
#define EVP_PKEY_DH ...
#define EVP_PKEY_DHX ...
void RAND_add(const void *buffer, int size, double entropy);
int RAND_status(void);
EVP_PKEY *EVP_PKEY_new(void);
int i2d_PrivateKey(const EVP_PKEY *key, unsigned char **out);
int EVP_PKEY_id(const EVP_PKEY *key);
int EVP_PKEY_bits(const EVP_PKEY *key);
int EVP_PKEY_type(int id);
int EVP_PKEY_assign_RSA(EVP_PKEY *key, RSA *rsa);
RSA *EVP_PKEY_get1_RSA(EVP_PKEY *key);
int EVP_PKEY_set1_DSA(EVP_PKEY *key, DSA *dsa);
#define EVP_R_DATA_NOT_MULTIPLE_OF_BLOCK_LENGTH ...
