/* The handshake.  Each function that Python calls takes the lock for one call of OpenSSL, and returns 0 when the
 * handshake is finished, else as call_outcome.c describes. */

/* Goes on with the handshake by `function`, checks the peer's certificate, and looks at a failed write. */
static long long pyossl_finish_handshake(pyossl_connection *connection, int (*function)(SSL *))
{
    int was_finished = SSL_is_init_finished(connection->ssl), is_held, result;
    long long outcome = pyossl_renegotiate(connection);

    if (outcome == 0 && connection->early != 0)
        outcome = pyossl_after_early_data(connection);
    if (outcome != 0)
        return outcome;
    is_held = pyossl_begin_step(connection);
    errno = 0;
    result = function(connection->ssl);
    outcome = result == 1 ? 0 : pyossl_after_flush(connection, pyossl_not_done(connection, result));
    pyossl_end_step(connection, is_held);
    if (connection->write_errno != 0 && !was_finished)
        outcome = pyossl_handshake_after_failed_write(connection, outcome);
    if (outcome != 0)
        return outcome;
    (void)pyossl_is_renegotiating(connection);    /* now it is known */
    return pyossl_done(pyossl_check_peer_certificate(connection));
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
