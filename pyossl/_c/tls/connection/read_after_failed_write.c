/* A connection on which a write has failed for good (docs/pitfalls.md, 45).
 *
 * The peer's bytes may have arrived before: an early answer to a long upload, or the alert with the reason why the peer
 * has closed (a TLS 1.3 client has finished its handshake before the server has checked its certificate).  Only the
 * direction to the peer is dead.  So OpenSSL does not get the failure (pyossl_keeps_failure).  The connection remembers
 * the errno, refuses every later write and shutdown with it, and still reads all bytes that have arrived.
 *
 * If a fatal alert comes next, the connection fails with that alert, which says more than the errno.  If data comes
 * first, it is kept, and the read that reaches the alert reports it. */

enum { PYOSSL_MOST_BEFORE_ALERT = 1 << 20 };    /* most bytes of records without data that are read before the alert */

/* Whether an error code stands for an alert that the peer has sent. */
static int pyossl_is_alert(unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    return ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255;
}

/* Looks at what comes next, as far as it has arrived.  1: it is an alert, and the connection is dead; 0: it is not. */
static int pyossl_receives_alert(pyossl_connection *connection)
{
    size_t heard = 0, got = 0;
    char byte;
    int is_held, result;

    do {
        connection->budget = PYOSSL_BUDGET;
        connection->paused = 0;
        errno = 0;
        is_held = pyossl_begin_step(connection);
        result = SSL_peek_ex(connection->ssl, &byte, 1, &got);
        pyossl_end_step(connection, is_held);
        if (result == 1) {
            OPENSSL_cleanse(&byte, 1);
            pyossl_clear_errors();
            return 0;
        }
        if (pyossl_not_done(connection, 0) == -SSL_ERROR_ZERO_RETURN && !connection->dead)
            connection->received_end = 1;
        heard += PYOSSL_BUDGET;
    } while (connection->paused && !connection->dead && heard < PYOSSL_MOST_BEFORE_ALERT);
    return connection->dead && connection->record_count > 0 && pyossl_is_alert(connection->records[0].code);
}

/* Whether a dead connection has failed only by the end of the transport, or by an error of it. */
static int pyossl_is_transport_failure(const pyossl_connection *connection)
{
    unsigned long code = connection->record_count > 0 ? connection->records[0].code : 0;

    return connection->error == SSL_ERROR_SYSCALL
        || (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

/* The connection is dead, with the errno of the failed write. */
static long long pyossl_fail_with_write_error(pyossl_connection *connection)
{
    free(connection->records);
    connection->records = NULL;
    connection->record_count = 0;
    connection->dead = 1;
    connection->error = SSL_ERROR_SYSCALL;
    connection->sys_errno = connection->write_errno;
    connection->write_errno = 0;
    return -SSL_ERROR_SYSCALL;
}

/* The result of a handshake in which a write has failed; `outcome` is OpenSSL's answer.  The handshake cannot be
 * finished and does not wait, but an alert that has arrived may give the reason.  A server's failure to send TLS 1.3
 * tickets does not count: they follow the handshake, and a client that writes and closes at once does not wait for
 * them. */
static long long pyossl_handshake_after_failed_write(pyossl_connection *connection, long long outcome)
{
    SSL *ssl = connection->ssl;

    if (outcome == 0 && SSL_is_server(ssl) && SSL_version(ssl) == TLS1_3_VERSION)
        return 0;
    if (outcome != 0 && outcome != -SSL_ERROR_WANT_READ && !connection->dead)
        return outcome;
    if (outcome == -SSL_ERROR_WANT_READ && connection->paused)
        return outcome;
    if (!connection->dead && pyossl_receives_alert(connection)) {
        connection->write_errno = 0;
        return -SSL_ERROR_SSL;
    }
    if (connection->dead && !pyossl_is_transport_failure(connection)) {
        connection->write_errno = 0;
        return outcome == 0 ? -(long long)connection->error : outcome;
    }
    return pyossl_fail_with_write_error(connection);
}

/* The result of a write, or of a close_notify, that has failed: PYOSSL_UNWRITTEN, or the failure that has ended the
 * connection. */
static long long pyossl_after_failed_write(pyossl_connection *connection, long long outcome)
{
    pyossl_forget_pending(connection);
    if (!connection->is_open && !SSL_is_init_finished(connection->ssl))
        return pyossl_handshake_after_failed_write(connection, outcome != 0 ? outcome : -SSL_ERROR_WANT_READ);
    if (connection->dead && outcome < 0)
        return outcome;
    if (!connection->reads_alert || connection->socket == NULL || connection->received_end
        || !pyossl_receives_alert(connection))
        return PYOSSL_UNWRITTEN;
    connection->write_errno = 0;
    return -SSL_ERROR_SSL;
}
