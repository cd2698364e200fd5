/* A read for an event loop, which waits for the descriptor alone.
 *
 * What the descriptor no longer shows may be here: bytes behind a buffer that was filled, a close_notify or a failure
 * that came with the last of the data.  A read that leaves such a thing to the next says so; PYOSSL_PAUSED is one that
 * has taken its budget and come to nothing, and goes on in another turn of the loop. */

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
    more = result > 0 && ((size_t)result == size || connection->received_end || connection->dead);
    return pyossl_end(connection, more ? result | PYOSSL_MORE : result);
}
