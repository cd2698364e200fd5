/* What a connection of a generic method (TLS_method(3), DTLS_method(3)) needs besides: callbacks that are given to one
 * SSL, stapled OCSP responses, and DTLS's cookies and timers. */

static int pyossl_on_staple(void *handle);
static int pyossl_on_stapled(void *handle, const unsigned char *response, long length);
static int pyossl_on_cookie(void *handle, unsigned char *cookie, unsigned int *length);
static int pyossl_on_cookie_back(void *handle, const unsigned char *cookie, unsigned int length);

static void pyossl_set_connection_info(pyossl_connection *connection, int on)
{
    SSL_set_info_callback(connection->ssl, on ? pyossl_info : NULL);
}

/* One callback for both sides, as OpenSSL has it: a server's gives a response, a client's looks at one.  Below 0 what
 * Python raised ends the handshake. */
static int pyossl_status(SSL *ssl, void *argument)
{
    void *handle = pyossl_handle_of(ssl);
    int is_server = SSL_is_server(ssl);
    int answer = is_server ? SSL_TLSEXT_ERR_ALERT_FATAL : -1;
    pyossl_aside *aside;
    (void)argument;
    if (handle == NULL)
        return answer;
    aside = pyossl_set_aside();
    if (is_server) {
        answer = pyossl_on_staple(handle);
    } else {
        unsigned char *response = NULL;
        long length = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
        answer = pyossl_on_stapled(handle, response, length);
    }
    pyossl_put_back(aside);
    return answer;
}

static int pyossl_staple(SSL *ssl, const unsigned char *response, size_t length)
{
    unsigned char *copy = OPENSSL_memdup(response, length);
    if (copy == NULL)
        return 0;
    if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)length) == 1)
        return 1;
    OPENSSL_free(copy);
    return 0;
}

static int pyossl_cookie(SSL *ssl, unsigned char *cookie, unsigned int *length)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside = pyossl_set_aside();
    int answer = handle == NULL ? 0 : pyossl_on_cookie(handle, cookie, length);
    pyossl_put_back(aside);
    return answer;
}

static int pyossl_cookie_back(SSL *ssl, const unsigned char *cookie, unsigned int length)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside = pyossl_set_aside();
    int answer = handle == NULL ? 0 : pyossl_on_cookie_back(handle, cookie, length);
    pyossl_put_back(aside);
    return answer;
}

enum { PYOSSL_STATUS, PYOSSL_COOKIE, PYOSSL_COOKIE_BACK };

static void pyossl_set_generic_callback(SSL_CTX *context, int which)
{
    switch (which) {
    case PYOSSL_STATUS:
        SSL_CTX_set_tlsext_status_cb(context, pyossl_status);
        break;
    case PYOSSL_COOKIE:
        SSL_CTX_set_cookie_generate_cb(context, pyossl_cookie);
        break;
    case PYOSSL_COOKIE_BACK:
        SSL_CTX_set_cookie_verify_cb(context, pyossl_cookie_back);
        break;
    }
}

/* 0: a ClientHello with a cookie of ours has come. */
static long long pyossl_dtls_listen(pyossl_connection *connection)
{
    int result = pyossl_begin(connection);
    long long outcome = 0;
    BIO_ADDR *peer;

    if (result != 0)
        return result;
    peer = BIO_ADDR_new();
    result = peer == NULL ? -1 : DTLSv1_listen(connection->ssl, peer);
    if (result == 0)
        outcome = pyossl_done(-SSL_ERROR_WANT_READ);
    else if (result < 0)
        outcome = pyossl_not_done(connection, result);
    BIO_ADDR_free(peer);
    return pyossl_end(connection, result > 0 ? pyossl_done(0) : outcome);
}

/* 1: the timer had run out, and the last flight is sent again; 0: it has not. */
static long long pyossl_dtls_handle_timeout(pyossl_connection *connection)
{
    int result = pyossl_begin(connection);
    if (result != 0)
        return result;
    result = DTLSv1_handle_timeout(connection->ssl);
    return pyossl_end(connection, result >= 0 ? pyossl_done(result) : pyossl_not_done(connection, result));
}

/* On success `parameters` is the context's. */
static int pyossl_use_dh(SSL_CTX *context, EVP_PKEY *parameters)
{
#if HAVE_API_3_0
    return SSL_CTX_set0_tmp_dh_pkey(context, parameters) == 1;
#else
    DH *dh = EVP_PKEY_get0_DH(parameters);
    if (dh == NULL || SSL_CTX_set_tmp_dh(context, dh) != 1)
        return 0;
    EVP_PKEY_free(parameters);
    return 1;
#endif
}

/* A DSA key of any size: EVP_PKEY_keygen(3) refuses those below 1024 bits, which the older API makes. */
static EVP_PKEY *pyossl_generate_dsa(int bits)
{
    DSA *dsa = DSA_new();
    EVP_PKEY *key = EVP_PKEY_new();

    if (dsa != NULL && key != NULL && DSA_generate_parameters_ex(dsa, bits, NULL, 0, NULL, NULL, NULL)
        && DSA_generate_key(dsa) && EVP_PKEY_assign_DSA(key, dsa))
        return key;
    DSA_free(dsa);
    EVP_PKEY_free(key);
    return NULL;
}

/* What is borrowed: it is kept by what it is in, and nothing is freed. */
static void pyossl_nothing(void *pointer)
{
    (void)pointer;
}
