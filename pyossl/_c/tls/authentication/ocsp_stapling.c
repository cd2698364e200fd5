/* OCSP stapling: a server sends a response about its certificate, and a client looks at it. */

/* One callback for both sides, as in OpenSSL: Python gives a server's response, or looks at the response that a client
 * has received.  If Python raises, the handshake ends: for a server by the fatal answer, for a client by one below
 * 0. */
static int pyossl_ocsp_status(SSL *ssl, void *argument)
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
        answer = pyossl_on_ocsp_request(handle);
    } else {
        unsigned char *response = NULL;
        long length = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
        answer = pyossl_on_ocsp_response(handle, response, length);
    }
    pyossl_put_back(aside);
    return answer;
}

/* SSL_CTX_set_tlsext_status_cb(3), for both sides.  Takes no lock. */
static void pyossl_set_ocsp_callback(SSL_CTX *context)
{
    SSL_CTX_set_tlsext_status_cb(context, pyossl_ocsp_status);
}

/* Sets a copy of `response`, in DER, as the one that a server sends.  1: done; 0: no memory, or OpenSSL refuses it.
 * Python calls it from the callback above: the lock is held. */
static int pyossl_set_ocsp_response(SSL *ssl, const unsigned char *response, size_t length)
{
    unsigned char *copy = OPENSSL_memdup(response, length);
    if (copy == NULL)
        return 0;
    if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)length) == 1)
        return 1;
    OPENSSL_free(copy);
    return 0;
}

#if COMPILES(HAVE_OCSP_MULTI_STAPLING)

/* SSL_set0_tlsext_status_ocsp_resp_ex(3) */
static int pyossl_put_ocsp_responses(SSL *ssl, const unsigned char *const *responses, const long *lengths, int count)
{
    STACK_OF(OCSP_RESPONSE) *stack = sk_OCSP_RESPONSE_new_null();
    int n, is_whole = stack != NULL;

    for (n = 0; n < count && is_whole; n++) {
        const unsigned char *data = responses[n];
        OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &data, lengths[n]);
        is_whole = response != NULL && sk_OCSP_RESPONSE_push(stack, response) > 0;
        if (!is_whole)
            OCSP_RESPONSE_free(response);
    }
    if (is_whole && SSL_set0_tlsext_status_ocsp_resp_ex(ssl, stack) == 1)
        return 1;
    sk_OCSP_RESPONSE_pop_free(stack, OCSP_RESPONSE_free);
    return 0;
}

/* SSL_get0_tlsext_status_ocsp_resp_ex(3).  Copies: OpenSSL's stack belongs to the SSL. */
static long pyossl_copy_ocsp_response(SSL *ssl, int index, unsigned char **copy)
{
    STACK_OF(OCSP_RESPONSE) *stack = NULL;
    OCSP_RESPONSE *response;
    int length;

    (void)SSL_get0_tlsext_status_ocsp_resp_ex(ssl, &stack);
    if (stack == NULL || index >= sk_OCSP_RESPONSE_num(stack))
        return -1;
    response = sk_OCSP_RESPONSE_value(stack, index);
    if (response == NULL)
        return 0;
    length = i2d_OCSP_RESPONSE(response, copy);
    return length > 0 ? length : -2;
}

#else

static int pyossl_put_ocsp_responses(SSL *ssl, const unsigned char *const *responses, const long *lengths, int count)
{
    (void)ssl; (void)responses; (void)lengths; (void)count;
    return 0;
}

static long pyossl_copy_ocsp_response(SSL *ssl, int index, unsigned char **copy)
{
    (void)ssl; (void)index; (void)copy;
    return -1;
}

#endif

/* Sets the responses that a TLS 1.3 server sends, the first one about its own certificate, the next one about the next
 * certificate that it sends.  1: done; 0: no memory, or one is malformed.  Python calls it from the callback above. */
static int pyossl_set_ocsp_responses(SSL *ssl, const unsigned char *const *responses, const long *lengths, int count)
{
    return HAVE_OCSP_MULTI_STAPLING ? pyossl_put_ocsp_responses(ssl, responses, lengths, count) : 0;
}

/* A copy, for OPENSSL_free(3), of the response about the certificate at this index of the server's chain, and its
 * length. 0: there is none; -1: there is none, and none behind it; -2: no memory. */
static long pyossl_ocsp_response_at(SSL *ssl, int index, unsigned char **copy)
{
    unsigned char *response = NULL;
    long length;

    if (HAVE_OCSP_MULTI_STAPLING)
        return pyossl_copy_ocsp_response(ssl, index, copy);
    length = index > 0 ? -1 : SSL_get_tlsext_status_ocsp_resp(ssl, &response);
    if (length <= 0)
        return -1;
    *copy = OPENSSL_memdup(response, (size_t)length);
    return *copy == NULL ? -2 : length;
}
