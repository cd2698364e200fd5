/* One connection's C side, and the callbacks that OpenSSL makes into it.
 *
 * OpenSSL finds the connection from the SSL by an ex_data index; the connection finds its Python object by a handle.
 * Every callback that can answer answers with a failure when either is missing, and every answer that comes from
 * Python starts out as the failure: the `onerror` value that pyossl/callbacks.py gives to cffi. */

typedef struct {
    SSL *ssl;
    void *handle;                /* borrowed: ffi.new_handle() of the Python side, or NULL */
    int error;                   /* SSL_get_error(3) of the last call that did not succeed */
    int sys_errno;               /* errno of that call, read before anything else could run */
    int record_count;
    pyossl_record *records;      /* the queue after that call, oldest first; owned */
    size_t write_pending;        /* length of a write that waits to be repeated; 0 if none does */
    unsigned char *pending;      /* its first record's bytes, which are encrypted already; owned */
    pyossl_lock *lock;           /* of the BIO read from, and of the one written to, which Python keeps */
    pyossl_lock *other_lock;     /* NULL where they are the same */
    int fd;                      /* the transport's descriptor, or -1 */
    int waiters;                 /* threads that wait for the descriptor, outside the lock */
    int busy;                    /* a call is under way: it is a callback that calls again */
    int closed;                  /* the user has closed the connection: the SSL is gone */
    int dead;                    /* a call has failed for good: OpenSSL is not asked again */
    int parked;                  /* a callback raised: Python keeps the exception */
    int received_end;            /* the peer's close_notify is here */
    int sent_close_notify;       /* ours is on its way */
    int calls_verify;            /* Python answers the verify callback */
    int verify_error;            /* X509_V_ERR_x of the first certificate refused, and where */
    int verify_depth;
    X509 *verify_certificate;    /* owned */
} pyossl_connection;

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
static int pyossl_on_servername(void *handle, int *alert);
static int pyossl_on_alpn(void *handle, const unsigned char *offered, unsigned int length);
static void pyossl_on_info(void *handle, int where, int value);
static void pyossl_on_keylog(void *handle, const char *line);
static void pyossl_on_new_session(void *handle, SSL_SESSION *session);

static int pyossl_connection_index = -1;

static pyossl_connection *pyossl_connection_of(const SSL *ssl)
{
    return ssl == NULL ? NULL : SSL_get_ex_data(ssl, pyossl_connection_index);
}

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

    if (connection == NULL)
        return 0;
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

static int pyossl_servername(SSL *ssl, int *alert, void *argument)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside;
    int answer;
    (void)argument;
    *alert = SSL_AD_INTERNAL_ERROR;
    if (handle == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    aside = pyossl_set_aside();
    answer = pyossl_on_servername(handle, alert);
    pyossl_put_back(aside);
    return answer;
}

/* Python answers with the place of the protocol in what the client offered, because what is selected must outlive the
 * call; below 0 there is none. */
static int pyossl_alpn_ask(SSL *ssl, const unsigned char **out, unsigned char *out_length,
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

/* 0: Python has taken a reference of its own. */
static int pyossl_new_session(SSL *ssl, SSL_SESSION *session)
{
    void *handle = pyossl_handle_of(ssl);
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
        SSL_CTX_set_tlsext_servername_callback(context, (on ? pyossl_servername : NULL));
        break;
    case PYOSSL_ALPN:
        SSL_CTX_set_alpn_select_cb(context, on ? pyossl_alpn_ask : NULL, NULL);
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
