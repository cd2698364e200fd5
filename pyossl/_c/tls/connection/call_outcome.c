/* The frame of every call of OpenSSL that does I/O.
 *
 * SSL_connect(3), SSL_read_ex(3) and similar functions report their result in three ways at once: a return value,
 * SSL_get_error(3), and a per-thread error queue with errno.  So the queue is emptied before the call.  If the call
 * does not succeed, errno, SSL_get_error(3) and the queue are read before any other code runs on this thread.  The
 * queue is always empty afterwards.
 *
 * Each function that Python calls takes the connection's lock for the one call and checks the connection's state.  A
 * result >= 0 says what was done (the number of bytes; 0 for a handshake).  A result below 0 is -SSL_ERROR_x, or one of
 * the answers below, for which OpenSSL was not called.  After a fatal failure the connection is dead: it keeps the
 * facts for Python to copy, and no later call gets as far as OpenSSL. */

enum {
    PYOSSL_CLOSED = -101,       /* the program has closed the connection */
    PYOSSL_INHERITED = -102,    /* the connection belongs to the parent process */
    PYOSSL_BUSY = -103,         /* a callback calls the connection that called it */
    PYOSSL_DEAD = -104,         /* an earlier call has failed for good */
    PYOSSL_PARKED = -105,       /* a callback raised in this call */
    PYOSSL_OTHER_WRITE = -106,  /* another write must be repeated first */
    PYOSSL_SHUT = -107,         /* our close_notify has been sent: nothing may follow it */
    PYOSSL_TOO_EARLY = -108,    /* there is nothing to shut down before the handshake is finished */
    PYOSSL_TIMED_OUT = -109,    /* the deadline has passed */
    PYOSSL_WRITE_FIRST = -110,  /* a write must be repeated before the shutdown */
    PYOSSL_WRITING = -111,      /* this thread is in the middle of another write: a signal handler writes */
    PYOSSL_NO_MEMORY = -112,    /* there is no memory for bytes that must be kept */
    PYOSSL_OTHER_BIO = -113,    /* the connection has a BIO of the program, not one in memory */
    PYOSSL_RAISED = -114,       /* a signal handler raised while the call waited */
    PYOSSL_PAUSED = -115,       /* nothing yet, because the budget was used up; do not wait for the transport */
    PYOSSL_UNREAD = -116,       /* the peer's data comes before its close_notify, and was not read */
    PYOSSL_ASKED = -118,        /* the call would wait, while Python answers a question: a signal handler calls */
    PYOSSL_UNWRITTEN = -119,    /* a write has failed for good: received bytes can be read, nothing can be written */
    PYOSSL_READ_FIRST = -121,   /* in a renegotiation, received data must be read before anything can be written */
    PYOSSL_DENIED = -131,       /* OpenSSL refuses, and the connection goes on; the reason is in the error queue */
    PYOSSL_UNFINISHED = -132,   /* a handshake must be finished first */
    PYOSSL_OTHER_THREAD = -133, /* the handshake is in a paused job of another thread */
    PYOSSL_EARLY_FIRST = -122,  /* early data must be read to its end first */
    PYOSSL_TOO_LATE = -123      /* the handshake has begun without early data */
};

/* Begins a call: takes the lock, checks the state, and empties the error queue.  0: the call may go on, until
 * pyossl_end; below 0: the lock is not held.  If `pyossl_locked` is this connection, the caller has taken the lock and
 * keeps it.  That holds for this call alone: a callback in it may switch to a greenlet, which makes other calls. */
