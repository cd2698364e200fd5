/* The memory of a server's session cache, which holds the sessions of clients that use no tickets, and with
 * SSL_OP_NO_TICKET all sessions.
 *
 * OpenSSL keeps the session as the connection has it, with every certificate that the client has sent, parsed: up to
 * thirty times the memory that the client had to send (docs/pitfalls.md, 41).  The chain is not needed to resume a
 * session, and a session that comes back in a ticket has none.  So the cache keeps the session in its stored form,
 * without the chain.  If the client's own certificate is too long, nothing is kept.  Python limits the
 * number of sessions; with both limits the memory is bounded. */

enum { PYOSSL_LONGEST_KEPT = 8192 };    /* bytes of the client's certificate in DER */

/* A copy of the session with all that is needed to resume it; NULL if it cannot be made. */
static SSL_SESSION *pyossl_without_chain(SSL_SESSION *session)
{
    unsigned char *encoded = NULL, *end;
    const unsigned char *place;
    SSL_SESSION *stored = NULL;
    int length = i2d_SSL_SESSION(session, NULL);

    if (length > 0 && (encoded = OPENSSL_malloc((size_t)length)) != NULL) {
        place = end = encoded;
        if (i2d_SSL_SESSION(session, &end) == length)
            stored = d2i_SSL_SESSION(NULL, &place, length);
        OPENSSL_clear_free(encoded, (size_t)length);
    }
    return stored;
}

/* Called when OpenSSL has put a session into the cache of the connection's first context.  It is also called
 * for a TLS 1.3 ticket that holds the whole session: OpenSSL keeps nothing then, and nothing is done. */
static void pyossl_limit_session(SSL *ssl, SSL_SESSION *session)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    X509 *peer = SSL_SESSION_get0_peer(session);
    SSL_SESSION *stored = NULL;

    if (peer == NULL || connection == NULL || !connection->requires_certificate || !SSL_is_server(ssl)
        || (SSL_CTX_get_session_cache_mode(connection->first_context) & SSL_SESS_CACHE_NO_INTERNAL_STORE) != 0
        || (SSL_version(ssl) == TLS1_3_VERSION && !(SSL_get_options(ssl) & SSL_OP_NO_TICKET)))
        return;
    ERR_set_mark();
    if (i2d_X509(peer, NULL) <= PYOSSL_LONGEST_KEPT)
        stored = pyossl_without_chain(session);
    if (stored == NULL)
        SSL_CTX_remove_session(connection->first_context, session);
    else
        SSL_CTX_add_session(connection->first_context, stored);    /* it replaces the one with the same id */
    SSL_SESSION_free(stored);
    ERR_pop_to_mark();
}

/* SSL_CTX_sess_set_new_cb(3); returns 0: it keeps no reference to `session`. */
static int pyossl_limit_new_session(SSL *ssl, SSL_SESSION *session)
{
    pyossl_limit_session(ssl, session);
    return 0;
}

/* Limits the sessions of a server whose new sessions are not passed to Python.  Takes no lock. */
static void pyossl_limit_sessions(SSL_CTX *context)
{
    SSL_CTX_sess_set_new_cb(context, pyossl_limit_new_session);
}
