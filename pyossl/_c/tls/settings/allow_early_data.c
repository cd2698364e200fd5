/* Whether a server accepts a client's early data: SSL_CTX_set_allow_early_data_cb(3).
 *
 * Anyone who has recorded early data can send it again.  By default OpenSSL protects the server: a ticket is good for one
 * connection, because its session is taken out of the cache of the first context.  Four things get past that, and early
 * data is refused here for each of them, while the handshake goes on without it:
 *
 * - A child process has a copy of the cache that its parent filled.  A ticket would be good once in each process.
 * - A session that OpenSSL does not keep in the cache: SSL_OP_NO_ANTI_REPLAY is set.  Then Python must answer.
 * - A key that Python has given is no session at all (tls/sessions/pre_shared_keys.c).
 * - A server name callback has chosen another context, which takes no early data: OpenSSL keeps the limit, and the
 *   callback, of the first one.
 *
 * A client that must show a certificate is read before its handshake is finished: the session must have the
 * certificate. */

/* Whether the early data that has been offered may be accepted, as far as C can say. */
static int pyossl_may_take_early_data(pyossl_connection *connection, uintptr_t process)
{
    SSL *ssl = connection->ssl;

    if (connection->handle == NULL || connection->has_given_key || SSL_get_recv_max_early_data(ssl) == 0)
        return 0;
    if (SSL_CTX_get_max_early_data(SSL_get_SSL_CTX(ssl)) == 0)
        return 0;
    if ((SSL_get_options(ssl) & SSL_OP_NO_ANTI_REPLAY) == 0 && process != (uintptr_t)pyossl_generation)
        return 0;
    return connection->is_peer_checked || !pyossl_needs_peer_certificate(ssl) || pyossl_has_peer_certificate(ssl);
}

/* The callback of a context without one of Python's.  `argument` is the process whose cache has the sessions. */
static int pyossl_allow_single_use(SSL *ssl, void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);

    return connection != NULL && (SSL_get_options(ssl) & SSL_OP_NO_ANTI_REPLAY) == 0
        && pyossl_may_take_early_data(connection, (uintptr_t)argument);
}

/* As pyossl_allow_single_use; Python is asked too. */
static int pyossl_allow_by_python(SSL *ssl, void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    unsigned char random[SSL3_RANDOM_SIZE];
    pyossl_aside *aside;
    int answer;

    if (connection == NULL || !pyossl_may_take_early_data(connection, (uintptr_t)argument))
        return 0;
    if (SSL_get_client_random(ssl, random, sizeof(random)) != sizeof(random))
        return 0;
    aside = pyossl_set_aside();
    answer = pyossl_on_early_data(connection->handle, random, sizeof(random)) == 1;
    pyossl_put_back(aside);
    return answer;
}

/* Sets the callback of a context that takes early data, before its first connection. */
static void pyossl_set_allow_early_data(SSL_CTX *context, int asks_python)
{
    SSL_CTX_set_allow_early_data_cb(context, asks_python ? pyossl_allow_by_python : pyossl_allow_single_use,
                                    (void *)(uintptr_t)pyossl_generation);
}
