/* The calls of a mutable connection, over memory or over a socket that belongs to the caller.
 *
 * The caller can switch its socket between blocking and non-blocking mode at any time.  The BIO below is pyossl's own,
 * whose calls never wait.  If the caller's socket would wait, the wait is made here, without the connection's lock
 * (docs/pitfalls.md, 15); if it would not, the outcome is the answer.
 *
 * The descriptor's mode is looked up when there is something to wait for, and `blocks` remembers it until then.  If it
 * blocks, a reader without buffered data begins with recv(2) of the next record's header, and a writer takes the
 * writers' turn, because it may have to wait in the middle.  If `blocks` is out of date, the call looks once more, and
 * has the same result.
 *
 * Only the records that a read needs are taken off the descriptor.  The bytes after them, which may not be TLS, are
 * left for the caller, and select(2) reports them. */

/* A connection over a socket that belongs to the caller.  NULL if it fails. */
static pyossl_connection *pyossl_connection_over_callers_socket(SSL_CTX *context, int fd)
{
    pyossl_connection *connection = pyossl_connection_over_socket(context, 0, fd);

    if (connection == NULL)
        return NULL;
    pyossl_check_descriptor(connection);
    connection->keeps_to_records = connection->has_callers_descriptor = 1;
    connection->blocks = !SSL_is_dtls(connection->ssl);
    if (!connection->blocks) {
        connection->socket->attended = 0;
        connection->socket = NULL;    /* datagrams are not gathered */
    }
    return connection;
}

/* Looks up whether the descriptor blocks, and remembers it. */
static int pyossl_descriptor_blocks(pyossl_connection *connection)
{
    /* If the descriptor is closed, the next step reports it. */
    int flags = connection->fd < 0 ? O_NONBLOCK : fcntl(connection->fd, F_GETFL);
    int blocks = flags < 0 || !(flags & O_NONBLOCK);

    __atomic_store_n(&connection->blocks, blocks && connection->socket != NULL, __ATOMIC_RELAXED);
    return blocks;
}

/* Whether the descriptor blocked when that was last looked up. */
static int pyossl_expects_to_wait(const pyossl_connection *connection)
{
    return __atomic_load_n(&connection->blocks, __ATOMIC_RELAXED);
}

/* The time limit of the caller's socket, SO_RCVTIMEO or SO_SNDTIMEO by `outcome`, in seconds; below 0: none. */
static double pyossl_callers_timeout(const pyossl_connection *connection, long long outcome)
{
    struct timeval limit = {0, 0};
    socklen_t size = sizeof(limit);
    int option = outcome == -SSL_ERROR_WANT_WRITE ? SO_SNDTIMEO : SO_RCVTIMEO;

    if (getsockopt(connection->fd, SOL_SOCKET, option, &limit, &size) != 0 || (limit.tv_sec == 0 && limit.tv_usec == 0))
        return -1;
    return (double)limit.tv_sec + (double)limit.tv_usec / 1e6;
}

/* Waits after a step with `outcome` as the caller's socket would.  0: the step must be repeated; else the answer of the
 * call.  Each wait has the socket's full time limit, as each recv(2) has; a poll(2) that is interrupted goes on with
 * the rest of it.  Takes the lock. */
static long long pyossl_wait_as_caller(pyossl_connection *connection, long long outcome)
{
    long long deadline = 0, waited, result;
    int timed_out;

    if ((outcome != -SSL_ERROR_WANT_READ && outcome != -SSL_ERROR_WANT_WRITE) || !pyossl_descriptor_blocks(connection))
        return outcome;
    do {
        waited = pyossl_wait_once(connection, outcome, pyossl_callers_timeout(connection, outcome), &deadline);
        result = pyossl_after_wait(waited);
        timed_out = deadline != 0 && pyossl_now() >= deadline;
    } while (result == 0 && (waited == PYOSSL_INTERRUPTED || (waited == 0 && timed_out)));
    return result == PYOSSL_TIMED_OUT ? outcome : result;
}

/* As pyossl_handshake; waits if the socket blocks.  Takes the lock for each step. */
static long long pyossl_mutable_handshake(pyossl_connection *connection)
{
    long long result;

    do {
        result = pyossl_handshake(connection);
    } while (result < 0 && (result = pyossl_wait_as_caller(connection, result)) == 0);
    return result;
}

/* If no data is buffered, waits in recv(2) for the header of the next record.  1: it has been received, and the lock is
 * held; 0: there was nothing to wait for; else the result of pyossl_receive_ahead.  Takes the lock. */
