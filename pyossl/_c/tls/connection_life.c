/* How a connection begins and how it ends.
 *
 * What takes many calls of OpenSSL is one call of Python's here: a call costs as much as most of what OpenSSL does in
 * it. */

/* How names are compared everywhere: a wildcard is a whole label, and a subject is nobody's host name. */
#define PYOSSL_HOST_FLAGS (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

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

/* A generic method's connections are told later which side they are. */
static void pyossl_take_side(SSL *ssl)
{
    const SSL_METHOD *method = SSL_get_ssl_method(ssl);

    if (method == TLS_client_method())
        SSL_set_connect_state(ssl);
    else if (method == TLS_server_method())
        SSL_set_accept_state(ssl);
}

/* A connection under the locks of its BIOs; or, where `lock` is NULL, under one of its own.  It takes over a reference to
 * `reader` and one to `writer`, or one where they are the same, whatever comes of it. */
static pyossl_connection *pyossl_connection_new(SSL_CTX *context, int takes_side, BIO *reader, BIO *writer,
                                                pyossl_lock *lock, pyossl_lock *other_lock)
{
    pyossl_connection *connection = calloc(1, sizeof(*connection));
    SSL *ssl = SSL_new(context);

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
    connection->demands_certificate = connection->hears_why = takes_side;
    pyossl_verify_with(connection, SSL_get_verify_mode(ssl));
    if (takes_side)
        pyossl_take_side(ssl);
    return connection;
}

/* Over no transport: whoever has the connection carries its bytes. */
static pyossl_connection *pyossl_connection_in_memory(SSL_CTX *context, int takes_side)
{
    BIO *bio;

    pyossl_clear_errors();
    bio = pyossl_memory_bio();
    return pyossl_connection_new(context, takes_side, bio, bio, NULL, NULL);
}

/* Over BIOs that Python keeps, with a reference of its own to each (docs/pitfalls.md, 20), and under their locks. */
static pyossl_connection *pyossl_connection_over_bios(SSL_CTX *context, int takes_side, BIO *reader, BIO *writer,
                                                      pyossl_lock *lock, pyossl_lock *other_lock)
{
    pyossl_clear_errors();
    BIO_up_ref(reader);
    if (writer != reader)
        BIO_up_ref(writer);
    return pyossl_connection_new(context, takes_side, reader, writer, lock, other_lock);
}

/* Over the blocking descriptor of a socket of pyossl's own, for which its calls can wait. */
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

/* From now on the descriptor is checked before each use: its socket is the caller's, who may close it. */
static void pyossl_check_descriptor(pyossl_connection *connection)
{
    pyossl_know_file(&connection->socket->file, connection->fd);
}

/* Whom a client means: a DNS name is sent, and either is what the certificate is to be for, where that is checked.
 * 1: done; 0: OpenSSL refuses the name; below 0: it failed. */
static int pyossl_expect(pyossl_connection *connection, const char *name, int is_address, int is_checked)
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

/* 1: the session is offered; 0: it is of a connection whose peer was not verified, as this one's is to be; below 0: it
 * failed. */
static int pyossl_offer(pyossl_connection *connection, SSL_SESSION *session)
{
    SSL *ssl = connection->ssl;

    pyossl_clear_errors();
    if (SSL_set_session(ssl, session) != 1)
        return -1;
    return (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0 || SSL_get_verify_result(ssl) == X509_V_OK;
}

/* Finishes the handshake, before `deadline` where that is not 0; 0, or below it what went wrong. */
static long long pyossl_handshake_waiting(pyossl_connection *connection, double timeout, long long deadline)
{
    long long result;

    do {
        result = pyossl_handshake(connection);
        if (result == 0 || !pyossl_may_wait(connection, result, timeout))
            return result;
        result = pyossl_wait(connection, result, timeout, &deadline);
    } while (result == 0);
    return result;
}

/* Says close_notify, if that needs no waiting, frees the SSL, takes what has arrived off the descriptor and lets go whoever
 * waits.  In that order: another thread that reads meanwhile would meet the middle of a record.  What has arrived before
 * the handshake began may be for another process that has the socket, too. */
static long long pyossl_end_socket_once(pyossl_connection *connection)
{
    int has_begun = !pyossl_has_no_keys(connection);
    long long said = pyossl_shutdown(connection), closed;

    if (said == PYOSSL_BUSY)
        return said;
    pyossl_restore_limits(connection);    /* a child process may have the socket too, or the program a copy by dup(2) */
    closed = pyossl_close(connection);    /* the peer may be gone, or the handshake unfinished: there is nobody to tell */
    if (closed != 0)
        return closed < 0 ? closed : 0;
    if (has_begun)
        pyossl_drain(connection->fd);
    pyossl_wake_waiters(connection, !pyossl_may_be_shared(connection));
    return said == PYOSSL_PARKED ? said : 0;
}

/* Ends a connection over a socket of pyossl's own, which is to be closed next.  0, or PYOSSL_PARKED where a callback
 * raised; PYOSSL_INHERITED or PYOSSL_BUSY where it is not this call's to end.  All under the lock: another thread that
 * closes too finds it done, and does not close the descriptor before we have left it. */
static long long pyossl_end_socket(pyossl_connection *connection)
{
    long long result;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    result = pyossl_end_socket_once(connection);
    pyossl_connection_release(connection);
    return result;
}

/* Ends a connection whose descriptor somebody else goes on with: nothing is sent or received, and the descriptor is as it
 * was given.  0, or PYOSSL_INHERITED or PYOSSL_BUSY as above. */
static long long pyossl_detach_socket(pyossl_connection *connection)
{
    long long result = PYOSSL_BUSY;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (!connection->busy) {
        pyossl_restore_limits(connection);
        result = pyossl_close(connection);
        if (result == 0)
            pyossl_wake_waiters(connection, 0);
    }
    pyossl_connection_release(connection);
    return result > 0 ? 0 : result;
}
