/* pyossl's own C, in the order of pyossl.c within each folder.  The comments are in the C files. */

typedef struct {
    unsigned long code;
    int line;
    char file[...];
    char function[...];
    char data[...];
    ...;
} pyossl_record;

typedef struct {
    int calls;
    ...;
} pyossl_lock;

typedef struct {
    SSL *ssl;
    void *handle;
    int error;
    int sys_errno;
    int record_count;
    pyossl_record *records;
    double timeout;
    size_t write_pending;
    pyossl_lock *lock;
    int fd;
    int waiters;
    int busy;
    int closed;
    int dead;
    int has_lost_bytes;
    int requires_scts;
    int parked;
    int keeps_to_records;
    int received_end;
    int write_errno;
    int handshakes_left;
    int calls_verify;
    int verify_error;
    int verify_depth;
    X509 *verify_certificate;
    ...;
} pyossl_connection;

/* core */
int pyossl_take_errors(pyossl_record *records, int room);
void pyossl_clear_errors(void);
void pyossl_before_fork(void);
void pyossl_after_fork(void);
pyossl_lock *pyossl_lock_new(void);
void pyossl_lock_free(pyossl_lock *lock);
int pyossl_lock_is_inherited(const pyossl_lock *lock);
void pyossl_interpreter_ends(void);
unsigned long pyossl_process(void);
void pyossl_free_nothing(void *pointer);
int pyossl_under_lock(pyossl_lock *lock, void *question);
int pyossl_under_lock_if_free(pyossl_lock *lock, void *question);
int pyossl_in_turn(pyossl_connection *connection, void *question);
int pyossl_in_turn_if_free(pyossl_connection *connection, void *question);
#define PYOSSL_IS_FINISHED ...
#define PYOSSL_IS_REUSED ...
#define PYOSSL_BYTES_PENDING ...
#define PYOSSL_HAS_PENDING ...
#define PYOSSL_VERIFY_RESULT ...
#define PYOSSL_SHUTDOWN_STATE ...
long long pyossl_ask(pyossl_connection *connection, int question);
SSL_SESSION *pyossl_session(pyossl_connection *connection);
#define PYOSSL_LATE ...
#if PYOSSL_LATE
int pyossl_load(const char *file, int if_loaded);
const char *pyossl_load_refusal(void);
const char *pyossl_libssl_of_python(const char *module);
const char *pyossl_lacks(const char *name);
#endif
int pyossl_initialise(void);
int pyossl_library_refused(unsigned long library);

typedef struct {
    char name[...];
    char title[...];
    char version[...];
    int active;
} pyossl_provider;

const char *pyossl_ssl_library(void);
const char *pyossl_crypto_library(void);
const char *pyossl_headers(void);
int pyossl_is_newer_than_headers(void);
int pyossl_providers(OSSL_LIB_CTX *library, pyossl_provider *providers, int room);
int pyossl_fips(OSSL_LIB_CTX *library);
#define PYOSSL_CONFIGURATION_APPLIED ...
#define PYOSSL_CONFIGURATION_MALFORMED ...
#define PYOSSL_CONFIGURATION_WITHOUT_MODULES ...
#define PYOSSL_CONFIGURATION_REFUSED ...
int pyossl_configure_library(OSSL_LIB_CTX *library, const char *text, int length, int only_policy);
char *pyossl_resolved_configuration(const char *text, int length);

/* tls/callbacks/callbacks.c */
typedef struct {
    const unsigned char *protocols;
    unsigned int length;
    int goes_on;
} pyossl_alpn;

typedef struct {
    const char *bytes;
    int length;
    int asked;
} pyossl_password;

