/* The callbacks of OpenSSL. */

typedef struct {
    const unsigned char *protocols;    /* SSL_CTX_set_alpn_protos(3)'s format, in the server's order */
    unsigned int length;
} pyossl_alpn;

typedef struct {
    const char *bytes;
    int length;          /* below 0: there is no password */
    int asked;           /* set when OpenSSL wanted one */
} pyossl_password;

static void pyossl_on_message(void *handle, int outgoing, int version, int content_type,
                              const void *data, size_t length);
static int pyossl_on_verify(void *handle, int ok, X509_STORE_CTX *store_context);
static int pyossl_on_servername(void *handle, int *alert, const unsigned char *name, size_t length);
static int pyossl_on_alpn(void *handle, const unsigned char *offered, unsigned int length);
static void pyossl_on_info(void *handle, int where, int value);
static void pyossl_on_keylog(void *handle, const char *line);
static void pyossl_on_new_session(void *handle, SSL_SESSION *session);

/* Up to fork_holds.h; see forks.c. */
#define pyossl_on_message(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_message)(__VA_ARGS__))
#define pyossl_on_verify(...) PYOSSL_IN_PYTHON((pyossl_on_verify)(__VA_ARGS__))
#define pyossl_on_servername(...) PYOSSL_IN_PYTHON((pyossl_on_servername)(__VA_ARGS__))
#define pyossl_on_alpn(...) PYOSSL_IN_PYTHON((pyossl_on_alpn)(__VA_ARGS__))
#define pyossl_on_info(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_info)(__VA_ARGS__))
#define pyossl_on_keylog(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_keylog)(__VA_ARGS__))
#define pyossl_on_new_session(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_new_session)(__VA_ARGS__))

static void pyossl_limit_session(SSL *ssl, SSL_SESSION *session);    /* kept_sessions.c */

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

static int pyossl_verify(int ok, X509_STORE_CTX *store_context)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());
    pyossl_connection *connection = pyossl_connection_of(ssl);
    int (*programs)(int, X509_STORE_CTX *);

    if (connection == NULL)
        return 0;
    /* That of a program which has called SSL_CTX_set_verify(3) itself; what it refuses is not to be accepted. */
    programs = SSL_CTX_get_verify_callback(SSL_get_SSL_CTX(ssl));
    if (programs != NULL && programs != pyossl_verify)
        ok = programs(ok, store_context);
    if (connection->calls_verify)
        ok = pyossl_ask_verify(connection->handle, ok, store_context);
    if (!ok && connection->verify_certificate == NULL) {
        X509 *certificate = X509_STORE_CTX_get_current_cert(store_context);
        connection->verify_error = X509_STORE_CTX_get_error(store_context);
        connection->verify_depth = X509_STORE_CTX_get_error_depth(store_context);
        if (certificate != NULL && X509_up_ref(certificate))
            connection->verify_certificate = certificate;
    }
    return ok;
}

static void pyossl_set_verify(pyossl_connection *connection, int mode)
{
    SSL_set_verify(connection->ssl, mode, pyossl_verify);
}

static void pyossl_message(int outgoing, int version, int content_type, const void *data, size_t length,
                           SSL *ssl, void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    (void)argument;
    if (connection != NULL && connection->handle != NULL) {
        pyossl_aside *aside = pyossl_set_aside();
        pyossl_on_message(connection->handle, outgoing, version, content_type, data, length);
        pyossl_put_back(aside);
    }
}

static void pyossl_set_message_callback(pyossl_connection *connection, int on)
{
    SSL_set_msg_callback(connection->ssl, on ? pyossl_message : NULL);
}

/* The server's order decides; nothing in common is a fatal no_application_protocol, as RFC 7301 asks. */
static int pyossl_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                              const unsigned char *offered, unsigned int offered_length, void *argument)
{
    const pyossl_alpn *ours = argument;
    unsigned char *selected;
    (void)ssl;
    if (SSL_select_next_proto(&selected, out_length, ours->protocols, ours->length, offered, offered_length)
        != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

/* `alpn` is borrowed and must live as long as every SSL made from the context. */
static void pyossl_set_alpn_select(SSL_CTX *context, pyossl_alpn *alpn)
{
    SSL_CTX_set_alpn_select_cb(context, pyossl_alpn_select, alpn);
}

/* The callbacks of a context, which Python answers.  `argument` is not used: the connection tells whose they are. */

static void *pyossl_handle_of(const SSL *ssl)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    return connection == NULL ? NULL : connection->handle;
}

/* The name in a ClientHello, RFC 6066's ServerNameList of one host_name; its length is 0 where there is none.  0 for a
 * list that is malformed, or a name with a NUL, which would end early for whoever takes it for a C string. */
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

/* Python chooses the context by the name before OpenSSL looks at anything in the ClientHello.  The callback that is
 * made for the name, below, comes after the look for a session, by the first context's session id context: a client
 * that has a session with a context that verifies nobody would resume it with one that does. */
static int pyossl_client_hello(SSL *ssl, int *alert, void *argument)
{
    const unsigned char *name;
    size_t length;

    (void)argument;
    if (!pyossl_server_name(ssl, &name, &length)) {
        *alert = SSL_AD_DECODE_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return pyossl_ask_servername(ssl, alert, name, length) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

/* The client is told that its name was heeded; and Python sees that a second ClientHello, after a HelloRetryRequest, has
 * the name of the first one, whatever context was chosen by that.  Of a session resumed before TLS 1.3 OpenSSL tells
 * the session's name here. */
static int pyossl_servername(SSL *ssl, int *alert, void *argument)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)argument;
    if (SSL_session_reused(ssl) && SSL_version(ssl) != TLS1_3_VERSION)
        return SSL_TLSEXT_ERR_OK;
    return pyossl_ask_servername(ssl, alert, (const unsigned char *)name, name == NULL ? 0 : strlen(name))
        ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Python answers with the place of the protocol in what the client offered, because what is selected must outlive the
 * call; below 0 there is none. */
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

static void pyossl_info(const SSL *ssl, int where, int value)
{
    void *handle = pyossl_handle_of(ssl);
    if (handle != NULL) {
        pyossl_aside *aside = pyossl_set_aside();
        pyossl_on_info(handle, where, value);
        pyossl_put_back(aside);
    }
}

static void pyossl_keylog(const SSL *ssl, const char *line)
{
    void *handle = pyossl_handle_of(ssl);
    if (handle != NULL) {
        pyossl_aside *aside = pyossl_set_aside();
        pyossl_on_keylog(handle, line);
        pyossl_put_back(aside);
    }
}

static void pyossl_set_connection_info(pyossl_connection *connection, int on)
{
    SSL_set_info_callback(connection->ssl, on ? pyossl_info : NULL);
}

/* 0: Python has taken a reference of its own. */
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

enum { PYOSSL_SERVERNAME, PYOSSL_ALPN, PYOSSL_INFO, PYOSSL_KEYLOG, PYOSSL_NEW_SESSION };

static void pyossl_set_callback(SSL_CTX *context, int which, int on)
{
    switch (which) {
    case PYOSSL_SERVERNAME:
        SSL_CTX_set_client_hello_cb(context, on ? pyossl_client_hello : NULL, NULL);
        SSL_CTX_set_tlsext_servername_callback(context, (on ? pyossl_servername : NULL));
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
    }
}

/* pem_password_cb(3).  It never prompts: without a password, or with one that does not fit, it fails.  OpenSSL's own
 * does prompt, for whatever PEM says that it is encrypted: every reader of PEM is given this one. */
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
