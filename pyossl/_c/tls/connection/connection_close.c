/* Closing a connection: frees its SSL, and the memory that C keeps for it. */

/* Frees the SSL.  The caller has the lock, or the only reference. */
static void pyossl_free_ssl(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    if (pyossl_abandon_job(connection))
        return;
    connection->handle = NULL;
    connection->ssl = NULL;
    connection->socket = NULL;
    connection->queues = NULL;
    /* SSL_free(3) makes the session of a connection that was not shut down unusable, as TLS 1.0 required.  Since TLS
     * 1.1 only a fatal alert does, and a failure of the transport does not. */
    if (ssl != NULL && (!connection->dead || connection->error == SSL_ERROR_SYSCALL) && SSL_is_init_finished(ssl))
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    pyossl_hold_forks();
    SSL_free(ssl);
    pyossl_let_fork();
}

/* Closes the connection, under its lock.  0: the SSL is freed (or will be, when the question under way is answered),
 * and every later call answers PYOSSL_CLOSED; 1: it was closed before; PYOSSL_INHERITED; PYOSSL_BUSY in one of its own
 * callbacks. */
static int pyossl_close(pyossl_connection *connection)
{
    int answer;

    if (!pyossl_connection_acquire(connection))
        return PYOSSL_INHERITED;
    answer = connection->closed;
    if (connection->busy) {
        answer = PYOSSL_BUSY;
    } else if (!answer) {
        connection->closed = 1;
        pthread_cond_broadcast(&connection->turn);
        if (connection->asked == 0)
            pyossl_free_ssl(connection);
    }
    pyossl_connection_release(connection);
    return answer;
}

/* Frees the connection when its last reference goes.  Takes no lock: no other thread has the connection. */
static void pyossl_connection_free(pyossl_connection *connection)
{
    if (connection == NULL)
        return;
    if (pyossl_keep_abandoned(connection))
        return;
    pyossl_free_ssl(connection);
    pyossl_forget_job(connection);
    X509_free(connection->verify_certificate);
    free(connection->records);
    free(connection->hello);
    pyossl_forget_pending(connection);
    pyossl_forget_early_data(connection);
    pyossl_forget_extension(connection);
    /* In a child process, glibc's pthread_cond_destroy would wait for waiting threads, which exist only in the parent.
     * The lock of a BIO may have been freed before. */
    if (!pyossl_lock_is_inherited(&connection->own_lock))
        pthread_cond_destroy(&connection->turn);
    if (connection->lock == &connection->own_lock)
        pthread_mutex_destroy(&connection->own_lock.mutex);
    free(connection);
}