static int pyossl_begin(pyossl_connection *connection)
{
    int answer = 0, has_lock = pyossl_locked == connection;

    pyossl_locked = NULL;
    if (!has_lock && !pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (connection->closed)
        answer = PYOSSL_CLOSED;
    else if (connection->busy)
        answer = PYOSSL_BUSY;
    else if (connection->dead)
        answer = PYOSSL_DEAD;
    if (answer != 0) {
        if (!has_lock)
            pyossl_connection_release(connection);
        return answer;
    }
    connection->busy = 1;
    connection->leaves_lock = has_lock;
    connection->budget = PYOSSL_BUDGET;
    connection->paused = connection->pauses_early = 0;
    connection->outer = pyossl_calling;
    pyossl_calling = connection;
    if (connection->socket != NULL)
        connection->socket->allowance = 0;    /* a handshake may not use the allowance of a read */
    pyossl_clear_errors();
    errno = 0;
    return 0;
}

/* pyossl_begin for calls that send: after a failed write, PYOSSL_UNWRITTEN takes the place of PYOSSL_DEAD. */
static int pyossl_begin_to_send(pyossl_connection *connection)
{
    int answer = pyossl_begin(connection);

    return answer == PYOSSL_DEAD && connection->write_errno != 0 ? PYOSSL_UNWRITTEN : answer;
}

/* Ends a call and releases the lock.  Returns `result`, or PYOSSL_PARKED if a callback raised, whatever the result
 * was. */
static long long pyossl_end(pyossl_connection *connection, long long result)
{
    if (connection->parked) {
        connection->parked = 0;
        connection->dead = 1;
        /* If the transport raised, there was no end of the peer's bytes. */
        if (connection->record_count == 0)
            connection->error = 0;
        result = PYOSSL_PARKED;
    }
    connection->busy = 0;
    pyossl_forget_call(connection);
    if (!connection->leaves_lock)
        pyossl_connection_release(connection);
    return result;
}

/* Empties the error queue after a call that succeeded. */
static long long pyossl_done(long long result)
{
    pyossl_clear_errors();
    return result;
}

/* The errno of a failed call.  A memory BIO has none; and errno can be left over from a file that OpenSSL looked for,
 * for example a trust store, which must not be taken for the transport's. */
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

/* The event that a chain of BIOs waits for, -SSL_ERROR_WANT_x, or 0.  Every BIO of the chain is asked, because
 * BIO_f_buffer(3), which SSL puts on its chain for the handshake, does not pass on that another BIO waits in a
 * flush. */
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

/* Whether the transport has ended: it was asked for bytes, and reported its end.  A BIO of OpenSSL's own may report
 * that only once. */
static int pyossl_has_ended(const SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);
    int type = BIO_method_type(bio);

    if (BIO_eof(bio) > 0)
        return 1;
    return type != pyossl_socket_type && type != pyossl_memory_type && type != pyossl_queues_type
        && SSL_want(ssl) == SSL_READING
        && !BIO_should_retry(bio);
}

/* Reads the facts of a call that did not succeed, directly after it.  `result` is OpenSSL's.  Returns -SSL_ERROR_x; the
 * connection is dead, unless the call only has to be repeated or the peer's close_notify has come. */
static long long pyossl_not_done(pyossl_connection *connection, int result)
{
    enum { ROOM = 32 };    /* the queue has room for 16 */
    int thread_errno = errno, error = SSL_get_error(connection->ssl, result);

    switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        pyossl_clear_errors();
        return -(long long)error;
    case SSL_ERROR_ZERO_RETURN:
        /* The peer has sent its close_notify.  Before 3.2 a write that fails after that gives this answer too. */
        if (SSL_want(connection->ssl) == SSL_WRITING) {
            error = SSL_ERROR_SYSCALL;
        } else if (SSL_is_init_finished(connection->ssl)) {
            pyossl_clear_errors();
            return -(long long)error;
        }
        break;
    case SSL_ERROR_NONE:
        error = SSL_ERROR_SSL;    /* a failed call must not look like one that moved no bytes */
        break;
    case SSL_ERROR_SYSCALL:
        if (SSL_want(connection->ssl) == SSL_WRITING && ERR_peek_error() == 0) {
            long long want = pyossl_chain_want(SSL_get_wbio(connection->ssl));
            if (want != 0)
                return want;
        }
        /* A write or a handshake has met data in a renegotiation: the next read returns it. */
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
        connection->error = error = SSL_ERROR_SSL;    /* a failure without a reason; no close_notify is missing */
    return -(long long)error;
}

