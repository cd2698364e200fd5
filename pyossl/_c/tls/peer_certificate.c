/* Whether the peer has shown the certificate that it must show, before it is told or heard anything.
 *
 * SSL_VERIFY_PEER verifies the certificate of a peer that shows one.  A handshake in which a peer shows none, with an
 * anonymous cipher, a pre-shared key or SRP, verifies nothing and comes to X509_V_OK.  A context refuses such ciphers
 * when it freezes (pyossl/tls/context.py); what gets them past it, at one connection say, meets this second wall: when a
 * handshake is finished the connection has a peer with a certificate, of which a resumed session knows too, or it is
 * dead.
 *
 * A connection of a generic method is as OpenSSL is, and is not looked at. */

static void pyossl_expect_peer(pyossl_connection *connection)
{
    connection->is_admitted = !connection->demands_certificate
        || (SSL_get_verify_mode(connection->ssl) & SSL_VERIFY_PEER) == 0;
}

/* The info callback of a connection that verifies: a renegotiation is another handshake, to be looked at again. */
static void pyossl_watch(const SSL *ssl, int where, int value)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    void (*of_context)(const SSL *ssl, int where, int value) = SSL_CTX_get_info_callback(SSL_get_SSL_CTX(ssl));

    if (where & SSL_CB_HANDSHAKE_START && connection != NULL)
        pyossl_expect_peer(connection);
    if (of_context != NULL)
        of_context(ssl, where, value);
}

/* What verifies the peer from now on. */
static void pyossl_verify_with(pyossl_connection *connection, int mode)
{
    pyossl_set_verify(connection, mode);
    pyossl_expect_peer(connection);
    if (!connection->is_admitted)
        SSL_set_info_callback(connection->ssl, pyossl_watch);
}

static int pyossl_must_show_certificate(const SSL *ssl)
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

static int pyossl_has_shown_certificate(SSL *ssl)
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
static long long pyossl_look_at_peer(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    if (connection->is_admitted || connection->dead || !SSL_is_init_finished(ssl))
        return 0;
    if (!pyossl_must_show_certificate(ssl) || pyossl_has_shown_certificate(ssl)) {
        connection->is_admitted = 1;
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

/* Goes on as a connection of another context, chosen by the name in the ClientHello, of which nothing has been looked at
 * yet.  SSL_set_SSL_CTX(3) takes over the credentials, the trust, the security level and the signature algorithms, and
 * the ciphers are the new context's from then on.  What the SSL has of its own is overwritten: what the first context
 * allows or asks of a peer must not take the place of what the second one does, in either direction; of the parameters
 * of verification those too that are not set.  The groups Python knows: OpenSSL does not tell them. */
static int pyossl_switch_context(pyossl_connection *connection, SSL_CTX *context)
{
    SSL *ssl = connection->ssl;
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    uint32_t inheritance = X509_VERIFY_PARAM_get_inh_flags(parameters);
    int copied;

    if (SSL_set_SSL_CTX(ssl, context) == NULL)
        return 0;
    pyossl_verify_with(connection, SSL_CTX_get_verify_mode(context));
    X509_VERIFY_PARAM_set_inh_flags(parameters, X509_VP_FLAG_OVERWRITE | X509_VP_FLAG_RESET_FLAGS);
    copied = X509_VERIFY_PARAM_set1(parameters, SSL_CTX_get0_param(context));
    X509_VERIFY_PARAM_set_inh_flags(parameters, inheritance);
    SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(context));
    SSL_set_options(ssl, SSL_CTX_get_options(context));
    SSL_set_max_cert_list(ssl, SSL_CTX_get_max_cert_list(context));
    return copied && SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context)) == 1
        && SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(context)) == 1
        && SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(context)) == 1;
}
