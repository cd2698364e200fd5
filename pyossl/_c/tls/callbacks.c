/* One connection's C side, and the callbacks that OpenSSL makes into it.
 *
 * OpenSSL finds the connection from the SSL by an ex_data index; the connection finds its Python object by a handle.
 * Every callback that can answer answers with a failure when either is missing, and every answer that comes from
 * Python starts out as the failure: the `onerror` value that pyossl/tls/callbacks.py gives to cffi. */

#ifdef __APPLE__
#define PYOSSL_TURN_CLOCK CLOCK_REALTIME    /* a condition knows no other there */
#else
#define PYOSSL_TURN_CLOCK CLOCK_MONOTONIC
#endif

typedef struct pyossl_connection {
    SSL *ssl;
    void *handle;                /* borrowed: ffi.new_handle() of the Python side, or NULL */
    int error;                   /* SSL_get_error(3) of the last call that did not succeed */
    int sys_errno;               /* errno of that call, read before anything else could run */
    int record_count;
    pyossl_record *records;      /* the queue after that call, oldest first; owned */
    struct pyossl_socket *socket;    /* of the BIO below, where pyossl owns it; NULL for any other */
    double timeout;              /* of the calls that take none, in seconds; below 0: none */
    int writing;                 /* a thread has the writers' turn: a record that waits comes before anybody else's */
    pthread_t writer;            /* which */
    int turn_waiters;            /* threads that wait for the turn, or the one in recv(2), at `turn`, under `lock` */
    pthread_cond_t turn;         /* goes by PYOSSL_TURN_CLOCK */
    size_t write_pending;        /* length of a write that waits to be repeated; 0 if none does */
    size_t gathered;             /* its first bytes, whose records the BIO has gathered */
    unsigned char *pending;      /* a copy of what is encrypted already, where the writer has not kept it; owned */
    size_t pending_size;
    pyossl_lock *lock;           /* of the BIO read from, and of the one written to, which Python keeps; or `own_lock` */
    pyossl_lock *other_lock;     /* NULL where they are the same */
    pyossl_lock own_lock;
    int fd;                      /* the transport's descriptor, or -1 */
    struct pyossl_connection *outer;    /* whose call this one is made in: a BIO below it is written in Python */
    int blocks;                  /* a descriptor that is the caller's did so when it was last asked */
    int waiters;                 /* threads that wait for the descriptor, outside the lock */
    unsigned long forks;         /* pyossl_forks when it was made */
    size_t budget;               /* how many bytes the call under way may still take before it has made data of them */
    int pauses_early;            /* its caller sees to what has been received ahead: it may stop before that is used up */
    int paused;                  /* the last call has stopped because its budget was used up */
    int busy;                    /* a call is under way: it is a callback that calls again */
    int asked;                   /* questions that Python is being asked under the lock, one in the other */
    int closed;                  /* the user has closed the connection: the SSL is gone, when no question is asked any more */
    int dead;                    /* a call has failed for good: OpenSSL is not asked again */
    int parked;                  /* a callback raised: Python keeps the exception */
    int keeps_to_records;        /* nothing is received ahead: what follows the close_notify is left to the descriptor */
    int is_open;                 /* a read or a write has found the first handshake finished */
    int received_end;            /* the peer's close_notify is here */
    int write_errno;             /* what a write has failed with for good, 0 while none has: the peer may be read on */
    int hears_why;               /* a write that fails is told by the alert that has come, where one comes next */
    int renegotiation;           /* above 0: there may be one; below: there may not; 0: it is not known yet */
    int sent_close_notify;       /* ours is on its way */
    int flushed_close_notify;    /* and the transport has taken it */
    SSL_CTX *first_context;      /* that it was made from, to which its sessions belong; borrowed from the SSL */
    int demands_certificate;     /* of a peer that is verified, whatever the cipher: see peer_certificate.c */
    int is_admitted;             /* the peer of the last handshake has been looked at, or need not be */
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
static int pyossl_on_servername(void *handle, int *alert, const unsigned char *name, size_t length);
static int pyossl_on_alpn(void *handle, const unsigned char *offered, unsigned int length);
static void pyossl_on_info(void *handle, int where, int value);
static void pyossl_on_keylog(void *handle, const char *line);
static void pyossl_on_new_session(void *handle, SSL_SESSION *session);

/* Up to calls_that_hold_forks.h; see forks.c. */
#define pyossl_on_message(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_message)(__VA_ARGS__))
#define pyossl_on_verify(...) PYOSSL_IN_PYTHON((pyossl_on_verify)(__VA_ARGS__))
#define pyossl_on_servername(...) PYOSSL_IN_PYTHON((pyossl_on_servername)(__VA_ARGS__))
#define pyossl_on_alpn(...) PYOSSL_IN_PYTHON((pyossl_on_alpn)(__VA_ARGS__))
#define pyossl_on_info(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_info)(__VA_ARGS__))
#define pyossl_on_keylog(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_keylog)(__VA_ARGS__))
#define pyossl_on_new_session(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_new_session)(__VA_ARGS__))

static void pyossl_bound_session(SSL *ssl, SSL_SESSION *session);    /* kept_sessions.c */

static int pyossl_connection_index = -1;

static _Thread_local pyossl_connection *pyossl_calling;    /* whose call this thread is in; NULL: a BIO's, or nobody's */

/* A peer that sends records without data (KeyUpdates, tickets, HelloRequests, warnings, empty records) would keep
 * SSL_read(3) busy for as long as it likes: with SSL_MODE_AUTO_RETRY it returns only with data, and our BIOs would go on
 * reading.  So a call of a connection may take so many bytes before they have become data; then the BIO says that there
 * is nothing to read, and the deadline, the signals, the lock and the loop have their turn (docs/pitfalls.md, 30).  It is more
 * than any record, so that each call gets on. */
enum { PYOSSL_BUDGET = 32768 };

static int pyossl_has_budget(void)
{
    return pyossl_calling == NULL || pyossl_calling->budget > 0;
}

/* Whether a BIO may give OpenSSL bytes.  `is_here`: they have been taken off the transport already, where a program that
 * waits for the transport does not see them. */
static int pyossl_may_give(int is_here)
{
    if (pyossl_has_budget() || (is_here && !pyossl_calling->pauses_early))
        return 1;
    pyossl_calling->paused = 1;
    return 0;
}

/* The calls of a descriptor that blocks wait as long as it does, and do not stop before. */
static int pyossl_fd_blocks(int fd)
{
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    return flags < 0 || !(flags & O_NONBLOCK);
}

static void pyossl_has_given(size_t size)
{
    pyossl_connection *connection = pyossl_calling;

    if (connection != NULL)
        connection->budget -= size < connection->budget ? size : connection->budget;
}

/* A write of a BIO has failed for good.  1: it is made in a connection's call, which tells it, and OpenSSL is not to know:
 * it would refuse to read what the peer has sent before (4.0 does so always, the others in a handshake).  Datagrams
 * are lost one by one, and their failures are OpenSSL's. */
static int pyossl_keeps_failure(int sys_errno)
{
    pyossl_connection *connection = pyossl_calling;

    if (connection == NULL || connection->ssl == NULL || SSL_is_dtls(connection->ssl))
        return 0;
    if (connection->write_errno == 0)
        connection->write_errno = sys_errno != 0 ? sys_errno : EIO;
    return 1;
}

/* Whether what OpenSSL writes is to be dropped: nothing may follow what has been lost. */
static int pyossl_drops_writes(void)
{
    return pyossl_calling != NULL && pyossl_calling->write_errno != 0;
}

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
    pyossl_bound_session(ssl, session);
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
