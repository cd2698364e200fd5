/* Reads that wait.
 *
 * If no data is buffered, a read does not try OpenSSL first: it blocks in recv(2), which is poll(2) and recv(2) in one
 * system call.  The received bytes go to the BIO, which has them ready when OpenSSL asks.  Only one thread does this at
 * a time, and no other thread takes bytes off the descriptor meanwhile.  SO_RCVTIMEO limits this wait. */

/* Whether no data is buffered, and a read can do nothing but ask the descriptor.  The caller holds the lock. */
static int pyossl_is_idle(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    return !connection->closed && !connection->busy && !connection->asked && !connection->dead
        && !connection->received_end && connection->socket != NULL
        && !connection->socket->receiving && connection->socket->received_errno == 0
        && pyossl_stretch_length(&connection->socket->gathered) == 0
        && !pyossl_holds_more(connection) && !SSL_renegotiate_pending(ssl)
        && (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) == 0;
}

/* The program's SO_RCVTIMEO, in seconds. */
static double pyossl_limit_in_seconds(const pyossl_socket *socket)
{
    return (double)socket->receive_limit.tv_sec + (double)socket->receive_limit.tv_usec / 1e6;
}

/* Sets SO_RCVTIMEO to `timeout` seconds, or to the longest wait if that is shorter or `timeout` is below 0. */
static void pyossl_set_receive_timeout(pyossl_socket *socket, double timeout)
{
    long limit = timeout < 0 || timeout * 1000 > PYOSSL_LONGEST_WAIT ? PYOSSL_LONGEST_WAIT * 1000L
                                                                     : (long)(timeout * 1e6) + 1;
    struct timeval interval = {limit / 1000000, limit % 1000000};

    if (socket->receive_timeout == limit)
        return;
    (void)pyossl_limit_of(socket, PYOSSL_RECEIVES);
    if (setsockopt(socket->fd, SOL_SOCKET, SO_RCVTIMEO, &interval, sizeof(interval)) == 0)
        socket->receive_timeout = limit;
}

/* recv(2) of at most `size` bytes, which the BIO keeps.  The caller holds the lock, which is released during the wait.
 * 0: the lock is held; it is not after any other answer.  PYOSSL_x; -SSL_ERROR_WANT_READ: the descriptor does not block,
 * or its time limit has passed. */
