/* What the standard library's ssl asks of a connection (pyossl/stdlib/connection.py), in one call each: a call from
 * Python costs as much as most of what OpenSSL does in it. */

/* The settings of a new connection.  `name` is the peer's name or IP address, or NULL; `checks_name`: the peer's
 * certificate must be for it; `asks_later`: certificates of clients are asked for after the handshake.  Takes no lock: no
 * other thread has the connection yet.  1: done; 0: the reason is in OpenSSL's queue. */
static int pyossl_set_up_for_ssl_module(pyossl_connection *connection, int is_server, const char *name, int is_address,
                                        int checks_name, int asks_later)
{
    /* As of all servers of Python's ssl: another program's session must not be resumed with the one of a context. */
    static const unsigned char session_id_context[] = {'P', 'y', 't', 'h', 'o', 'n'};
    SSL *ssl = connection->ssl;
    int mode = SSL_get_verify_mode(ssl);

    pyossl_clear_errors();
    pyossl_may_cross_forks(connection);
    if (is_server) {
        SSL_set_accept_state(ssl);
        SSL_set_session_id_context(ssl, session_id_context, sizeof(session_id_context));
        if (asks_later && mode & SSL_VERIFY_PEER)
            pyossl_set_verify(connection, mode | SSL_VERIFY_POST_HANDSHAKE);
    } else {
        SSL_set_connect_state(ssl);
        if (asks_later)
            SSL_set_post_handshake_auth(ssl, 1);
    }
    if (name == NULL)
        return 1;
    if (!is_address && SSL_set_tlsext_host_name(ssl, name) != 1)
        return 0;
    if (!checks_name)
        return 1;
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
                      : X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), name, strlen(name)) == 1;
}

enum {
    PYOSSL_FACTS_NO_PEER = -3,       /* the peer has sent no certificate */
    PYOSSL_FACTS_EARLY = -4,         /* the handshake is not finished */
    PYOSSL_FACTS_UNVERIFIED = -5,    /* the connection or the context does not verify: this one may be anybody's */
    PYOSSL_FACTS_NO_SSL = -6         /* the connection is closed, or belongs to the parent process */
};

/* As pyossl_certificate_facts, for the peer's certificate.  Below 0: PYOSSL_FACTS_x of either enum. */
static long long pyossl_peer_facts(pyossl_connection *connection, unsigned char *out, size_t room)
{
    SSL *ssl = pyossl_enter(connection);
    X509 *certificate = NULL;
    long long size = PYOSSL_FACTS_NO_PEER;
    int is_verified = 0;

    if (ssl == NULL)
        return PYOSSL_FACTS_NO_SSL;
    if (!SSL_is_init_finished(ssl)) {
        size = PYOSSL_FACTS_EARLY;
    } else if ((certificate = SSL_get1_peer_certificate(ssl)) != NULL) {
        is_verified = (SSL_get_verify_mode(ssl) & SSL_CTX_get_verify_mode(SSL_get_SSL_CTX(ssl)) & SSL_VERIFY_PEER) != 0;
    }
    pyossl_connection_release(connection);
    if (certificate != NULL) {
        size = is_verified ? pyossl_certificate_facts(certificate, out, room) : PYOSSL_FACTS_UNVERIFIED;
        X509_free(certificate);
    }
    return size;
}
