/* Bytes between the user and the memory BIOs of a connection without a transport.  They go on after a failure: an alert
 * may be waiting to be sent. */

static int pyossl_begin_carrying(pyossl_connection *connection)
{
    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (!connection->closed)
        return 0;
    pyossl_connection_release(connection);
    return PYOSSL_CLOSED;
}

static long long pyossl_receive_data(pyossl_connection *connection, const void *data, size_t size)
{
    size_t written = 0;
    int answer = pyossl_begin_carrying(connection);

    if (answer != 0)
        return answer;
    if (size == 0)
        BIO_set_mem_eof_return(SSL_get_rbio(connection->ssl), 0);
    else
        BIO_write_ex(SSL_get_rbio(connection->ssl), data, size, &written);
    pyossl_connection_release(connection);
    return (long long)written;
}

static long long pyossl_data_to_send(pyossl_connection *connection, void *buffer, size_t size)
{
    size_t got = 0;
    int answer = pyossl_begin_carrying(connection);

    if (answer != 0)
        return answer;
    if (size > 0 && BIO_ctrl_pending(SSL_get_wbio(connection->ssl)) > 0)
        BIO_read_ex(SSL_get_wbio(connection->ssl), buffer, size, &got);
    pyossl_connection_release(connection);
    return (long long)got;
}

/* pyossl_write and pyossl_data_to_send in one: how many of the bytes to be sent went into `buffer`. */
static long long pyossl_encrypt(pyossl_connection *connection, const void *data, size_t size, void *buffer, size_t room)
{
    size_t got = 0;
    int answer = pyossl_begin(connection);
    long long result;

    if (answer != 0)
        return answer;
    result = pyossl_send_records(connection, data, size, 0);
    if (result >= 0 && BIO_ctrl_pending(SSL_get_wbio(connection->ssl)) > 0)
        BIO_read_ex(SSL_get_wbio(connection->ssl), buffer, room, &got);
    return pyossl_end(connection, result < 0 ? result : (long long)got);
}

/* pyossl_receive_data and pyossl_read in one: how many decrypted bytes went into `buffer`. */
static long long pyossl_decrypt(pyossl_connection *connection, const void *data, size_t size, void *buffer, size_t room)
{
    size_t written = 0;
    int answer = pyossl_begin(connection);

    if (answer != 0)
        return answer;
    if (size > 0 && (BIO_write_ex(SSL_get_rbio(connection->ssl), data, size, &written) != 1 || written != size)) {
        pyossl_clear_errors();
        return pyossl_end(connection, PYOSSL_NO_MEMORY);
    }
    return pyossl_end(connection, pyossl_receive(connection, buffer, room, 0));
}
