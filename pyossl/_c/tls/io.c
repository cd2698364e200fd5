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

static void pyossl_forget_pending(pyossl_connection *connection)
{
    OPENSSL_clear_free(connection->pending, connection->pending_size);
    connection->pending = NULL;
    connection->pending_size = connection->write_pending = connection->gathered = 0;
}

/* Keeps what a repeated write is to begin with, for pyossl_is_repeated: all that has been gathered, and a record. */
static void pyossl_copy_pending(pyossl_connection *connection, const void *data)
{
    size_t size = connection->gathered + PYOSSL_RECORD;
    if (size > connection->write_pending)
        size = connection->write_pending;
    connection->pending = OPENSSL_memdup(data, size);
    connection->pending_size = connection->pending == NULL ? 0 : size;
}

/* Whether `data` can be the write that waits.  OpenSSL looks at the length only, and would send the record that it has
 * and count it as whatever is offered: other bytes would be lost without a word.  There is no copy where the writer,
 * in the middle of one call, has kept the bytes himself. */
static int pyossl_is_repeated(const pyossl_connection *connection, const void *data, size_t size, int is_kept)
{
    if (connection->pending == NULL)
        return is_kept;
    return size >= connection->write_pending && memcmp(data, connection->pending, connection->pending_size) == 0;
}

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
static long long pyossl_cut_off(pyossl_connection *connection, long long outcome);
static long long pyossl_unwritten(pyossl_connection *connection, long long outcome);

/* renegotiation.c */
static int pyossl_is_renegotiating(pyossl_connection *connection);
static long long pyossl_renegotiate(pyossl_connection *connection);

/* From now on OpenSSL need not wait for what it has left with the BIO. */
static void pyossl_let_wait(pyossl_connection *connection)
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

static long long pyossl_finish_handshake(pyossl_connection *connection, int (*function)(SSL *))
{
    int was_finished = SSL_is_init_finished(connection->ssl), is_held, result;
    long long outcome = pyossl_renegotiate(connection);

    if (outcome != 0)
        return outcome;
    is_held = !was_finished && pyossl_never_waits(SSL_get_rbio(connection->ssl));
    if (is_held)
        pyossl_hold_forks();
    errno = 0;
    result = function(connection->ssl);
    outcome = result == 1 ? 0 : pyossl_after_flush(connection, pyossl_not_done(connection, result));
    if (is_held)
        pyossl_let_fork();
    if (connection->write_errno != 0 && !was_finished)
        outcome = pyossl_cut_off(connection, outcome);
    if (outcome != 0)
        return outcome;
    (void)pyossl_is_renegotiating(connection);    /* it is known from now on */
    return pyossl_done(pyossl_look_at_peer(connection));
}

static long long pyossl_shake_hands(pyossl_connection *connection, int (*function)(SSL *))
{
    int result = pyossl_begin(connection);
    if (result != 0)
        return result;
    return pyossl_end(connection, pyossl_finish_handshake(connection, function));
}

static long long pyossl_handshake(pyossl_connection *connection)
{
    return pyossl_shake_hands(connection, SSL_do_handshake);
}

static long long pyossl_connect(pyossl_connection *connection)
{
    return pyossl_shake_hands(connection, SSL_connect);
}

static long long pyossl_accept(pyossl_connection *connection)
{
    return pyossl_shake_hands(connection, SSL_accept);
}

/* Whether another record may be there without asking the transport: reading on costs nothing then. */
static int pyossl_holds_more(const pyossl_connection *connection)
{
    return SSL_has_pending(connection->ssl)
        || (connection->socket != NULL ? pyossl_stretch_length(&connection->socket->ahead)
                                       : BIO_ctrl_pending(SSL_get_rbio(connection->ssl))) > 0;
}

/* How far a read of `size` bytes may look ahead.  Who asks for less than a record has to look at what is pending before
 * he waits for the descriptor anyway: he may have the rest of a short record as well. */
static size_t pyossl_look_ahead(const pyossl_connection *connection, size_t size)
{
    if (connection->keeps_to_records || connection->sent_close_notify || !SSL_is_init_finished(connection->ssl))
        return 0;
    return size < PYOSSL_RECORD ? size + SSL3_RT_MAX_ENCRYPTED_OVERHEAD + SSL3_RT_HEADER_LENGTH : size;
}

/* How many bytes may be taken off the descriptor for a read of which `got` bytes are there. */
static size_t pyossl_allowance(const pyossl_connection *connection, size_t size, size_t got, int peeks)
{
    pyossl_socket *socket = connection->socket;
    size_t allowed = pyossl_look_ahead(connection, size), taken;

    if (!SSL_has_pending(connection->ssl))
        socket->handed = 0;
    if (peeks && allowed > (size < PYOSSL_RECORD ? size : PYOSSL_RECORD))
        allowed = size < PYOSSL_RECORD ? size : PYOSSL_RECORD;    /* the read that follows may have room for no more */
    taken = got + pyossl_stretch_length(&socket->ahead) + socket->handed;
    return allowed > taken ? allowed - taken : 0;
}