/* Sends the records that the BIO has gathered: 0, -SSL_ERROR_WANT_WRITE or PYOSSL_UNWRITTEN. */
static long long pyossl_flush(pyossl_connection *connection)
{
    if (!pyossl_socket_flush(SSL_get_wbio(connection->ssl)))
        return -SSL_ERROR_WANT_WRITE;
    return connection->write_errno == 0 ? 0 : PYOSSL_UNWRITTEN;
}

/* Returns `outcome`; or -SSL_ERROR_WANT_WRITE if the call must wait for that first: in a renegotiation the peer answers
 * only records that it has received. */
static long long pyossl_after_flush(pyossl_connection *connection, long long outcome)
{
    long long flushed;

    if (connection->socket == NULL || outcome != -SSL_ERROR_WANT_READ)
        return outcome;
    flushed = pyossl_flush(connection);
    return flushed == -SSL_ERROR_WANT_WRITE && !SSL_is_init_finished(connection->ssl) ? flushed : outcome;
}

/* read_after_failed_write.c */
static long long pyossl_handshake_after_failed_write(pyossl_connection *connection, long long outcome);
static long long pyossl_after_failed_write(pyossl_connection *connection, long long outcome);

/* renegotiation.c */
static int pyossl_is_renegotiating(pyossl_connection *connection);
static long long pyossl_renegotiate(pyossl_connection *connection);

/* handshake.c */
static long long pyossl_finish_handshake(pyossl_connection *connection, int (*function)(SSL *));

/* early_data.c */
static int pyossl_answers_early(const pyossl_connection *connection);
static int pyossl_write_answer(pyossl_connection *connection, const char *data, size_t size, size_t *written);
static long long pyossl_after_early_data(pyossl_connection *connection);
static void pyossl_forget_early_data(pyossl_connection *connection);

/* After the handshake, OpenSSL need not wait until the transport has taken the bytes that it has written to the BIO. */
static void pyossl_let_bio_wait(pyossl_connection *connection)
{
    if (connection->is_open)
        return;
    connection->is_open = SSL_is_init_finished(connection->ssl);
    if (connection->socket != NULL)
        connection->socket->lets_wait = connection->is_open;
}

/* Whether calls of the BIO return at once, whatever the peer does. */
static int pyossl_never_waits(BIO *bio)
{
    int type = BIO_method_type(bio);
    return pyossl_own_socket(bio) != NULL || type == pyossl_memory_type || type == pyossl_queues_type;
}

/* Begins a call of OpenSSL that may make or free sessions and keys, for which forks wait (core/forks_wait.c).  Over a
 * BIO that may wait, they do not; and while a call keeps the GIL, no fork begins.  The step may read a live context
 * (tls/mutable/live_context.c), over whose connections' BIOs nothing waits.  The result is for pyossl_end_step. */
static int pyossl_begin_step(pyossl_connection *connection)
{
    int is_held = connection->memory != NULL || connection->socket != NULL || connection->queues != NULL;

    if (connection->keeps_gil)
        return 0;
    pyossl_enter_context(connection);
    if (!is_held) {
        BIO *reads = SSL_get_rbio(connection->ssl), *writes = SSL_get_wbio(connection->ssl);
        is_held = pyossl_never_waits(reads) && (writes == reads || pyossl_never_waits(writes));
    }
    if (is_held)
        pyossl_hold_forks();
    return is_held;
}

static void pyossl_end_step(pyossl_connection *connection, int is_held)
{
    if (is_held)
        pyossl_let_fork();
    if (connection->in_context != NULL)
        pyossl_leave_context(connection);
}
