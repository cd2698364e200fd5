/* Renegotiation, in TLS 1.2 and before, while data is under way (docs/pitfalls.md, 46).
 *
 * Until the peer has answered, data that it sent before may arrive, and OpenSSL accepts it only in a read.  In a write
 * or in SSL_do_handshake(3) it is a fatal "unexpected record"; after a read that met such data it is a failure without
 * a reason, which looks like the end of the transport.  So a peek goes on with the handshake and leaves the data where
 * it is.  If there is data, it must be read before anything can be written: the answer is -SSL_ERROR_WANT_READ while
 * SSL_pending(3) is not 0, and a call that waits answers PYOSSL_READ_FIRST.
 *
 * This is done only over BIOs that never wait: any other BIO could wait for bytes that do not come. */

/* Whether this connection can renegotiate at all. */
static int pyossl_may_renegotiate(const SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);

    return !SSL_is_dtls(ssl) && SSL_version(ssl) != TLS1_3_VERSION
        && (SSL_get_options(ssl) & SSL_OP_NO_RENEGOTIATION) == 0
        && pyossl_never_waits(bio);
}

/* Whether a handshake other than the first is under way, or begins with the next call. */
static int pyossl_is_renegotiating(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;
    int is_finished = SSL_is_init_finished(ssl);

    if (connection->renegotiation == 0 && is_finished)
        connection->renegotiation = pyossl_may_renegotiate(ssl) ? 1 : -1;
    return connection->renegotiation > 0 && (!is_finished || (SSL_renegotiate_pending(ssl) && !SSL_is_server(ssl)));
}

/* Whether received data must be read before the handshake can go on: waiting for the peer would have no end. */
static int pyossl_must_read_first(const pyossl_connection *connection)
{
    return SSL_pending(connection->ssl) > 0
        && (!SSL_is_init_finished(connection->ssl) || connection->awaits_renegotiation);
}

/* Goes on with a renegotiation.  0: a write or SSL_do_handshake(3) may follow; else the answer of the call, for example
 * -SSL_ERROR_WANT_READ. */
static long long pyossl_renegotiate(pyossl_connection *connection)
{
    long long outcome = 0;
    size_t got = 0;
    int is_held;
    char byte;

    if (!pyossl_is_renegotiating(connection) || connection->received_end)
        return 0;
    is_held = pyossl_begin_step(connection);
    if (SSL_peek_ex(connection->ssl, &byte, 1, &got) != 1)
        outcome = pyossl_not_done(connection, 0);
    pyossl_end_step(connection, is_held);
    OPENSSL_cleanse(&byte, 1);
    pyossl_clear_errors();
    if (connection->dead)
        return outcome;
    if (outcome == -SSL_ERROR_ZERO_RETURN)
        connection->received_end = 1;
    if (SSL_is_init_finished(connection->ssl))
        return 0;
    return outcome == 0 ? -SSL_ERROR_WANT_READ : pyossl_after_flush(connection, outcome);
}
