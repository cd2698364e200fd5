/* The padding of TLS 1.3 records, which Python chooses: SSL_CTX_set_record_padding_callback(3).
 *
 * OpenSSL's callback cannot fail.  If Python raises, the record gets as much padding as it can have, so that it does not
 * show the length of its data, and the call of the connection raises. */

static size_t pyossl_record_padding(SSL *ssl, int type, size_t length, void *argument)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    pyossl_aside *aside;
    int padding;

    (void)argument;
    if (connection == NULL || connection->handle == NULL)
        return PYOSSL_RECORD;    /* OpenSSL takes as much of it as there is room for */
    aside = pyossl_set_aside();
    padding = pyossl_on_record_padding(connection->handle, type, length);
    pyossl_put_back(aside);
    return padding < 0 ? PYOSSL_RECORD : (size_t)padding;
}

/* Turns the callback of a context on or off. */
static void pyossl_set_record_padding(SSL_CTX *context, int on)
{
    SSL_CTX_set_record_padding_callback(context, on ? pyossl_record_padding : NULL);
}