void pyossl_set_message_callback(pyossl_connection *connection, int on);
void pyossl_set_callback(SSL_CTX *context, int which, int on);
#define PYOSSL_SERVERNAME ...
#define PYOSSL_INDICATED_NAME ...
#define PYOSSL_CERTIFICATE ...
#define PYOSSL_CHAIN ...
#define PYOSSL_ALPN ...
#define PYOSSL_INFO ...
#define PYOSSL_KEYLOG ...
#define PYOSSL_NEW_SESSION ...
#define PYOSSL_MESSAGE ...
void pyossl_set_alpn_select(SSL_CTX *context, pyossl_alpn *alpn);
int pyossl_password_callback(char *buffer, int size, int writing, void *argument);
void pyossl_set_verify(pyossl_connection *connection, int mode);
void pyossl_set_connection_info(pyossl_connection *connection, int on);

/* tls/callbacks/suspending_callbacks.c */
#define PYOSSL_REFUSED ...
#define PYOSSL_ACCEPTED ...
#define PYOSSL_NO_ANSWER ...
int pyossl_use_own_credentials(SSL *ssl, X509 *certificate, EVP_PKEY *key, struct stack_st_X509 *chain);

/* tls/mutable/live_context.c */
int pyossl_make_live(SSL_CTX *context);
int pyossl_set_context(pyossl_connection *connection, SSL_CTX *context);
struct stack_st_SSL_CIPHER *pyossl_context_ciphers(SSL_CTX *context);
struct stack_st_SSL_CIPHER *pyossl_connection_ciphers(pyossl_connection *connection);
int pyossl_use_credentials(SSL_CTX *context, X509 *certificate, EVP_PKEY *key, struct stack_st_X509 *chain);

/* tls/connection/handshake_job.c */
int pyossl_has_async_jobs(void);
int pyossl_async_fds(pyossl_connection *connection, int *fds, int room);

/* tls/settings/switch_context.c */
int pyossl_switch_context(pyossl_connection *connection, SSL_CTX *context);

/* tls/sessions/pre_shared_keys.c */
int pyossl_set_psk_callback(SSL_CTX *context, int is_server, int on);
void pyossl_set_psk_session_callback(SSL_CTX *context, int is_server, int on);
int pyossl_use_psk_hint(SSL_CTX *context, const char *hint);
int pyossl_longest_identity(void);

/* tls/settings/record_padding.c */
void pyossl_set_record_padding(SSL_CTX *context, int on);

/* tls/settings/custom_extensions.c */
int pyossl_add_extension(SSL_CTX *context, unsigned int type, unsigned int messages, int adds, int parses);
int pyossl_give_extension(pyossl_connection *connection, const unsigned char *data, size_t length);

/* tls/settings/allow_early_data.c */
void pyossl_set_allow_early_data(SSL_CTX *context, int asks_python);

/* tls/sessions/session_cache_memory.c */
void pyossl_limit_sessions(SSL_CTX *context);

/* tls/sessions/session_callbacks.c */
int pyossl_lend_session(SSL_SESSION **answer, SSL_SESSION *session);
void pyossl_keep_sessions_outside(SSL_CTX *context, int gets, int removes);
int pyossl_set_ticket_callbacks(SSL_CTX *context, int generates, int decrypts);

/* tls/authentication/raw_public_keys.c */
int pyossl_expect_keys(SSL_CTX *context, int mode, EVP_PKEY **keys, size_t count, int takes_certificates);

/* tls/sessions/ticket_keys.c */
typedef ... pyossl_ticket_keys;
#define PYOSSL_TICKET_KEY ...
#define PYOSSL_TICKET_KEY_NAME ...
#define PYOSSL_TICKET_KEY_MAC ...
#define PYOSSL_MOST_TICKET_KEYS ...
#define PYOSSL_PROTECTION ...
pyossl_ticket_keys *pyossl_ticket_keys_new(void);
void pyossl_ticket_keys_free(pyossl_ticket_keys *keys);
void pyossl_ticket_keys_replace(pyossl_ticket_keys *keys, const unsigned char *bytes, int count);
void pyossl_ticket_keys_rotate(pyossl_ticket_keys *keys, const unsigned char *bytes, int kept);
int pyossl_ticket_keys_copy(pyossl_ticket_keys *keys, unsigned char *room);
int pyossl_use_ticket_keys(SSL_CTX *context, pyossl_ticket_keys *keys, OSSL_LIB_CTX *library);
int pyossl_ticket_keys_encrypt(pyossl_ticket_keys *keys, const unsigned char *data, int length, const unsigned char *label, int label_length, unsigned char *result);
int pyossl_ticket_keys_decrypt(pyossl_ticket_keys *keys, const unsigned char *data, int length, const unsigned char *label, int label_length, unsigned char *result);

