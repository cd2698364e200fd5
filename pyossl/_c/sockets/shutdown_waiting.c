/* File. */

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
static long long pyossl_send_close_notify(pyossl_connection *connection, double timeout)
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
