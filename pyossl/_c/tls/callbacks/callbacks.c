/* The callbacks of OpenSSL that Python answers.  The context has the callback, and the connection of the SSL has the
 * Python object (the handle).
 *
 * Each callback that returns an answer returns a failure if the connection or its handle is missing.  Each answer of
 * Python's is a failure until Python has returned: that is the `onerror` value which pyossl/tls/callbacks/callbacks.py
 * gives to cffi.
 *
 * The functions that set a callback take no lock: a context is set up by one thread, or has a lock that cffi's code
 * takes (tls/mutable/live_context.c), and a connection is set up before it is used. */

typedef struct {
    const unsigned char *protocols;    /* in the format of SSL_CTX_set_alpn_protos(3), in the server's order */
    unsigned int length;
    int goes_on;                       /* without a protocol, if the two sides have none in common */
} pyossl_alpn;

typedef struct {
    const char *bytes;
    int length;          /* below 0: there is no password */
    int asked;           /* set when OpenSSL has asked for one */
} pyossl_password;

static void pyossl_on_message(void *handle, int outgoing, int version, int content_type,
                              const void *data, size_t length);
static int pyossl_on_verify(void *handle, int ok, X509_STORE_CTX *store_context);
static int pyossl_on_servername(void *handle, int *alert, const unsigned char *name, size_t length);
static int pyossl_on_indicated_name(void *handle, int *alert, const char *name);
static int pyossl_on_alpn(void *handle, const unsigned char *offered, unsigned int length);
static int pyossl_on_client_key(void *handle, const char *hint, char *identity, unsigned int identity_room,
                                unsigned char *key, unsigned int room);
static int pyossl_on_server_key(void *handle, const char *identity, unsigned char *key, unsigned int room);
static int pyossl_on_add_extension(void *handle, unsigned int type, unsigned int message, X509 *certificate, size_t depth,
                                   int *alert);
static int pyossl_on_parse_extension(void *handle, unsigned int type, unsigned int message, const unsigned char *data,
                                     size_t length, X509 *certificate, size_t depth, int *alert);
static int pyossl_on_early_data(void *handle, const unsigned char *random, size_t length);
static int pyossl_on_record_padding(void *handle, int type, size_t length);
static int pyossl_on_use_session(void *handle, int digest_size, const unsigned char **identity, size_t *length,
                                 SSL_SESSION **session);
static int pyossl_on_find_session(void *handle, const unsigned char *identity, size_t length, SSL_SESSION **session);
static void pyossl_on_info(void *handle, int where, int value);
static void pyossl_on_keylog(void *handle, const char *line);
static void pyossl_on_new_session(void *handle, SSL_SESSION *session);
static int pyossl_on_ocsp_request(void *handle);
static int pyossl_on_ocsp_response(void *handle, const unsigned char *response, long length);
static int pyossl_on_cookie_generate(void *handle, unsigned char *cookie, unsigned int *length);
static int pyossl_on_cookie_verify(void *handle, const unsigned char *cookie, unsigned int length);
static long long pyossl_on_bio_read(void *handle, void *buffer, size_t size);
static long long pyossl_on_bio_write(void *handle, const void *data, size_t size);
static long long pyossl_on_bio_control(void *handle, int command);

