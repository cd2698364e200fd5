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
    if (outcome == -SSL_ERROR_WANT_READ && pyossl_is_to_be_read(connection)) {
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

/* Whether SSL_read(3) has nothing to go by, and nothing to do but to ask the descriptor. */
static int pyossl_is_idle(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    return !connection->closed && !connection->busy && !connection->asked && !connection->dead && !connection->received_end
        && connection->socket != NULL && !connection->socket->receiving && connection->socket->received_errno == 0
        && pyossl_stretch_length(&connection->socket->gathered) == 0
        && !pyossl_holds_more(connection) && !SSL_renegotiate_pending(ssl)
        && (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) == 0;
}

static double pyossl_limit_in_seconds(const pyossl_socket *socket)
{
    return (double)socket->receive_limit.tv_sec + (double)socket->receive_limit.tv_usec / 1e6;
}

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

/* recv(2) of at most `size` bytes, which go ahead; the lock is held before and not after, nor meanwhile.  0, or
 * PYOSSL_x; -SSL_ERROR_WANT_READ where the descriptor does not wait, or no longer. */
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
    pyossl_connection_release(connection);
    return sys_errno == EINTR ? PYOSSL_INTERRUPTED : sys_errno == EAGAIN ? -SSL_ERROR_WANT_READ : 0;
}

/* The wait of a read of `size` bytes that has not begun, in recv(2); 0, or PYOSSL_x.  Where it cannot be had, or took
 * too long, the ordinary step comes next. */
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
    return pyossl_after_wait(result == -SSL_ERROR_WANT_READ ? 0 : result);
}

/* 0 bytes: the peer has sent its close_notify. */
static long long pyossl_receive_waiting(pyossl_connection *connection, void *buffer, size_t size, int peeks,
                                        double timeout, long long *deadline)
{
    long long result;

    do {
        result = peeks ? pyossl_peek(connection, buffer, size) : pyossl_read(connection, buffer, size);
        if (result >= 0 || !pyossl_may_wait(connection, result, timeout))
            return result;
        result = pyossl_wait(connection, result, timeout, deadline);
    } while (result == 0);
    return result;
}

static long long pyossl_read_waiting(pyossl_connection *connection, void *buffer, size_t size, double timeout)
{
    long long deadline = 0, result = 0;

    if (timeout != 0 && size > 0)
        result = pyossl_wait_in_receive(connection, size, timeout, &deadline);
    return result == 0 ? pyossl_receive_waiting(connection, buffer, size, 0, timeout, &deadline) : result;
}

static long long pyossl_peek_waiting(pyossl_connection *connection, void *buffer, size_t size, double timeout)
{
    long long deadline = 0;
    return pyossl_receive_waiting(connection, buffer, size, 1, timeout, &deadline);
}

/* With the connection's own timeout: the fewer arguments, the cheaper the call. */
static long long pyossl_recv(pyossl_connection *connection, void *buffer, size_t size)
{
    return pyossl_read_waiting(connection, buffer, size, connection->timeout);
}

static int pyossl_has_turn(const pyossl_connection *connection)
{
    return connection->writing && pthread_equal(connection->writer, pthread_self());
}

/* Waits under the lock until another thread gives its turn, or has come back from recv(2), for no longer than Python
 * can wait; 0, or PYOSSL_x. */
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
    return PYOSSL_PAUSED;    /* a signal does not interrupt this wait: its handler has its turn now */
}

