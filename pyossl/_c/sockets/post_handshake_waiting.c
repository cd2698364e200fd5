/* Key updates, renegotiations and requests for a certificate over a socket, with waits. */

/* Sends what waits in the BIO, under the lock.  0, -SSL_ERROR_WANT_WRITE, or PYOSSL_x. */
static long long pyossl_flush_before(pyossl_connection *connection)
{
    int answer = pyossl_begin(connection);

    if (answer == PYOSSL_DEAD && connection->write_errno != 0)
        return PYOSSL_UNWRITTEN;
    return answer != 0 ? answer : pyossl_end(connection, pyossl_flush_attended(connection));
}

/* pyossl_post_handshake, with waits; takes the lock for each step.  0, or below 0 the failure.
 *
 * First it waits until the BIO is empty: a program that calls this again and again, and whose peer does not read, waits
 * for the peer, and the BIO does not grow.  The bytes of the step itself may stay in the BIO.  So if it answers that it
 * would have to wait, nothing has begun, except in a client's renegotiation. */
static long long pyossl_post_handshake_waiting(pyossl_connection *connection, int what, double timeout)
{
    long long deadline = 0, result = pyossl_flush_before(connection);

    while (result < 0 && pyossl_may_wait(connection, result, timeout)) {
        result = pyossl_wait(connection, result, timeout, &deadline);
        if (result == 0)
            result = pyossl_flush_before(connection);
    }
    if (result != 0)
        return result;
    result = pyossl_post_handshake_step(connection, what, 0);
    while (result < 0 && pyossl_may_wait(connection, result, timeout)) {
        result = pyossl_wait(connection, result, timeout, &deadline);
        if (result == 0)
            result = pyossl_handshake(connection);
    }
    return result;
}