/* Up to calls_that_hold_forks.h; see forks_wait.c. */
#define pyossl_on_message(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_message)(__VA_ARGS__))
#define pyossl_on_verify(...) PYOSSL_IN_PYTHON((pyossl_on_verify)(__VA_ARGS__))
#define pyossl_on_servername(...) PYOSSL_IN_PYTHON((pyossl_on_servername)(__VA_ARGS__))
#define pyossl_on_indicated_name(...) PYOSSL_IN_PYTHON((pyossl_on_indicated_name)(__VA_ARGS__))
#define pyossl_on_alpn(...) PYOSSL_IN_PYTHON((pyossl_on_alpn)(__VA_ARGS__))
#define pyossl_on_client_key(...) PYOSSL_IN_PYTHON((pyossl_on_client_key)(__VA_ARGS__))
#define pyossl_on_server_key(...) PYOSSL_IN_PYTHON((pyossl_on_server_key)(__VA_ARGS__))
#define pyossl_on_add_extension(...) PYOSSL_IN_PYTHON((pyossl_on_add_extension)(__VA_ARGS__))
#define pyossl_on_parse_extension(...) PYOSSL_IN_PYTHON((pyossl_on_parse_extension)(__VA_ARGS__))
#define pyossl_on_early_data(...) PYOSSL_IN_PYTHON((pyossl_on_early_data)(__VA_ARGS__))
#define pyossl_on_record_padding(...) PYOSSL_IN_PYTHON((pyossl_on_record_padding)(__VA_ARGS__))
#define pyossl_on_use_session(...) PYOSSL_IN_PYTHON((pyossl_on_use_session)(__VA_ARGS__))
#define pyossl_on_find_session(...) PYOSSL_IN_PYTHON((pyossl_on_find_session)(__VA_ARGS__))
#define pyossl_on_info(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_info)(__VA_ARGS__))
#define pyossl_on_keylog(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_keylog)(__VA_ARGS__))
#define pyossl_on_new_session(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_new_session)(__VA_ARGS__))
#define pyossl_on_ocsp_request(...) PYOSSL_IN_PYTHON((pyossl_on_ocsp_request)(__VA_ARGS__))
#define pyossl_on_ocsp_response(...) PYOSSL_IN_PYTHON((pyossl_on_ocsp_response)(__VA_ARGS__))
#define pyossl_on_cookie_generate(...) PYOSSL_IN_PYTHON((pyossl_on_cookie_generate)(__VA_ARGS__))
#define pyossl_on_cookie_verify(...) PYOSSL_IN_PYTHON((pyossl_on_cookie_verify)(__VA_ARGS__))
#define pyossl_on_bio_read(...) PYOSSL_IN_PYTHON((pyossl_on_bio_read)(__VA_ARGS__))
#define pyossl_on_bio_write(...) PYOSSL_IN_PYTHON((pyossl_on_bio_write)(__VA_ARGS__))
#define pyossl_on_bio_control(...) PYOSSL_IN_PYTHON((pyossl_on_bio_control)(__VA_ARGS__))

static void pyossl_limit_session(SSL *ssl, SSL_SESSION *session);    /* tls/sessions/session_cache_memory.c */

/* suspending_callbacks.c */
static void pyossl_keep_hello(SSL *ssl, int outgoing, int content_type, const void *data, size_t length,
                              void *argument);
static void pyossl_hello_message(int outgoing, int version, int content_type, const void *data, size_t length, SSL *ssl,
                                 void *argument);
static int pyossl_ask_client_hello(pyossl_connection *connection, int *alert);
static int pyossl_choose_certificate(SSL *ssl, void *argument);
static int pyossl_verify_chain(X509_STORE_CTX *store_context, void *argument);
static char pyossl_asks_about_hello;

/* Asks Python about one certificate: 1 to accept it, 0 to refuse it. */
static int pyossl_ask_verify(void *handle, int ok, X509_STORE_CTX *store_context)
{
    pyossl_aside *aside;
    if (handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    ok = pyossl_on_verify(handle, ok, store_context) == 1;
    pyossl_put_back(aside);
    return ok;
}

/* Remembers the certificate that is refused, and why. */
static void pyossl_note_refused(pyossl_connection *connection, X509_STORE_CTX *store_context)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store_context);

    connection->verify_error = X509_STORE_CTX_get_error(store_context);
    connection->verify_depth = X509_STORE_CTX_get_error_depth(store_context);
    if (certificate != NULL && X509_up_ref(certificate))
        connection->verify_certificate = certificate;
}

/* The verify callback of every connection.  It asks the program's own C callback and Python, where they are set, and
 * remembers the first certificate that was refused. */