/* Whether a read goes on to the next record.  Where there is no room for any record it must be here and whole, and then
 * there is room for it: the rest of one that did not fit would be left where select(2) does not see it.  A datagram is a
 * message, and is not run together with the next. */
static int pyossl_goes_on(const pyossl_connection *connection, size_t size, size_t got)
{
    if (connection->socket == NULL || size < PYOSSL_RECORD || size - got >= PYOSSL_RECORD)
        return pyossl_holds_more(connection) && !SSL_is_dtls(connection->ssl);
    return SSL_has_pending(connection->ssl) || pyossl_stretch_holds_record(&connection->socket->ahead);
}

static long long pyossl_receive(pyossl_connection *connection, char *buffer, size_t size, int peeks)
{
    size_t got = 0;

    if (size == 0 || connection->received_end)
        return 0;
    pyossl_let_wait(connection);
    for (;;) {
        size_t step = 0;
        int result;
        if (connection->socket != NULL)
            connection->socket->allowance = pyossl_allowance(connection, size, got, peeks);
        result = peeks ? SSL_peek_ex(connection->ssl, buffer, size, &step)
                       : SSL_read_ex(connection->ssl, buffer + got, size - got, &step);
        if (!connection->is_admitted && pyossl_look_at_peer(connection) != 0) {
            OPENSSL_cleanse(buffer, got + step);
            return -SSL_ERROR_SSL;
        }
        if (result != 1) {
            long long outcome = pyossl_not_done(connection, result);
            if (outcome == -SSL_ERROR_ZERO_RETURN && !connection->dead) {
                connection->received_end = 1;
                outcome = 0;
            }
            /* What came before is the caller's; what ended it is met again by the next call. */
            if (got > 0)
                return (long long)got;
            outcome = pyossl_after_flush(connection, outcome);
            return connection->write_errno != 0 && outcome < 0 && !connection->is_open
                ? pyossl_cut_off(connection, outcome) : outcome;
        }
        got += step;
        connection->budget = PYOSSL_BUDGET;
        if (peeks || got == size || connection->parked || !pyossl_goes_on(connection, size, got))
            return pyossl_done((long long)got);
    }
}

/* 0 bytes: the peer has sent its close_notify. */
static long long pyossl_read(pyossl_connection *connection, void *buffer, size_t size)
{
    int answer = pyossl_begin(connection);
    return answer != 0 ? answer : pyossl_end(connection, pyossl_receive(connection, buffer, size, 0));
}

static long long pyossl_peek(pyossl_connection *connection, void *buffer, size_t size)
{
    int answer = pyossl_begin(connection);
    return answer != 0 ? answer : pyossl_end(connection, pyossl_receive(connection, buffer, size, 1));
}

static int pyossl_is_gathered_full(const pyossl_connection *connection)
{
    return pyossl_stretch_length(&connection->socket->gathered) > PYOSSL_STRETCH - SSL3_RT_MAX_PACKET_SIZE;
}

/* The write stops, of whose `size` bytes the first `sent` are on their way and the first `encrypted` are gathered. */
static long long pyossl_stop_sending(pyossl_connection *connection, const char *data, size_t size, size_t sent,
                                     size_t encrypted, int is_kept, long long outcome)
{
    /* The BIO below may wait for anything, a tunnel for what it has to read first. */
    int holds_record = SSL_want(connection->ssl) == SSL_WRITING && SSL_is_init_finished(connection->ssl);

    pyossl_forget_pending(connection);
    if (connection->dead && connection->socket != NULL)
        (void)pyossl_socket_flush(SSL_get_wbio(connection->ssl));    /* an alert may say why; there is no second try */
    if (!connection->dead && connection->write_errno == 0 && (encrypted > sent || holds_record)) {
        connection->write_pending = size - sent;
        connection->gathered = encrypted - sent;
        if (!is_kept)
            pyossl_copy_pending(connection, data + sent);
    }
    return sent > 0 && !connection->dead && connection->write_errno == 0 ? (long long)sent : outcome;
}

/* Writes record after record until all is written or the transport wants to wait.  A record that waits has been
 * encrypted already: the rest must be offered again, from its first byte, and at least as long.  `is_kept` says that
 * the caller himself sees to that. */
