/* Calls that wait: a non-blocking step under the lock, then a wait for the descriptor outside of it, and again.
 *
 * One call of Python's covers all of it, with the GIL given up once.  `timeout` is in seconds: below 0 there is none,
 * 0 means not to wait.  The deadline, in nanoseconds on the monotonic clock and 0 while there is none, is fixed at the
 * first wait and covers the whole call.  Where a signal interrupts the call, Python runs its handlers in the middle of
 * it, and where one of them raises the call ends with PYOSSL_RAISED.  A handler may make such calls itself.  What the
 * call has taken, a lock or the writers' turn, it gives back before it returns: in Python an exception could come
 * between.
 *
 * A read that knows that nothing is there yet begins with the wait, and waits in recv(2) itself, which is poll(2) and
 * recv(2) in one; what comes goes to the BIO, ahead of what OpenSSL asks for.  Only one thread does so at a time, and
 * nobody else takes anything off the descriptor meanwhile.  The limit of that wait is SO_RCVTIMEO.  What the program has
 * set there, and in SO_SNDTIMEO, limits the calls that have no timeout, and is set again when the socket is given back.
 *
 * A record that could not be sent is to be repeated before anything else is written (docs/pitfalls.md, 8): a writer has the
 * turn from its first byte to its last, and keeps it while a signal's handler runs. */

enum { PYOSSL_INTERRUPTED = -117 };    /* the handlers of signals are to run; no call returns it */

/* Python, entered for the handlers of signals that have come; 0, or 1 where one of them has raised. */
static int pyossl_on_interrupt(void);

static long long pyossl_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A timeout may be any number of seconds; in nanoseconds not every one would fit. */
static long long pyossl_deadline(double timeout)
{
    enum { LONGEST = 1000000000 };    /* thirty years */
    return pyossl_now() + (long long)((timeout < LONGEST ? timeout : LONGEST) * 1e9);
}

/* A signal that comes just before the wait does not interrupt it, and Python's handler would have to wait for the peer:
 * no wait is longer than this, in milliseconds, before Python is let go on. */
enum { PYOSSL_LONGEST_WAIT = 1000 };

static long long pyossl_wait_for_turn(pyossl_connection *connection, double timeout, long long *deadline);

/* `waited`, what a wait came to, after the handlers of signals have run where it was interrupted: 0 where the call goes
 * on.  No lock is held: a handler may do anything. */
static long long pyossl_after_wait(long long waited)
{
    if (waited != PYOSSL_INTERRUPTED && waited != PYOSSL_PAUSED)
        return waited;
    return pyossl_on_interrupt() == 0 ? 0 : PYOSSL_RAISED;
}

/* A call that has stopped because its budget was used up goes on at once, after everybody else: other threads, the
 * handlers of signals, and the deadline, which has been looked at. */
static long long pyossl_pause(pyossl_connection *connection)
{
    pyossl_lock_let_others_in(connection->lock);
    if (connection->other_lock != NULL)
        pyossl_lock_let_others_in(connection->other_lock);
    return PYOSSL_PAUSED;
}

/* Whether bytes are here that the descriptor does not show. */
static int pyossl_is_paused(const pyossl_connection *connection)
{
    return connection->paused || (connection->socket != NULL && pyossl_stretch_length(&connection->socket->ahead) > 0);
}

enum { PYOSSL_RECEIVES = 1, PYOSSL_SENDS = 2 };

static struct timeval pyossl_limit_of(pyossl_socket *socket, int which)
{
    struct timeval *limit = which == PYOSSL_RECEIVES ? &socket->receive_limit : &socket->send_limit;
    socklen_t size = sizeof(*limit);

    if ((socket->limits_known & which) == 0) {
        if (getsockopt(socket->fd, SOL_SOCKET, which == PYOSSL_RECEIVES ? SO_RCVTIMEO : SO_SNDTIMEO, limit, &size) != 0)
            memset(limit, 0, sizeof(*limit));
        socket->limits_known |= which;
    }
    return *limit;
}

/* Fixes the deadline of a call without a timeout where the program has limited the socket's own.  Under the lock. */
static void pyossl_limit_as_set(pyossl_connection *connection, int which, long long *deadline)
{
    struct timeval limit;

    if (*deadline != 0 || connection->socket == NULL)
        return;
    limit = pyossl_limit_of(connection->socket, which);
    if (limit.tv_sec != 0 || limit.tv_usec != 0)
        *deadline = pyossl_deadline((double)limit.tv_sec + (double)limit.tv_usec / 1e6);
}

