/* Waiting for a descriptor.  A call that waits makes a non-blocking step under the lock, waits without the lock, and
 * repeats the step.  A read with no buffered data blocks in recv(2) first: see read_waiting.c.
 *
 * One call from Python does all of it, and releases the GIL once.  `timeout` is in seconds; below 0: no timeout; 0: do
 * not wait.  The deadline covers the whole call: it is fixed at the first wait, in nanoseconds of the monotonic clock;
 * 0: none yet.  If a signal interrupts the wait, Python runs its handlers in the middle of the call; if one of them
 * raises, the call ends with PYOSSL_RAISED.  A handler may make such calls itself.  C releases the lock and the
 * writers' turn before the call returns: in Python, an exception could come in between.
 *
 * The program can limit its calls with SO_RCVTIMEO and SO_SNDTIMEO: these limits hold for calls without a timeout.
 * pyossl sets SO_RCVTIMEO itself (read_waiting.c), and sets it back when it gives up the socket. */

enum { PYOSSL_INTERRUPTED = -117 };    /* the handlers of signals must run; no call returns it */

/* Calls Python to run the handlers of signals.  0; 1: one of them raised. */
static int pyossl_on_interrupt(void);

/* The time, in nanoseconds of the monotonic clock. */
static long long pyossl_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The time `timeout` seconds from now, in nanoseconds of the monotonic clock.  A long timeout is cut to what fits. */
static long long pyossl_deadline(double timeout)
{
    enum { LONGEST = 1000000000 };    /* seconds, thirty years */
    return pyossl_now() + (long long)((timeout < LONGEST ? timeout : LONGEST) * 1e9);
}

/* The longest single wait, in milliseconds.  A signal that comes just before a wait does not interrupt it; the wait
 * must end before the peer sends something, so that Python can run its handler. */
enum { PYOSSL_LONGEST_WAIT = 1000 };

static long long pyossl_wait_for_turn(pyossl_connection *connection, double timeout, long long *deadline);

/* Runs the handlers of signals if the wait was interrupted; `waited` is its result.  0: the call goes on.  No lock is
 * held: a handler may do anything. */
static long long pyossl_after_wait(long long waited)
{
    if (waited != PYOSSL_INTERRUPTED && waited != PYOSSL_PAUSED)
        return waited;
    return pyossl_on_interrupt() == 0 ? 0 : PYOSSL_RAISED;
}

/* A call whose budget was used up goes on at once, after it has let other threads and the handlers of signals run and
 * has looked at the deadline. */
static long long pyossl_pause(pyossl_connection *connection)
{
    pyossl_lock_let_others_in(connection->lock);
    if (connection->other_lock != NULL)
        pyossl_lock_let_others_in(connection->other_lock);
    return PYOSSL_PAUSED;
}

/* Whether there are bytes that the descriptor does not show.  Takes no lock. */
static int pyossl_is_paused(const pyossl_connection *connection)
{
    return connection->paused || (connection->socket != NULL && pyossl_stretch_length(&connection->socket->ahead) > 0);
}

enum { PYOSSL_RECEIVES = 1, PYOSSL_SENDS = 2 };

/* The program's own limit of the socket.  The caller holds the lock. */
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

/* Fixes the deadline of a call without a timeout, if the program has limited the socket (`which`: receiving or
 * sending).  The caller holds the lock. */
static void pyossl_limit_as_set(pyossl_connection *connection, int which, long long *deadline)
{
    struct timeval limit;

    if (*deadline != 0 || connection->socket == NULL)
        return;
    limit = pyossl_limit_of(connection->socket, which);
    if (limit.tv_sec != 0 || limit.tv_usec != 0)
        *deadline = pyossl_deadline((double)limit.tv_sec + (double)limit.tv_usec / 1e6);
}

/* As pyossl_limit_as_set, before a wait for the event that `outcome` names.  Takes the lock. */
static void pyossl_limit_wait(pyossl_connection *connection, long long outcome, double timeout, long long *deadline)
{
    if (timeout >= 0 || *deadline != 0 || !pyossl_connection_acquire(connection))
        return;
    pyossl_limit_as_set(connection, outcome == -SSL_ERROR_WANT_WRITE ? PYOSSL_SENDS : PYOSSL_RECEIVES, deadline);
    pyossl_connection_release(connection);
}

/* Sets the socket's options back to the program's.  The program may change them itself, so they will be read again.
 * Takes the lock. */
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

/* How often a callback without an answer is asked again, in milliseconds. */
enum { PYOSSL_ASK_AGAIN = 10 };

