/* The struct of hot_calls.h, and what only the methods in fast.c need: they hold Python's GIL and the connection's lock
 * at the same time.
 *
 * A thread must not wait for the lock while it holds the GIL: the thread that has the lock may be in a callback, which
 * needs the GIL.  So a method tries the lock, and if another thread has it, releases the GIL and waits.
 *
 * A method that moves bytes between the program and the memory BIO copies them under both.  A method that reads or
 * writes a short message of an open connection in memory calls OpenSSL under both, because releasing the GIL and taking
 * it again would cost as much as the encryption.  Another thread that makes a longer call holds the lock then, and the
 * GIL is released. */

_Static_assert(PYOSSL_RECORD == SSL3_RT_MAX_PLAIN_LENGTH, "hot_calls.h must agree with OpenSSL");

enum { PYOSSL_SHORT = 2048 };    /* the most bytes of a short message: they take a microsecond or two */

/* Reading, peeking and writing.  If the descriptor is the caller's, they wait as the caller has set it. */
static long long pyossl_hot_read(pyossl_connection *connection, void *buffer, size_t size)
{
    return connection->has_callers_descriptor ? pyossl_mutable_read(connection, buffer, size)
                                              : pyossl_read(connection, buffer, size);
}

static long long pyossl_hot_peek(pyossl_connection *connection, void *buffer, size_t size)
{
    return connection->has_callers_descriptor ? pyossl_mutable_peek(connection, buffer, size)
                                              : pyossl_peek(connection, buffer, size);
}

static long long pyossl_hot_write(pyossl_connection *connection, const void *data, size_t size)
{
    return connection->has_callers_descriptor ? pyossl_mutable_send(connection, data, size)
                                              : pyossl_write(connection, data, size);
}

/* Takes the lock.  0: taken, until pyossl_connection_release; below 0: PYOSSL_x. */
static long long pyossl_hot_lock(pyossl_connection *connection)
{
    return pyossl_connection_acquire(connection) ? 0 : PYOSSL_INHERITED;
}

/* Takes the lock if that needs no waiting.  1: taken, until pyossl_connection_release. */
static int pyossl_try_lock(pyossl_connection *connection)
{
    return connection->lock == &connection->own_lock && pyossl_lock_try(connection->lock);
}

/* How many of the peer's bytes wait for a connection in memory.  The caller holds the lock. */
static size_t pyossl_bytes_received(const pyossl_connection *connection)
{
    return connection->memory != NULL ? pyossl_kept_length(&connection->memory->incoming)
                                      : pyossl_queue_length(connection->queues->incoming);
}

/* Begins a call that keeps the GIL, for `size` bytes.  1: the lock is taken, until pyossl_end_short; 0: the call must
 * release the GIL.  A handshake may take long and wait, so the connection must be open, and what a read may find is as
 * short as what a write may send. */
static int pyossl_begin_short(pyossl_connection *connection, size_t size)
{
    if (size > PYOSSL_SHORT || (connection->memory == NULL && connection->queues == NULL)
        || !pyossl_try_lock(connection))
        return 0;
    if (!connection->closed && !connection->dead && !connection->busy && connection->is_open
        && connection->is_peer_checked && SSL_is_init_finished(connection->ssl)
        && (connection->live == NULL || !pyossl_reads_context(connection))
        && pyossl_bytes_received(connection) + size <= PYOSSL_SHORT) {
        pyossl_locked = connection;
        connection->keeps_gil = 1;
        return 1;
    }
    pyossl_connection_release(connection);
    return 0;
}

static void pyossl_end_short(pyossl_connection *connection)
{
    connection->keeps_gil = 0;
    pyossl_connection_release(connection);
}

/* Bytes have been taken from the connection or given to it, and the program will not learn of it: the connection has
 * failed. */
static void pyossl_fail_with_lost_bytes(pyossl_connection *connection)
{
    if (!pyossl_connection_acquire(connection))
        return;
    connection->dead = connection->has_lost_bytes = 1;
    pyossl_connection_release(connection);
}

/* The address of the struct, as Python's number. */
static uintptr_t pyossl_hot_calls_address(void)
{
    static const pyossl_hot_calls calls = {
        .size = sizeof(calls),
        .read = pyossl_hot_read,
        .peek = pyossl_hot_peek,
        .write = pyossl_hot_write,
        .recv = pyossl_recv,
        .recv_peek = pyossl_recv_peek,
        .send = pyossl_send,
        .read_step = pyossl_read_step,
        .receive_data = pyossl_receive_data,
        .data_to_send = pyossl_data_to_send,
        .bytes_to_send = pyossl_bytes_to_send,
        .encrypt = pyossl_encrypt,
        .decrypt = pyossl_decrypt,
        .try_lock = pyossl_try_lock,
        .lock = pyossl_hot_lock,
        .unlock = pyossl_connection_release,
        .begin_short = pyossl_begin_short,
        .end_short = pyossl_end_short,
        .timeout_read = pyossl_timeout_read,
        .timeout_write = pyossl_timeout_write,
        .bytes_pending = pyossl_bytes_pending,
        .queue_new = pyossl_queue_new,
        .queue_free = pyossl_queue_free,
        .queue_write = pyossl_queue_write,
        .queue_read = pyossl_queue_read,
        .queue_length = pyossl_queue_length,
        .queue_end = pyossl_queue_end,
        .queue_is_at_end = pyossl_queue_is_at_end,
        .fail_with_lost_bytes = pyossl_fail_with_lost_bytes,
    };

    return (uintptr_t)&calls;
}

/* The address of a connection, as Python's number. */
static uintptr_t pyossl_address(const pyossl_connection *connection)
{
    return (uintptr_t)connection;
}
