/* Settings of a mutable connection, which can change at any time and can be either side.
 *
 * Each function takes the connection's lock. */

/* SSL_set_accept_state(3) for a server, else SSL_set_connect_state(3).  1: done; 0: the connection is closed, or
 * belongs to the parent process. */
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

/* SSL_set_tlsext_host_name(3), with its result; -1: the connection is closed, or belongs to the parent process. */
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

/* SSL_set_session(3), with its result; -1: the connection is closed, or belongs to the parent process. */
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
