/* Whether the peer has shown the certificate that it must show, before it is told or heard anything.
 *
 * SSL_VERIFY_PEER verifies the certificate of a peer that shows one.  A handshake in which a peer shows none, with an
 * anonymous cipher, a pre-shared key or SRP, verifies nothing and comes to X509_V_OK.  A context refuses such ciphers
 * when it freezes (pyossl/tls/context.py); what gets them past it, at one connection say, meets this second wall: when a
 * handshake is finished the connection has a peer with a certificate, of which a resumed session knows too, or it is
 * dead.
 *
 * A connection of a generic method is as OpenSSL is, and is not looked at. */

static void pyossl_reset_peer_check(pyossl_connection *connection)
{
    connection->is_peer_checked = !connection->requires_certificate
        || (SSL_get_verify_mode(connection->ssl) & SSL_VERIFY_PEER) == 0;
}

/* The info callback of a connection that verifies: a renegotiation is another handshake, to be looked at again. */
static void pyossl_info_of_verifying(const SSL *ssl, int where, int value)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    void (*of_context)(const SSL *ssl, int where, int value) = SSL_CTX_get_info_callback(SSL_get_SSL_CTX(ssl));

    if (where & SSL_CB_HANDSHAKE_START && connection != NULL)
        pyossl_reset_peer_check(connection);
    if (of_context != NULL)
        of_context(ssl, where, value);
}

/* What verifies the peer from now on. */
static void pyossl_start_verifying(pyossl_connection *connection, int mode)
{
    pyossl_set_verify(connection, mode);
    pyossl_reset_peer_check(connection);
    if (!connection->is_peer_checked)
        SSL_set_info_callback(connection->ssl, pyossl_info_of_verifying);
}

static int pyossl_needs_peer_certificate(const SSL *ssl)
{
    int mode = SSL_get_verify_mode(ssl);

    if ((mode & SSL_VERIFY_PEER) == 0)
        return 0;
    if (!SSL_is_server(ssl))
        return 1;
    if (mode & SSL_VERIFY_POST_HANDSHAKE && SSL_version(ssl) == TLS1_3_VERSION)
        return 0;    /* it asks later */
    return (mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) != 0;
}

static int pyossl_has_peer_certificate(SSL *ssl)
{
    X509 *certificate = SSL_get1_peer_certificate(ssl);

    X509_free(certificate);
#if HAVE_RAW_PUBLIC_KEYS
    if (SSL_get0_peer_rpk(ssl) != NULL)    /* OpenSSL verifies that, too */
        return 1;
#endif
    return certificate != NULL;
}

/* 0, or -SSL_ERROR_SSL where the handshake is finished and the peer has not shown the certificate that it must. */
static long long pyossl_check_peer_certificate(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    if (connection->is_peer_checked || connection->dead || !SSL_is_init_finished(ssl))
        return 0;
    if (!pyossl_needs_peer_certificate(ssl) || pyossl_has_peer_certificate(ssl)) {
        connection->is_peer_checked = 1;
        return 0;
    }
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