static long long pyossl_wait_for_header(pyossl_connection *connection)
{
    unsigned char *bytes;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (pyossl_is_idle(connection) && SSL_is_init_finished(connection->ssl)
        && (bytes = pyossl_stretch_borrow()) != NULL) {
        long long result = pyossl_receive_ahead(connection, bytes, SSL3_RT_HEADER_LENGTH);
        return result == 0 ? 1 : pyossl_after_wait(result);
    }
    pyossl_connection_release(connection);
    return 0;
}

/* Reads up to `size` bytes, one record at most; waits if the socket blocks.  Returns their number; 0: the peer has sent
 * its close_notify.  Takes the lock for each step. */
static long long pyossl_mutable_read(pyossl_connection *connection, void *buffer, size_t size)
{
    long long result = 0;

    if (size > PYOSSL_RECORD)
        size = PYOSSL_RECORD;
    if (size > 0 && pyossl_expects_to_wait(connection)) {
        result = pyossl_wait_for_header(connection);
        if (result == -SSL_ERROR_WANT_READ) {
            pyossl_descriptor_blocks(connection);
            return pyossl_read(connection, buffer, size);    /* so that SSL_want(3) is right */
        }
        if (result < 0)
            return result;
    }
    result = result == 1 ? pyossl_read_ahead(connection, buffer, size) : pyossl_read(connection, buffer, size);
    while (result < 0 && (result = pyossl_for_a_read(pyossl_wait_as_caller(connection, result))) == 0)
        result = pyossl_read(connection, buffer, size);
    return result;
}

/* As pyossl_mutable_read, but the bytes stay to be read. */
static long long pyossl_mutable_peek(pyossl_connection *connection, void *buffer, size_t size)
{
    long long result;

    do {
        result = pyossl_peek(connection, buffer, size);
    } while (result < 0 && (result = pyossl_for_a_read(pyossl_wait_as_caller(connection, result))) == 0);
    return result;
}

/* Goes on with a write at byte `done`.  1: all is written. */
static long long pyossl_mutable_write_on(pyossl_connection *connection, const char *data, size_t size, int has_turn,
                                         size_t *done)
{
    size_t slices = 0;
    long long result;

    do {
        size_t slice = size - *done < PYOSSL_SLICE ? size - *done : PYOSSL_SLICE;
        result = pyossl_write_step(connection, data + *done, slice, has_turn);
        if (result >= 0) {
            *done += (size_t)result;
            result = *done == size ? 1 : has_turn ? pyossl_after_slice(++slices, 0) : 0;
        } else if (has_turn) {
            result = pyossl_wait_as_caller(connection, result);
        }
    } while (result == 0);
    return result;
}

/* Writes all of `data`; waits if the socket blocks.  If it fails and `data` is longer than a record, a part may have
 * been sent.  Takes the lock for each step, and the writers' turn if it may wait. */
static long long pyossl_mutable_send(pyossl_connection *connection, const void *data, size_t size)
{
    size_t done = 0;
    long long deadline = 0, result = 0;
    int has_turn = 0;

    if (pyossl_expects_to_wait(connection) || (size > PYOSSL_RECORD && pyossl_descriptor_blocks(connection)))
        has_turn = (result = pyossl_take_turn(connection, -1, &deadline)) == 0;
    if (result != 0)
        return result;
    result = pyossl_mutable_write_on(connection, data, size, has_turn, &done);
    if (!has_turn && done == 0 && (result == -SSL_ERROR_WANT_READ || result == -SSL_ERROR_WANT_WRITE)
        && pyossl_descriptor_blocks(connection)) {
        result = pyossl_take_turn(connection, -1, &deadline);
        if (result != 0)
            return result;
        has_turn = 1;
        result = pyossl_mutable_write_on(connection, data, size, has_turn, &done);
    }
    connection->written = done;
    if (has_turn) {
        if (result < 0)
            pyossl_keep_pending(connection, data + done);
        pyossl_give_turn(connection);
    }
    return result == 1 ? (long long)size : result;
}

/* As pyossl_shutdown; waits if the socket blocks, and then after another thread's write.  Takes the lock for each
 * step. */
static long long pyossl_mutable_shutdown(pyossl_connection *connection)
{
    long long deadline = 0, result;
    int has_turn = 0;

    if (pyossl_expects_to_wait(connection)) {
        result = pyossl_take_turn(connection, -1, &deadline);
        if (result != 0)
            return result;
        has_turn = 1;
    }
    do {
        result = pyossl_shutdown(connection);
    } while (result < 0 && (result = pyossl_wait_as_caller(connection, result)) == 0);
    if (has_turn)
        pyossl_give_turn(connection);
    return result;
}
