typedef ... OSSL_STORE_CTX;
typedef ... OSSL_STORE_INFO;

#define OSSL_STORE_INFO_NAME ...
#define OSSL_STORE_INFO_PUBKEY ...
#define OSSL_STORE_INFO_PKEY ...
#define OSSL_STORE_INFO_CERT ...
#define OSSL_STORE_INFO_CRL ...
#define OSSL_STORE_R_UNREGISTERED_SCHEME ...

OSSL_STORE_CTX *OSSL_STORE_open(const char *uri, const UI_METHOD *ui_method, void *ui_data, OSSL_STORE_INFO *(*post_process)(OSSL_STORE_INFO *, void *), void *post_process_data);
void pyossl_silence_stays(void);
OSSL_STORE_CTX *pyossl_store_open(const char *uri, OSSL_LIB_CTX *library, const UI_METHOD *method, void *data);
OSSL_STORE_INFO *pyossl_store_load(OSSL_STORE_CTX *store);
#if HAVE_API_3_0
OSSL_STORE_CTX *pyossl_store_attach(BIO *bio, const char *type, OSSL_LIB_CTX *library, const UI_METHOD *method, void *data);
#endif
OSSL_STORE_INFO *OSSL_STORE_load(OSSL_STORE_CTX *context);
int OSSL_STORE_eof(OSSL_STORE_CTX *context);
int OSSL_STORE_error(OSSL_STORE_CTX *context);
int OSSL_STORE_close(OSSL_STORE_CTX *context);
int OSSL_STORE_expect(OSSL_STORE_CTX *context, int expected_type);
int OSSL_STORE_INFO_get_type(const OSSL_STORE_INFO *info);
void OSSL_STORE_INFO_free(OSSL_STORE_INFO *info);
const char *OSSL_STORE_INFO_get0_NAME(const OSSL_STORE_INFO *info);
EVP_PKEY *OSSL_STORE_INFO_get1_PUBKEY(const OSSL_STORE_INFO *info);
EVP_PKEY *OSSL_STORE_INFO_get1_PKEY(const OSSL_STORE_INFO *info);
X509 *OSSL_STORE_INFO_get1_CERT(const OSSL_STORE_INFO *info);
X509_CRL *OSSL_STORE_INFO_get1_CRL(const OSSL_STORE_INFO *info);
