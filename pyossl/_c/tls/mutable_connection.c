/* File. */

/* 0 where the SSL cannot be had. */
static int pyossl_set_side(pyossl_connection *connection, int is_server)
{
    SSL *ssl = pyossl_enter(connection);

    if (ssl == NULL)
        return 0;
    if (is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    pyossl_connection_release(connection);
    return 1;
}

/* What connections are given and asked for one after the other, in one call each: as SSL_set_tlsext_host_name(3) and
 * SSL_set_session(3) answer, and below 0 where the SSL cannot be had. */
static int pyossl_set_server_name(pyossl_connection *connection, const char *name)
{
    SSL *ssl = pyossl_enter(connection);
    int answer = -1;

    if (ssl != NULL) {
        pyossl_clear_errors();
        answer = (int)SSL_set_tlsext_host_name(ssl, name);
        pyossl_connection_release(connection);
    }
    return answer;
}

static int pyossl_set_session(pyossl_connection *connection, SSL_SESSION *session)
{
    SSL *ssl = pyossl_enter(connection);
    int answer = -1;

    if (ssl != NULL) {
        pyossl_clear_errors();
        answer = SSL_set_session(ssl, session);
        pyossl_connection_release(connection);
    }
    return answer;
}