/* tls/mutable/diffie_hellman.c */
int pyossl_use_dh(SSL_CTX *context, EVP_PKEY *parameters);

/* tls/authentication/distrusted_keys.c */
void pyossl_verify_without_distrusted_keys(SSL_CTX *context, int mode);

/* tls/mutable/credential_files.c */
SSL_CTX *pyossl_context_for_files(SSL_CTX *context, int prompts, void *handle);
#define PYOSSL_CREDENTIALS_LOADED ...
#define PYOSSL_CERTIFICATE_FAILED ...
#define PYOSSL_KEY_FAILED ...
#define PYOSSL_CREDENTIALS_MISMATCH ...
#define PYOSSL_CREDENTIALS_REFUSED ...
int pyossl_read_credentials(SSL_CTX *reader, const char *certificate, const char *key);
int pyossl_take_credentials(SSL_CTX *context, SSL_CTX *reader);
int pyossl_context_trusts_system(SSL_CTX *context, X509_STORE *default_file);

/* tls/connection/connection_lock.c */
void pyossl_may_cross_forks(pyossl_connection *connection);
int pyossl_is_inherited(const pyossl_connection *connection);

/* tls/connection/connection_new.c */
pyossl_connection *pyossl_connection_in_memory(SSL_CTX *context, int takes_side);
pyossl_connection *pyossl_connection_over_queues(SSL_CTX *context, uintptr_t incoming, uintptr_t outgoing);
pyossl_connection *pyossl_connection_over_bios(SSL_CTX *context, int takes_side, BIO *reader, BIO *writer, pyossl_lock *lock, pyossl_lock *other_lock);
pyossl_connection *pyossl_connection_over_socket(SSL_CTX *context, int takes_side, int fd);
void pyossl_check_descriptor(pyossl_connection *connection);
int pyossl_set_expected_peer(pyossl_connection *connection, const char *name, int is_address, int is_checked);
int pyossl_offer_session(pyossl_connection *connection, SSL_SESSION *session, const unsigned char *binding, unsigned int size);
#define PYOSSL_HOST_FLAGS ...
#define PYOSSL_UNVERIFIED_SESSION ...
#define PYOSSL_OTHER_RECORDS ...
#define PYOSSL_OTHER_KEY ...

/* tls/authentication/dane.c */
int pyossl_dane_enable(SSL *ssl, const char *domain, int checks_ee_names, const unsigned char *binding, unsigned int size);

/* tls/connection/call_outcome.c */
#define PYOSSL_CLOSED ...
#define PYOSSL_INHERITED ...
#define PYOSSL_BUSY ...
#define PYOSSL_DEAD ...
#define PYOSSL_PARKED ...
#define PYOSSL_OTHER_WRITE ...
#define PYOSSL_SHUT ...
#define PYOSSL_TOO_EARLY ...
#define PYOSSL_TIMED_OUT ...
#define PYOSSL_WRITE_FIRST ...
#define PYOSSL_WRITING ...
#define PYOSSL_NO_MEMORY ...
#define PYOSSL_OTHER_BIO ...
#define PYOSSL_RAISED ...
#define PYOSSL_PAUSED ...
#define PYOSSL_UNREAD ...
#define PYOSSL_ASKED ...
#define PYOSSL_UNWRITTEN ...
#define PYOSSL_READ_FIRST ...
#define PYOSSL_DENIED ...
#define PYOSSL_UNFINISHED ...
#define PYOSSL_EARLY_FIRST ...
#define PYOSSL_TOO_LATE ...
#define PYOSSL_OTHER_THREAD ...

