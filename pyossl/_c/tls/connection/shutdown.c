/* The shutdown: the exchange of close_notify alerts (docs/pitfalls.md, 10). */

/* Whether data comes next: 1 if it does, for which SSL_shutdown(3) would fail; 0 if the peer's close_notify comes next;
 * below 0 as a read. */
static long long pyossl_next_is_data(pyossl_connection *connection)
{
    char byte;
    return pyossl_receive(connection, &byte, 1, 1);
}

/* One call of SSL_shutdown(3), between pyossl_begin and pyossl_end.  `*result` is what it returned. */
static long long pyossl_shutdown_step(pyossl_connection *connection, int *result)
{
    int is_held = pyossl_begin_step(connection);
    long long outcome;

    *result = SSL_shutdown(connection->ssl);
    pyossl_end_step(connection, is_held);
    outcome = *result >= 0 ? pyossl_done(*result) : pyossl_not_done(connection, *result);
    connection->sent_close_notify |= (SSL_get_shutdown(connection->ssl) & SSL_SENT_SHUTDOWN) != 0;
    return outcome;
}

/* Goes on with the shutdown, under the lock.  1: both close_notify alerts have been exchanged; 0: ours has been sent,
 * and the peer's has not been received. */
static long long pyossl_shutdown(pyossl_connection *connection)
{
    int result = pyossl_begin_to_send(connection);
    long long outcome;

    if (result != 0)
        return result;
    if (connection->write_errno != 0)
        return pyossl_end(connection, PYOSSL_UNWRITTEN);
    if (!SSL_is_init_finished(connection->ssl))
        return pyossl_end(connection, PYOSSL_TOO_EARLY);
    if (connection->write_pending != 0)
        return pyossl_end(connection, PYOSSL_WRITE_FIRST);
    if (connection->socket != NULL) {
        outcome = pyossl_flush(connection);
        if (outcome != 0)
            return pyossl_end(connection,
                              connection->write_errno != 0 ? pyossl_after_failed_write(connection, 0) : outcome);
        connection->flushed_close_notify |= connection->sent_close_notify;
    }
    if (connection->flushed_close_notify) {
        outcome = pyossl_next_is_data(connection);
        if (outcome != 0)
            return pyossl_end(connection, outcome > 0 ? 0 : outcome);
    }
    outcome = pyossl_shutdown_step(connection, &result);
    if (result >= 0 && connection->socket != NULL) {
        long long flushed = pyossl_flush(connection);
        connection->socket->is_shut = 1;
        if (flushed == -SSL_ERROR_WANT_WRITE)
            return pyossl_end(connection, flushed);
    }
    if (connection->write_errno != 0)
        return pyossl_end(connection, pyossl_after_failed_write(connection, outcome));
    connection->flushed_close_notify |= result >= 0;
    connection->received_end |= result == 1;
    return pyossl_end(connection, outcome);
}
