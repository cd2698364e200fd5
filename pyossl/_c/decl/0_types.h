/* types.h and what cffi must know before anything else */

typedef ... ASN1_INTEGER;
typedef ... ASN1_OBJECT;
typedef ... ASN1_OCTET_STRING;
typedef ... ASN1_STRING;
typedef ... ASN1_TIME;
typedef ... BIGNUM;
typedef ... BIO;
typedef ... BIO_METHOD;
typedef ... ENGINE;
typedef ... EVP_CIPHER;
typedef ... EVP_MD;
typedef ... EVP_PKEY;
typedef ... EVP_PKEY_CTX;
typedef ... OPENSSL_INIT_SETTINGS;
typedef ... SSL;
typedef ... SSL_CIPHER;
typedef ... SSL_CTX;
typedef ... SSL_METHOD;
typedef ... SSL_SESSION;
typedef ... X509;
typedef ... X509_EXTENSION;
typedef ... X509_NAME;
typedef ... X509_STORE;
typedef ... X509_STORE_CTX;
typedef ... X509_VERIFY_PARAM;
struct stack_st_X509;
typedef int pem_password_cb(char *buffer, int size, int writing, void *argument);
