/* Early data: what a client sends with its ClientHello, in TLS 1.3, under the keys of an earlier session.
 * SSL_write_early_data(3), SSL_read_early_data(3)
 *
 * A client's early data is given to the connection before the handshake.  The connection keeps it, and the first step of
 * the handshake writes all of it.  OpenSSL wants the same bytes again after a wait, and gets them from here.  The next
 * call is SSL_do_handshake(3), also if the program reads: SSL_read(3) alone would return the server's answer, and never
 * finish the handshake (docs/pitfalls.md, 70).
 *
 * A server that wants early data reads it before the handshake.  If its first step is any other call, OpenSSL refuses
 * the early data and skips it.  While there may be more, the server can do nothing else but answer: OpenSSL's SSL_read(3)
 * would return replayable bytes as if they were not (docs/pitfalls.md, 69).  After the end of the early data, and before
 * the end of the handshake, a server may still answer.
 *
 * The answer is written under keys that only the client of the session has.  OpenSSL puts such bytes into a buffer of its
 * own, which it flushes with the write, without a look at the result, and which it drops at the end of the handshake.
 * pyossl's own BIOs always take the bytes.  For other BIOs the flush is tried again before the next step. */

enum {
    PYOSSL_EARLY_KEPT = 1,       /* a client: there is early data to write */
    PYOSSL_EARLY_UNREAD = 2,     /* a server: early data may come, or is being read */
    PYOSSL_EARLY_READ = 3,       /* a server: all of it has been read, and the handshake is not finished */
    PYOSSL_EARLY_OVER = 4        /* a server: none was sent, it was not accepted, or the handshake is finished */
};

/* Keeps a copy of a client's early data.  1: done; 0: no memory.  Takes no lock: no other thread has the connection. */
static int pyossl_keep_early_data(pyossl_connection *connection, const void *data, size_t size)
{
    connection->early_data = OPENSSL_memdup(data, size);
    if (connection->early_data == NULL) {
        pyossl_clear_errors();
        return 0;
    }
    connection->early_size = size;
    connection->early = PYOSSL_EARLY_KEPT;
    return 1;
}

static void pyossl_forget_early_data(pyossl_connection *connection)
{
    OPENSSL_clear_free(connection->early_data, connection->early_size);
    connection->early_data = NULL;
    connection->early_size = 0;
}

/* Whether the ClientHello will have the session.  If not, SSL_write_early_data(3) sends the ClientHello without it, and
 * then fails without a reason.  A session may have been used by another connection meanwhile: OpenSSL makes one that a
 * callback has got good for one use (docs/pitfalls.md, 71). */
static int pyossl_offers_session(SSL *ssl)
{
    long newest = SSL_get_max_proto_version(ssl);
    const SSL_SESSION *session = SSL_get_session(ssl);

    return session != NULL && SSL_SESSION_is_resumable(session)
        && (SSL_get_options(ssl) & SSL_OP_NO_TLSv1_3) == 0 && (newest == 0 || newest >= TLS1_3_VERSION);
}

/* Writes a client's early data, behind the ClientHello.  0: all of it has been written, or it cannot be sent and the
 * handshake goes on without it. */
static long long pyossl_write_kept_early_data(pyossl_connection *connection)
{
    size_t written = 0;
    int is_held, result;
    long long outcome;

    if (SSL_in_before(connection->ssl) && !pyossl_offers_session(connection->ssl)) {
        connection->early = 0;
        pyossl_forget_early_data(connection);
        return 0;
    }
    is_held = pyossl_begin_step(connection);
    errno = 0;
    result = SSL_write_early_data(connection->ssl, connection->early_data, connection->early_size, &written);
    outcome = result == 1 ? 0 : pyossl_not_done(connection, result);
    pyossl_end_step(connection, is_held);
    if (connection->write_errno != 0)
        outcome = pyossl_handshake_after_failed_write(connection, outcome != 0 ? outcome : -SSL_ERROR_WANT_READ);
    if (outcome == 0 || connection->dead) {
        connection->early = 0;
        pyossl_forget_early_data(connection);
    }
    return outcome == 0 ? pyossl_done(0) : outcome;
}

/* Whether a server's next write is an answer to early data. */
static int pyossl_answers_early(const pyossl_connection *connection)
{
    return (connection->early == PYOSSL_EARLY_UNREAD || connection->early == PYOSSL_EARLY_READ)
        && !pyossl_job_is_paused(connection)
        && SSL_get_early_data_status(connection->ssl) == SSL_EARLY_DATA_ACCEPTED
        && !SSL_is_init_finished(connection->ssl);
}

