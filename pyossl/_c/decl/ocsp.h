#if HAVE_OCSP
typedef ... OCSP_BASICRESP;
typedef ... OCSP_CERTID;
typedef ... OCSP_RESPONSE;
typedef ... OCSP_SINGLERESP;

#define OCSP_NOCERTS ...
#define OCSP_NOEXPLICIT ...

OCSP_RESPONSE *d2i_OCSP_RESPONSE_bio(BIO *bio, OCSP_RESPONSE **response);
int i2d_OCSP_RESPONSE_bio(BIO *bio, OCSP_RESPONSE *response);
int OCSP_RESPONSE_print(BIO *bio, OCSP_RESPONSE *response, unsigned long flags);
void OCSP_RESPONSE_free(OCSP_RESPONSE *response);
int OCSP_response_status(OCSP_RESPONSE *response);
OCSP_RESPONSE *OCSP_response_create(int status, OCSP_BASICRESP *basic);

OCSP_BASICRESP *OCSP_BASICRESP_new(void);
OCSP_BASICRESP *OCSP_response_get1_basic(OCSP_RESPONSE *response);
void OCSP_BASICRESP_free(OCSP_BASICRESP *basic);
int OCSP_basic_verify(OCSP_BASICRESP *basic, struct stack_st_X509 *certificates, X509_STORE *store, unsigned long flags);
OCSP_SINGLERESP *OCSP_basic_add1_status(OCSP_BASICRESP *basic, OCSP_CERTID *id, int status, int reason, ASN1_TIME *revoked_at, ASN1_TIME *this_update, ASN1_TIME *next_update);
int OCSP_basic_sign(OCSP_BASICRESP *basic, X509 *signer, EVP_PKEY *key, const EVP_MD *digest, struct stack_st_X509 *certificates, unsigned long flags);

const X509_ALGOR *OCSP_resp_get0_tbs_sigalg(const OCSP_BASICRESP *basic);
const struct stack_st_X509 *OCSP_resp_get0_certs(const OCSP_BASICRESP *basic);
const ASN1_GENERALIZEDTIME *OCSP_resp_get0_produced_at(const OCSP_BASICRESP *basic);
int OCSP_resp_get0_id(const OCSP_BASICRESP *basic, const ASN1_OCTET_STRING **key, const X509_NAME **name);
int OCSP_resp_count(OCSP_BASICRESP *basic);
OCSP_SINGLERESP *OCSP_resp_get0(OCSP_BASICRESP *basic, int index);
int OCSP_single_get0_status(OCSP_SINGLERESP *single, int *reason, ASN1_GENERALIZEDTIME **revoked_at, ASN1_GENERALIZEDTIME **this_update, ASN1_GENERALIZEDTIME **next_update);

OCSP_CERTID *OCSP_cert_to_id(const EVP_MD *digest, const X509 *certificate, const X509 *issuer);
void OCSP_CERTID_free(OCSP_CERTID *id);

/* x509/ocsp_response.c */
OCSP_RESPONSE *pyossl_pem_ocsp_response(BIO *bio, OCSP_RESPONSE **response, pem_password_cb *callback, void *argument);
ASN1_INTEGER *pyossl_ocsp_serial(OCSP_SINGLERESP *single);
int pyossl_ocsp_is_about(OCSP_SINGLERESP *single, X509 *certificate, X509 *issuer, OSSL_LIB_CTX *library);
int pyossl_ocsp_verify(OCSP_BASICRESP *basic, struct stack_st_X509 *certificates, X509_STORE *store, unsigned long flags, OSSL_LIB_CTX *library);
int pyossl_ocsp_digest_bits(OCSP_BASICRESP *basic);
#endif
