/* Shutdowns that wait, in the writers' turn. */

/* pyossl_shutdown, with waits.  Without `awaits_peer` it returns 0 also when only the peer's close_notify is missing,
 * which another call reads.  The caller has the writers' turn. */
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

/* Sends our close_notify.  0, or below 0 the failure.  Takes the writers' turn, and the lock for each step. */
static long long pyossl_send_close_notify(pyossl_connection *connection, double timeout)
{
    long long deadline = 0, result = pyossl_take_turn(connection, timeout, &deadline);

    if (result != 0)
        return result;
    result = pyossl_shut_down_in_turn(connection, 0, timeout, &deadline);
    pyossl_give_turn(connection);
    return result > 0 ? 0 : result;
}

/* Sends our close_notify and waits for the peer's.  0, or below 0 the failure: PYOSSL_UNREAD if the peer's data comes
 * first.  Takes the writers' turn, and the lock for each step. */
static long long pyossl_unwrap(pyossl_connection *connection, double timeout)
{
    long long deadline = 0, result = pyossl_take_turn(connection, timeout, &deadline);
    char byte;

    if (result != 0)
        return result;
    result = pyossl_shut_down_in_turn(connection, 1, timeout, &deadline);
    if (result == 0) {
        result = pyossl_peek(connection, &byte, 1);
        result = pyossl_receive_waiting(connection, &byte, 1, result, pyossl_peek, timeout, &deadline);
        if (result > 0)
            result = PYOSSL_UNREAD;
        else if (result == 0)
            result = pyossl_shut_down_in_turn(connection, 1, timeout, &deadline);
    }
    pyossl_give_turn(connection);
    return result > 0 ? 0 : result;
}
