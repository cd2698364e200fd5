/* Moves bytes between the program and a connection without a transport, through memory_bio.c.
 *
 * This still works after a failure: an alert may be waiting to be sent. */

/* Begins to move bytes.  0: the lock is held, and `memory` is the connection's; else PYOSSL_x.  A callback may move
 * bytes in the middle of a call. */
static int pyossl_begin_transfer(pyossl_connection *connection, pyossl_memory **memory)
{
    int answer = 0;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    if (connection->closed)
        answer = PYOSSL_CLOSED;
    else if ((*memory = connection->memory) == NULL)
        answer = PYOSSL_OTHER_BIO;
    else if (!pyossl_memory_settle(*memory)) {
        connection->dead = connection->has_lost_bytes = 1;
        answer = PYOSSL_NO_MEMORY;
    }
    if (answer != 0)
        pyossl_connection_release(connection);
    return answer;
}

/* Takes a copy of bytes from the peer, under the lock; no bytes: the peer's bytes have ended.  Returns 0. */
static long long pyossl_receive_data(pyossl_connection *connection, const void *data, size_t size)
{
    pyossl_memory *memory;
    long long answer = pyossl_begin_transfer(connection, &memory);

    if (answer != 0)
        return answer;
    memory->ended |= size == 0;
    if (!pyossl_kept_append(&memory->incoming, data, size))
        answer = PYOSSL_NO_MEMORY;
    pyossl_connection_release(connection);
    return answer;
}

/* Moves up to `size` bytes for the peer into `buffer`, under the lock.  Returns their number. */
static long long pyossl_data_to_send(pyossl_connection *connection, void *buffer, size_t size)
{
    pyossl_memory *memory;
    long long answer = pyossl_begin_transfer(connection, &memory);

    if (answer != 0)
        return answer;
    answer = (long long)pyossl_kept_take(&memory->outgoing, buffer, size);
    pyossl_connection_release(connection);
    return answer;
}

/* How many bytes for the peer there are, under the lock. */
static long long pyossl_bytes_to_send(pyossl_connection *connection)
{
    pyossl_memory *memory;
    long long answer = pyossl_begin_transfer(connection, &memory);

    if (answer != 0)
        return answer;
    answer = (long long)pyossl_kept_length(&memory->outgoing);
    pyossl_connection_release(connection);
    return answer;
}

/* Ends a call that used the program's buffers directly. */
static long long pyossl_end_transfer(pyossl_connection *connection, pyossl_memory *memory, long long result)
{
    if (!pyossl_memory_settle(memory)) {
        connection->dead = connection->has_lost_bytes = 1;
        result = PYOSSL_NO_MEMORY;
    }
    return pyossl_end(connection, result);
}

/* pyossl_write and pyossl_data_to_send in one call, under the lock.  Returns the number of bytes to send that were put
 * into `buffer`, with PYOSSL_MORE if it had no room for all. */
static long long pyossl_encrypt(pyossl_connection *connection, const void *data, size_t size, void *buffer, size_t room)
{
    int answer = pyossl_begin(connection);
    pyossl_memory *memory;
    long long result;

    if (answer != 0)
        return answer;
    memory = connection->memory;
    if (memory == NULL)
        return pyossl_end(connection, PYOSSL_OTHER_BIO);
    memory->room = buffer;
    memory->room_size = room;
    memory->filled = pyossl_kept_take(&memory->outgoing, buffer, room);
    result = pyossl_send_records(connection, data, size, 0);
    if (result >= 0) {
        size_t filled = memory->filled;
        memory->filled = 0;    /* they are returned now, and must not be kept */
        result = (long long)(filled + pyossl_kept_take(&memory->outgoing, (char *)buffer + filled, room - filled));
        if (pyossl_kept_length(&memory->outgoing) > 0)
            result |= PYOSSL_MORE;
    }
    return pyossl_end_transfer(connection, memory, result);
}

/* pyossl_receive_data and pyossl_read in one call, under the lock; no bytes: the peer's bytes have ended.  Returns the
 * number of decrypted bytes that were put into `buffer`, with PYOSSL_MORE if it is full and there may be more. */
static long long pyossl_decrypt(pyossl_connection *connection, const void *data, size_t size, void *buffer, size_t room)
{
    int answer = pyossl_begin(connection);
    pyossl_memory *memory;
    long long result;

    if (answer != 0)
        return answer;
    memory = connection->memory;
    if (memory == NULL)
        return pyossl_end(connection, PYOSSL_OTHER_BIO);
    memory->ended |= size == 0;
    memory->given = data;
    memory->given_size = size;
    result = pyossl_receive(connection, buffer, room, 0);
    if (result == (long long)room && pyossl_holds_more(connection))
        result |= PYOSSL_MORE;
    return pyossl_end_transfer(connection, memory, result);
}
