/* the types of certificates, keys and their parts */

typedef ... ASN1_BIT_STRING;
typedef ... ASN1_ENUMERATED;
typedef ... ASN1_TYPE;
typedef ... EVP_PKEY_ASN1_METHOD;
typedef ... GENERAL_NAME;
typedef ... OSSL_LIB_CTX;
typedef ... PKCS12;
typedef ... X509_ALGOR;
typedef ... X509_ATTRIBUTE;
typedef ... X509_CRL;
typedef ... X509_NAME_ENTRY;
typedef ... X509_REQ;
typedef ... X509_REVOKED;
typedef struct stack_st_GENERAL_NAME GENERAL_NAMES;
typedef struct stack_st_ASN1_OBJECT EXTENDED_KEY_USAGE;
typedef struct stack_st_ASN1_INTEGER TLS_FEATURE;
struct stack_st_X509_CRL;
struct stack_st_X509_EXTENSION;
struct stack_st_X509_OBJECT;
struct stack_st_X509_REVOKED;
struct tm { int tm_sec; int tm_min; int tm_hour; int tm_mday; int tm_mon; int tm_year; ...; };
typedef ... X509_SIG;
typedef ... PKCS8_PRIV_KEY_INFO;