static int pyossl_verify(int ok, X509_STORE_CTX *store_context)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());
    pyossl_connection *connection = pyossl_connection_of(ssl);
    int (*programs)(int, X509_STORE_CTX *);

    if (connection == NULL)
        return 0;
    /* A program can have set its own callback with SSL_CTX_set_verify(3).  A certificate that it refuses stays
     * refused. */
    programs = SSL_CTX_get_verify_callback(SSL_get_SSL_CTX(ssl));
    if (programs != NULL && programs != pyossl_verify)
        ok = programs(ok, store_context);
    if (connection->calls_verify)
        ok = pyossl_ask_verify(connection->handle, ok, store_context);
    if (!ok && connection->verify_certificate == NULL)
        pyossl_note_refused(connection, store_context);
    return ok;
}

/* Sets the verification mode of the connection, SSL_VERIFY_x, with the callback above.  Takes no lock. */
static void pyossl_set_verify(pyossl_connection *connection, int mode)
{
    SSL_set_verify(connection->ssl, mode, pyossl_verify);
}

/* SSL_CTX_set_msg_callback(3): passes each protocol message to Python. */
static void pyossl_message(int outgoing, int version, int content_type, const void *data, size_t length,
                           SSL *ssl, void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    pyossl_keep_hello(ssl, outgoing, content_type, data, length, argument);
    if (connection != NULL && connection->handle != NULL) {
        pyossl_aside *aside = pyossl_set_aside();
        pyossl_on_message(connection->handle, outgoing, version, content_type, data, length);
        pyossl_put_back(aside);
    }
}

/* Turns the message callback of one connection on or off.  Takes no lock. */
static void pyossl_set_message_callback(pyossl_connection *connection, int on)
{
    SSL_set_msg_callback(connection->ssl, on ? pyossl_message : NULL);
}

/* The server's order decides.  If the two sides have no protocol in common, the handshake ends with the alert
 * no_application_protocol, as RFC 7301 requires, unless `goes_on` is set.  A closed connection whose handshake is still
 * finished in a job (tls/connection/handshake_job.c) has no handle any more: then the protocols may have been freed
 * with the context's Python object. */
static int pyossl_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                              const unsigned char *offered, unsigned int offered_length, void *argument)
{
    const pyossl_connection *connection = pyossl_connection_of(ssl);
    const pyossl_alpn *ours = argument;
    unsigned char *selected;
    if (connection != NULL && connection->handle == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (SSL_select_next_proto(&selected, out_length, ours->protocols, ours->length, offered, offered_length)
        != OPENSSL_NPN_NEGOTIATED)
        return ours->goes_on ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

/* Selects the ALPN protocol of a server from a fixed list, without Python.  `alpn` is borrowed: it must live as long as
 * every connection of the context is open.  NULL: none is selected. */
static void pyossl_set_alpn_select(SSL_CTX *context, pyossl_alpn *alpn)
{
    SSL_CTX_set_alpn_select_cb(context, alpn == NULL ? NULL : pyossl_alpn_select, alpn);
}

/* The Python object of an SSL's connection, as a handle; or NULL. */

static void *pyossl_handle_of(const SSL *ssl)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    return connection == NULL ? NULL : connection->handle;
}

/* Finds the name in a ClientHello, which is a ServerNameList of one host_name (RFC 6066).  The length is 0 if there is
 * none.  Returns 0 for a malformed list, and for a name with a NUL, which a C string would cut short. */
static int pyossl_server_name(SSL *ssl, const unsigned char **name, size_t *length)
{
    const unsigned char *list;
    size_t size;

    *name = NULL;
    *length = 0;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &list, &size))
        return 1;
    if (size < 5 || ((size_t)list[0] << 8 | list[1]) != size - 2 || list[2] != TLSEXT_NAMETYPE_host_name
        || ((size_t)list[3] << 8 | list[4]) != size - 5)
        return 0;
    *name = list + 5;
    *length = size - 5;
    return memchr(*name, '\0', *length) == NULL;
}

