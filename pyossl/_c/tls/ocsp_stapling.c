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
