/* Every call of OpenSSL that does I/O goes through here.
 *
 * SSL_connect(3), SSL_read_ex(3) and their kin answer in three channels at once: a return value, SSL_get_error(3),
 * and a per-thread queue plus errno.  The three are read in one breath: the queue is emptied, the call is made, and
 * when it does not succeed errno, SSL_get_error(3) and the queue are taken before any other code can run on this
 * thread.  The queue is empty afterwards whatever happened.
 *
 * Each function takes the connection's lock for the one call, looks at its state, and returns what was done when that
 * is >= 0 (bytes moved; for a handshake 0).  Below 0 it is -SSL_ERROR_x, or one of the answers below, for which OpenSSL
 * was not asked.  A fatal outcome makes the connection dead: its facts stay in the connection for Python to copy, and
 * no later call gets as far as OpenSSL. */

enum {
    PYOSSL_CLOSED = -101,       /* the user has closed the connection */
    PYOSSL_INHERITED = -102,    /* the connection is the parent process's */
    PYOSSL_BUSY = -103,         /* a callback calls the connection that called it */
    PYOSSL_DEAD = -104,         /* an earlier call has failed for good */
    PYOSSL_PARKED = -105,       /* a callback raised in this call */
    PYOSSL_OTHER_WRITE = -106,  /* a write is to be repeated first, and this is not it */
    PYOSSL_SHUT = -107,         /* our close_notify has been sent: nothing can follow it */
    PYOSSL_TOO_EARLY = -108,    /* there is nothing to shut down before the handshake is finished */
    PYOSSL_TIMED_OUT = -109,    /* the deadline has passed */
    PYOSSL_WRITE_FIRST = -110,  /* a write is to be repeated before the shutdown */
    PYOSSL_WRITING = -111,      /* this thread is in the middle of another write: a signal handler writes */
    PYOSSL_NO_MEMORY = -112,    /* bytes that are to be kept find no room */
    PYOSSL_OTHER_BIO = -113,    /* the user does not carry the connection's bytes: it has another BIO */
    PYOSSL_RAISED = -114,       /* a signal's handler has raised, while the call waited */
    PYOSSL_PAUSED = -115,       /* nothing yet, and the transport is not to be waited for: the budget was used up */
    PYOSSL_UNREAD = -116,       /* the peer has sent data that was not read before the end */
    PYOSSL_ASKED = -118,        /* the call would wait, in the middle of a question: a signal's handler has made it */
    PYOSSL_UNWRITTEN = -119,    /* a write has failed for good: nothing can be written, what has arrived can be read */
    PYOSSL_READ_FIRST = -121    /* in a renegotiation data has come that is to be read before anything can be written */
};

static int pyossl_begin(pyossl_connection *connection)
{
    int answer = 0;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (connection->closed)
        answer = PYOSSL_CLOSED;
    else if (connection->busy)
        answer = PYOSSL_BUSY;
    else if (connection->dead)
        answer = PYOSSL_DEAD;
    if (answer != 0) {
        pyossl_connection_release(connection);
        return answer;
    }
    connection->busy = 1;
    connection->budget = PYOSSL_BUDGET;
    connection->paused = connection->pauses_early = 0;
    connection->outer = pyossl_calling;
    pyossl_calling = connection;
    if (connection->socket != NULL)
        connection->socket->allowance = 0;    /* what a read was allowed is not a handshake's to take */
    pyossl_clear_errors();
    errno = 0;
    return 0;
}

/* `result` for Python; a callback that raised overrules whatever the call came to. */
static long long pyossl_end(pyossl_connection *connection, long long result)
{
    if (connection->parked) {
        connection->parked = 0;
        connection->dead = 1;
        /* What raised was the transport: its silence is no end of the peer's. */
        if (connection->record_count == 0)
            connection->error = 0;
        result = PYOSSL_PARKED;
    }
    connection->busy = 0;
    pyossl_calling = connection->outer;
    pyossl_connection_release(connection);
    return result;
}

static long long pyossl_done(long long result)
{
    pyossl_clear_errors();
    return result;
}

/* The errno that belongs to a failed call: a memory BIO has none, and OpenSSL's own look for a file (a trust store's,
 * say) leaves one behind that must not be taken for the transport's. */
static int pyossl_transport_errno(SSL *ssl, int thread_errno)
{
    BIO *bio = BIO_find_type(SSL_get_wbio(ssl), BIO_TYPE_DESCRIPTOR);
    BIO *reader = BIO_find_type(SSL_get_rbio(ssl), BIO_TYPE_DESCRIPTOR);
    int sys_errno;

    if (reader != NULL && reader != bio && SSL_want(ssl) != SSL_WRITING)
        bio = reader;
    if (bio == NULL)
        return 0;
    sys_errno = pyossl_bio_errno(bio);
    return sys_errno != 0 || BIO_method_type(bio) == pyossl_socket_type ? sys_errno : thread_errno;
}

/* What a chain waits for, -SSL_ERROR_WANT_x, or 0.  BIO_f_buffer(3), of which SSL puts one on its chain for the handshake,
 * does not pass on that the flush of another below it waits: every member is asked. */
