#define MBSTRING_UTF8 ...
#define ASN1_STRFLGS_ESC_MSB ...
#define ASN1_STRFLGS_UTF8_CONVERT ...
#define V_ASN1_BMPSTRING ...
#define V_ASN1_IA5STRING ...
#define V_ASN1_PRINTABLESTRING ...
#define V_ASN1_T61STRING ...
#define V_ASN1_UNIVERSALSTRING ...
#define V_ASN1_UTF8STRING ...
#define V_ASN1_UTCTIME ...
#define V_ASN1_GENERALIZEDTIME ...

int ASN1_STRING_length(const ASN1_STRING *string);
int ASN1_STRING_type(const ASN1_STRING *string);
const unsigned char *ASN1_STRING_get0_data(const ASN1_STRING *string);
int ASN1_STRING_to_UTF8(unsigned char **out, const ASN1_STRING *string);
ASN1_OCTET_STRING *ASN1_OCTET_STRING_new(void);
void ASN1_OCTET_STRING_free(ASN1_OCTET_STRING *string);
int ASN1_OCTET_STRING_set(ASN1_OCTET_STRING *string, const unsigned char *data, int length);
ASN1_INTEGER *ASN1_INTEGER_new(void);
void ASN1_INTEGER_free(ASN1_INTEGER *integer);
BIGNUM *ASN1_INTEGER_to_BN(const ASN1_INTEGER *integer, BIGNUM *number);
ASN1_INTEGER *BN_to_ASN1_INTEGER(const BIGNUM *number, ASN1_INTEGER *integer);
long ASN1_ENUMERATED_get(const ASN1_ENUMERATED *value);
void ASN1_ENUMERATED_free(ASN1_ENUMERATED *value);
ASN1_TIME *ASN1_TIME_new(void);
void ASN1_TIME_free(ASN1_TIME *time);
int ASN1_TIME_set_string_X509(ASN1_TIME *time, const char *text);
int ASN1_TIME_to_tm(const ASN1_TIME *time, struct tm *tm);
ASN1_GENERALIZEDTIME *ASN1_TIME_to_generalizedtime(const ASN1_TIME *time, ASN1_GENERALIZEDTIME **out);
void ASN1_GENERALIZEDTIME_free(ASN1_GENERALIZEDTIME *time);
int i2d_ASN1_TYPE(const ASN1_TYPE *value, unsigned char **out);

BIGNUM *BN_bin2bn(const unsigned char *data, int length, BIGNUM *number);
void BN_set_negative(BIGNUM *number, int negative);
char *BN_bn2hex(const BIGNUM *number);
void BN_free(BIGNUM *number);

int ASN1_TIME_set_string(ASN1_TIME *time, const char *text);
