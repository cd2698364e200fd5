/* What the generic contexts, certificates in the making and the pyOpenSSL face need beyond the other fragments. */
typedef struct { int nid; ...; } EC_builtin_curve;
size_t EC_get_builtin_curves(EC_builtin_curve *curves, size_t count);

X509_NAME *sk_X509_NAME_pop(struct stack_st_X509_NAME *stack);
X509_NAME *X509_NAME_dup(const X509_NAME *name);
X509_NAME_ENTRY *X509_NAME_delete_entry(X509_NAME *name, int location);
void X509_NAME_ENTRY_free(X509_NAME_ENTRY *entry);
unsigned long X509_NAME_hash(X509_NAME *name);
char *X509_NAME_oneline(const X509_NAME *name, char *buffer, int size);
unsigned long X509_subject_name_hash(X509 *certificate);
const X509_ALGOR *X509_get0_tbs_sigalg(const X509 *certificate);
ASN1_TIME *X509_gmtime_adj(ASN1_TIME *time, long seconds);
ASN1_TIME *X509_getm_notBefore(const X509 *certificate);
ASN1_TIME *X509_getm_notAfter(const X509 *certificate);
int ASN1_TIME_set_string(ASN1_TIME *time, const char *text);
int OBJ_txt2nid(const char *text);
int i2d_PrivateKey_bio(BIO *bio, EVP_PKEY *key);
int PEM_write_bio_PrivateKey(BIO *bio, EVP_PKEY *key, const EVP_CIPHER *cipher, unsigned char *password, int length, pem_password_cb *callback, void *argument);
EVP_PKEY *PEM_read_bio_Parameters(BIO *bio, EVP_PKEY **key);
int EVP_PKEY_check(EVP_PKEY_CTX *context);
typedef ... ASN1_PCTX;
int EVP_PKEY_print_private(BIO *bio, const EVP_PKEY *key, int indent, ASN1_PCTX *parameters);
#define EVP_PKEY_DSA ...
#define EVP_PKEY_DH ...
int X509_STORE_set_flags(X509_STORE *store, unsigned long flags);
int X509_STORE_set1_param(X509_STORE *store, const X509_VERIFY_PARAM *parameters);
X509_VERIFY_PARAM *X509_VERIFY_PARAM_new(void);
void X509_VERIFY_PARAM_free(X509_VERIFY_PARAM *parameters);
void RAND_add(const void *buffer, int size, double entropy);
int RAND_status(void);

void pyossl_set_verify(pyossl_connection *connection, int mode);
void pyossl_set_connection_info(pyossl_connection *connection, int on);
#define PYOSSL_STATUS ...
#define PYOSSL_COOKIE ...
#define PYOSSL_COOKIE_BACK ...
void pyossl_set_generic_callback(SSL_CTX *context, int which);
int pyossl_staple(SSL *ssl, const unsigned char *response, size_t length);
int pyossl_use_dh(SSL_CTX *context, EVP_PKEY *parameters);
EVP_PKEY *pyossl_generate_dsa(int bits);
long long pyossl_dtls_listen(pyossl_connection *connection);
long long pyossl_dtls_handle_timeout(pyossl_connection *connection);
extern "Python" {
int pyossl_on_staple(void *handle);
int pyossl_on_stapled(void *handle, const unsigned char *response, long length);
int pyossl_on_cookie(void *handle, unsigned char *cookie, unsigned int *length);
int pyossl_on_cookie_back(void *handle, const unsigned char *cookie, unsigned int length);
}
