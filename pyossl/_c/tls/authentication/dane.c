/* DANE: TLSA records for one connection.  SSL_CTX_dane_enable(3)
 *
 * SSL_dane_enable(3) needs a context for which SSL_CTX_dane_enable(3) was called.  That call makes the context's tables
 * of digests, once; nothing but a connection with TLSA records reads them.  So it is made for the first connection with
 * records, also when the context has connections already, and contexts without such connections have no tables.  Two
 * threads may get here at the same time: one after the other makes the call.
 *
 * The records bind sessions too.  A resumed handshake verifies no certificate, and looks at no record
 * (docs/pitfalls.md, 86).  So the connection gets a session id context that is made of its records.  OpenSSL keeps it in
 * the session, and refuses to resume a session with another one. */

static pthread_mutex_t pyossl_dane_tables = PTHREAD_MUTEX_INITIALIZER;

/* Makes a client verify the server by TLSA records, which are added after this.  `domain` is the server's DNS name.
 * `checks_ee_names`: the server's name is compared also if a record of usage 3 matches.  `binding` is the session id
 * context.  1: done; other values: it failed. */
static int pyossl_dane_enable(SSL *ssl, const char *domain, int checks_ee_names, const unsigned char *binding,
                              unsigned int size)
{
    int enabled;

    pyossl_clear_errors();
    pthread_mutex_lock(&pyossl_dane_tables);
    enabled = SSL_CTX_dane_enable(SSL_get_SSL_CTX(ssl));
    pthread_mutex_unlock(&pyossl_dane_tables);
    if (enabled <= 0 || SSL_dane_enable(ssl, domain) <= 0)
        return 0;
    if (!checks_ee_names)
        SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    return SSL_set_session_id_context(ssl, binding, size);
}
