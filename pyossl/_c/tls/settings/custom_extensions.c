/* Extensions of the program's own: SSL_CTX_add_custom_ext(3).
 *
 * OpenSSL asks for the bytes of an extension when it writes a message, copies them, and then calls the function that
 * frees them.  In between, the connection owns them: it also frees them before it takes others, and when it is freed
 * itself. */

static void pyossl_forget_extension(pyossl_connection *connection)
{
    OPENSSL_free(connection->extension);
    connection->extension = NULL;
    connection->extension_size = 0;
}

/* Keeps a copy of the bytes of the extension that is about to be written.  1: done; 0: no memory.  Python calls it from
 * the callback below: the lock is held. */
static int pyossl_give_extension(pyossl_connection *connection, const unsigned char *data, size_t length)
{
    pyossl_forget_extension(connection);
    if (length == 0)
        return 1;
    connection->extension = OPENSSL_memdup(data, length);
    if (connection->extension == NULL)
        return 0;
    connection->extension_size = length;
    return 1;
}

/* Python gives the bytes of an extension.  1: they are sent; 0: the extension is left out; -1: the handshake fails. */
static int pyossl_add_custom(SSL *ssl, unsigned int type, unsigned int message, const unsigned char **data,
                             size_t *length, X509 *certificate, size_t depth, int *alert, void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    pyossl_aside *aside;
    int answer;
    (void)argument;

    *data = NULL;
    *length = 0;
    *alert = SSL_AD_INTERNAL_ERROR;
    if (connection == NULL || connection->handle == NULL)
        return -1;
    pyossl_forget_extension(connection);
    aside = pyossl_set_aside();
    answer = pyossl_on_add_extension(connection->handle, type, message, certificate, depth, alert);
    pyossl_put_back(aside);
    if (answer != 1)
        return answer == 0 ? 0 : -1;
    *data = connection->extension;
    *length = connection->extension_size;
    return 1;
}

static void pyossl_free_custom(SSL *ssl, unsigned int type, unsigned int message, const unsigned char *data,
                               void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    (void)type; (void)message; (void)data; (void)argument;

    if (connection != NULL)
        pyossl_forget_extension(connection);
}

/* Python looks at an extension of the peer's.  1: the handshake goes on; 0: it fails. */
static int pyossl_parse_custom(SSL *ssl, unsigned int type, unsigned int message, const unsigned char *data,
                               size_t length, X509 *certificate, size_t depth, int *alert, void *argument)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside;
    int answer;
    (void)argument;

    *alert = SSL_AD_INTERNAL_ERROR;
    if (handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    answer = pyossl_on_parse_extension(handle, type, message, data, length, certificate, depth, alert);
    pyossl_put_back(aside);
    return answer == 1;
}

/* SSL_CTX_add_custom_ext(3), without a function that Python does not need.  Takes no lock. */
static int pyossl_add_extension(SSL_CTX *context, unsigned int type, unsigned int messages, int adds, int parses)
{
    return SSL_CTX_add_custom_ext(context, type, messages, adds ? pyossl_add_custom : NULL,
                                  adds ? pyossl_free_custom : NULL, NULL, parses ? pyossl_parse_custom : NULL, NULL);
}
