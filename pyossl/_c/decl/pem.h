#define PEM_R_NO_START_LINE ...
#define PEM_R_UNSUPPORTED_CIPHER ...
#define PEM_R_UNSUPPORTED_ENCRYPTION ...
#define PEM_BUFSIZE ...

int PEM_read_bio(BIO *bio, char **name, char **header, unsigned char **data, long *length);
int PEM_write_bio(BIO *bio, const char *name, const char *header, const unsigned char *data, long length);
EVP_PKEY *PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **key, pem_password_cb *callback, void *argument);
EVP_PKEY *PEM_read_bio_PrivateKey_ex(BIO *bio, EVP_PKEY **key, pem_password_cb *callback, void *argument, OSSL_LIB_CTX *library, const char *properties);
int PEM_write_bio_PKCS8PrivateKey(BIO *bio, EVP_PKEY *key, const EVP_CIPHER *cipher, char *password, int length, pem_password_cb *callback, void *argument);
int i2d_PKCS8PrivateKey_bio(BIO *bio, EVP_PKEY *key, const EVP_CIPHER *cipher, char *password, int length, pem_password_cb *callback, void *argument);
X509_SIG *d2i_PKCS8_bio(BIO *bio, X509_SIG **encrypted);
int i2d_PKCS8_bio(BIO *bio, const X509_SIG *encrypted);
int PEM_write_bio_PKCS8(BIO *bio, const X509_SIG *encrypted);
EVP_PKEY *d2i_PKCS8PrivateKey_bio(BIO *bio, EVP_PKEY **key, pem_password_cb *callback, void *argument);
EVP_PKEY *PEM_read_bio_PUBKEY(BIO *bio, EVP_PKEY **key, pem_password_cb *callback, void *argument);
EVP_PKEY *PEM_read_bio_PUBKEY_ex(BIO *bio, EVP_PKEY **key, pem_password_cb *callback, void *argument, OSSL_LIB_CTX *library, const char *properties);
int PEM_write_bio_PUBKEY(BIO *bio, EVP_PKEY *key);
X509 *PEM_read_bio_X509(BIO *bio, X509 **certificate, pem_password_cb *callback, void *argument);
X509 *PEM_read_bio_X509_AUX(BIO *bio, X509 **certificate, pem_password_cb *callback, void *argument);
int PEM_write_bio_X509(BIO *bio, X509 *certificate);
int PEM_write_bio_X509_AUX(BIO *bio, X509 *certificate);
X509_CRL *PEM_read_bio_X509_CRL(BIO *bio, X509_CRL **crl, pem_password_cb *callback, void *argument);
int PEM_write_bio_X509_CRL(BIO *bio, X509_CRL *crl);
X509_REQ *PEM_read_bio_X509_REQ(BIO *bio, X509_REQ **request, pem_password_cb *callback, void *argument);
int PEM_write_bio_X509_REQ(BIO *bio, X509_REQ *request);

int i2d_PrivateKey_bio(BIO *bio, EVP_PKEY *key);
int PEM_write_bio_PrivateKey(BIO *bio, EVP_PKEY *key, const EVP_CIPHER *cipher, unsigned char *password, int length, pem_password_cb *callback, void *argument);
EVP_PKEY *PEM_read_bio_Parameters(BIO *bio, EVP_PKEY **key);
DH *PEM_read_bio_DHparams(BIO *bio, DH **dh, pem_password_cb *callback, void *argument);