/* tls/connection/handshake.c */
long long pyossl_handshake(pyossl_connection *connection);
long long pyossl_connect(pyossl_connection *connection);
long long pyossl_accept(pyossl_connection *connection);

/* tls/connection/post_handshake.c */
#define PYOSSL_UPDATE_KEYS ...
#define PYOSSL_UPDATE_BOTH_KEYS ...
#define PYOSSL_RENEGOTIATE ...
#define PYOSSL_REQUEST_CERTIFICATE ...
void pyossl_allow_renegotiations(pyossl_connection *connection, int most, int by_peer);
long long pyossl_post_handshake(pyossl_connection *connection, int what);

/* tls/connection/renegotiation.c */
int pyossl_must_read_first(const pyossl_connection *connection);

/* tls/connection/read.c */
long long pyossl_read(pyossl_connection *connection, void *buffer, size_t size);

/* tls/connection/write.c */
long long pyossl_finish_write(pyossl_connection *connection);

/* tls/connection/early_data.c */
int pyossl_keep_early_data(pyossl_connection *connection, const void *data, size_t size);
long long pyossl_read_early_data(pyossl_connection *connection, void *buffer, size_t size);

/* tls/connection/shutdown.c */
long long pyossl_shutdown(pyossl_connection *connection);

/* tls/connection/connection_close.c */
void pyossl_connection_free(pyossl_connection *connection);
int pyossl_close(pyossl_connection *connection);

/* tls/mutable/mutable_connection_settings.c */
int pyossl_set_side(pyossl_connection *connection, int is_server);
int pyossl_set_server_name(pyossl_connection *connection, const char *name);
int pyossl_set_session(pyossl_connection *connection, SSL_SESSION *session);

/* tls/authentication/certificate_transparency.c */
typedef struct {
    int source;
    int status;
    uint64_t timestamp;
    unsigned char *log_id;
    size_t log_id_length;
} pyossl_sct;

int pyossl_verify_scts(SSL_CTX *context, int required);
int pyossl_sct_at(SSL *ssl, int index, pyossl_sct *sct);

/* tls/authentication/ocsp_stapling.c */
void pyossl_set_ocsp_callback(SSL_CTX *context);
int pyossl_set_ocsp_response(SSL *ssl, const unsigned char *response, size_t length);
int pyossl_set_ocsp_responses(SSL *ssl, const unsigned char *const *responses, const long *lengths, int count);
long pyossl_ocsp_response_at(SSL *ssl, int index, unsigned char **copy);

/* tls/mutable/dtls.c */
void pyossl_set_cookie_generate_callback(SSL_CTX *context);
void pyossl_set_cookie_verify_callback(SSL_CTX *context);
long long pyossl_dtls_listen(pyossl_connection *connection);
long long pyossl_dtls_handle_timeout(pyossl_connection *connection);

/* bio */
BIO *pyossl_socket_bio(int fd, int never_waits);
int pyossl_bio_errno(BIO *bio);
BIO *pyossl_guarded(BIO *bio);
BIO *pyossl_guarded_of_caller(BIO *bio, int fd);
void pyossl_guarded_free(BIO *bio);
BIO *pyossl_bounded(BIO *bio);
BIO *pyossl_searching(BIO *bio);
#define PYOSSL_HOLDS ...
BIO *pyossl_python_bio(void *handle, int filters);
void pyossl_python_bio_free(BIO *bio);
pyossl_connection *pyossl_park(void);
#define PYOSSL_INCOMPLETE ...
int pyossl_is_complete(BIO *bio);
long long pyossl_bio_read(BIO *bio, void *buffer, size_t size);
long long pyossl_bio_write(BIO *bio, const void *data, size_t size);
long long pyossl_bio_line(BIO *bio, char *buffer, int size);
long long pyossl_bio_control(BIO *bio, int command, long number, long least);
int pyossl_push(BIO *last, BIO *below);
void pyossl_pop(BIO *above, BIO *bio);

