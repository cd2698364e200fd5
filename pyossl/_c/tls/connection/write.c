/* Writing.
 *
 * A record that the transport did not take has been encrypted already, and cannot be changed.  The next write must
 * begin with the same bytes (docs/pitfalls.md, 8). */

/* No write has to be repeated any more. */
static void pyossl_forget_pending(pyossl_connection *connection)
{
    OPENSSL_clear_free(connection->pending, connection->pending_size);
    connection->pending = NULL;
    connection->pending_size = connection->write_pending = connection->gathered = 0;
}

/* Keeps a copy of the bytes that a repeated write must begin with, for pyossl_is_repeated: those of all gathered
 * records, and of one more. */
static void pyossl_copy_pending(pyossl_connection *connection, const void *data)
{
    size_t size = connection->gathered + PYOSSL_RECORD;
    if (size > connection->write_pending)
        size = connection->write_pending;
    connection->pending = OPENSSL_memdup(data, size);
    connection->pending_size = connection->pending == NULL ? 0 : size;
}

/* Whether `data` can be the write that must be repeated.  OpenSSL compares only the length: it would send the record
 * that it has, count it as the bytes that are offered now, and those bytes would be lost without an error.  `is_kept`:
 * there is no copy, because the writer itself has kept the bytes, in the middle of one call. */
static int pyossl_is_repeated(const pyossl_connection *connection, const void *data, size_t size, int is_kept)
{
    if (connection->pending == NULL)
        return is_kept;
    return size >= connection->write_pending && memcmp(data, connection->pending, connection->pending_size) == 0;
}

/* Whether the BIO has no room for another record. */
static int pyossl_is_gathered_full(const pyossl_connection *connection)
{
    return pyossl_stretch_length(&connection->socket->gathered) > PYOSSL_STRETCH - SSL3_RT_MAX_PACKET_SIZE;
}

/* Stops a write of `size` bytes, of which the first `sent` have left the BIO and the first `encrypted` are in records.
 * Returns `sent` if it is not 0 and nothing has failed, else `outcome`. */
static long long pyossl_stop_sending(pyossl_connection *connection, const char *data, size_t size, size_t sent,
                                     size_t encrypted, int is_kept, long long outcome)
{
    /* A BIO below can wait for any event: a tunnel may have to read first. */
    int holds_record = SSL_want(connection->ssl) == SSL_WRITING
        && (SSL_is_init_finished(connection->ssl) || pyossl_answers_early(connection));

    pyossl_forget_pending(connection);
    if (connection->dead && connection->socket != NULL)
        (void)pyossl_socket_flush(SSL_get_wbio(connection->ssl));    /* an alert may say why; it is tried only once */
    if (!connection->dead && connection->write_errno == 0 && (encrypted > sent || holds_record)) {
        connection->write_pending = size - sent;
        connection->gathered = encrypted - sent;
        if (!is_kept)
            pyossl_copy_pending(connection, data + sent);
    }
    return sent > 0 && !connection->dead && connection->write_errno == 0 ? (long long)sent : outcome;
}

/* Writes record after record until all bytes are written or the transport has to wait.  A record that waits is
 * encrypted already: the next write must offer the rest again, from its first byte, and at least as long.  `is_kept`:
 * the caller does that itself, and no copy is made.  Returns the number of bytes. */
static long long pyossl_send_records(pyossl_connection *connection, const char *data, size_t size, int is_kept)
{
    pyossl_socket *socket = connection->socket;
    size_t encrypted = connection->gathered, sent = 0;
    int answers_early = connection->early != 0 && pyossl_answers_early(connection);
    long long outcome = 0;

    if (connection->write_errno != 0)
        return PYOSSL_UNWRITTEN;
    if (connection->sent_close_notify)
        return PYOSSL_SHUT;
    if (connection->write_pending != 0 && !pyossl_is_repeated(connection, data, size, is_kept))
        return PYOSSL_OTHER_WRITE;
    if (answers_early)
        outcome = 0;    /* the handshake goes on when the early data has been read */
    else if ((!connection->is_peer_checked || connection->job != NULL) && size > 0)
        /* the handshake would go straight on to the write, or is in a job */
        outcome = pyossl_finish_handshake(connection, SSL_do_handshake);
    else if (connection->renegotiation >= 0 && size > 0)
        outcome = pyossl_renegotiate(connection);
    if (outcome == 0 && connection->early != 0 && !answers_early && size > 0)
        outcome = pyossl_after_early_data(connection);
    pyossl_let_bio_wait(connection);
    while (outcome == 0 && sent < size) {
        size_t step = 0;
        if (socket != NULL && (encrypted == size || pyossl_is_gathered_full(connection))) {
            outcome = pyossl_flush(connection);
            sent = outcome == 0 ? encrypted : sent;
        } else {
            int result, is_held;
            if (socket != NULL)
                socket->gathers = size - sent > PYOSSL_RECORD;
            is_held = pyossl_begin_step(connection);
            result = answers_early
                ? pyossl_write_answer(connection, data + encrypted, size - encrypted, &step)
                : SSL_write_ex(connection->ssl, data + encrypted, size - encrypted, &step);
            pyossl_end_step(connection, is_held);
            outcome = result == 1 ? 0 : pyossl_after_flush(connection, pyossl_not_done(connection, result));
            encrypted += step;
            if (socket == NULL || pyossl_stretch_length(&socket->gathered) == 0)
                sent = encrypted;
        }
        if (connection->write_errno != 0)
            outcome = pyossl_after_failed_write(connection, outcome);
    }
    if (socket != NULL)
        socket->gathers = 0;
    if (outcome != 0)
        return pyossl_stop_sending(connection, data, size, sent, encrypted, is_kept, outcome);
    if (connection->write_pending != 0)
        pyossl_forget_pending(connection);
    return pyossl_done((long long)sent);
}

/* pyossl_write; `is_kept` as for pyossl_send_records. */
static long long pyossl_write_step(pyossl_connection *connection, const void *data, size_t size, int is_kept)
{
    int answer = pyossl_begin_to_send(connection);

    return answer != 0 ? answer : pyossl_end(connection, pyossl_send_records(connection, data, size, is_kept));
}

/* Writes up to `size` bytes, under the lock.  Returns how many are on their way: fewer than `size` if the transport has
 * to wait. */
static long long pyossl_write(pyossl_connection *connection, const void *data, size_t size)
{
    return pyossl_write_step(connection, data, size, 0);
}

/* Sends the record that a write has left waiting, from its copy, under the lock.  0: no record waits any more. */
static long long pyossl_finish_write(pyossl_connection *connection)
{
    int answer = pyossl_begin(connection);
    long long outcome = 0;

    if (answer != 0)
        return answer;
    if (connection->write_pending != 0 && connection->pending != NULL) {
        size_t size = connection->pending_size;
        char *record = OPENSSL_memdup(connection->pending, size);
        if (record == NULL)
            return pyossl_end(connection, PYOSSL_NO_MEMORY);
        connection->write_pending = size;    /* the bytes after these have not been given to OpenSSL */
        outcome = pyossl_send_records(connection, record, size, 0);
        OPENSSL_clear_free(record, size);
        if (outcome >= 0)
            outcome = connection->write_pending != 0 ? -SSL_ERROR_WANT_WRITE : 0;
    }
    return pyossl_end(connection, outcome);
}
