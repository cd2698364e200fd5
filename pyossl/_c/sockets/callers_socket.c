/* Connections over memory, or over a socket that stays the caller's, which blocks or does not as the caller says at any
 * time.  pyossl's own BIO is below, whose calls never wait; what the caller's socket would have waited for is waited for
 * here, outside of the connection's lock (docs/pitfalls.md, 15), and what it would not have waited for is the answer.
 *
 * Whether the descriptor blocks is asked when there is something to wait for; `blocks` remembers it in the meantime.
 * By it a reader that knows of nothing to read begins with recv(2) of the next record's header, which waits or does not
 * as the descriptor does, and a writer takes the turn, since he may have to wait in the middle.  Where it is wrong by
 * now the call costs a look more, and comes to the same.
 *
 * Nothing but the records that a read needs is taken off the descriptor: what follows them, without TLS maybe, is the
 * caller's to receive, and select(2) tells him of it. */

static pyossl_connection *pyossl_connection_over_callers_socket(SSL_CTX *context, int fd)
{
    pyossl_connection *connection = pyossl_connection_over_socket(context, 0, fd);

    if (connection == NULL)
        return NULL;
    pyossl_check_descriptor(connection);
    connection->keeps_to_records = 1;
    connection->blocks = !SSL_is_dtls(connection->ssl);
    if (!connection->blocks) {
        connection->socket->attended = 0;
        connection->socket = NULL;    /* datagrams are not gathered */
    }
    return connection;
}

static int pyossl_descriptor_blocks(pyossl_connection *connection)
{
    /* Of a descriptor that is closed the next step tells. */
    int flags = connection->fd < 0 ? O_NONBLOCK : fcntl(connection->fd, F_GETFL);
    int blocks = flags < 0 || !(flags & O_NONBLOCK);

    __atomic_store_n(&connection->blocks, blocks && connection->socket != NULL, __ATOMIC_RELAXED);
    return blocks;
}

static int pyossl_expects_to_wait(const pyossl_connection *connection)
{
    return __atomic_load_n(&connection->blocks, __ATOMIC_RELAXED);
}

/* How long the caller's socket waits for what `outcome` names, SO_RCVTIMEO or SO_SNDTIMEO; below 0 for ever. */
static double pyossl_callers_timeout(const pyossl_connection *connection, long long outcome)
{
    struct timeval limit = {0, 0};
    socklen_t size = sizeof(limit);
    int option = outcome == -SSL_ERROR_WANT_WRITE ? SO_SNDTIMEO : SO_RCVTIMEO;

    if (getsockopt(connection->fd, SOL_SOCKET, option, &limit, &size) != 0 || (limit.tv_sec == 0 && limit.tv_usec == 0))
        return -1;
    return (double)limit.tv_sec + (double)limit.tv_usec / 1e6;
}

/* What comes after a step that came to `outcome`: 0 where the step is to be made again, else the answer of the call.
 * Each wait has the socket's time limit of its own, as each recv(2) has; a poll(2) that is interrupted goes on with the
 * rest of it. */
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

static long long pyossl_mutable_handshake(pyossl_connection *connection)
{
    long long result;

    do {
        result = pyossl_handshake(connection);
    } while (result < 0 && (result = pyossl_wait_as_caller(connection, result)) == 0);
    return result;
}

/* The wait of a read that has nothing to go by, in recv(2) itself, for the header of the next record; 0, or what
 * pyossl_receive_ahead came to. */
static long long pyossl_wait_for_header(pyossl_connection *connection)
{
    unsigned char *bytes;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (pyossl_is_idle(connection) && SSL_is_init_finished(connection->ssl)
        && (bytes = pyossl_stretch_borrow()) != NULL)
        return pyossl_after_wait(pyossl_receive_ahead(connection, bytes, SSL3_RT_HEADER_LENGTH));
    pyossl_connection_release(connection);
    return 0;
}

/* 0 bytes: the peer has sent its close_notify. */
static long long pyossl_mutable_read(pyossl_connection *connection, void *buffer, size_t size)
{
    long long result = 0;

    if (size > 0 && pyossl_expects_to_wait(connection)) {
        result = pyossl_wait_for_header(connection);
        if (result == -SSL_ERROR_WANT_READ) {
            pyossl_descriptor_blocks(connection);
            return pyossl_read(connection, buffer, size);    /* OpenSSL is to know what it wants */
        }
        if (result != 0)
            return result;
    }
    do {
        result = pyossl_read(connection, buffer, size);
    } while (result < 0 && (result = pyossl_wait_as_caller(connection, result)) == 0);
    return result;
}

/* Goes on at the byte that `done` tells; 1 where all is written. */
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

/* All of `data`; of more than a record some may have been sent whatever the answer is. */
static long long pyossl_mutable_send(pyossl_connection *connection, const char *data, size_t size)
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
    if (has_turn) {
        if (result < 0)
            pyossl_keep_pending(connection, data + done);
        pyossl_give_turn(connection);
    }
    return result == 1 ? (long long)size : result;
}

/* As pyossl_shutdown; behind another thread's record that waits. */
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
