/* Making a connection, and its settings before the handshake.
 *
 * Several calls of OpenSSL are one function here: a call from Python costs as much as most of what OpenSSL does in it.
 *
 * No function here takes a lock: no other thread has the connection yet. */

/* How names are compared: a wildcard must be a whole label, and the certificate's subject is never used as a host
 * name. */
#define PYOSSL_HOST_FLAGS (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

/* Sets up the condition at which threads wait for the writers' turn. */
static void pyossl_turn_new(pthread_cond_t *turn)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, PYOSSL_TURN_CLOCK);
#endif
    pthread_cond_init(turn, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Sets the side by the context's method.  For TLS_method(3), which can be either side, it is set later. */
static void pyossl_take_side(SSL *ssl)
{
    const SSL_METHOD *method = SSL_get_ssl_method(ssl);

    if (method == TLS_client_method())
        SSL_set_connect_state(ssl);
    else if (method == TLS_server_method())
        SSL_set_accept_state(ssl);
}

static int pyossl_take_async_mode(pyossl_connection *connection, int uses_jobs);    /* handshake_job.c */
static void pyossl_connection_free(pyossl_connection *connection);

/* A connection over two BIOs, under their locks, or under a lock of its own if `lock` is NULL.  It takes over one
 * reference to `reader` and one to `writer` (one in all if they are the same), also when it fails.  NULL: no memory, or
 * OpenSSL refuses the context. */
static pyossl_connection *pyossl_connection_new(SSL_CTX *context, int takes_side, BIO *reader, BIO *writer,
                                                pyossl_lock *lock, pyossl_lock *other_lock)
{
    pyossl_connection *connection = calloc(1, sizeof(*connection));
    pyossl_live *live = pyossl_live_of(context);
    int depth = pyossl_suspend_hold();    /* forks are held after the context's lock is taken */
    SSL *ssl;

    pyossl_live_enter(live);
    pyossl_resume_hold(depth);
    ssl = SSL_new(context);
    pyossl_live_leave(live);
    if (connection == NULL || ssl == NULL || reader == NULL || writer == NULL
        || !SSL_set_ex_data(ssl, pyossl_connection_index, connection)
        || (lock == NULL && !pyossl_lock_set_up(&connection->own_lock))) {
        BIO_free(reader);
        if (writer != reader)
            BIO_free(writer);
        SSL_free(ssl);
        free(connection);
        return NULL;
    }
    SSL_set_bio(ssl, reader, writer);
    connection->ssl = ssl;
    connection->lock = lock == NULL ? &connection->own_lock : lock;
    connection->other_lock = other_lock == lock ? NULL : other_lock;
    connection->own_lock.generation = pyossl_generation;
    connection->fd = -1;
    connection->forks = pyossl_forks;
    pyossl_turn_new(&connection->turn);
    connection->first_context = context;
    connection->live = live;
    connection->requires_certificate = connection->reads_alert = takes_side;
    if ((SSL_get_mode(ssl) & SSL_MODE_ASYNC) != 0 && !pyossl_take_async_mode(connection, takes_side)) {
        pyossl_connection_free(connection);
        return NULL;
    }
    pyossl_start_verifying(connection, SSL_get_verify_mode(ssl));
    if (pyossl_leaves_buffers(ssl))
        SSL_set_info_callback(ssl, pyossl_info_of_connection);
    if (takes_side)
        pyossl_take_side(ssl);
    return connection;
}

/* A connection without a transport: the program moves its bytes.  NULL if it fails. */
static pyossl_connection *pyossl_connection_in_memory(SSL_CTX *context, int takes_side)
{
    pyossl_connection *connection;
    BIO *bio;

    pyossl_clear_errors();
    bio = pyossl_memory_bio();
    connection = pyossl_connection_new(context, takes_side, bio, bio, NULL, NULL);
    if (connection != NULL)
        connection->memory = BIO_get_data(bio);
    return connection;
}

/* A connection over BIOs that Python keeps, under their locks.  It has a reference of its own to each BIO
 * (docs/pitfalls.md, 20).  NULL if it fails. */
static pyossl_connection *pyossl_connection_over_bios(SSL_CTX *context, int takes_side, BIO *reader, BIO *writer,
                                                      pyossl_lock *lock, pyossl_lock *other_lock)
{
    pyossl_clear_errors();
    BIO_up_ref(reader);
    if (writer != reader)
        BIO_up_ref(writer);
    return pyossl_connection_new(context, takes_side, reader, writer, lock, other_lock);
}

/* A connection that reads from one queue and writes to another.  NULL if it fails. */
static pyossl_connection *pyossl_connection_over_queues(SSL_CTX *context, uintptr_t incoming, uintptr_t outgoing)
{
    pyossl_connection *connection;
    BIO *bio;

    pyossl_clear_errors();
    bio = pyossl_queues_bio((pyossl_queue *)incoming, (pyossl_queue *)outgoing);
    connection = pyossl_connection_new(context, 0, bio, bio, NULL, NULL);
    if (connection != NULL)
        connection->queues = BIO_get_data(bio);
    return connection;
}

/* A connection over the blocking descriptor of a socket that pyossl owns.  Its calls can wait for the descriptor.  NULL
 * if it fails. */
static pyossl_connection *pyossl_connection_over_socket(SSL_CTX *context, int takes_side, int fd)
{
    pyossl_connection *connection;
    BIO *bio;

    pyossl_clear_errors();
    bio = pyossl_socket_bio(fd, 1);
    connection = pyossl_connection_new(context, takes_side, bio, bio, NULL, NULL);
    if (connection != NULL) {
        connection->fd = fd;
        connection->socket = pyossl_own_socket(bio);
        connection->socket->attended = 1;
    }
    return connection;
}

/* From now on the descriptor is checked before each use: its socket belongs to the caller, and may be closed. */
static void pyossl_check_descriptor(pyossl_connection *connection)
{
    pyossl_know_file(&connection->socket->file, connection->fd);
}

/* Sets the peer that a client expects.  A DNS name is sent in the ClientHello (SNI).  If `is_checked`, the certificate
 * must be for the name or for the IP address.  1: done; 0: OpenSSL refuses the name; below 0: it failed. */
static int pyossl_set_expected_peer(pyossl_connection *connection, const char *name, int is_address, int is_checked)
{
    SSL *ssl = connection->ssl;

    pyossl_clear_errors();
    if (!is_address && SSL_set_tlsext_host_name(ssl, name) != 1)
        return -1;
    if (!is_checked)
        return 1;
    SSL_set_hostflags(ssl, PYOSSL_HOST_FLAGS);
    return (is_address ? SSL_set1_ipaddr(ssl, name) : SSL_set1_dnsname(ssl, name)) == 1;
}

enum {
    PYOSSL_UNVERIFIED_SESSION = -1,    /* its peer was not verified, and this connection verifies its peer */
    PYOSSL_OTHER_RECORDS = -2,         /* its peer was verified with other TLSA records, or with or without any */
    PYOSSL_OTHER_KEY = -3              /* its peer did not show a raw public key, or a certificate, that is accepted */
};

/* Offers a session for resumption.  `binding` is the session id context of this connection: see
 * tls/authentication/dane.c.  1: done; 0: it failed; below 0: the session must not be resumed. */
static int pyossl_offer_session(pyossl_connection *connection, SSL_SESSION *session, const unsigned char *binding,
                                unsigned int size)
{
    SSL *ssl = connection->ssl;
    unsigned int length;
    const unsigned char *of_session = SSL_SESSION_get0_id_context(session, &length);

    if (length != size || memcmp(of_session, binding, size) != 0)
        return PYOSSL_OTHER_RECORDS;
    pyossl_clear_errors();
    if (SSL_set_session(ssl, session) != 1)
        return 0;
    if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0)
        return 1;
    if (SSL_get_verify_result(ssl) != X509_V_OK)
        return PYOSSL_UNVERIFIED_SESSION;
    return pyossl_session_fits_keys(ssl, session) ? 1 : PYOSSL_OTHER_KEY;
}
