/* Reading.  A read returns as many records as it has room for and can have without waiting. */

/* Whether another record may be there already, without a call of the transport: then the read can go on at no cost. */
static int pyossl_holds_more(const pyossl_connection *connection)
{
    size_t received = connection->memory != NULL ? pyossl_memory_incoming(connection->memory)
                    : connection->socket != NULL ? pyossl_stretch_length(&connection->socket->ahead)
                                                 : connection->queues != NULL ? pyossl_queue_length(connection->queues->incoming)
                                                 : BIO_ctrl_pending(SSL_get_rbio(connection->ssl));

    return received > 0 || SSL_has_pending(connection->ssl);
}

/* How many bytes a read of `size` bytes may take off the descriptor.  A program that reads less than a record must look
 * at SSL_pending(3) before it waits for the descriptor anyway, so such a read may take the rest of a short record
 * too. */
static size_t pyossl_look_ahead(const pyossl_connection *connection, size_t size)
{
    if (connection->keeps_to_records || connection->sent_close_notify || !SSL_is_init_finished(connection->ssl))
        return 0;
    return size < PYOSSL_RECORD ? size + SSL3_RT_MAX_ENCRYPTED_OVERHEAD + SSL3_RT_HEADER_LENGTH : size;
}

/* How many more bytes may be taken off the descriptor for a read that already has `got` bytes. */
static size_t pyossl_allowance(const pyossl_connection *connection, size_t size, size_t got, int peeks)
{
    pyossl_socket *socket = connection->socket;
    size_t allowed = pyossl_look_ahead(connection, size), taken;

    if (!SSL_has_pending(connection->ssl))
        socket->handed = 0;
    if (peeks && allowed > (size < PYOSSL_RECORD ? size : PYOSSL_RECORD))
        allowed = size < PYOSSL_RECORD ? size : PYOSSL_RECORD;    /* the next read may have no more room */
    taken = got + pyossl_stretch_length(&socket->ahead) + socket->handed;
    return allowed > taken ? allowed - taken : 0;
}

/* Whether a read goes on to the next record.  If the buffer has room for any record, one that may be there is enough.
 * Otherwise the next record must be here completely and must fit: the rest of a record that did not fit would be left
 * where select(2) does not see it.  A datagram is one message, and is not joined with the next. */
static int pyossl_reads_on(const pyossl_connection *connection, size_t size, size_t got)
{
    if (connection->socket == NULL || size < PYOSSL_RECORD || size - got >= PYOSSL_RECORD)
        return pyossl_holds_more(connection) && !SSL_is_dtls(connection->ssl);
    return SSL_has_pending(connection->ssl) || pyossl_stretch_holds_record(&connection->socket->ahead);
}

/* Reads or peeks, under the lock and between pyossl_begin and pyossl_end.  Returns the number of bytes; 0: the peer has
 * sent its close_notify, or `size` is 0. */
static long long pyossl_receive(pyossl_connection *connection, char *buffer, size_t size, int peeks)
{
    size_t got = 0;

    if (size == 0 || connection->received_end)
        return 0;
    if (connection->early != 0) {
        long long outcome = pyossl_after_early_data(connection);
        if (outcome != 0)
            return outcome;
    }
    if (!connection->is_open && connection->job != NULL) {
        long long outcome = pyossl_finish_handshake(connection, SSL_do_handshake);
        if (outcome != 0)
            return outcome;
    }
    pyossl_let_bio_wait(connection);
    for (;;) {
        size_t step = 0;
        int result, is_held;
        if (connection->socket != NULL)
            connection->socket->allowance = pyossl_allowance(connection, size, got, peeks);
        is_held = pyossl_begin_step(connection);
        result = peeks ? SSL_peek_ex(connection->ssl, buffer, size, &step)
                       : SSL_read_ex(connection->ssl, buffer + got, size - got, &step);
        pyossl_end_step(connection, is_held);
        if (!connection->is_peer_checked && pyossl_check_peer_certificate(connection) != 0) {
            OPENSSL_cleanse(buffer, got + step);
            return -SSL_ERROR_SSL;
        }
        if (result != 1) {
            long long outcome = pyossl_not_done(connection, result);
            if (outcome == -SSL_ERROR_ZERO_RETURN && !connection->dead) {
                connection->received_end = 1;
                outcome = 0;
            }
            if (connection->has_unused_buffers)
                pyossl_free_unused_buffers(connection);
            /* The caller gets the bytes that came before; the next call meets the failure again. */
            if (got > 0)
                return (long long)got;
            outcome = pyossl_after_flush(connection, outcome);
            return connection->write_errno != 0 && outcome < 0 && !connection->is_open
                ? pyossl_handshake_after_failed_write(connection, outcome) : outcome;
        }
        got += step;
        connection->budget = PYOSSL_BUDGET;
        if (peeks || got == size || connection->parked || !pyossl_reads_on(connection, size, got)) {
            if (connection->has_unused_buffers)
                pyossl_free_unused_buffers(connection);
            return pyossl_done((long long)got);
        }
    }
}

/* Reads up to `size` bytes, under the lock.  Returns their number; 0: the peer has sent its close_notify. */
static long long pyossl_read(pyossl_connection *connection, void *buffer, size_t size)
{
    int answer = pyossl_begin(connection);
    return answer != 0 ? answer : pyossl_end(connection, pyossl_receive(connection, buffer, size, 0));
}

/* As pyossl_read, but the bytes stay to be read. */
static long long pyossl_peek(pyossl_connection *connection, void *buffer, size_t size)
{
    int answer = pyossl_begin(connection);
    return answer != 0 ? answer : pyossl_end(connection, pyossl_receive(connection, buffer, size, 1));
}
