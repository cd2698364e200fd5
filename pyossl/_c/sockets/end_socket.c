/* File. */

/* Whether a child process may have the socket too. */
static int pyossl_may_be_shared(const pyossl_connection *connection)
{
    return connection->forks != pyossl_forks;
}

/* Wakes every thread that waits for the descriptor of a closed connection, and returns when none does: only then may
 * the descriptor be closed, or its number could be another file's by the time that somebody waits for it.  A socket that
 * goes on elsewhere is not shut down: no wait is longer than PYOSSL_LONGEST_WAIT. */
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

/* Takes what has arrived off the descriptor, within reason: the kernel answers a close with unread bytes by a reset. */
static void pyossl_discard_received(int fd)
{
    enum { REASON = 1 << 20 };
    char bytes[16384];
    ssize_t result = 1;

    for (size_t taken = 0; result > 0 && taken < REASON; taken += (size_t)result)
        result = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

/* Leaves the descriptor as it was; how many bytes have been taken off it that no call has read. */
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

/* Says close_notify, if that needs no waiting, frees the SSL, takes what has arrived off the descriptor and lets go whoever
 * waits.  In that order: another thread that reads meanwhile would meet the middle of a record.  What has arrived before
 * the handshake began may be for another process that has the socket, too. */
static long long pyossl_end_socket_once(pyossl_connection *connection)
{
    int has_begun = !pyossl_has_no_keys(connection);
    long long said = pyossl_shutdown(connection), closed;

    if (said == PYOSSL_BUSY)
        return said;
    pyossl_restore_limits(connection);    /* a child process may have the socket too, or the program a copy by dup(2) */
    closed = pyossl_close(connection);    /* the peer may be gone, or the handshake unfinished: there is nobody to tell */
    if (closed != 0)
        return closed < 0 ? closed : 0;
    if (has_begun)
        pyossl_discard_received(connection->fd);
    pyossl_wake_waiters(connection, !pyossl_may_be_shared(connection));
    return said == PYOSSL_PARKED ? said : 0;
}

/* Ends a connection over a socket of pyossl's own, which is to be closed next.  0, or PYOSSL_PARKED where a callback
 * raised; PYOSSL_INHERITED or PYOSSL_BUSY where it is not this call's to end.  All under the lock: another thread that
 * closes too finds it done, and does not close the descriptor before we have left it. */
static long long pyossl_end_socket(pyossl_connection *connection)
{
    long long result;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    result = pyossl_end_socket_once(connection);
    pyossl_connection_release(connection);
    return result;
}

/* Ends a connection whose descriptor somebody else goes on with: nothing is sent or received, and the descriptor is as it
 * was given.  0, or PYOSSL_INHERITED or PYOSSL_BUSY as above. */
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
