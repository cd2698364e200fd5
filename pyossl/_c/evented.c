/* A read for an event loop, which waits for the descriptor alone.
 *
 * What the descriptor no longer shows may be here: bytes behind a buffer that was filled, a close_notify or a failure
 * that came with the last of the data.  A read that leaves such a thing to the next says so. */

#define PYOSSL_MORE (1LL << 40)    /* besides the bytes: read again without waiting */

static long long pyossl_read_step(pyossl_connection *connection, void *buffer, size_t size)
{
    long long result = pyossl_read(connection, buffer, size);
    int more = result > 0 && ((size_t)result == size || connection->received_end || connection->dead);

    return more ? result | PYOSSL_MORE : result;
}
