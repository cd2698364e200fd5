/* Renegotiation, of TLS 1.2 and before, while data is on its way.
 *
 * Until the peer has answered, what it had sent before may arrive, and OpenSSL takes it only in a read: in a write, or in
 * SSL_do_handshake(3), it is a fatal "unexpected record", or after a read that met such data a failure without a reason,
 * which looks like the end of the transport.  So it is a read that goes on with the handshake, one that leaves the data
 * where it is.  Where there is any, it is to be read before anything can be written: -SSL_ERROR_WANT_READ, while
 * SSL_pending(3) is not 0; a call that waits answers PYOSSL_READ_FIRST.
 *
 * Only over BIOs that never wait: another might wait for what need not come. */

static int pyossl_may_renegotiate(const SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);

    return !SSL_is_dtls(ssl) && SSL_version(ssl) != TLS1_3_VERSION
        && (SSL_get_options(ssl) & SSL_OP_NO_RENEGOTIATION) == 0
        && pyossl_never_waits(bio);
}

/* Whether a handshake that is not the first is under way, or begins with the next call. */
static int pyossl_is_renegotiating(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;
    int is_finished = SSL_is_init_finished(ssl);

    if (connection->renegotiation == 0 && is_finished)
        connection->renegotiation = pyossl_may_renegotiate(ssl) ? 1 : -1;
    return connection->renegotiation > 0 && (!is_finished || (SSL_renegotiate_pending(ssl) && !SSL_is_server(ssl)));
}

/* Whether a call that waits for the peer's bytes waits for nothing: the reader's come first. */
static int pyossl_must_read_first(const pyossl_connection *connection)
{
    return SSL_pending(connection->ssl) > 0 && !SSL_is_init_finished(connection->ssl);
}

/* 0 where a write or SSL_do_handshake(3) may go on, or what comes first. */
static long long pyossl_renegotiate(pyossl_connection *connection)
{
    long long outcome = 0;
    size_t got = 0;
    char byte;

    if (!pyossl_is_renegotiating(connection) || connection->received_end)
        return 0;
    if (SSL_peek_ex(connection->ssl, &byte, 1, &got) != 1)
        outcome = pyossl_not_done(connection, 0);
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