static long long pyossl_send_records(pyossl_connection *connection, const char *data, size_t size, int is_kept)
{
    pyossl_socket *socket = connection->socket;
    size_t encrypted = connection->gathered, sent = 0;
    long long outcome = 0;

    if (connection->write_errno != 0)
        return PYOSSL_UNWRITTEN;
    if (connection->sent_close_notify)
        return PYOSSL_SHUT;
    if (connection->write_pending != 0 && !pyossl_is_repeated(connection, data, size, is_kept))
        return PYOSSL_OTHER_WRITE;
    if (!connection->is_admitted && size > 0)    /* the handshake would go on to what is to be written */
        outcome = pyossl_finish_handshake(connection, SSL_do_handshake);
    else if (connection->renegotiation >= 0 && size > 0)
        outcome = pyossl_renegotiate(connection);
    pyossl_let_wait(connection);
    while (outcome == 0 && sent < size) {
        size_t step = 0;
        if (socket != NULL && (encrypted == size || pyossl_is_gathered_full(connection))) {
            outcome = pyossl_flush(connection);
            sent = outcome == 0 ? encrypted : sent;
        } else {
            int result;
            if (socket != NULL)
                socket->gathers = size - sent > PYOSSL_RECORD;
            result = SSL_write_ex(connection->ssl, data + encrypted, size - encrypted, &step);
            outcome = result == 1 ? 0 : pyossl_after_flush(connection, pyossl_not_done(connection, result));
            encrypted += step;
            if (socket == NULL || pyossl_stretch_length(&socket->gathered) == 0)
                sent = encrypted;
        }
        if (connection->write_errno != 0)
            outcome = pyossl_unwritten(connection, outcome);
    }
    if (socket != NULL)
        socket->gathers = 0;
    if (outcome != 0)
        return pyossl_stop_sending(connection, data, size, sent, encrypted, is_kept, outcome);
    if (connection->write_pending != 0)
        pyossl_forget_pending(connection);
    return pyossl_done((long long)sent);
}

static long long pyossl_write_step(pyossl_connection *connection, const void *data, size_t size, int is_kept)
{
    int answer = pyossl_begin(connection);
    if (answer == PYOSSL_DEAD && connection->write_errno != 0)
        return PYOSSL_UNWRITTEN;
    return answer != 0 ? answer : pyossl_end(connection, pyossl_send_records(connection, data, size, is_kept));
}

static long long pyossl_write(pyossl_connection *connection, const void *data, size_t size)
{
    return pyossl_write_step(connection, data, size, 0);
}

/* Sends the record that a write has left waiting, of which there is a copy; 0 once none waits. */
static long long pyossl_finish_write(pyossl_connection *connection)
{
    int answer = pyossl_begin(connection);
    long long outcome = 0;

    if (answer != 0)
        return answer;
    if (connection->write_pending != 0 && connection->pending != NULL) {
        size_t size = connection->pending_size;
        char *record = OPENSSL_memdup(connection->pending, size);
        if (record == NULL)
            return pyossl_end(connection, PYOSSL_NO_MEMORY);
        connection->write_pending = size;    /* the rest has not been given to OpenSSL */
        outcome = pyossl_send_records(connection, record, size, 0);
        OPENSSL_clear_free(record, size);
        if (outcome >= 0)
            outcome = connection->write_pending != 0 ? -SSL_ERROR_WANT_WRITE : 0;
    }
    return pyossl_end(connection, outcome);
}

/* Whether the peer's close_notify comes next: 0 where it does, 1 where data does, which SSL_shutdown(3) would take for a
 * fatal error, and below 0 what a read comes to. */
static long long pyossl_next_is_data(pyossl_connection *connection)
{
    char byte;
    return pyossl_receive(connection, &byte, 1, 1);
}

/* 1: both close_notify alerts have been exchanged; 0: ours is sent, the peer's is not here yet. */
static long long pyossl_shutdown(pyossl_connection *connection)
{
    int result = pyossl_begin(connection);
    long long outcome;

    if (result == PYOSSL_DEAD && connection->write_errno != 0)
        return PYOSSL_UNWRITTEN;
    if (result != 0)
        return result;
    if (connection->write_errno != 0)
        return pyossl_end(connection, PYOSSL_UNWRITTEN);
    if (!SSL_is_init_finished(connection->ssl))
        return pyossl_end(connection, PYOSSL_TOO_EARLY);
    if (connection->write_pending != 0)
        return pyossl_end(connection, PYOSSL_WRITE_FIRST);
    if (connection->socket != NULL) {
        outcome = pyossl_flush(connection);
        if (outcome != 0)
            return pyossl_end(connection, connection->write_errno != 0 ? pyossl_unwritten(connection, 0) : outcome);
        connection->flushed_close_notify |= connection->sent_close_notify;
    }
    if (connection->flushed_close_notify) {
        outcome = pyossl_next_is_data(connection);
        if (outcome != 0)
            return pyossl_end(connection, outcome > 0 ? 0 : outcome);
    }
    result = SSL_shutdown(connection->ssl);
    outcome = result >= 0 ? pyossl_done(result) : pyossl_not_done(connection, result);
    connection->sent_close_notify |= (SSL_get_shutdown(connection->ssl) & SSL_SENT_SHUTDOWN) != 0;
    if (result >= 0 && connection->socket != NULL) {
        long long flushed = pyossl_flush(connection);
        connection->socket->is_shut = 1;
        if (flushed == -SSL_ERROR_WANT_WRITE)
            return pyossl_end(connection, flushed);
    }
    if (connection->write_errno != 0)
        return pyossl_end(connection, pyossl_unwritten(connection, outcome));
    connection->flushed_close_notify |= result >= 0;
    connection->received_end |= result == 1;
    return pyossl_end(connection, outcome);
}