/* Flushes the buffer of OpenSSL's that holds an answer, if a BIO of the program was full.  0, or -SSL_ERROR_WANT_WRITE. */
static long long pyossl_flush_early(pyossl_connection *connection)
{
    BIO *writer = SSL_get_wbio(connection->ssl);
    size_t written = 0;

    if (!connection->early_unflushed || pyossl_job_is_paused(connection))
        return 0;
    BIO_clear_retry_flags(writer);
    if (SSL_write_early_data(connection->ssl, "", 0, &written) != 1)
        return pyossl_not_done(connection, 0);
    pyossl_clear_errors();
    connection->early_unflushed = pyossl_chain_want(writer) != 0;
    return connection->early_unflushed ? -SSL_ERROR_WANT_WRITE : 0;
}

/* SSL_write_early_data(3) of a server; the arguments and the result are those of SSL_write_ex(3). */
static int pyossl_write_answer(pyossl_connection *connection, const char *data, size_t size, size_t *written)
{
    int result = SSL_write_early_data(connection->ssl, data, size, written);

    if (result == 1)
        connection->early_unflushed = !pyossl_never_waits(SSL_get_wbio(connection->ssl));
    return result;
}

/* Before a step that is no read of early data and no answer to it.  0: the step may follow. */
static long long pyossl_after_early_data(pyossl_connection *connection)
{
    switch (connection->early) {
    case PYOSSL_EARLY_KEPT: {
        long long outcome = pyossl_write_kept_early_data(connection);
        return outcome != 0 ? outcome : pyossl_finish_handshake(connection, SSL_do_handshake);
    }
    case PYOSSL_EARLY_UNREAD:
        return PYOSSL_EARLY_FIRST;
    case PYOSSL_EARLY_READ:
        if (!SSL_is_init_finished(connection->ssl))
            return pyossl_flush_early(connection);
        connection->early = PYOSSL_EARLY_OVER;
        return 0;
    default:
        return 0;
    }
}

/* Reads up to `size` bytes of early data, under the lock and between pyossl_begin and pyossl_end.  Returns their number;
 * 0: no more will come. */
static long long pyossl_receive_early_data(pyossl_connection *connection, void *buffer, size_t size)
{
    SSL *ssl = connection->ssl;
    long long outcome = pyossl_flush_early(connection);
    size_t got = 0;
    int is_held, result;

    if (outcome != 0)
        return outcome;
    if (connection->early == PYOSSL_EARLY_READ || connection->early == PYOSSL_EARLY_OVER)
        return 0;
    if (connection->early == 0) {
        if (!SSL_in_before(ssl))
            return SSL_is_init_finished(ssl) ? 0 : PYOSSL_TOO_LATE;
        connection->early = PYOSSL_EARLY_UNREAD;
    }
    is_held = pyossl_begin_step(connection);
    errno = 0;
    result = SSL_read_early_data(ssl, buffer, size, &got);
    outcome = result != SSL_READ_EARLY_DATA_ERROR ? (long long)got
                                                  : pyossl_after_flush(connection, pyossl_not_done(connection, 0));
    pyossl_end_step(connection, is_held);
    if (result == SSL_READ_EARLY_DATA_SUCCESS)
        return pyossl_done(outcome);
    if (result == SSL_READ_EARLY_DATA_FINISH) {
        connection->early = SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED ? PYOSSL_EARLY_READ
                                                                                     : PYOSSL_EARLY_OVER;
        outcome = 0;
    }
    if (connection->write_errno != 0 && !SSL_is_init_finished(ssl))
        outcome = pyossl_handshake_after_failed_write(connection, outcome == 0 ? -SSL_ERROR_WANT_READ : outcome);
    if (outcome != 0)
        return outcome;
    return pyossl_done(pyossl_check_peer_certificate(connection));    /* before TLS 1.3 the handshake may be finished */
}

/* Reads up to `size` bytes of early data, before the handshake, under the lock.  Returns their number; 0: no more will
 * come. */
static long long pyossl_read_early_data(pyossl_connection *connection, void *buffer, size_t size)
{
    int answer = pyossl_begin(connection);
    return answer != 0 ? answer : pyossl_end(connection, pyossl_receive_early_data(connection, buffer, size));
}