/* Gives Python the server name: 1 to go on, 0 to end the handshake with `alert`. */
static int pyossl_ask_servername(SSL *ssl, int *alert, const unsigned char *name, size_t length)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside;
    int answer;

    *alert = SSL_AD_INTERNAL_ERROR;
    if (handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    answer = pyossl_on_servername(handle, alert, name, length) == 1;
    pyossl_put_back(aside);
    return answer;
}

/* Python chooses the context by the server name, before OpenSSL looks at anything else in the ClientHello.  OpenSSL's
 * servername callback (below) comes too late: by then OpenSSL has looked for a session with the first context's session
 * id context, and a client with a session of a context that verifies no client could resume it with one that does.  With
 * an argument, Python is asked about the whole message first. */
static int pyossl_client_hello(SSL *ssl, int *alert, void *argument)
{
    const unsigned char *name;
    size_t length;
    int answer = argument == NULL ? 1 : pyossl_ask_client_hello(pyossl_connection_of(ssl), alert);

    if (answer != 1)
        return answer == 0 ? SSL_CLIENT_HELLO_ERROR : SSL_CLIENT_HELLO_RETRY;
    if (!pyossl_server_name(ssl, &name, &length)) {
        *alert = SSL_AD_DECODE_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return pyossl_ask_servername(ssl, alert, name, length) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

/* Tells the client that its name was accepted.  Python also checks that a second ClientHello, after a
 * HelloRetryRequest, has the name of the first one, by which the context was chosen.  For a session that is resumed
 * before TLS 1.3, OpenSSL gives the session's name here, which is not checked. */
static int pyossl_servername(SSL *ssl, int *alert, void *argument)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)argument;
    if (SSL_session_reused(ssl) && SSL_version(ssl) != TLS1_3_VERSION)
        return SSL_TLSEXT_ERR_OK;
    return pyossl_ask_servername(ssl, alert, (const unsigned char *)name, name == NULL ? 0 : strlen(name))
        ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Gives Python the server name as OpenSSL has it, NULL for none: 1 to go on, 0 to end the handshake with `alert`.  This
 * is OpenSSL's own servername callback, for a program that changes the connection's context itself. */
static int pyossl_indicated_name(SSL *ssl, int *alert, void *argument)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside;
    int answer;

    (void)argument;
    *alert = SSL_AD_INTERNAL_ERROR;
    if (handle == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    aside = pyossl_set_aside();
    answer = pyossl_on_indicated_name(handle, alert, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) == 1;
    pyossl_put_back(aside);
    return answer ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Python returns the index of the selected protocol in the client's list, because the selected bytes must outlive the
 * call. -1: no protocol is selected; any other number below 0 ends the handshake. */
static int pyossl_alpn_select_by_python(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *offered, unsigned int length, void *argument)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside = pyossl_set_aside();
    int place = handle == NULL ? -2 : pyossl_on_alpn(handle, offered, length);
    pyossl_put_back(aside);
    (void)argument;
    if (place == -1)
        return SSL_TLSEXT_ERR_NOACK;
    if (place < 0 || (unsigned int)place >= length || (unsigned int)place + offered[place] >= length)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out_length = offered[place];
    *out = offered + place + 1;
    return SSL_TLSEXT_ERR_OK;
}

/* SSL_CTX_set_info_callback(3): passes each change of state to Python. */
static void pyossl_info(const SSL *ssl, int where, int value)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    if (connection != NULL)
        pyossl_note_message(connection, where);
    if (connection != NULL && connection->handle != NULL) {
        pyossl_aside *aside = pyossl_set_aside();
        pyossl_on_info(connection->handle, where, value);
        pyossl_put_back(aside);
    }
}

