/* A read for an event loop, which waits for the descriptor alone.
 *
 * What the descriptor no longer shows may be here: bytes behind a buffer that was filled, a close_notify or a failure
 * that came with the last of the data, and what a read has not looked at any more because its budget was used up.  A
 * read that leaves such a thing to the next says so; where it has no data to return it answers PYOSSL_PAUSED. */

#define PYOSSL_MORE (1LL << 40)    /* besides the bytes: read again without waiting */

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
