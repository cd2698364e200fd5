/* A read for an event loop, which waits only for the descriptor.
 *
 * There can be bytes that the descriptor no longer shows: more data than the buffer had room for, a close_notify or a
 * failure that came with the last data, and bytes that were left because the budget was used up.  Then the result says
 * that the next read must not wait; if there is no data to return, it is PYOSSL_PAUSED. */

/* As pyossl_read, under the lock; the result can have PYOSSL_MORE, or be PYOSSL_PAUSED. */
static long long pyossl_read_step(pyossl_connection *connection, void *buffer, size_t size)
{
    long long result = pyossl_begin(connection);
    int more;

    if (result != 0)
        return result;
    connection->pauses_early = 1;
    result = pyossl_receive(connection, buffer, size, 0);
    if (result == -SSL_ERROR_WANT_READ && connection->paused)
        result = PYOSSL_PAUSED;
    more = result > 0
        && ((size_t)result == size || connection->received_end || connection->dead || connection->paused);
    return pyossl_end(connection, more ? result | PYOSSL_MORE : result);
}
