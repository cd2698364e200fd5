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

static int pyossl_connection_index = -1;

static pyossl_connection *pyossl_connection_of(const SSL *ssl)
{
    return ssl == NULL ? NULL : SSL_get_ex_data(ssl, pyossl_connection_index);
}

static int pyossl_verify(int ok, X509_STORE_CTX *store_context)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());
    pyossl_connection *connection = pyossl_connection_of(ssl);

    if (connection == NULL)
        return 0;
    if (!ok && connection->verify_certificate == NULL) {
        X509 *certificate = X509_STORE_CTX_get_current_cert(store_context);
        connection->verify_error = X509_STORE_CTX_get_error(store_context);
        connection->verify_depth = X509_STORE_CTX_get_error_depth(store_context);
        if (certificate != NULL && X509_up_ref(certificate))
            connection->verify_certificate = certificate;
    }
    return ok;
}

static void pyossl_message(int outgoing, int version, int content_type, const void *data, size_t length,
                           SSL *ssl, void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    (void)argument;
    if (connection != NULL && connection->handle != NULL)
        pyossl_on_message(connection->handle, outgoing, version, content_type, data, length);
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