/* x509 */
#define PYOSSL_MOST_ITERATIONS ...
long long pyossl_pkcs12_iterations(PKCS12 *pkcs12, const char *password, int length);
long long pyossl_key_iterations(const unsigned char *der, long length);
void pyossl_key_scheme(const unsigned char *der, long length, char *name, int size);
void pyossl_mac_scheme(const PKCS12 *pkcs12, char *name, int size);
int pyossl_key_name(const PKCS12 *pkcs12, unsigned char **name);
EVP_PKEY *pyossl_generate_dsa(int bits);
int pyossl_generate_quick_key(EVP_PKEY_CTX *context, EVP_PKEY **key);
int pyossl_load_default_file(X509_STORE *store);
typedef struct {
    int certificates;
    int authorities;
    int crls;
} pyossl_store_counts;

int pyossl_count_store(X509_STORE *store, pyossl_store_counts *counts);
struct stack_st_X509_CRL *pyossl_store_crls(X509_STORE *store);
int pyossl_trust_system(X509_STORE *store, X509_STORE *default_file);
X509 *pyossl_read_certificate(BIO *bio, X509 **certificate, pem_password_cb *callback, void *argument);
X509 *pyossl_copy_certificate(X509 *certificate);
int pyossl_certificate_key_der(const X509 *certificate, unsigned char **out);
#define PYOSSL_FACTS_ERROR ...
#define PYOSSL_FACTS_TEXT ...
#define PYOSSL_FACTS_NO_PEER ...
#define PYOSSL_FACTS_EARLY ...
#define PYOSSL_FACTS_UNVERIFIED ...
#define PYOSSL_FACTS_NO_SSL ...
long long pyossl_certificate_facts(const X509 *certificate, unsigned char *out, size_t room);
int pyossl_set_up_for_ssl_module(pyossl_connection *connection, int is_server, const char *name, int is_address,
                                 int checks_name, int asks_later);
long long pyossl_peer_facts(pyossl_connection *connection, unsigned char *out, size_t room);
void pyossl_set_verify_time(SSL_CTX *context, time_t time);
X509 *pyossl_with_extensions(X509 *certificate, const int *numbers, int count);
int pyossl_known_extension(X509_EXTENSION *extension);
int pyossl_is_malformed(X509_EXTENSION *extension);
int pyossl_has_malformed_entry(X509_CRL *crl);
int pyossl_is_private(const EVP_PKEY *key);

/* sockets/wait_for_descriptor.c */
long long pyossl_handshake_waiting(pyossl_connection *connection, double timeout, long long deadline);
int pyossl_is_paused(pyossl_connection *connection);
void pyossl_restore_limits(pyossl_connection *connection);
long long pyossl_deadline(double timeout);

/* sockets/post_handshake_waiting.c */
long long pyossl_post_handshake_waiting(pyossl_connection *connection, int what, double timeout);

/* sockets/read_waiting.c */
long long pyossl_pending(pyossl_connection *connection);
long long pyossl_read_early_data_waiting(pyossl_connection *connection, void *buffer, size_t size, double timeout);

/* sockets/write_waiting.c */
long long pyossl_write_some_waiting(pyossl_connection *connection, const void *data, size_t size, double timeout);

/* sockets/shutdown_waiting.c */
long long pyossl_send_close_notify(pyossl_connection *connection, double timeout);
long long pyossl_unwrap(pyossl_connection *connection, double timeout);