/* As pyossl_limit_as_set, before a wait for what `outcome` names. */
static void pyossl_limit_wait(pyossl_connection *connection, long long outcome, double timeout, long long *deadline)
{
    if (timeout >= 0 || *deadline != 0 || !pyossl_connection_acquire(connection))
        return;
    pyossl_limit_as_set(connection, outcome == -SSL_ERROR_WANT_WRITE ? PYOSSL_SENDS : PYOSSL_RECEIVES, deadline);
    pyossl_connection_release(connection);
}

/* The socket's options are the program's again, which may have set them itself: they are looked at anew. */
static void pyossl_restore_limits(pyossl_connection *connection)
{
    pyossl_socket *socket;

    if (!pyossl_connection_acquire(connection))
        return;
    socket = connection->socket;
    if (socket != NULL) {
        if (socket->receive_timeout != 0)
            setsockopt(socket->fd, SOL_SOCKET, SO_RCVTIMEO, &socket->receive_limit, sizeof(socket->receive_limit));
        socket->receive_timeout = socket->limits_known = 0;
    }
    pyossl_connection_release(connection);
}

static long long pyossl_wait_once(pyossl_connection *connection, long long outcome, double timeout, long long *deadline)
{
    struct pollfd poller;
    int ready, milliseconds = PYOSSL_LONGEST_WAIT;

    if (timeout >= 0 || *deadline != 0) {
        long long left;
        if (*deadline == 0)
            *deadline = pyossl_deadline(timeout);
        left = *deadline - pyossl_now();
        if (left <= 0)
            return PYOSSL_TIMED_OUT;
        if (left / 1000000 < PYOSSL_LONGEST_WAIT)
            milliseconds = (int)(left / 1000000) + 1;
    }
    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (connection->closed || connection->fd < 0 || connection->asked > 0) {
        int answer = connection->asked > 0 ? PYOSSL_ASKED : PYOSSL_CLOSED;
        pyossl_connection_release(connection);
        return answer;
    }
    if (outcome == -SSL_ERROR_WANT_READ && connection->socket != NULL && connection->socket->receiving) {
        /* What comes is that reader's to take, and poll(2) would miss it. */
        long long answer = pyossl_wait_for_turn(connection, timeout, deadline);
        pyossl_connection_release(connection);
        return answer;
    }
    if (outcome == -SSL_ERROR_WANT_READ && pyossl_must_read_first(connection)) {
        int others = connection->waiters;
        pyossl_connection_release(connection);
        if (others == 0)
            return PYOSSL_READ_FIRST;
        usleep(1000);    /* another thread waits for the descriptor, and looks here within the longest wait */
        return PYOSSL_PAUSED;
    }
    if (outcome == -SSL_ERROR_WANT_READ && pyossl_is_paused(connection)) {
        pyossl_connection_release(connection);
        return pyossl_pause(connection);
    }
    poller.fd = connection->fd;
    poller.events = outcome == -SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    __atomic_fetch_add(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    pyossl_connection_release(connection);
    ready = poll(&poller, 1, milliseconds);
    __atomic_fetch_sub(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    return ready < 0 || (ready == 0 && milliseconds == PYOSSL_LONGEST_WAIT) ? PYOSSL_INTERRUPTED : 0;
}

/* Waits until the descriptor is as `outcome` (-SSL_ERROR_WANT_x) wants it, or a step is worth a try; 0, or PYOSSL_x. */
static long long pyossl_wait(pyossl_connection *connection, long long outcome, double timeout, long long *deadline)
{
    pyossl_limit_wait(connection, outcome, timeout, deadline);
    return pyossl_after_wait(pyossl_wait_once(connection, outcome, timeout, deadline));
}

static int pyossl_may_wait(pyossl_connection *connection, long long outcome, double timeout)
{
    return timeout != 0 && connection->fd >= 0
        && (outcome == -SSL_ERROR_WANT_READ || outcome == -SSL_ERROR_WANT_WRITE);
}

/* Finishes the handshake, before `deadline` where that is not 0; 0, or below it what went wrong. */
static long long pyossl_handshake_waiting(pyossl_connection *connection, double timeout, long long deadline)
{
    long long result;

    do {
        result = pyossl_handshake(connection);
        if (result == 0 || !pyossl_may_wait(connection, result, timeout))
            return result;
        result = pyossl_wait(connection, result, timeout, &deadline);
    } while (result == 0);
    return result;
}
