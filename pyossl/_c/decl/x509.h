#define PEM_R_NO_START_LINE ...
#define X509_V_OK ...
#define X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ...
#define X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ...
#define X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ...
#define X509_V_ERR_CERT_NOT_YET_VALID ...
#define X509_V_ERR_CERT_HAS_EXPIRED ...
#define X509_V_ERR_HOSTNAME_MISMATCH ...
#define X509_V_ERR_IP_ADDRESS_MISMATCH ...
#define X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS ...
#define X509_CHECK_FLAG_NEVER_CHECK_SUBJECT ...
#define MBSTRING_UTF8 ...
#define NID_commonName ...
#define NID_basic_constraints ...
#define NID_key_usage ...
#define NID_ext_key_usage ...
#define NID_subject_key_identifier ...
#define NID_authority_key_identifier ...
#define NID_subject_alt_name ...
#define XN_FLAG_RFC2253 ...
#define XN_FLAG_ONELINE ...
#define ASN1_STRFLGS_ESC_MSB ...
#define ASN1_STRFLGS_UTF8_CONVERT ...

X509 *X509_new(void);
int X509_up_ref(X509 *certificate);
void X509_free(X509 *certificate);
X509 *PEM_read_bio_X509(BIO *bio, X509 **certificate, pem_password_cb *callback, void *argument);
X509 *PEM_read_bio_X509_AUX(BIO *bio, X509 **certificate, pem_password_cb *callback, void *argument);
int PEM_write_bio_X509(BIO *bio, X509 *certificate);
X509 *d2i_X509_bio(BIO *bio, X509 **certificate);
int i2d_X509_bio(BIO *bio, X509 *certificate);
int X509_cmp(const X509 *first, const X509 *second);
int X509_digest(const X509 *certificate, const EVP_MD *digest, unsigned char *out, unsigned int *length);
int X509_pubkey_digest(const X509 *certificate, const EVP_MD *digest, unsigned char *out, unsigned int *length);
int X509_set_version(X509 *certificate, long version);
ASN1_INTEGER *X509_get_serialNumber(X509 *certificate);
X509_NAME *X509_get_subject_name(const X509 *certificate);
X509_NAME *X509_get_issuer_name(const X509 *certificate);
int X509_set_subject_name(X509 *certificate, const X509_NAME *name);
int X509_set_issuer_name(X509 *certificate, const X509_NAME *name);
const ASN1_TIME *X509_get0_notBefore(const X509 *certificate);
const ASN1_TIME *X509_get0_notAfter(const X509 *certificate);
int X509_set1_notBefore(X509 *certificate, const ASN1_TIME *time);
int X509_set1_notAfter(X509 *certificate, const ASN1_TIME *time);
EVP_PKEY *X509_get0_pubkey(const X509 *certificate);
int X509_set_pubkey(X509 *certificate, EVP_PKEY *key);
int X509_check_private_key(const X509 *certificate, const EVP_PKEY *key);
int X509_sign(X509 *certificate, EVP_PKEY *key, const EVP_MD *digest);
int X509_NAME_add_entry_by_NID(X509_NAME *name, int nid, int type, const unsigned char *bytes, int length, int location, int set);
X509_NAME *X509_NAME_new(void);
void X509_NAME_free(X509_NAME *name);
int X509_NAME_print_ex(BIO *bio, const X509_NAME *name, int indent, unsigned long flags);
int X509_add_ext(X509 *certificate, const X509_EXTENSION *extension, int location);
int X509_get_ext_by_NID(const X509 *certificate, int nid, int after);
X509_EXTENSION *X509_get_ext(const X509 *certificate, int location);
X509_EXTENSION *X509_EXTENSION_create_by_NID(X509_EXTENSION **extension, int nid, int critical, ASN1_OCTET_STRING *data);
ASN1_OCTET_STRING *X509_EXTENSION_get_data(X509_EXTENSION *extension);
void X509_EXTENSION_free(X509_EXTENSION *extension);
ASN1_OCTET_STRING *ASN1_OCTET_STRING_new(void);
void ASN1_OCTET_STRING_free(ASN1_OCTET_STRING *string);
int ASN1_OCTET_STRING_set(ASN1_OCTET_STRING *string, const unsigned char *data, int length);
int ASN1_STRING_length(const ASN1_STRING *string);
const unsigned char *ASN1_STRING_get0_data(const ASN1_STRING *string);
struct tm { int tm_sec; int tm_min; int tm_hour; int tm_mday; int tm_mon; int tm_year; ...; };
ASN1_TIME *ASN1_TIME_new(void);
void ASN1_TIME_free(ASN1_TIME *time);
int ASN1_TIME_set_string_X509(ASN1_TIME *time, const char *text);
int ASN1_TIME_to_tm(const ASN1_TIME *time, struct tm *tm);
ASN1_INTEGER *ASN1_INTEGER_new(void);
void ASN1_INTEGER_free(ASN1_INTEGER *integer);
int X509_set_serialNumber(X509 *certificate, ASN1_INTEGER *serial);
BIGNUM *ASN1_INTEGER_to_BN(const ASN1_INTEGER *integer, BIGNUM *number);
ASN1_INTEGER *BN_to_ASN1_INTEGER(const BIGNUM *number, ASN1_INTEGER *integer);
BIGNUM *BN_bin2bn(const unsigned char *data, int length, BIGNUM *number);
char *BN_bn2hex(const BIGNUM *number);
void BN_free(BIGNUM *number);

int sk_X509_num(const struct stack_st_X509 *stack);
X509 *sk_X509_value(const struct stack_st_X509 *stack, int index);

X509_STORE *X509_STORE_new(void);
int X509_STORE_up_ref(X509_STORE *store);
void X509_STORE_free(X509_STORE *store);
int X509_STORE_add_cert(X509_STORE *store, X509 *certificate);
int X509_STORE_set_default_paths(X509_STORE *store);
int X509_STORE_load_locations(X509_STORE *store, const char *file, const char *directory);
const char *X509_get_default_cert_file(void);
const char *X509_get_default_cert_dir(void);
const char *X509_get_default_cert_file_env(void);
const char *X509_get_default_cert_dir_env(void);
const char *X509_verify_cert_error_string(long code);
int X509_STORE_CTX_get_error(const X509_STORE_CTX *context);
int X509_STORE_CTX_get_error_depth(const X509_STORE_CTX *context);
X509 *X509_STORE_CTX_get_current_cert(const X509_STORE_CTX *context);
