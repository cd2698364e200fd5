/* DTLS: the cookies of a listening server, and the timer of the handshake. */

/* Python writes a cookie.  0 ends the handshake. */
static int pyossl_cookie_generate(SSL *ssl, unsigned char *cookie, unsigned int *length)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside = pyossl_set_aside();
    int answer = handle == NULL ? 0 : pyossl_on_cookie_generate(handle, cookie, length);
    pyossl_put_back(aside);
    return answer;
}

/* Python checks a cookie that has come back.  0: it is not valid. */
static int pyossl_cookie_verify(SSL *ssl, const unsigned char *cookie, unsigned int length)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside = pyossl_set_aside();
    int answer = handle == NULL ? 0 : pyossl_on_cookie_verify(handle, cookie, length);
    pyossl_put_back(aside);
    return answer;
}

/* SSL_CTX_set_cookie_generate_cb(3).  Takes no lock. */
static void pyossl_set_cookie_generate_callback(SSL_CTX *context)
{
    SSL_CTX_set_cookie_generate_cb(context, pyossl_cookie_generate);
}

/* SSL_CTX_set_cookie_verify_cb(3).  Takes no lock. */
static void pyossl_set_cookie_verify_callback(SSL_CTX *context)
{
    SSL_CTX_set_cookie_verify_cb(context, pyossl_cookie_verify);
}

/* DTLSv1_listen(3), under the lock.  0: a ClientHello with a valid cookie has arrived; -SSL_ERROR_WANT_READ: none yet;
 * else as every call of tls/connection/call_outcome.c. */
static long long pyossl_dtls_listen(pyossl_connection *connection)
{
    int result = pyossl_begin(connection);
    long long outcome = 0;
    BIO_ADDR *peer;

    if (result != 0)
        return result;
    peer = BIO_ADDR_new();
    pyossl_enter_context(connection);
    result = peer == NULL ? -1 : DTLSv1_listen(connection->ssl, peer);
    pyossl_leave_context(connection);
    if (result == 0)
        outcome = pyossl_done(-SSL_ERROR_WANT_READ);
    else if (result < 0)
        outcome = pyossl_not_done(connection, result);
    BIO_ADDR_free(peer);
    return pyossl_end(connection, result > 0 ? pyossl_done(0) : outcome);
}

/* DTLSv1_handle_timeout(3), under the lock.  1: the timer had run out, and the last flight is sent again; 0: it had
 * not; below 0 as every call of tls/connection/call_outcome.c. */
static long long pyossl_dtls_handle_timeout(pyossl_connection *connection)
{
    int result = pyossl_begin(connection);
    if (result != 0)
        return result;
    pyossl_enter_context(connection);
    result = DTLSv1_handle_timeout(connection->ssl);
    pyossl_leave_context(connection);
    return pyossl_end(connection, result >= 0 ? pyossl_done(result) : pyossl_not_done(connection, result));
}
