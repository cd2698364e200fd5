#define EVP_PKEY_EC ...
#define EVP_PKEY_RSA ...
#define NID_X9_62_prime256v1 ...
#define EVP_MAX_MD_SIZE ...
EVP_PKEY_CTX *EVP_PKEY_CTX_new_id(int id, ENGINE *engine);
void EVP_PKEY_CTX_free(EVP_PKEY_CTX *context);
int EVP_PKEY_keygen_init(EVP_PKEY_CTX *context);
int EVP_PKEY_CTX_set_ec_paramgen_curve_nid(EVP_PKEY_CTX *context, int nid);
int EVP_PKEY_CTX_set_ec_param_enc(EVP_PKEY_CTX *context, int encoding);
#define OPENSSL_EC_NAMED_CURVE ...
int EVP_PKEY_keygen(EVP_PKEY_CTX *context, EVP_PKEY **key);
int EVP_PKEY_up_ref(EVP_PKEY *key);
void EVP_PKEY_free(EVP_PKEY *key);
int EVP_PKEY_get_id(const EVP_PKEY *key);
int EVP_PKEY_get_bits(const EVP_PKEY *key);
int EVP_PKEY_eq(const EVP_PKEY *first, const EVP_PKEY *second);
const EVP_MD *EVP_sha256(void);
const EVP_MD *EVP_get_digestbyname(const char *name);
const char *OBJ_nid2sn(int nid);
int OBJ_obj2nid(const ASN1_OBJECT *object);
int OBJ_obj2txt(char *buffer, int size, const ASN1_OBJECT *object, int numeric);
int RAND_bytes(unsigned char *buffer, int size);
EVP_PKEY *PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **key, pem_password_cb *callback, void *argument);
int PEM_write_bio_PKCS8PrivateKey(BIO *bio, EVP_PKEY *key, const EVP_CIPHER *cipher, char *password, int length, pem_password_cb *callback, void *argument);
EVP_PKEY *d2i_PrivateKey_bio(BIO *bio, EVP_PKEY **key);
EVP_PKEY *d2i_PKCS8PrivateKey_bio(BIO *bio, EVP_PKEY **key, pem_password_cb *callback, void *argument);
int i2d_PKCS8PrivateKeyInfo_bio(BIO *bio, EVP_PKEY *key);
const EVP_CIPHER *EVP_aes_256_cbc(void);
