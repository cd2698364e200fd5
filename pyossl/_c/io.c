/* Every call of OpenSSL that does I/O goes through here.
 *
 * SSL_connect(3), SSL_read_ex(3) and their kin answer in three channels at once: a return value, SSL_get_error(3),
 * and a per-thread queue plus errno.  The three are read in one breath: the queue is emptied, the call is made, and
 * when it does not succeed errno, SSL_get_error(3) and the queue are taken before any other code can run on this
 * thread.  The queue is empty afterwards whatever happened.
 *
 * Each function returns what was done when it is >= 0 (bytes moved; for a handshake 0), else -SSL_ERROR_x.  The
 * queue's entries of a fatal outcome are left in the connection for Python to copy. */

static void pyossl_drop_records(pyossl_connection *connection)
{
    free(connection->records);
    connection->records = NULL;
    connection->record_count = 0;
}

static void pyossl_begin(pyossl_connection *connection)
{
    if (connection->records != NULL)
        pyossl_drop_records(connection);
    pyossl_clear_errors();
    errno = 0;
}

static long long pyossl_done(long long result)
{
    pyossl_clear_errors();
    return result;
}

/* The errno that belongs to a failed call: a memory BIO has none, and OpenSSL's own look for a file (a trust store's,
 * say) leaves one behind that must not be taken for the transport's. */
static int pyossl_transport_errno(SSL *ssl, int thread_errno)
{
    BIO *bio = BIO_find_type(SSL_get_wbio(ssl), BIO_TYPE_DESCRIPTOR);
    BIO *reader = BIO_find_type(SSL_get_rbio(ssl), BIO_TYPE_DESCRIPTOR);

    if (reader != NULL && reader != bio && SSL_want(ssl) != SSL_WRITING)
        bio = reader;
    if (bio == NULL)
        return 0;
    return BIO_method_type(bio) == pyossl_socket_type ? pyossl_socket_errno(bio) : thread_errno;
}

static long long pyossl_not_done(pyossl_connection *connection, int result)
{
    enum { ROOM = 32 };    /* the queue holds 16 */
    int error;

    connection->sys_errno = pyossl_transport_errno(connection->ssl, errno);
    connection->error = error = SSL_get_error(connection->ssl, result);
    connection->fatal |= error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL;
    if (ERR_peek_error() != 0) {
        if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL)
            connection->records = calloc(ROOM, sizeof(pyossl_record));
        if (connection->records != NULL)
            connection->record_count = pyossl_take_errors(connection->records, ROOM);
        else
            ERR_clear_error();
    }
    /* A call that failed must not look like one that moved nothing. */
    return error == SSL_ERROR_NONE ? -SSL_ERROR_SSL : -(long long)error;
}

enum { PYOSSL_RECORD = SSL3_RT_MAX_PLAIN_LENGTH };

static void pyossl_forget_pending(pyossl_connection *connection)
{
    if (connection->pending != NULL) {
        size_t kept = connection->write_pending < PYOSSL_RECORD ? connection->write_pending : PYOSSL_RECORD;
        OPENSSL_clear_free(connection->pending, kept);
        connection->pending = NULL;
    }
    connection->write_pending = 0;
}

static void pyossl_keep_pending(pyossl_connection *connection, const void *data, size_t size)
{
    pyossl_forget_pending(connection);
    connection->write_pending = size;
    connection->pending = OPENSSL_memdup(data, size < PYOSSL_RECORD ? size : PYOSSL_RECORD);
}

/* Whether `data` can be the write that waits.  OpenSSL looks at the length only, and would send the record that it has
 * and count it as whatever is offered: other bytes would be lost without a word. */
static int pyossl_is_repeated(const pyossl_connection *connection, const void *data, size_t size)
{
    size_t pending = connection->write_pending;
    return size >= pending && connection->pending != NULL
        && memcmp(data, connection->pending, pending < PYOSSL_RECORD ? pending : PYOSSL_RECORD) == 0;
}