static long long pyossl_receive_ahead(pyossl_connection *connection, unsigned char *bytes, size_t size)
{
    pyossl_socket *socket = connection->socket;
    int fd = socket->fd, is_still = pyossl_is_still(&socket->file, fd), sys_errno;
    ssize_t result;

    socket->receiving = 1;
    __atomic_fetch_add(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    pyossl_connection_release(connection);

    result = is_still ? recv(fd, bytes, size, 0) : -1;
    sys_errno = result >= 0 ? 0 : is_still ? errno : EBADF;
    if (sys_errno == EWOULDBLOCK)
        sys_errno = EAGAIN;

    __atomic_fetch_sub(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    if (!pyossl_connection_acquire(connection)) {
        pyossl_stretch_give_back(bytes);
        return PYOSSL_INHERITED;
    }
    if (connection->closed) {
        pyossl_connection_release(connection);
        pyossl_stretch_give_back(bytes);
        return PYOSSL_CLOSED;
    }
    socket->receiving = 0;
    if (connection->turn_waiters > 0)
        pthread_cond_broadcast(&connection->turn);
    if (result > 0) {
        socket->ahead.bytes = bytes;
        socket->ahead.end = (size_t)result;
    } else {
        pyossl_stretch_give_back(bytes);
        if (sys_errno != EINTR && sys_errno != EAGAIN)
            socket->received_errno = sys_errno;
    }
    if (sys_errno != EINTR && sys_errno != EAGAIN)
        return 0;
    pyossl_connection_release(connection);
    return sys_errno == EINTR ? PYOSSL_INTERRUPTED : -SSL_ERROR_WANT_READ;
}

/* pyossl_read after pyossl_receive_ahead: the caller holds the lock, which is released. */
static long long pyossl_read_ahead(pyossl_connection *connection, void *buffer, size_t size)
{
    long long result;

    pyossl_locked = connection;
    result = pyossl_read(connection, buffer, size);
    pyossl_connection_release(connection);
    return result;
}

/* The first wait of a read of `size` bytes, in recv(2).  1: bytes have been received, and the lock is held; 0: this wait
 * is not possible, or took too long, and the ordinary step comes next; else PYOSSL_x.  Takes the lock. */
static long long pyossl_wait_in_receive(pyossl_connection *connection, size_t size, double timeout, long long *deadline)
{
    unsigned char *bytes = NULL;
    long long result;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (pyossl_is_idle(connection) && (size = pyossl_allowance(connection, size, 0, 0)) > 0)
        bytes = pyossl_stretch_borrow();
    if (bytes == NULL) {
        pyossl_connection_release(connection);
        return 0;
    }
    if (timeout > 0) {
        *deadline = pyossl_deadline(timeout);
    } else {
        pyossl_limit_as_set(connection, PYOSSL_RECEIVES, deadline);
        timeout = *deadline == 0 ? timeout : pyossl_limit_in_seconds(connection->socket);
    }
    pyossl_set_receive_timeout(connection->socket, timeout);
    result = pyossl_receive_ahead(connection, bytes, size < PYOSSL_STRETCH ? size : PYOSSL_STRETCH);
    return result == 0 ? 1 : pyossl_after_wait(result == -SSL_ERROR_WANT_READ ? 0 : result);
}

/* Goes on with a read after a step with `result`, until there is data; takes the lock for each step.  Returns the number
 * of bytes; 0: the peer has sent its close_notify. */
static long long pyossl_receive_waiting(pyossl_connection *connection, void *buffer, size_t size, long long result,
                                        pyossl_read_call *step, double timeout, long long *deadline)
{
    while (result < 0 && pyossl_may_wait(connection, result, timeout)) {
        result = pyossl_for_a_read(pyossl_wait(connection, result, timeout, deadline));
        if (result == 0)
            result = step(connection, buffer, size);
    }
    return result;
}

/* Reads up to `size` bytes, and waits until there are some.  Returns their number; 0: the peer has sent its
 * close_notify; below 0 the failure.  Takes the lock for each step. */
static long long pyossl_read_waiting(pyossl_connection *connection, void *buffer, size_t size, double timeout)
{
    long long deadline = 0, result = 0;

    if (timeout != 0 && size > 0)
        result = pyossl_wait_in_receive(connection, size, timeout, &deadline);
    if (result < 0)
        return result;
    result = result == 1 ? pyossl_read_ahead(connection, buffer, size) : pyossl_read(connection, buffer, size);
    return pyossl_receive_waiting(connection, buffer, size, result, pyossl_read, timeout, &deadline);
}

/* As pyossl_read_waiting, but the bytes stay to be read. */
static long long pyossl_peek_waiting(pyossl_connection *connection, void *buffer, size_t size, double timeout)
{
    long long deadline = 0;
    return pyossl_receive_waiting(connection, buffer, size, pyossl_peek(connection, buffer, size), pyossl_peek, timeout,
                                  &deadline);
}

/* pyossl_read_early_data, with waits: the number of bytes; 0: no more early data will come. */
static long long pyossl_read_early_data_waiting(pyossl_connection *connection, void *buffer, size_t size, double timeout)
{
    long long deadline = 0, result = pyossl_read_early_data(connection, buffer, size);
    return pyossl_receive_waiting(connection, buffer, size, result, pyossl_read_early_data, timeout, &deadline);
}

/* Reading and peeking with the connection's own timeout. */
static long long pyossl_recv(pyossl_connection *connection, void *buffer, size_t size)
{
    return pyossl_read_waiting(connection, buffer, size, connection->timeout);
}

static long long pyossl_recv_peek(pyossl_connection *connection, void *buffer, size_t size)
{
    return pyossl_peek_waiting(connection, buffer, size, connection->timeout);
}

/* How many bytes a read returns without the descriptor; 1 also if the end or a failure comes next.  Bytes that were
 * received ahead are decrypted for the answer.  Takes the lock. */
static long long pyossl_pending(pyossl_connection *connection)
{
    int answer = pyossl_begin(connection);
    long long result;
    char byte;

    if (answer != 0)
        return answer == PYOSSL_DEAD ? 1 : answer;
    result = connection->received_end ? 1 : SSL_pending(connection->ssl);
    if (result == 0 && connection->socket != NULL && pyossl_stretch_length(&connection->socket->ahead) > 0) {
        connection->socket->receiving++;    /* this keeps the BIO from reading the descriptor */
        result = pyossl_receive(connection, &byte, 1, 1);
        connection->socket->receiving--;
        if (result == -SSL_ERROR_WANT_READ || result == -SSL_ERROR_WANT_WRITE)
            result = 0;
        else
            result = result > 0 ? SSL_pending(connection->ssl) : 1;
    }
    return pyossl_end(connection, result);
}