/* SSL_CTX_set_keylog_callback(3): passes each line of the key log to Python. */
static void pyossl_keylog(const SSL *ssl, const char *line)
{
    void *handle = pyossl_handle_of(ssl);
    if (handle != NULL) {
        pyossl_aside *aside = pyossl_set_aside();
        pyossl_on_keylog(handle, line);
        pyossl_put_back(aside);
    }
}

/* Turns the info callback of one connection on or off.  Takes no lock. */
static void pyossl_set_connection_info(pyossl_connection *connection, int on)
{
    SSL_set_info_callback(connection->ssl, on ? pyossl_info : NULL);
}

/* Returns 0: Python takes a reference of its own to the session. */
static int pyossl_new_session(SSL *ssl, SSL_SESSION *session)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_limit_session(ssl, session);
    if (handle != NULL) {
        pyossl_aside *aside = pyossl_set_aside();
        pyossl_on_new_session(handle, session);
        pyossl_put_back(aside);
    }
    return 0;
}

enum {
    PYOSSL_SERVERNAME,    /* 2: with the whole ClientHello */
    PYOSSL_INDICATED_NAME,
    PYOSSL_CERTIFICATE,
    PYOSSL_CHAIN,
    PYOSSL_ALPN,
    PYOSSL_INFO,
    PYOSSL_KEYLOG,
    PYOSSL_NEW_SESSION,
    PYOSSL_MESSAGE    /* of the connections that are made from now on */
};

/* Turns one callback of a context on or off; `which` is a constant of the enum above. */
static void pyossl_set_callback(SSL_CTX *context, int which, int on)
{
    switch (which) {
    case PYOSSL_SERVERNAME:
        SSL_CTX_set_client_hello_cb(context, on ? pyossl_client_hello : NULL, on == 2 ? &pyossl_asks_about_hello : NULL);
        SSL_CTX_set_tlsext_servername_callback(context, (on ? pyossl_servername : NULL));
        SSL_CTX_set_msg_callback(context, on == 2 ? pyossl_hello_message : NULL);
        SSL_CTX_set_msg_callback_arg(context, on == 2 ? &pyossl_asks_about_hello : NULL);
        break;
    case PYOSSL_INDICATED_NAME:
        SSL_CTX_set_tlsext_servername_callback(context, (on ? pyossl_indicated_name : NULL));
        break;
    case PYOSSL_CERTIFICATE:
        SSL_CTX_set_cert_cb(context, on ? pyossl_choose_certificate : NULL, NULL);
        break;
    case PYOSSL_CHAIN:
        SSL_CTX_set_cert_verify_callback(context, on ? pyossl_verify_chain : NULL, NULL);
        break;
    case PYOSSL_ALPN:
        SSL_CTX_set_alpn_select_cb(context, on ? pyossl_alpn_select_by_python : NULL, NULL);
        break;
    case PYOSSL_INFO:
        SSL_CTX_set_info_callback(context, on ? pyossl_info : NULL);
        break;
    case PYOSSL_KEYLOG:
        SSL_CTX_set_keylog_callback(context, on ? pyossl_keylog : NULL);
        break;
    case PYOSSL_NEW_SESSION:
        SSL_CTX_sess_set_new_cb(context, on ? pyossl_new_session : NULL);
        break;
    case PYOSSL_MESSAGE:
        SSL_CTX_set_msg_callback(context, on ? pyossl_message : NULL);
        break;
    }
}

/* A pem_password_cb(3) that never prompts.  It fails if there is no password, or one that does not fit the buffer.
 * OpenSSL's default callback prompts for any PEM that claims to be encrypted, so every function that reads PEM gets
 * this one. */
static int pyossl_password_callback(char *buffer, int size, int writing, void *argument)
{
    pyossl_password *password = argument;
    (void)writing;
    if (password == NULL)
        return -1;
    password->asked = 1;
    if (password->length < 0 || password->length > size)
        return -1;
    memcpy(buffer, password->bytes, (size_t)password->length);
    return password->length;
}
