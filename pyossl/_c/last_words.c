/* Why the peer hung up.
 *
 * With TLS 1.3 a client has finished its handshake before the server has looked at its certificate.  A client that
 * writes then meets a connection that the server has reset, while the alert that says why lies in the receive buffer,
 * unread: the write's error is true, and not what anybody wants to know.  So when a write fails because there is
 * nobody any more, what has come is read to its end, and a fatal alert in it is what the connection died of.
 *
 * OpenSSL 4.0 reads nothing more once a write has failed for good: there it stays at the write's error. */

enum { PYOSSL_LAST_WORDS = 1 << 20 };    /* bytes before the alert that are looked through */

static int pyossl_is_alert(unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    return ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255;
}

/* For a connection that has just died, under its lock.  What is read before the alert was lost with the connection. */
static void pyossl_hear_last_words(pyossl_connection *connection)
{
    enum { ROOM = 32 };    /* the queue holds 16 */
    char buffer[4096];
    size_t heard = 0, got = 0;
    void *handle = connection->handle;
    pyossl_connection *outer = pyossl_calling;

    if (!connection->dead || connection->closed || connection->busy || connection->error != SSL_ERROR_SYSCALL
        || (connection->sys_errno != EPIPE && connection->sys_errno != ECONNRESET))
        return;
    /* What is no descriptor of ours may wait for what never comes; and the handshake would write. */
    if (connection->fd < 0 || !SSL_is_init_finished(connection->ssl))
        return;
    connection->handle = NULL;    /* no callback: nobody has called */
    connection->busy = 1;
    connection->budget = PYOSSL_BUDGET;
    pyossl_calling = connection;
    pyossl_clear_errors();
    while (heard < PYOSSL_LAST_WORDS && SSL_read_ex(connection->ssl, buffer, sizeof(buffer), &got) == 1) {
        heard += got;
        connection->budget = PYOSSL_BUDGET;
    }
    pyossl_calling = outer;
    connection->busy = 0;
    connection->handle = handle;
    OPENSSL_cleanse(buffer, sizeof(buffer));
    if (pyossl_is_alert(ERR_peek_error())) {
        pyossl_record *records = calloc(ROOM, sizeof(pyossl_record));
        if (records != NULL) {
            free(connection->records);
            connection->records = records;
            connection->record_count = pyossl_take_errors(records, ROOM);
            connection->error = SSL_ERROR_SSL;
            connection->sys_errno = 0;
        }
    }
    pyossl_clear_errors();
}
