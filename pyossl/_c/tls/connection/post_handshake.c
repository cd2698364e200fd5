/* What a program begins on an open connection: new keys, another handshake, a request for the client's certificate.
 * SSL_key_update(3), SSL_renegotiate(3), SSL_verify_client_post_handshake(3)
 *
 * OpenSSL only notes what is to be done, and does it with the next read, write or SSL_do_handshake(3).  Here
 * SSL_do_handshake(3) follows at once, under the same lock.
 *
 * If OpenSSL refuses, the connection goes on: the answer is PYOSSL_DENIED, and the error queue has the reason.
 *
 * Each of the three sends a record.  If a record of an earlier write waits inside OpenSSL, that write must be repeated
 * first (docs/pitfalls.md, 8).  pyossl's own BIOs take every record, so that none waits there. */

enum {
    PYOSSL_UPDATE_KEYS,         /* the key for sending */
    PYOSSL_UPDATE_BOTH_KEYS,    /* and the peer is asked to update its own */
    PYOSSL_RENEGOTIATE,
    PYOSSL_REQUEST_CERTIFICATE
};

/* Sets how often the connection may renegotiate, and whether the peer may begin; 0: as the options of the context say.
 * Takes no lock: no other thread has the connection yet, or its handshake is under way. */
static void pyossl_allow_renegotiations(pyossl_connection *connection, int most, int by_peer)
{
    connection->counts_handshakes = most > 0;
    connection->handshakes_left = most > 0 ? most + 1 : 0;    /* the first handshake counts too */
    connection->peer_may_renegotiate = by_peer;
    if (most > 0)
        SSL_set_info_callback(connection->ssl, pyossl_info_of_connection);
}

/* Notes another handshake.  The peer may take its time to answer, so SSL_OP_NO_RENEGOTIATION stays off until that
 * handshake is finished (pyossl_count_handshake). */
static int pyossl_note_renegotiation(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    if (connection->counts_handshakes && connection->handshakes_left > 0 && SSL_version(ssl) != TLS1_3_VERSION) {
        SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
        connection->renegotiation = 0;    /* it is looked up again */
    }
    if (!SSL_renegotiate_pending(ssl) && SSL_renegotiate(ssl) != 1)
        return 0;
    connection->awaits_renegotiation = !SSL_is_server(ssl);
    return 1;
}

static int pyossl_note(pyossl_connection *connection, int what)
{
    SSL *ssl = connection->ssl;

    switch (what) {
    case PYOSSL_UPDATE_KEYS:
        return SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    case PYOSSL_UPDATE_BOTH_KEYS:
        return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
    case PYOSSL_RENEGOTIATE:
        return pyossl_note_renegotiation(connection);
    default:
        return SSL_verify_client_post_handshake(ssl);
    }
}

/* Does `what`, between pyossl_begin and pyossl_end.  0: the BIO has taken what there is to send, and a renegotiation that
 * a client has begun is finished; else the answer of the call.  -SSL_ERROR_WANT_x: pyossl_handshake goes on. */
static long long pyossl_do_post_handshake(pyossl_connection *connection, int what)
{
    SSL *ssl = connection->ssl;
    long long outcome;

    if (connection->write_errno != 0)
        return PYOSSL_UNWRITTEN;
    if (!SSL_is_init_finished(ssl))
        return PYOSSL_UNFINISHED;
    if (connection->sent_close_notify)
        return PYOSSL_SHUT;
    if (connection->write_pending != 0 && SSL_want(ssl) == SSL_WRITING)
        return PYOSSL_OTHER_WRITE;
    pyossl_let_bio_wait(connection);
    if (pyossl_note(connection, what) != 1)
        return PYOSSL_DENIED;
    outcome = pyossl_go_on(connection, SSL_do_handshake);
    if (connection->write_errno != 0)
        return pyossl_after_failed_write(connection, outcome);
    return outcome;
}

/* pyossl_do_post_handshake, under the lock.  If the BIO of pyossl's own socket keeps bytes, the answer is
 * -SSL_ERROR_WANT_WRITE; without `flushes` it is 0, and the next read or write sends them. */
static long long pyossl_post_handshake_step(pyossl_connection *connection, int what, int flushes)
{
    int answer = pyossl_begin_to_send(connection);
    long long outcome;

    if (answer != 0)
        return answer;
    outcome = pyossl_do_post_handshake(connection, what);
    return pyossl_end(connection, outcome == 0 && flushes ? pyossl_flush_attended(connection) : outcome);
}

static long long pyossl_post_handshake(pyossl_connection *connection, int what)
{
    return pyossl_post_handshake_step(connection, what, 1);
}
