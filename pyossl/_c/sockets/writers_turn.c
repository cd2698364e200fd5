/* The writers' turn.
 *
 * A record that could not be sent must be repeated before anything else is written (docs/pitfalls.md, 8).  So a writer
 * has the turn from its first byte to its last, and keeps it while a signal's handler runs. */

/* Whether this thread has the turn.  The caller holds the lock. */
static int pyossl_has_turn(const pyossl_connection *connection)
{
    return connection->writing && pthread_equal(connection->writer, pthread_self());
}

/* Gives the turn, which nobody has, to this thread.  The caller holds the lock. */
static void pyossl_start_turn(pyossl_connection *connection)
{
    connection->writing = 1;
    connection->writer = pthread_self();
}

/* Waits until another thread gives up the turn, or returns from recv(2); at most PYOSSL_LONGEST_WAIT.  The caller holds
 * the lock, which is released during the wait.  PYOSSL_PAUSED, or another PYOSSL_x. */
static long long pyossl_wait_for_turn(pyossl_connection *connection, double timeout, long long *deadline)
{
    struct timespec until;
    long long left = PYOSSL_LONGEST_WAIT * 1000000LL;

    if (timeout == 0)
        return -SSL_ERROR_WANT_WRITE;
    if (timeout > 0) {
        if (*deadline == 0)
            *deadline = pyossl_deadline(timeout);
        if (*deadline - pyossl_now() < left)
            left = *deadline - pyossl_now();
        if (left <= 0)
            return PYOSSL_TIMED_OUT;
    }
    clock_gettime(PYOSSL_TURN_CLOCK, &until);
    until.tv_nsec += left % 1000000000;
    until.tv_sec += left / 1000000000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    connection->turn_waiters++;
    pthread_cond_timedwait(&connection->turn, &connection->lock->mutex, &until);
    connection->turn_waiters--;
    return PYOSSL_PAUSED;    /* a signal does not interrupt this wait: its handler runs now */
}

/* 1: this thread has the turn, until pyossl_give_turn; 0: not yet; below 0: PYOSSL_x.  Takes the lock. */
static long long pyossl_try_turn(pyossl_connection *connection, double timeout, long long *deadline)
{
    long long result;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (!connection->writing) {
        pyossl_start_turn(connection);
        result = 1;
    } else if (connection->closed) {
        result = PYOSSL_CLOSED;
    } else if (connection->busy || connection->asked > 0) {
        result = connection->busy ? PYOSSL_BUSY : PYOSSL_ASKED;
    } else {
        result = pyossl_has_turn(connection) ? PYOSSL_WRITING : pyossl_wait_for_turn(connection, timeout, deadline);
    }
    pyossl_connection_release(connection);
    return result;
}

/* 0: this thread has the turn, until pyossl_give_turn; below 0: PYOSSL_x.  Takes the lock. */
static long long pyossl_take_turn(pyossl_connection *connection, double timeout, long long *deadline)
{
    long long result;

    do {
        result = pyossl_after_wait(pyossl_try_turn(connection, timeout, deadline));
    } while (result == 0);
    return result > 0 ? 0 : result;
}

/* Gives up the turn, and wakes the threads that wait for it.  Takes the lock. */
static void pyossl_give_turn(pyossl_connection *connection)
{
    if (!pyossl_connection_acquire(connection))
        return;
    if (pyossl_has_turn(connection)) {
        connection->writing = 0;
        if (connection->turn_waiters > 0)
            pthread_cond_broadcast(&connection->turn);
    }
    pyossl_connection_release(connection);
}
