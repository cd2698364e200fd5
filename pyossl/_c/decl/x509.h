#define XN_FLAG_RFC2253 ...
#define XN_FLAG_ONELINE ...

X509 *X509_new(void);
#define X509_FLAG_NO_VALIDITY ...
int X509_up_ref(X509 *certificate);
X509 *X509_dup(const X509 *certificate);
void X509_free(X509 *certificate);
X509 *d2i_X509_bio(BIO *bio, X509 **certificate);
int i2d_X509_bio(BIO *bio, X509 *certificate);
int X509_cmp(const X509 *first, const X509 *second);
int X509_print(BIO *bio, X509 *certificate);
int X509_digest(const X509 *certificate, const EVP_MD *digest, unsigned char *out, unsigned int *length);
int X509_pubkey_digest(const X509 *certificate, const EVP_MD *digest, unsigned char *out, unsigned int *length);
long X509_get_version(const X509 *certificate);
int X509_set_version(X509 *certificate, long version);
ASN1_INTEGER *X509_get_serialNumber(X509 *certificate);
int X509_set_serialNumber(X509 *certificate, ASN1_INTEGER *serial);
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
int i2d_re_X509_tbs(X509 *certificate, unsigned char **out);
EXTENDED_KEY_USAGE *X509_get0_trust_objects(X509 *certificate);
EXTENDED_KEY_USAGE *X509_get0_reject_objects(X509 *certificate);
int X509_sign(X509 *certificate, EVP_PKEY *key, const EVP_MD *digest);
int X509_verify(X509 *certificate, EVP_PKEY *key);
void X509_get0_signature(const ASN1_BIT_STRING **signature, const X509_ALGOR **algorithm, const X509 *certificate);
void X509_ALGOR_get0(const ASN1_OBJECT **object, int *type, const void **value, const X509_ALGOR *algorithm);
unsigned char *X509_alias_get0(X509 *certificate, int *length);
int X509_alias_set1(X509 *certificate, const unsigned char *name, int length);

X509_NAME *X509_NAME_new(void);
void X509_NAME_free(X509_NAME *name);
X509_NAME *d2i_X509_NAME(X509_NAME **name, const unsigned char **in, long length);
int i2d_X509_NAME(const X509_NAME *name, unsigned char **out);
int X509_NAME_cmp(const X509_NAME *first, const X509_NAME *second);
int X509_NAME_print_ex(BIO *bio, const X509_NAME *name, int indent, unsigned long flags);
int X509_NAME_entry_count(const X509_NAME *name);
X509_NAME_ENTRY *X509_NAME_get_entry(const X509_NAME *name, int location);
int X509_NAME_add_entry_by_NID(X509_NAME *name, int nid, int type, const unsigned char *bytes, int length, int location, int set);
ASN1_OBJECT *X509_NAME_ENTRY_get_object(const X509_NAME_ENTRY *entry);
ASN1_STRING *X509_NAME_ENTRY_get_data(const X509_NAME_ENTRY *entry);
int X509_NAME_ENTRY_set(const X509_NAME_ENTRY *entry);

int X509_get_ext_count(const X509 *certificate);
X509_EXTENSION *X509_get_ext(const X509 *certificate, int location);
int X509_get_ext_by_NID(const X509 *certificate, int nid, int after);
int X509_add_ext(X509 *certificate, const X509_EXTENSION *extension, int location);
void *X509_get_ext_d2i(const X509 *certificate, int nid, int *critical, int *index);
X509_EXTENSION *X509_EXTENSION_create_by_NID(X509_EXTENSION **extension, int nid, int critical, ASN1_OCTET_STRING *data);
X509_EXTENSION *X509_EXTENSION_create_by_OBJ(X509_EXTENSION **extension, const ASN1_OBJECT *object, int critical, ASN1_OCTET_STRING *data);
X509_EXTENSION *X509_EXTENSION_dup(const X509_EXTENSION *extension);
void X509_EXTENSION_free(X509_EXTENSION *extension);
ASN1_OBJECT *X509_EXTENSION_get_object(X509_EXTENSION *extension);
int X509_EXTENSION_get_critical(const X509_EXTENSION *extension);
ASN1_OCTET_STRING *X509_EXTENSION_get_data(X509_EXTENSION *extension);

int X509_CRL_up_ref(X509_CRL *crl);
void X509_CRL_free(X509_CRL *crl);
X509_CRL *X509_CRL_dup(const X509_CRL *crl);
X509_CRL *d2i_X509_CRL_bio(BIO *bio, X509_CRL **crl);
int i2d_X509_CRL_bio(BIO *bio, X509_CRL *crl);
int X509_CRL_match(const X509_CRL *first, const X509_CRL *second);
int X509_CRL_digest(const X509_CRL *crl, const EVP_MD *digest, unsigned char *out, unsigned int *length);
int X509_print_ex(BIO *bio, X509 *certificate, unsigned long name_flags, unsigned long flags);
int X509_CRL_print(BIO *bio, X509_CRL *crl);
X509_NAME *X509_CRL_get_issuer(const X509_CRL *crl);
const ASN1_TIME *X509_CRL_get0_lastUpdate(const X509_CRL *crl);
const ASN1_TIME *X509_CRL_get0_nextUpdate(const X509_CRL *crl);
int X509_CRL_verify(X509_CRL *crl, EVP_PKEY *key);
void X509_CRL_get0_signature(const X509_CRL *crl, const ASN1_BIT_STRING **signature, const X509_ALGOR **algorithm);
int X509_CRL_get_ext_count(const X509_CRL *crl);
X509_EXTENSION *X509_CRL_get_ext(const X509_CRL *crl, int location);
void *X509_CRL_get_ext_d2i(const X509_CRL *crl, int nid, int *critical, int *index);
struct stack_st_X509_REVOKED *X509_CRL_get_REVOKED(X509_CRL *crl);
int X509_CRL_get0_by_cert(X509_CRL *crl, X509_REVOKED **revoked, X509 *certificate);
int X509_CRL_get0_by_serial(X509_CRL *crl, X509_REVOKED **revoked, ASN1_INTEGER *serial);
const ASN1_INTEGER *X509_REVOKED_get0_serialNumber(const X509_REVOKED *revoked);
const ASN1_TIME *X509_REVOKED_get0_revocationDate(const X509_REVOKED *revoked);
void *X509_REVOKED_get_ext_d2i(const X509_REVOKED *revoked, int nid, int *critical, int *index);

struct stack_st_X509 *sk_X509_new_null(void);
int sk_X509_num(const struct stack_st_X509 *stack);
X509 *sk_X509_value(const struct stack_st_X509 *stack, int index);
int sk_X509_push(struct stack_st_X509 *stack, X509 *certificate);
void sk_X509_free(struct stack_st_X509 *stack);
struct stack_st_X509_CRL *sk_X509_CRL_new_null(void);
int sk_X509_CRL_push(struct stack_st_X509_CRL *stack, X509_CRL *crl);
void sk_X509_CRL_free(struct stack_st_X509_CRL *stack);
int sk_X509_REVOKED_num(const struct stack_st_X509_REVOKED *stack);
X509_REVOKED *sk_X509_REVOKED_value(const struct stack_st_X509_REVOKED *stack, int index);

const char *X509_get_default_cert_file(void);
const char *X509_get_default_cert_dir(void);
const char *X509_get_default_cert_file_env(void);
const char *X509_get_default_cert_dir_env(void);
const char *X509_verify_cert_error_string(long code);

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

void X509_SIG_free(X509_SIG *encrypted);
void PKCS8_PRIV_KEY_INFO_free(PKCS8_PRIV_KEY_INFO *plain);
