/* Checks that the peer has the certificate that it must have, before any data is exchanged.
 *
 * SSL_VERIFY_PEER verifies the certificate of a peer that sends one.  In a handshake with an anonymous cipher, a
 * pre-shared key or SRP the peer sends none, nothing is verified, and the result is X509_V_OK (docs/pitfalls.md, 33).
 * A context refuses anonymous ciphers when it freezes (pyossl/tls/context/context.py).  This file is a second check,
 * for example for a cipher that was set on one connection: when a handshake is finished, the peer must have a
 * certificate (a resumed session has it too), or the connection is dead.  A client also accepts a server that has
 * proved to know the pre-shared key, if the program has given one (tls/sessions/pre_shared_keys.c).
 *
 * A mutable connection behaves as OpenSSL does, and is not checked. */

/* A handshake begins: its peer is to be checked, if this connection requires a certificate. */
static void pyossl_reset_peer_check(pyossl_connection *connection)
{
    connection->is_peer_checked = !connection->requires_certificate
        || (SSL_get_verify_mode(connection->ssl) & SSL_VERIFY_PEER) == 0;
}

/* A handshake is finished: another one is refused if there have been as many as are allowed, or if only this side may
 * begin it (tls/connection/post_handshake.c).  The option is set here and not when a handshake begins, because OpenSSL
 * looks at it after that.  OpenSSL also reports the end of a handshake when a server has only asked for one: then it is
 * still pending. */
static void pyossl_count_handshake(pyossl_connection *connection)
{
    if (SSL_renegotiate_pending(connection->ssl))
        return;
    if (connection->handshakes_left > 0)
        connection->handshakes_left--;
    if (connection->handshakes_left == 0 || !connection->peer_may_renegotiate)
        SSL_set_options(connection->ssl, SSL_OP_NO_RENEGOTIATION);
}

/* The info callback of a connection.  A renegotiation is another handshake, so the peer is checked again. */
static void pyossl_info_of_connection(const SSL *ssl, int where, int value)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    void (*of_context)(const SSL *ssl, int where, int value) = SSL_CTX_get_info_callback(SSL_get_SSL_CTX(ssl));

    if (connection != NULL) {
        pyossl_note_message(connection, where);
        if (where & SSL_CB_HANDSHAKE_START)
            pyossl_reset_peer_check(connection);
        if (where & SSL_CB_HANDSHAKE_DONE && connection->counts_handshakes)
            pyossl_count_handshake(connection);
    }
    if (of_context != NULL)
        of_context(ssl, where, value);
}

/* Sets the verification mode, SSL_VERIFY_x, and the check of the peer. */
static void pyossl_start_verifying(pyossl_connection *connection, int mode)
{
    pyossl_set_verify(connection, mode);
    pyossl_reset_peer_check(connection);
    if (!connection->is_peer_checked)
        SSL_set_info_callback(connection->ssl, pyossl_info_of_connection);
}

/* Whether the peer must have sent a certificate by the end of this handshake. */
static int pyossl_needs_peer_certificate(const SSL *ssl)
{
    int mode = SSL_get_verify_mode(ssl);

    if ((mode & SSL_VERIFY_PEER) == 0)
        return 0;
    if (!SSL_is_server(ssl))
        return 1;
    if (mode & SSL_VERIFY_POST_HANDSHAKE && SSL_version(ssl) == TLS1_3_VERSION)
        return 0;    /* the certificate is requested later */
    return (mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) != 0;
}

/* Whether the peer has sent a certificate or, since OpenSSL 3.2, a raw public key. */
static int pyossl_has_peer_certificate(SSL *ssl)
{
    X509 *certificate = SSL_get1_peer_certificate(ssl);

    X509_free(certificate);
    return certificate != NULL || SSL_get0_peer_rpk(ssl) != NULL;    /* OpenSSL verifies a raw public key too */
}

/* -SSL_ERROR_SSL, after the connection has been marked as dead. */
static long long pyossl_refuse_peer(pyossl_connection *connection)
{
    pyossl_clear_errors();
    connection->dead = 1;
    connection->error = SSL_ERROR_SSL;
    connection->sys_errno = 0;
    connection->records = calloc(1, sizeof(pyossl_record));
    if (connection->records != NULL) {
        connection->record_count = 1;
        connection->records->code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
    }
    return -SSL_ERROR_SSL;
}

/* 0; or -SSL_ERROR_SSL, and the connection is dead, if the handshake is finished and the peer has not sent the
 * certificate that it must send. */
static long long pyossl_check_peer_certificate(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    if (connection->is_peer_checked || connection->dead || !SSL_is_init_finished(ssl))
        return 0;
    if (pyossl_needs_peer_certificate(ssl) && !pyossl_has_peer_certificate(ssl)
        && (SSL_is_server(ssl) || !pyossl_has_proved_key(connection)))
        return pyossl_refuse_peer(connection);
    connection->is_peer_checked = 1;
    return 0;
}