/* 1: this thread writes, until pyossl_give_turn; 0: not yet; below 0: PYOSSL_x. */
static long long pyossl_try_turn(pyossl_connection *connection, double timeout, long long *deadline)
{
    long long result;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (!connection->writing) {
        connection->writing = 1;
        connection->writer = pthread_self();
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

/* 0: this thread writes, until pyossl_give_turn; below 0: PYOSSL_x. */
static long long pyossl_take_turn(pyossl_connection *connection, double timeout, long long *deadline)
{
    long long result;

    do {
        result = pyossl_after_wait(pyossl_try_turn(connection, timeout, deadline));
    } while (result == 0);
    return result > 0 ? 0 : result;
}

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

/* As long as the peer keeps up nothing waits, and a call could go on for minutes: it lets readers in after each slice,
 * looks at its deadline, and now and then at Python's signal handlers. */
enum { PYOSSL_SLICE = 1 << 20, PYOSSL_SLICES = 16 };

/* 0 where the next slice may follow. */
static long long pyossl_after_slice(size_t slices, long long deadline)
{
    if (deadline != 0 && pyossl_now() > deadline)
        return PYOSSL_TIMED_OUT;
    return slices % PYOSSL_SLICES == 0 ? pyossl_after_wait(PYOSSL_INTERRUPTED) : 0;
}

/* Keeps what an unfinished write has left with OpenSSL: the next write has to begin with it. */
static void pyossl_keep_pending(pyossl_connection *connection, const char *rest)
{
    if (!pyossl_connection_acquire(connection))
        return;
    if (connection->write_pending != 0 && connection->pending == NULL)
        pyossl_copy_pending(connection, rest);
    pyossl_connection_release(connection);
}

/* In the writers' turn: all of `data`, or where `timeout` is 0 as much as the descriptor takes. */
static long long pyossl_write_in_turn(pyossl_connection *connection, const char *data, size_t size,
                                      double timeout, long long *deadline)
{
    size_t done = 0, slices = 0;
    long long result;

    if (timeout > 0 && size > PYOSSL_SLICE && *deadline == 0)
        *deadline = pyossl_deadline(timeout);
    do {
        size_t slice = size - done < PYOSSL_SLICE ? size - done : PYOSSL_SLICE;
        result = pyossl_write_step(connection, data + done, slice, timeout != 0);
        if (result >= 0) {
            done += (size_t)result;
            result = done == size || timeout == 0 ? 1 : pyossl_after_slice(++slices, *deadline);
        } else if (pyossl_may_wait(connection, result, timeout))
            result = pyossl_wait(connection, result, timeout, deadline);
    } while (result == 0);
    if (result < 0)
        pyossl_keep_pending(connection, data + done);
    return result > 0 ? (long long)done : result;
}

/* All of `data`, or where `timeout` is 0 as much as the descriptor takes. */
static long long pyossl_write_waiting(pyossl_connection *connection, const void *data, size_t size, double timeout)
{
    long long deadline = 0, result = pyossl_take_turn(connection, timeout, &deadline);

    if (result != 0)
        return result;
    result = pyossl_write_in_turn(connection, data, size, timeout, &deadline);
    pyossl_give_turn(connection);
    return result;
}

static long long pyossl_send(pyossl_connection *connection, const void *data, size_t size)
{
    return pyossl_write_waiting(connection, data, size, connection->timeout);
}

/* Waits until some of `data` has been taken; how much.  What was not is to be offered next. */
static long long pyossl_write_some_waiting(pyossl_connection *connection, const void *data, size_t size, double timeout)
{
    long long deadline = 0, result = pyossl_take_turn(connection, timeout, &deadline);

    if (result != 0)
        return result;
    do {
        result = pyossl_write(connection, data, size);
        if (result >= 0 || !pyossl_may_wait(connection, result, timeout))
            break;
        result = pyossl_wait(connection, result, timeout, &deadline);
    } while (result == 0);
    pyossl_give_turn(connection);
    return result;
}

/* In the writers' turn: as pyossl_shutdown, waiting; where nobody waits for the peer's close_notify, which is somebody
 * else's to read, 0 too when only that is missing. */
static long long pyossl_shut_down_in_turn(pyossl_connection *connection, int awaits_peer, double timeout,
                                          long long *deadline)
{
    long long result;

    for (;;) {
        result = pyossl_shutdown(connection);
        if (result == -SSL_ERROR_WANT_READ && !awaits_peer)
            return 0;
        if (result >= 0 || !pyossl_may_wait(connection, result, timeout))
            return result;
        result = pyossl_wait(connection, result, timeout, deadline);
        if (result != 0)
            return result;
    }
}

/* Sends our close_notify; 0, or below it what went wrong. */
static long long pyossl_say_goodbye(pyossl_connection *connection, double timeout)
{
    long long deadline = 0, result = pyossl_take_turn(connection, timeout, &deadline);

    if (result != 0)
        return result;
    result = pyossl_shut_down_in_turn(connection, 0, timeout, &deadline);
    pyossl_give_turn(connection);
    return result > 0 ? 0 : result;
}

/* Exchanges close_notify; 0, or below it what went wrong, PYOSSL_UNREAD where data comes first. */
static long long pyossl_unwrap(pyossl_connection *connection, double timeout)
{
    long long deadline = 0, result = pyossl_take_turn(connection, timeout, &deadline);
    char byte;

    if (result != 0)
        return result;
    result = pyossl_shut_down_in_turn(connection, 1, timeout, &deadline);
    if (result == 0) {
        result = pyossl_receive_waiting(connection, &byte, 1, 1, timeout, &deadline);
        if (result > 0)
            result = PYOSSL_UNREAD;
        else if (result == 0)
            result = pyossl_shut_down_in_turn(connection, 1, timeout, &deadline);
    }
    pyossl_give_turn(connection);
    return result > 0 ? 0 : result;
}

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

/* How many bytes a read returns without the descriptor; 1 where the end, or a failure, is what comes.  What has been
 * received ahead is looked into. */
static long long pyossl_pending(pyossl_connection *connection)
{
    int answer = pyossl_begin(connection);
    long long result;
    char byte;

    if (answer != 0)
        return answer == PYOSSL_DEAD ? 1 : answer;
    result = connection->received_end ? 1 : SSL_pending(connection->ssl);
    if (result == 0 && connection->socket != NULL && pyossl_stretch_length(&connection->socket->ahead) > 0) {
        connection->socket->receiving++;    /* what is on the descriptor is not asked for */
        result = pyossl_receive(connection, &byte, 1, 1);
        connection->socket->receiving--;
        if (result == -SSL_ERROR_WANT_READ || result == -SSL_ERROR_WANT_WRITE)
            result = 0;
        else
            result = result > 0 ? SSL_pending(connection->ssl) : 1;
    }
    return pyossl_end(connection, result);
}

/* Takes what has arrived off the descriptor, within reason: the kernel answers a close with unread bytes by a reset. */
static void pyossl_drain(int fd)
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
