/* Calls that wait: a non-blocking step under the lock, then a wait for the descriptor outside of it, and again.
 *
 * One call of Python's covers all of it, with the GIL given up once.  `timeout` is in seconds: below 0 there is none,
 * 0 means not to wait.  The deadline is fixed at the first wait and covers the whole call; where a signal interrupts
 * it, Python runs its handlers and calls again with the `deadline` that pyossl_deadline tells. */

static _Thread_local double pyossl_thread_deadline;

static double pyossl_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* When the call of this thread that was interrupted has to end, on the monotonic clock. */
static double pyossl_deadline(void)
{
    return pyossl_thread_deadline;
}

/* A signal that comes just before poll(2) does not interrupt it, and Python's handler would have to wait for the peer:
 * no wait is longer than this, in milliseconds, before Python is let go on. */
enum { PYOSSL_LONGEST_POLL = 1000 };

/* Waits until the descriptor is as `outcome` (-SSL_ERROR_WANT_x) wants it; 0, or PYOSSL_x. */
static long long pyossl_wait(pyossl_connection *connection, long long outcome, double timeout, double *deadline)
{
    struct pollfd poller;
    int ready, milliseconds = PYOSSL_LONGEST_POLL;

    if (timeout >= 0) {
        double left;
        if (*deadline == 0)
            *deadline = pyossl_now() + timeout;
        left = *deadline - pyossl_now();
        if (left <= 0)
            return PYOSSL_TIMED_OUT;
        if (left * 1000 < PYOSSL_LONGEST_POLL)
            milliseconds = (int)(left * 1000) + 1;
    }
    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (connection->closed || connection->fd < 0) {
        pyossl_connection_release(connection);
        return PYOSSL_CLOSED;
    }
    poller.fd = connection->fd;
    poller.events = outcome == -SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    __atomic_fetch_add(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    pyossl_connection_release(connection);
    ready = poll(&poller, 1, milliseconds);
    __atomic_fetch_sub(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    if (ready < 0 || (ready == 0 && milliseconds == PYOSSL_LONGEST_POLL)) {
        pyossl_thread_deadline = *deadline;
        return PYOSSL_INTERRUPTED;
    }
    return 0;
}

static int pyossl_may_wait(pyossl_connection *connection, long long outcome, double timeout)
{
    return timeout != 0 && connection->fd >= 0
        && (outcome == -SSL_ERROR_WANT_READ || outcome == -SSL_ERROR_WANT_WRITE);
}

static long long pyossl_read_waiting(pyossl_connection *connection, void *buffer, size_t size,
                                     double timeout, double deadline)
{
    long long result, waited;

    for (;;) {
        result = pyossl_read(connection, buffer, size);
        if (result >= 0 || !pyossl_may_wait(connection, result, timeout))
            return result;
        waited = pyossl_wait(connection, result, timeout, &deadline);
        if (waited != 0)
            return waited;
    }
}

/* As long as the peer keeps up nothing waits, and a call could go on for minutes: it lets readers in after each slice,
 * looks at its deadline, and now and then at Python's signal handlers. */
enum { PYOSSL_SLICE = 1 << 20, PYOSSL_SLICES = 16 };

/* All of `data`, or where `timeout` is 0 as much as the descriptor takes; `written` tells what had been written
 * when the call ended in another way. */
static long long pyossl_write_waiting(pyossl_connection *connection, const void *data, size_t size,
                                      double timeout, double deadline)
{
    size_t done = 0, slices = 0;

    if (timeout > 0 && size > PYOSSL_SLICE && deadline == 0)
        deadline = pyossl_now() + timeout;
    for (;;) {
        size_t slice = size - done < PYOSSL_SLICE ? size - done : PYOSSL_SLICE;
        long long result = pyossl_write(connection, (const char *)data + done, slice);
        if (result >= 0) {
            done += (size_t)result;
            if (done == size || timeout == 0)
                return (long long)done;
            if (deadline != 0 && pyossl_now() > deadline)
                result = PYOSSL_TIMED_OUT;
            else if (++slices % PYOSSL_SLICES == 0)
                result = PYOSSL_INTERRUPTED;
            else
                continue;    /* the next step says what the rest waits for */
            pyossl_thread_deadline = deadline;
        } else if (pyossl_may_wait(connection, result, timeout))
            result = pyossl_wait(connection, result, timeout, &deadline);
        if (result != 0) {
            connection->written = done;
            return result;
        }
    }
}

/* Wakes every thread that waits for the descriptor of a closed connection, and returns when none does: only then may
 * the descriptor be closed, or its number could be another file's by the time that somebody waits for it. */
static void pyossl_wake_waiters(pyossl_connection *connection)
{
    int patience = 1000;

    if (__atomic_load_n(&connection->waiters, __ATOMIC_SEQ_CST) == 0)
        return;
    shutdown(connection->fd, SHUT_RDWR);
    while (__atomic_load_n(&connection->waiters, __ATOMIC_SEQ_CST) > 0 && patience-- > 0)
        usleep(1000);
}
