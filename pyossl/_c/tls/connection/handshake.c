/* The handshake.  Each function that Python calls takes the lock for one call of OpenSSL, and returns 0 when the
 * handshake is finished, else as call_outcome.c describes. */

/* Whether a renegotiation that this client has asked for has not begun: OpenSSL waits until received data is read, and
 * SSL_do_handshake(3) reports success meanwhile. */
static int pyossl_awaits_renegotiation(pyossl_connection *connection)
{
    if (connection->awaits_renegotiation && !SSL_renegotiate_pending(connection->ssl))
        connection->awaits_renegotiation = 0;
    return connection->awaits_renegotiation;
}

/* Goes on with the handshake by `function`, one call of OpenSSL. */
static long long pyossl_go_on(pyossl_connection *connection, int (*function)(SSL *))
{
    long long outcome = pyossl_renegotiate(connection);
    int is_held, result;

    if (outcome == 0 && connection->early != 0)
        outcome = pyossl_after_early_data(connection);
    if (outcome != 0)
        return outcome;
    is_held = pyossl_begin_step(connection);
    errno = 0;
    if (connection->job != NULL) {
        outcome = pyossl_after_flush(connection, pyossl_handshake_in_job(connection, function));
    } else {
        result = function(connection->ssl);
        outcome = result == 1 ? 0 : pyossl_after_flush(connection, pyossl_not_done(connection, result));
    }
    pyossl_end_step(connection, is_held);
    return outcome == 0 && pyossl_awaits_renegotiation(connection) ? -SSL_ERROR_WANT_READ : outcome;
}

/* Sends the records that the BIO has gathered, over a socket that pyossl owns: 0, or -SSL_ERROR_WANT_WRITE. */
static long long pyossl_flush_attended(pyossl_connection *connection)
{
    if (connection->socket == NULL || !connection->socket->attended)
        return 0;
    return pyossl_flush(connection) == -SSL_ERROR_WANT_WRITE ? -SSL_ERROR_WANT_WRITE : 0;
}

/* Goes on with the handshake by `function`, checks the peer's certificate, and looks at a failed write. */
static long long pyossl_finish_handshake(pyossl_connection *connection, int (*function)(SSL *))
{
    int was_finished = SSL_is_init_finished(connection->ssl);
    long long outcome = pyossl_go_on(connection, function);

    if (connection->write_errno != 0 && !was_finished)
        outcome = pyossl_handshake_after_failed_write(connection, outcome);
    if (outcome != 0)
        return outcome;
    (void)pyossl_is_renegotiating(connection);    /* now it is known */
    outcome = pyossl_done(pyossl_check_peer_certificate(connection));
    return outcome == 0 && was_finished ? pyossl_flush_attended(connection) : outcome;
}

/* One call of the handshake, under the lock. */
static long long pyossl_handshake_by(pyossl_connection *connection, int (*function)(SSL *))
{
    int result = pyossl_begin(connection);
    if (result != 0)
        return result;
    return pyossl_end(connection, pyossl_finish_handshake(connection, function));
}

/* SSL_do_handshake(3), under the lock. */
static long long pyossl_handshake(pyossl_connection *connection)
{
    return pyossl_handshake_by(connection, SSL_do_handshake);
}

/* SSL_connect(3), under the lock. */
static long long pyossl_connect(pyossl_connection *connection)
{
    return pyossl_handshake_by(connection, SSL_connect);
}

/* SSL_accept(3), under the lock. */
static long long pyossl_accept(pyossl_connection *connection)
{
    return pyossl_handshake_by(connection, SSL_accept);
}
