/* The callbacks that may have no answer yet: for the ClientHello, for the own certificate, and for the peer's chain.
 * SSL_CTX_set_client_hello_cb(3), SSL_CTX_set_cert_cb(3), SSL_CTX_set_cert_verify_callback(3)
 *
 * Theory of operation
 * -------------------
 * Python answers with PYOSSL_REFUSED, PYOSSL_ACCEPTED or PYOSSL_NO_ANSWER.  For the last one, OpenSSL stops the handshake
 * at this place, and the call ends with SSL_ERROR_WANT_CLIENT_HELLO_CB, SSL_ERROR_WANT_X509_LOOKUP or
 * SSL_ERROR_WANT_RETRY_VERIFY.  No lock is held meanwhile.  The next call of the connection goes on at the same place:
 * OpenSSL calls the same callback again, and Python gives the answer, or has none again
 * (pyossl/tls/callbacks/suspension.py).
 *
 * The ClientHello.  SSL_client_hello_get0_ext(3) finds only the extensions that OpenSSL knows: GREASE and new ones are
 * missing (docs/pitfalls.md, 81).  So the message itself is kept, as the message callback gets it, until Python has answered. */

enum { PYOSSL_REFUSED = 0, PYOSSL_ACCEPTED = 1, PYOSSL_NO_ANSWER = 2 };

static int pyossl_on_client_hello(void *handle, int *alert, const void *data, size_t length);
static int pyossl_on_certificate(void *handle);
static int pyossl_on_chain(void *handle, X509_STORE_CTX *store_context);

#define pyossl_on_client_hello(...) PYOSSL_IN_PYTHON((pyossl_on_client_hello)(__VA_ARGS__))
#define pyossl_on_certificate(...) PYOSSL_IN_PYTHON((pyossl_on_certificate)(__VA_ARGS__))
#define pyossl_on_chain(...) PYOSSL_IN_PYTHON((pyossl_on_chain)(__VA_ARGS__))

/* The argument of the callbacks of a context that asks Python about the ClientHello. */
static char pyossl_asks_about_hello;

static void pyossl_forget_hello(pyossl_connection *connection)
{
    free(connection->hello);
    connection->hello = NULL;
    connection->hello_size = 0;
}

/* Keeps a message if it is the ClientHello about which Python is asked.  Without memory there is none, and the handshake
 * fails. */
static void pyossl_keep_hello(SSL *ssl, int outgoing, int content_type, const void *data, size_t length, void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);

    if (argument != &pyossl_asks_about_hello || connection == NULL || connection->has_passed_hello || outgoing
        || content_type != SSL3_RT_HANDSHAKE || length == 0 || *(const unsigned char *)data != SSL3_MT_CLIENT_HELLO)
        return;
    pyossl_forget_hello(connection);
    connection->hello = malloc(length);
    if (connection->hello == NULL)
        return;
    memcpy(connection->hello, data, length);
    connection->hello_size = length;
}

/* The message callback of a context that asks Python about the ClientHello. */
static void pyossl_hello_message(int outgoing, int version, int content_type, const void *data, size_t length, SSL *ssl,
                                 void *argument)
{
    (void)version;
    pyossl_keep_hello(ssl, outgoing, content_type, data, length, argument);
}

/* Asks Python about the first ClientHello of a connection.  After a HelloRetryRequest there is a second one, which is
 * not asked about: the settings have been chosen. */
static int pyossl_ask_client_hello(pyossl_connection *connection, int *alert)
{
    pyossl_aside *aside;
    int answer;

    *alert = SSL_AD_INTERNAL_ERROR;
    if (connection == NULL || connection->handle == NULL)
        return PYOSSL_REFUSED;
    if (connection->has_passed_hello)
        return PYOSSL_ACCEPTED;
    aside = pyossl_set_aside();
    answer = pyossl_on_client_hello(connection->handle, alert, connection->hello, connection->hello_size);
    pyossl_put_back(aside);
    if (answer != PYOSSL_NO_ANSWER) {
        pyossl_forget_hello(connection);
        connection->has_passed_hello = 1;
    }
    return answer;
}

/* SSL_CTX_set_cert_cb(3): Python chooses the certificate of this side. */
static int pyossl_choose_certificate(SSL *ssl, void *argument)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside;
    int answer;

    (void)argument;
    if (handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    answer = pyossl_on_certificate(handle);
    pyossl_put_back(aside);
    return answer == PYOSSL_NO_ANSWER ? -1 : answer == PYOSSL_ACCEPTED;
}

/* Python's certificate replaces those of the context, of every type of key.  1: done.  The caller has the lock. */
static int pyossl_use_own_credentials(SSL *ssl, X509 *certificate, EVP_PKEY *key, STACK_OF(X509) *chain)
{
    SSL_certs_clear(ssl);
    return SSL_use_cert_and_key(ssl, certificate, key, chain, 1);
}

/* The handshake stops, and verifies the chain again when it goes on.  0: this OpenSSL cannot do that, or not here.  A
 * server would take it for a chain that is accepted (docs/pitfalls.md, 80). */
static int pyossl_retry_verify(SSL *ssl)
{
#if COMPILES(HAVE_RETRY_VERIFY)
    if (HAVE_RETRY_VERIFY && !SSL_is_server(ssl))
        return SSL_set_retry_verify(ssl) == 1;
#endif
    (void)ssl;
    return 0;
}

static int pyossl_lacks_scts(const pyossl_connection *connection, X509_STORE_CTX *store_context);

/* SSL_CTX_set_cert_verify_callback(3): asks Python about a chain that OpenSSL has accepted, if it can have the
 * timestamps that are required. */
static int pyossl_verify_chain(X509_STORE_CTX *store_context, void *argument)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());
    pyossl_connection *connection = pyossl_connection_of(ssl);
    int answer = PYOSSL_REFUSED, error = X509_V_ERR_APPLICATION_VERIFICATION;

    (void)argument;
    if (X509_verify_cert(store_context) <= 0)
        return 0;
    if (connection != NULL && pyossl_lacks_scts(connection, store_context)) {
        error = X509_V_ERR_NO_VALID_SCTS;
    } else if (connection != NULL && connection->handle != NULL) {
        pyossl_aside *aside = pyossl_set_aside();
        answer = pyossl_on_chain(connection->handle, store_context);
        pyossl_put_back(aside);
    }
    if (answer == PYOSSL_ACCEPTED || (answer == PYOSSL_NO_ANSWER && pyossl_retry_verify(ssl)))
        return 1;
    X509_STORE_CTX_set_error(store_context, error);
    X509_STORE_CTX_set_error_depth(store_context, 0);
    X509_STORE_CTX_set_current_cert(store_context, X509_STORE_CTX_get0_cert(store_context));
    if (connection != NULL)
        pyossl_note_refused(connection, store_context);
    return 0;
}
