/* The end of a connection over a socket of pyossl's own. */

/* Whether a child process may have the socket too. */
static int pyossl_may_be_shared(const pyossl_connection *connection)
{
    return connection->forks != pyossl_forks;
}

/* Wakes every thread that waits for the descriptor of a closed connection, and returns when none waits any more.  Only
 * then may the descriptor be closed: otherwise its number could belong to another file when a thread begins to wait for
 * it.  A socket that is used elsewhere is not shut down: its waits end by themselves within PYOSSL_LONGEST_WAIT. */
static void pyossl_wake_waiters(pyossl_connection *connection, int shuts_down)
{
    int patience = PYOSSL_LONGEST_WAIT + 500;

    if (__atomic_load_n(&connection->waiters, __ATOMIC_SEQ_CST) == 0)
        return;
    if (shuts_down)
        shutdown(connection->fd, SHUT_RDWR);
    while (__atomic_load_n(&connection->waiters, __ATOMIC_SEQ_CST) > 0 && patience-- > 0)
        usleep(1000);
}

/* Reads and drops up to a megabyte that has arrived on the descriptor, because the kernel answers a close with unread
 * bytes by a reset.  Takes no lock. */
static void pyossl_discard_received(int fd)
{
    enum { REASON = 1 << 20 };
    char bytes[16384];
    ssize_t result = 1;

    for (size_t taken = 0; result > 0 && taken < REASON; taken += (size_t)result)
        result = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

/* Sets the socket's options back to the program's.  Returns how many bytes were taken off the descriptor that no call
 * has read.  Takes the lock. */
static size_t pyossl_leave_socket(pyossl_connection *connection)
{
    size_t ahead = 0;

    if (!pyossl_connection_acquire(connection))
        return 0;
    if (connection->socket != NULL)
        ahead = pyossl_stretch_length(&connection->socket->ahead);
    pyossl_restore_limits(connection);
    pyossl_connection_release(connection);
    return ahead;
}

/* Sends close_notify if that needs no waiting, frees the SSL, drops the bytes that have arrived, and wakes waiting
 * threads.  The order matters: another thread that reads meanwhile would meet the middle of a record.  Bytes that
 * arrived before the handshake began are left: they may be for another process that has the socket too. */
static long long pyossl_end_socket_once(pyossl_connection *connection)
{
    int has_begun = !pyossl_has_no_keys(connection);
    long long said = pyossl_shutdown(connection), closed;

    if (said == PYOSSL_BUSY)
        return said;
    pyossl_restore_limits(connection);    /* a child process may have the socket too, or the program a copy by dup(2) */
    closed = pyossl_close(connection);    /* the result of the shutdown does not matter: the peer may be gone */
    if (closed != 0)
        return closed < 0 ? closed : 0;
    if (has_begun)
        pyossl_discard_received(connection->fd);
    pyossl_wake_waiters(connection, !pyossl_may_be_shared(connection));
    return said == PYOSSL_PARKED ? said : 0;
}

/* Ends a connection over a socket of pyossl's own, which the caller closes next.  0; PYOSSL_PARKED: a callback raised;
 * PYOSSL_INHERITED or PYOSSL_BUSY: this call may not end it.  All of it is done under the lock, so another thread that
 * closes too finds the connection closed, and does not close the descriptor before this call is done with it. */
static long long pyossl_end_socket(pyossl_connection *connection)
{
    long long result;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    result = pyossl_end_socket_once(connection);
    pyossl_connection_release(connection);
    return result;
}

/* Ends a connection whose descriptor is used on without it: nothing is sent or received, and the descriptor is as it
 * was given.  0, PYOSSL_INHERITED or PYOSSL_BUSY as above.  Takes the lock. */
static long long pyossl_detach_socket(pyossl_connection *connection)
{
    long long result = PYOSSL_BUSY;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (!connection->busy) {
        pyossl_restore_limits(connection);
        result = pyossl_close(connection);
        if (result == 0)
            pyossl_wake_waiters(connection, 0);
    }
    pyossl_connection_release(connection);
    return result > 0 ? 0 : result;
}