static long long pyossl_handshake(pyossl_connection *connection)
{
    pyossl_begin(connection);
    int result = SSL_do_handshake(connection->ssl);
    return result == 1 ? pyossl_done(0) : pyossl_not_done(connection, result);
}

static long long pyossl_connect(pyossl_connection *connection)
{
    pyossl_begin(connection);
    int result = SSL_connect(connection->ssl);
    return result == 1 ? pyossl_done(0) : pyossl_not_done(connection, result);
}

static long long pyossl_accept(pyossl_connection *connection)
{
    pyossl_begin(connection);
    int result = SSL_accept(connection->ssl);
    return result == 1 ? pyossl_done(0) : pyossl_not_done(connection, result);
}

static long long pyossl_read(pyossl_connection *connection, void *buffer, size_t size)
{
    size_t got = 0;
    pyossl_begin(connection);
    int result = SSL_read_ex(connection->ssl, buffer, size, &got);
    return result == 1 ? pyossl_done((long long)got) : pyossl_not_done(connection, result);
}

static long long pyossl_peek(pyossl_connection *connection, void *buffer, size_t size)
{
    size_t got = 0;
    pyossl_begin(connection);
    int result = SSL_peek_ex(connection->ssl, buffer, size, &got);
    return result == 1 ? pyossl_done((long long)got) : pyossl_not_done(connection, result);
}

/* Writes record after record until all is written or the transport wants to wait.  A record that waits has been
 * encrypted already: the rest must be offered again, from its first byte, and at least as long. */
static long long pyossl_write(pyossl_connection *connection, const void *data, size_t size)
{
    size_t written = 0;
    pyossl_begin(connection);
    while (written < size) {
        size_t step = 0;
        int result = SSL_write_ex(connection->ssl, (const char *)data + written, size - written, &step);
        if (result != 1) {
            long long outcome = pyossl_not_done(connection, result);
            int waits = connection->error != SSL_ERROR_SSL && connection->error != SSL_ERROR_SYSCALL
                        && connection->error != SSL_ERROR_NONE;
            int encrypted = connection->error == SSL_ERROR_WANT_WRITE && SSL_is_init_finished(connection->ssl);
            if (encrypted)
                pyossl_keep_pending(connection, (const char *)data + written, size - written);
            else
                pyossl_forget_pending(connection);
            return waits && written > 0 ? (long long)written : outcome;
        }
        written += step;
    }
    pyossl_forget_pending(connection);
    return pyossl_done((long long)written);
}

/* 1: both close_notify alerts have been exchanged; 0: ours is sent, the peer's is not here yet. */
static long long pyossl_shutdown(pyossl_connection *connection)
{
    pyossl_begin(connection);
    int result = SSL_shutdown(connection->ssl);
    return result >= 0 ? pyossl_done(result) : pyossl_not_done(connection, result);
}

static void pyossl_connection_free(pyossl_connection *connection)
{
    if (connection == NULL)
        return;
    connection->handle = NULL;
    /* SSL_free(3) makes the session of a connection that was not shut down unfit for resumption, as TLS 1.0 asked;
     * since TLS 1.1 only a fatal failure does. */
    if (connection->ssl != NULL && !connection->fatal && SSL_is_init_finished(connection->ssl))
        SSL_set_shutdown(connection->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(connection->ssl);
    X509_free(connection->verify_certificate);
    pyossl_drop_records(connection);
    pyossl_forget_pending(connection);
    free(connection);
}

static pyossl_connection *pyossl_connection_new(SSL_CTX *context)
{
    pyossl_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->ssl = SSL_new(context);
    if (connection->ssl == NULL || !SSL_set_ex_data(connection->ssl, pyossl_connection_index, connection)) {
        pyossl_connection_free(connection);
        return NULL;
    }
    pyossl_set_verify(connection, SSL_get_verify_mode(connection->ssl));
    return connection;
}