/* Whether a call ended because a callback has no answer yet.  No descriptor shows when it has one. */
static int pyossl_waits_for_callback(long long outcome)
{
    return outcome == -SSL_ERROR_WANT_CLIENT_HELLO_CB || outcome == -SSL_ERROR_WANT_X509_LOOKUP
        || outcome == -SSL_ERROR_WANT_RETRY_VERIFY;
}

/* Whether a call ended because of an asynchronous job: it is paused, or there was none. */
static int pyossl_waits_for_job(long long outcome)
{
    return outcome == -SSL_ERROR_WANT_ASYNC || outcome == -SSL_ERROR_WANT_ASYNC_JOB;
}

/* Waits for at most `milliseconds` until a paused job can go on, with the lock, which it releases.  Where no descriptor
 * shows that, it waits as for a callback.  The descriptors stay open: only this thread can go on with the job. */
static long long pyossl_wait_for_job(pyossl_connection *connection, int milliseconds)
{
    enum { MOST = 16 };
    int fds[MOST], count = pyossl_async_fds(connection, fds, MOST), ready;
    struct pollfd pollers[MOST];

    pyossl_connection_release(connection);
    if (count == 0 || count > MOST) {
        usleep(1000 * (milliseconds < PYOSSL_ASK_AGAIN ? milliseconds : PYOSSL_ASK_AGAIN));
        return PYOSSL_PAUSED;
    }
    for (int n = 0; n < count; n++)
        pollers[n] = (struct pollfd){.fd = fds[n], .events = POLLIN};
    ready = poll(pollers, (nfds_t)count, milliseconds);
    return ready < 0 || (ready == 0 && milliseconds == PYOSSL_LONGEST_WAIT) ? PYOSSL_INTERRUPTED : 0;
}

/* One wait of at most PYOSSL_LONGEST_WAIT.  0: the step can be tried again; PYOSSL_INTERRUPTED: after the handlers of
 * signals; else another PYOSSL_x. */
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
        /* The other reader takes the next bytes, so poll(2) would miss them. */
        long long answer = pyossl_wait_for_turn(connection, timeout, deadline);
        pyossl_connection_release(connection);
        return answer;
    }
    if (outcome == -SSL_ERROR_WANT_READ && pyossl_must_read_first(connection)) {
        int others = connection->waiters;
        pyossl_connection_release(connection);
        if (others == 0)
            return PYOSSL_READ_FIRST;
        usleep(1000);    /* another thread waits for the descriptor, and looks here after at most the longest wait */
        return PYOSSL_PAUSED;
    }
    if (outcome == -SSL_ERROR_WANT_READ && pyossl_is_paused(connection)) {
        pyossl_connection_release(connection);
        return pyossl_pause(connection);
    }
    if (pyossl_waits_for_callback(outcome)) {
        pyossl_connection_release(connection);
        usleep(1000 * (milliseconds < PYOSSL_ASK_AGAIN ? milliseconds : PYOSSL_ASK_AGAIN));
        return PYOSSL_PAUSED;
    }
    if (pyossl_waits_for_job(outcome))
        return pyossl_wait_for_job(connection, milliseconds);
    poller.fd = connection->fd;
    poller.events = outcome == -SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    __atomic_fetch_add(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    pyossl_connection_release(connection);
    ready = poll(&poller, 1, milliseconds);
    __atomic_fetch_sub(&connection->waiters, 1, __ATOMIC_SEQ_CST);
    return ready < 0 || (ready == 0 && milliseconds == PYOSSL_LONGEST_WAIT) ? PYOSSL_INTERRUPTED : 0;
}

/* Waits until the descriptor is ready for `outcome` (-SSL_ERROR_WANT_x), or the step can be tried again.  0, or
 * PYOSSL_x. */
static long long pyossl_wait(pyossl_connection *connection, long long outcome, double timeout, long long *deadline)
{
    pyossl_limit_wait(connection, outcome, timeout, deadline);
    return pyossl_after_wait(pyossl_wait_once(connection, outcome, timeout, deadline));
}

/* The result of a wait, for a read: it takes the data that must be read first, which a step of another thread has met. */
static long long pyossl_for_a_read(long long waited)
{
    return waited == PYOSSL_READ_FIRST ? 0 : waited;
}

/* Whether a step with this outcome is repeated after a wait. */
static int pyossl_may_wait(pyossl_connection *connection, long long outcome, double timeout)
{
    return timeout != 0 && connection->fd >= 0
        && (outcome == -SSL_ERROR_WANT_READ || outcome == -SSL_ERROR_WANT_WRITE || pyossl_waits_for_callback(outcome)
            || pyossl_waits_for_job(outcome));
}

/* Finishes the handshake, before `deadline` if that is not 0; takes the lock for each step.  0, or below 0 the
 * failure. */
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