/* sockets/close_and_detach.c */
long long pyossl_end_socket(pyossl_connection *connection);
long long pyossl_detach_socket(pyossl_connection *connection);
void pyossl_discard_received(int fd);
size_t pyossl_leave_socket(pyossl_connection *connection);

/* sockets/mutable_connection_calls.c */
pyossl_connection *pyossl_connection_over_callers_socket(SSL_CTX *context, int fd);
long long pyossl_mutable_handshake(pyossl_connection *connection);
long long pyossl_mutable_shutdown(pyossl_connection *connection);
long long pyossl_wait_as_caller(pyossl_connection *connection, long long outcome);

/* sockets/timeout_calls.c */
long long pyossl_timeout_handshake(pyossl_connection *connection, double timeout);
long long pyossl_timeout_shutdown(pyossl_connection *connection, double timeout);

/* hot_calls.c */
#define PYOSSL_RECORD ...
#define PYOSSL_LARGEST_READ ...
#define PYOSSL_MORE ...
#define PYOSSL_SLICE ...
uintptr_t pyossl_hot_calls_address(void);
uintptr_t pyossl_address(const pyossl_connection *connection);

/* the Python functions that C calls */
extern "Python" {
int pyossl_on_turn(void *question);
int pyossl_on_interrupt(void);
void pyossl_on_message(void *handle, int outgoing, int version, int content_type, const void *data, size_t length);
int pyossl_on_verify(void *handle, int ok, X509_STORE_CTX *store_context);
int pyossl_on_servername(void *handle, int *alert, const unsigned char *name, size_t length);
int pyossl_on_indicated_name(void *handle, int *alert, const char *name);
int pyossl_on_client_hello(void *handle, int *alert, const void *data, size_t length);
int pyossl_on_certificate(void *handle);
int pyossl_on_chain(void *handle, X509_STORE_CTX *store_context);
int pyossl_on_alpn(void *handle, const unsigned char *offered, unsigned int length);
int pyossl_on_password(void *handle, char *buffer, int size);
int pyossl_on_client_key(void *handle, const char *hint, char *identity, unsigned int identity_room, unsigned char *key, unsigned int room);
int pyossl_on_server_key(void *handle, const char *identity, unsigned char *key, unsigned int room);
int pyossl_on_add_extension(void *handle, unsigned int type, unsigned int message, X509 *certificate, size_t depth, int *alert);
int pyossl_on_parse_extension(void *handle, unsigned int type, unsigned int message, const unsigned char *data, size_t length, X509 *certificate, size_t depth, int *alert);
int pyossl_on_early_data(void *handle, const unsigned char *random, size_t length);
int pyossl_on_record_padding(void *handle, int type, size_t length);
int pyossl_on_use_session(void *handle, int digest_size, const unsigned char **identity, size_t *length, SSL_SESSION **session);
int pyossl_on_find_session(void *handle, const unsigned char *identity, size_t length, SSL_SESSION **session);
void pyossl_on_info(void *handle, int where, int value);
void pyossl_on_keylog(void *handle, const char *line);
void pyossl_on_new_session(void *handle, SSL_SESSION *session);
int pyossl_on_get_session(void *handle, const unsigned char *id, int length, SSL_SESSION **answer);
void pyossl_on_removed_session(void *handle, SSL_SESSION *session);
int pyossl_on_generate_ticket(void *handle, SSL_SESSION *session);
int pyossl_on_decrypt_ticket(void *handle, SSL_SESSION *session);
long long pyossl_on_bio_read(void *handle, void *buffer, size_t size);
long long pyossl_on_bio_write(void *handle, const void *data, size_t size);
long long pyossl_on_bio_control(void *handle, int command);
int pyossl_on_ocsp_request(void *handle);
int pyossl_on_ocsp_response(void *handle, const unsigned char *response, long length);
int pyossl_on_cookie_generate(void *handle, unsigned char *cookie, unsigned int *length);
int pyossl_on_cookie_verify(void *handle, const unsigned char *cookie, unsigned int length);
}
