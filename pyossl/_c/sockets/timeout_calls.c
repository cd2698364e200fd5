/* The calls of a connection as Python's ssl makes them: over a socket of the caller's, with the timeout of Python's
 * socket object, or between two queues.
 *
 * `timeout` is in seconds.  Below 0: the descriptor is in blocking mode, and the call waits as it does.  0: the call does
 * not wait.  Above 0: the descriptor is in non-blocking mode, and this is the limit for the whole call. */

/* Whether a read of queues would find nothing: OpenSSL holds no bytes, and none have come.  The caller holds the
 * lock. */
static int pyossl_has_nothing_to_read(pyossl_connection *connection)
{
    return connection->is_open && !connection->closed && !connection->dead && !connection->busy
        && !connection->received_end && connection->is_peer_checked && connection->write_errno == 0
        && !pyossl_queue_has_news(connection->queues->incoming) && SSL_is_init_finished(connection->ssl)
        && !SSL_has_pending(connection->ssl) && !SSL_renegotiate_pending(connection->ssl)
        && (SSL_get_shutdown(connection->ssl) & SSL_RECEIVED_SHUTDOWN) == 0;
}

/* pyossl_read of a connection over queues.  An event loop reads until there is nothing: it need not ask OpenSSL for
 * that. */
static long long pyossl_queues_receive(pyossl_connection *connection, void *buffer, size_t size)
{
    int has_lock = pyossl_locked == connection, is_empty;
    long long result;

    if (!has_lock && !pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    is_empty = size > 0 && pyossl_has_nothing_to_read(connection);
    pyossl_locked = is_empty ? NULL : connection;
    result = is_empty ? -SSL_ERROR_WANT_READ : pyossl_read(connection, buffer, size);
    if (!has_lock)
        pyossl_connection_release(connection);
    return result;
}

/* Reads up to `size` bytes.  Returns their number; 0: the peer has sent its close_notify, and this side has not;
 * -SSL_ERROR_ZERO_RETURN: both have. */
static long long pyossl_timeout_read(pyossl_connection *connection, void *buffer, size_t size, double timeout)
{
    long long result;

    if (connection->queues != NULL)
        result = pyossl_queues_receive(connection, buffer, size);
    else if (timeout < 0)
        result = pyossl_mutable_read(connection, buffer, size);
    else if (timeout == 0)
        result = pyossl_read(connection, buffer, size);
    else
        result = pyossl_read_waiting(connection, buffer, size, timeout);
    return result == 0 && size > 0 && connection->sent_close_notify ? -SSL_ERROR_ZERO_RETURN : result;
}

/* The next write repeats the first `size` bytes of `data`, of which the last are remembered. */
static void pyossl_expect_repeated(pyossl_connection *connection, const unsigned char *data, size_t size)
{
    size_t last = size < sizeof(connection->repeated) ? size : sizeof(connection->repeated);

    if (last > 0)
        memcpy(connection->repeated, data + size - last, last);
    __atomic_store_n(&connection->repeats, size, __ATOMIC_RELAXED);
}

/* Whether this is the write that must be repeated, of which the first `before` bytes have been taken.  If it were another
 * one, bytes would be lost without an error. */
static int pyossl_is_same_write(const pyossl_connection *connection, const unsigned char *data, size_t size,
                                size_t before)
{
    size_t last = before < sizeof(connection->repeated) ? before : sizeof(connection->repeated);

    return size >= before && memcmp(data + before - last, connection->repeated, last) == 0;
}

/* Writes all of `data`; without waiting, as much as the transport takes.  Returns the number of bytes; if it fails,
 * `written` is how many have been taken. */
static long long pyossl_timeout_write_rest(pyossl_connection *connection, const void *data, size_t size, double timeout)
{
    connection->written = 0;
    if (connection->queues != NULL || timeout == 0)
        return pyossl_write(connection, data, size);
    return timeout < 0 ? pyossl_mutable_send(connection, data, size)
                       : pyossl_write_waiting(connection, data, size, timeout);
}

/* Writes all of `data`, and returns the number of bytes.  If it fails, or would have to wait, the program repeats the
 * same write, as it does with SSL_write(3): the bytes that have been taken are not sent again. */
static long long pyossl_timeout_write(pyossl_connection *connection, const void *data, size_t size, double timeout)
{
    size_t before = __atomic_load_n(&connection->repeats, __ATOMIC_RELAXED);
    long long result;

    if (before > 0 && !pyossl_is_same_write(connection, data, size, before))
        return PYOSSL_OTHER_WRITE;
    if (before > 0)
        pyossl_expect_repeated(connection, data, 0);
    result = pyossl_timeout_write_rest(connection, (const char *)data + before, size - before, timeout);
    if (result >= 0 && (size_t)result == size - before)
        return (long long)size;
    before += result >= 0 ? (size_t)result : connection->written;
    if (before > 0)
        pyossl_expect_repeated(connection, data, before);
    return result >= 0 ? -SSL_ERROR_WANT_WRITE : result;
}

/* The handshake.  0: it is finished. */
static long long pyossl_timeout_handshake(pyossl_connection *connection, double timeout)
{
    return timeout < 0 ? pyossl_mutable_handshake(connection) : pyossl_handshake_waiting(connection, timeout, 0);
}

/* SSL_shutdown(3), and once more if it has sent our close_notify and the peer's has not come.  1: both have been
 * exchanged; 0: the second call has not found the peer's either. */
static long long pyossl_shutdown_twice(pyossl_connection *connection)
{
    int result = pyossl_begin(connection);
    long long outcome = 0;

    if (result == PYOSSL_DEAD && connection->write_errno != 0)
        return PYOSSL_UNWRITTEN;
    if (result != 0)
        return result;
    if (connection->write_errno != 0)
        return pyossl_end(connection, PYOSSL_UNWRITTEN);
    if (connection->socket != NULL && connection->write_pending == 0 && (outcome = pyossl_flush(connection)) != 0)
        return pyossl_end(connection, outcome);
    for (int calls = 0; result == 0 && calls < 2; calls++) {
        outcome = pyossl_shutdown_step(connection, &result);
        if (result >= 0 && connection->socket != NULL) {
            long long flushed = pyossl_flush(connection);
            connection->socket->is_shut = 1;
            if (flushed != 0)
                return pyossl_end(connection, flushed);
        }
        if (connection->write_errno != 0)
            return pyossl_end(connection, PYOSSL_UNWRITTEN);
        connection->received_end |= result == 1;
    }
    return pyossl_end(connection, outcome);
}

/* The shutdown.  1: both close_notify alerts have been exchanged; 0: the peer's has not come. */
static long long pyossl_timeout_shutdown(pyossl_connection *connection, double timeout)
{
    long long deadline = 0, result;

    do {
        result = pyossl_shutdown_twice(connection);
        if (result >= 0 || !pyossl_may_wait(connection, result, timeout))
            return result;
        result = timeout < 0 ? pyossl_wait_as_caller(connection, result)
                             : pyossl_wait(connection, result, timeout, &deadline);
    } while (result == 0);
    return result;
}

/* SSL_pending(3), or below 0 PYOSSL_x.  Takes the lock. */
static long long pyossl_bytes_pending(pyossl_connection *connection)
{
    SSL *ssl = pyossl_enter(connection);
    long long pending;

    if (ssl == NULL)
        return PYOSSL_CLOSED;
    pending = SSL_pending(ssl);
    pyossl_connection_release(connection);
    return pending;
}