static long long pyossl_chain_want(BIO *bio)
{
    while (bio != NULL && !BIO_should_retry(bio))
        bio = BIO_next(bio);
    if (bio == NULL)
        return 0;
    if (BIO_should_write(bio))
        return -SSL_ERROR_WANT_WRITE;
    if (!BIO_should_io_special(bio))
        return -SSL_ERROR_WANT_READ;
    switch (BIO_get_retry_reason(bio)) {
    case BIO_RR_CONNECT:
        return -SSL_ERROR_WANT_CONNECT;
    case BIO_RR_ACCEPT:
        return -SSL_ERROR_WANT_ACCEPT;
    default:
        return -SSL_ERROR_WANT_X509_LOOKUP;
    }
}

/* Whether the transport has ended: it was asked for bytes, and said so.  A BIO of OpenSSL's own need not say it again. */
static int pyossl_has_ended(const SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);
    int type = BIO_method_type(bio);

    if (BIO_eof(bio) > 0)
        return 1;
    return type != pyossl_socket_type && type != pyossl_memory_type && SSL_want(ssl) == SSL_READING
        && !BIO_should_retry(bio);
}

static long long pyossl_not_done(pyossl_connection *connection, int result)
{
    enum { ROOM = 32 };    /* the queue holds 16 */
    int thread_errno = errno, error = SSL_get_error(connection->ssl, result);

    switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        pyossl_clear_errors();
        return -(long long)error;
    case SSL_ERROR_ZERO_RETURN:
        /* The peer has said its close_notify: before 3.2 that is the answer for a write that then failed, too. */
        if (SSL_want(connection->ssl) == SSL_WRITING) {
            error = SSL_ERROR_SYSCALL;
        } else if (SSL_is_init_finished(connection->ssl)) {
            pyossl_clear_errors();
            return -(long long)error;
        }
        break;
    case SSL_ERROR_NONE:
        error = SSL_ERROR_SSL;    /* a call that failed must not look like one that moved nothing */
        break;
    case SSL_ERROR_SYSCALL:
        if (SSL_want(connection->ssl) == SSL_WRITING && ERR_peek_error() == 0) {
            long long want = pyossl_chain_want(SSL_get_wbio(connection->ssl));
            if (want != 0)
                return want;
        }
        /* A write or a handshake that has met data in a renegotiation: the next read returns it. */
        if (ERR_peek_error() == 0 && SSL_pending(connection->ssl) > 0 && !SSL_is_init_finished(connection->ssl))
            return -SSL_ERROR_WANT_READ;
        break;
    case SSL_ERROR_SSL:
        break;
    default:
        pyossl_clear_errors();
        return -(long long)error;
    }
    connection->dead = 1;
    connection->error = error;
    connection->sys_errno = pyossl_transport_errno(connection->ssl, thread_errno);
    if (ERR_peek_error() != 0) {
        connection->records = calloc(ROOM, sizeof(pyossl_record));
        if (connection->records != NULL)
            connection->record_count = pyossl_take_errors(connection->records, ROOM);
        else
            ERR_clear_error();
    }
    if (error == SSL_ERROR_SYSCALL && connection->sys_errno == 0 && connection->record_count == 0
        && !pyossl_has_ended(connection->ssl))
        connection->error = error = SSL_ERROR_SSL;    /* without a reason, and not without a close_notify */
    return -(long long)error;
}

enum { PYOSSL_RECORD = SSL3_RT_MAX_PLAIN_LENGTH };

/* Sends what the BIO has gathered: 0, -SSL_ERROR_WANT_WRITE or PYOSSL_UNWRITTEN. */
static long long pyossl_flush(pyossl_connection *connection)
{
    if (!pyossl_socket_flush(SSL_get_wbio(connection->ssl)))
        return -SSL_ERROR_WANT_WRITE;
    return connection->write_errno == 0 ? 0 : PYOSSL_UNWRITTEN;
}

/* `outcome`, or what the call waits for first: in a renegotiation the peer answers nothing that he has not got. */
static long long pyossl_after_flush(pyossl_connection *connection, long long outcome)
{
    long long flushed;

    if (connection->socket == NULL || outcome != -SSL_ERROR_WANT_READ)
        return outcome;
    flushed = pyossl_flush(connection);
    return flushed == -SSL_ERROR_WANT_WRITE && !SSL_is_init_finished(connection->ssl) ? flushed : outcome;
}

/* failed_write.c */
static long long pyossl_handshake_after_failed_write(pyossl_connection *connection, long long outcome);
static long long pyossl_after_failed_write(pyossl_connection *connection, long long outcome);

/* renegotiation.c */
static int pyossl_is_renegotiating(pyossl_connection *connection);
static long long pyossl_renegotiate(pyossl_connection *connection);

/* From now on OpenSSL need not wait for what it has left with the BIO. */
static void pyossl_let_bio_wait(pyossl_connection *connection)
{
    if (connection->is_open)
        return;
    connection->is_open = SSL_is_init_finished(connection->ssl);
    if (connection->socket != NULL)
        connection->socket->lets_wait = connection->is_open;
}

/* Whether calls of the BIO come back at once, whatever the peer does. */
static int pyossl_never_waits(BIO *bio)
{
    return pyossl_own_socket(bio) != NULL || BIO_method_type(bio) == pyossl_memory_type;
}
