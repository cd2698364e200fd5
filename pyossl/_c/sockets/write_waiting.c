/* Writes that wait, in the writers' turn. */

/* A long write is made in slices of PYOSSL_SLICE bytes.  As long as the peer takes the bytes, nothing waits, and the call
 * could run for minutes.  After each slice it lets readers run and looks at its deadline; after each 16 it runs
 * Python's signal handlers. */
enum { PYOSSL_SLICES = 16 };

/* 0: the next slice may follow. */
static long long pyossl_after_slice(size_t slices, long long deadline)
{
    if (deadline != 0 && pyossl_now() > deadline)
        return PYOSSL_TIMED_OUT;
    return slices % PYOSSL_SLICES == 0 ? pyossl_after_wait(PYOSSL_INTERRUPTED) : 0;
}

/* Copies the bytes that an unfinished write has left with OpenSSL: the next write must begin with them.  Takes the
 * lock. */
static void pyossl_keep_pending(pyossl_connection *connection, const char *rest)
{
    if (!pyossl_connection_acquire(connection))
        return;
    if (connection->write_pending != 0 && connection->pending == NULL)
        pyossl_copy_pending(connection, rest);
    pyossl_connection_release(connection);
}

/* Goes on with a write after a step with `result`, in the writers' turn.  Returns the number of bytes, or below 0 the
 * failure. */
static long long pyossl_write_in_turn(pyossl_connection *connection, const char *data, size_t size, long long result,
                                      double timeout, long long *deadline)
{
    size_t done = 0, slices = 0;

    for (;;) {
        if (result >= 0) {
            done += (size_t)result;
            if (done == size || timeout == 0)
                return (long long)done;
            result = pyossl_after_slice(++slices, *deadline);
        } else if (pyossl_may_wait(connection, result, timeout)) {
            result = pyossl_wait(connection, result, timeout, deadline);
        }
        if (result != 0)
            break;
        result = pyossl_write_step(connection, data + done, size - done < PYOSSL_SLICE ? size - done : PYOSSL_SLICE,
                                   timeout != 0);
    }
    connection->written = done;
    pyossl_keep_pending(connection, data + done);
    return result;
}

/* Writes all of `data`; or, if `timeout` is 0, as much as the descriptor takes.  Returns the number of bytes, or below
 * 0 the failure.  As a rule the first step writes all, and nothing else needs the lock.  Otherwise the writer takes the
 * writers' turn, before it releases the lock, and the lock for each slice. */
static long long pyossl_write_waiting(pyossl_connection *connection, const void *data, size_t size, double timeout)
{
    size_t slice = size < PYOSSL_SLICE ? size : PYOSSL_SLICE;
    long long deadline = timeout > 0 && size > slice ? pyossl_deadline(timeout) : 0, result;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (connection->writing) {
        pyossl_connection_release(connection);
        result = pyossl_take_turn(connection, timeout, &deadline);
        if (result != 0)
            return result;
        result = pyossl_write_step(connection, data, slice, timeout != 0);
    } else {
        pyossl_locked = connection;
        result = pyossl_write_step(connection, data, slice, timeout != 0);
        if (result == (long long)size) {
            pyossl_connection_release(connection);
            return result;
        }
        pyossl_start_turn(connection);
        pyossl_connection_release(connection);
    }
    result = pyossl_write_in_turn(connection, data, size, result, timeout, &deadline);
    pyossl_give_turn(connection);
    return result;
}

/* pyossl_write_waiting with the connection's own timeout. */
static long long pyossl_send(pyossl_connection *connection, const void *data, size_t size)
{
    return pyossl_write_waiting(connection, data, size, connection->timeout);
}

/* Waits until some of `data` has been taken.  Returns the number of those bytes; the next write must begin with the
 * rest.  Takes the writers' turn, and the lock for each step. */
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
