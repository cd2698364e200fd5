/* Used by the context and session layers; ssl.h's fragment is to take these over. */
#define SSL_TLSEXT_ERR_OK ...
#define SSL_TLSEXT_ERR_ALERT_FATAL ...
#define SSL_TLSEXT_ERR_NOACK ...
#define SSL_AD_INTERNAL_ERROR ...
#define SSL_AD_UNRECOGNIZED_NAME ...
#define SSL_SESS_CACHE_OFF ...
#define SSL_SESS_CACHE_CLIENT ...
#define SSL_SESS_CACHE_SERVER ...
#define SSL_SESS_CACHE_BOTH ...
#define SSL_SESS_CACHE_NO_INTERNAL ...
#define SSL_CB_LOOP ...
#define SSL_CB_EXIT ...
#define SSL_CB_READ ...
#define SSL_CB_WRITE ...
#define SSL_CB_ALERT ...
#define SSL_CB_HANDSHAKE_START ...
#define SSL_CB_HANDSHAKE_DONE ...
#define SSL_OP_NO_TICKET ...
#define SSL_OP_CIPHER_SERVER_PREFERENCE ...

int SSL_CTX_set_cipher_list(SSL_CTX *context, const char *ciphers);
int SSL_CTX_set_ciphersuites(SSL_CTX *context, const char *ciphersuites);
struct stack_st_SSL_CIPHER *SSL_CTX_get_ciphers(const SSL_CTX *context);
int sk_SSL_CIPHER_num(const struct stack_st_SSL_CIPHER *stack);
SSL_CIPHER *sk_SSL_CIPHER_value(const struct stack_st_SSL_CIPHER *stack, int index);
uint16_t SSL_CIPHER_get_protocol_id(const SSL_CIPHER *cipher);
long SSL_CTX_set1_groups_list(SSL_CTX *context, const char *groups);
long SSL_CTX_set1_sigalgs_list(SSL_CTX *context, const char *algorithms);
long SSL_CTX_set1_client_sigalgs_list(SSL_CTX *context, const char *algorithms);
void SSL_CTX_set_security_level(SSL_CTX *context, int level);
#if HAVE_OPTIONS_UINT64
uint64_t SSL_CTX_clear_options(SSL_CTX *context, uint64_t options);
#else
unsigned long SSL_CTX_clear_options(SSL_CTX *context, unsigned long options);
#endif
long SSL_CTX_clear_mode(SSL_CTX *context, long mode);
long SSL_CTX_get_mode(SSL_CTX *context);
void SSL_CTX_set_verify_depth(SSL_CTX *context, int depth);
int SSL_CTX_get_verify_depth(const SSL_CTX *context);
X509_VERIFY_PARAM *SSL_CTX_get0_param(SSL_CTX *context);
X509_VERIFY_PARAM *SSL_get0_param(SSL *ssl);
int SSL_add1_dnsname(SSL *ssl, const char *name);
SSL_CTX *SSL_set_SSL_CTX(SSL *ssl, SSL_CTX *context);
void SSL_set_verify(SSL *ssl, int mode, int (*callback)(int, X509_STORE_CTX *));
void SSL_set_verify_depth(SSL *ssl, int depth);
int SSL_CTX_config(SSL_CTX *context, const char *name);
SSL_CONF_CTX *SSL_CONF_CTX_new(void);
void SSL_CONF_CTX_free(SSL_CONF_CTX *configuration);
unsigned int SSL_CONF_CTX_set_flags(SSL_CONF_CTX *configuration, unsigned int flags);
void SSL_CONF_CTX_set_ssl_ctx(SSL_CONF_CTX *configuration, SSL_CTX *context);
int SSL_CONF_cmd(SSL_CONF_CTX *configuration, const char *command, const char *value);
int SSL_CONF_CTX_finish(SSL_CONF_CTX *configuration);
#define SSL_CONF_FLAG_FILE ...
#define SSL_CONF_FLAG_CLIENT ...
#define SSL_CONF_FLAG_SERVER ...
#define SSL_CONF_FLAG_CERTIFICATE ...
#define SSL_CONF_FLAG_SHOW_ERRORS ...

long SSL_CTX_set_session_cache_mode(SSL_CTX *context, long mode);
long SSL_CTX_set_timeout(SSL_CTX *context, long seconds);
int SSL_CTX_set_num_tickets(SSL_CTX *context, size_t count);
long SSL_CTX_set_tlsext_ticket_keys(SSL_CTX *context, void *keys, long length);
int SSL_set_session(SSL *ssl, SSL_SESSION *session);
SSL_SESSION *SSL_get1_session(SSL *ssl);
int SSL_SESSION_up_ref(SSL_SESSION *session);
void SSL_SESSION_free(SSL_SESSION *session);
int i2d_SSL_SESSION(const SSL_SESSION *session, unsigned char **out);
SSL_SESSION *d2i_SSL_SESSION(SSL_SESSION **session, const unsigned char **in, long length);
int PEM_write_bio_SSL_SESSION(BIO *bio, SSL_SESSION *session);
SSL_SESSION *PEM_read_bio_SSL_SESSION(BIO *bio, SSL_SESSION **session, pem_password_cb *callback, void *argument);
int SSL_SESSION_is_resumable(const SSL_SESSION *session);
int SSL_SESSION_has_ticket(const SSL_SESSION *session);
unsigned long SSL_SESSION_get_ticket_lifetime_hint(const SSL_SESSION *session);
long SSL_SESSION_get_timeout(const SSL_SESSION *session);
long SSL_SESSION_set_timeout(SSL_SESSION *session, long seconds);
time_t SSL_SESSION_get_time_ex(const SSL_SESSION *session);
const unsigned char *SSL_SESSION_get_id(const SSL_SESSION *session, unsigned int *length);
int SSL_SESSION_get_protocol_version(const SSL_SESSION *session);
const SSL_CIPHER *SSL_SESSION_get0_cipher(const SSL_SESSION *session);
const char *SSL_SESSION_get0_hostname(const SSL_SESSION *session);
