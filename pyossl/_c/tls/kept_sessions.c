/* The sessions that a server keeps: those of clients that take no ticket, and with SSL_OP_NO_TICKET all.
 *
 * OpenSSL keeps the session as the connection has it, with every certificate that the client has shown, parsed, which
 * takes up to thirty times the memory that the client had to send.  Of the chain nothing is needed to resume a session,
 * and a session that comes back in a ticket has none: what is kept is the session as it would be stored.  Where the
 * client's own certificate is too long by itself, nothing is kept.  Together with the number of sessions, for which
 * pyossl/tls/session_settings.py sees, the memory of all is bounded. */

enum { PYOSSL_LONGEST_KEPT = 8192 };    /* bytes of the client's certificate in DER */

/* A session that has all that is needed to resume it; NULL where it cannot be made. */
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

/* Called when OpenSSL has put a session into the cache, which is that of the connection's first context.  Of a ticket
 * that has all in it, which only TLS 1.3 announces here, nothing is kept. */
static void pyossl_bound_session(SSL *ssl, SSL_SESSION *session)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    X509 *peer = SSL_SESSION_get0_peer(session);
    SSL_SESSION *stored = NULL;

    if (peer == NULL || connection == NULL || !connection->demands_certificate || !SSL_is_server(ssl)
        || (SSL_version(ssl) == TLS1_3_VERSION && !(SSL_get_options(ssl) & SSL_OP_NO_TICKET)))
        return;
    ERR_set_mark();
    if (i2d_X509(peer, NULL) <= PYOSSL_LONGEST_KEPT)
        stored = pyossl_without_chain(session);
    if (stored == NULL)
        SSL_CTX_remove_session(connection->first_context, session);
    else
        SSL_CTX_add_session(connection->first_context, stored);    /* in place of the one with its id */
    SSL_SESSION_free(stored);
    ERR_pop_to_mark();
}

static int pyossl_bound_new_session(SSL *ssl, SSL_SESSION *session)
{
    pyossl_bound_session(ssl, session);
    return 0;
}

/* For a server of whose sessions Python is not told. */
static void pyossl_bound_sessions(SSL_CTX *context)
{
    SSL_CTX_sess_set_new_cb(context, pyossl_bound_new_session);
}
