/* Calls that are made while a connection or a BIO is locked.
 *
 * Python must not take and release a lock itself: a signal handler may raise between any two of its instructions, also
 * between taking the lock and the `try`, and the lock would stay locked.  So C takes the lock, makes the call and
 * releases the lock.  Simple calls are C functions (pyossl_ask); for any other call C calls a Python function, and
 * passes back its exception (pyossl/core/lock.py). */

/* Calls the Python function of `question`.  Returns 1 if it returned; 2 if it raised, and the exception was kept. */
static int pyossl_on_turn(void *question);

/* Called under the lock.  A signal handler or a finaliser may close the connection during the call, which still uses
 * the SSL: the SSL is freed after the call. */
static int pyossl_ask_python(pyossl_connection *connection, void *question)
{
    int answer;

    connection->asked++;
    answer = pyossl_on_turn(question);
    connection->asked--;
    if (connection->closed && connection->asked == 0 && connection->ssl != NULL)
        pyossl_free_ssl(connection);
    return answer;
}

/* As pyossl_on_turn, under the connection's lock; 0 if the lock belongs to the parent process. */
static int pyossl_in_turn(pyossl_connection *connection, void *question)
{
    int answer;

    if (!pyossl_connection_acquire(connection))
        return 0;
    answer = pyossl_ask_python(connection, question);
    pyossl_connection_release(connection);
    return answer;
}

/* As pyossl_in_turn, but does not wait: -1 if another thread has the lock. */
static int pyossl_in_turn_if_free(pyossl_connection *connection, void *question)
{
    pyossl_lock *other = connection->other_lock;
    int answer = -1;

    if (!(pyossl_lock_is_inherited(connection->lock) ? pyossl_adopt(connection) : pyossl_lock_try(connection->lock)))
        return pyossl_lock_is_inherited(connection->lock) ? 0 : -1;
    if (other == NULL || pyossl_lock_try(other)) {
        answer = pyossl_ask_python(connection, question);
        if (other != NULL)
            pyossl_lock_release(other);
    }
    pyossl_lock_release(connection->lock);
    return answer;
}

static int pyossl_ask_under(pyossl_lock *lock, void *question)
{
    int answer;

    lock->calls++;
    answer = pyossl_on_turn(question);
    lock->calls--;
    pyossl_lock_release(lock);
    return answer;
}

/* As pyossl_in_turn, under a BIO's lock. */
static int pyossl_under_lock(pyossl_lock *lock, void *question)
{
    return pyossl_lock_acquire(lock) ? pyossl_ask_under(lock, question) : 0;
}

/* As pyossl_in_turn_if_free. */
static int pyossl_under_lock_if_free(pyossl_lock *lock, void *question)
{
    if (pyossl_lock_try(lock))
        return pyossl_ask_under(lock, question);
    return pyossl_lock_is_inherited(lock) ? 0 : -1;
}

/* Locks the connection, until pyossl_connection_release, and returns its SSL.  NULL, and not locked, if the connection
 * is closed or belongs to the parent process. */
static SSL *pyossl_enter(pyossl_connection *connection)
{
    if (!pyossl_connection_acquire(connection))
        return NULL;
    if (!connection->closed)
        return connection->ssl;
    pyossl_connection_release(connection);
    return NULL;
}

enum {
    PYOSSL_IS_FINISHED,
    PYOSSL_IS_REUSED,
    PYOSSL_BYTES_PENDING,
    PYOSSL_HAS_PENDING,
    PYOSSL_VERIFY_RESULT,
    PYOSSL_SHUTDOWN_STATE
};

/* The answer, 0 or more; -1 if the connection is closed or belongs to the parent process. */
static long long pyossl_ask(pyossl_connection *connection, int question)
{
    SSL *ssl = pyossl_enter(connection);
    long long answer = -1;

    if (ssl == NULL)
        return -1;
    switch (question) {
    case PYOSSL_IS_FINISHED:
        answer = SSL_is_init_finished(ssl);
        break;
    case PYOSSL_IS_REUSED:
        answer = SSL_session_reused(ssl);
        break;
    case PYOSSL_BYTES_PENDING:
        answer = SSL_pending(ssl);
        break;
    case PYOSSL_HAS_PENDING:
        answer = SSL_has_pending(ssl);
        break;
    case PYOSSL_VERIFY_RESULT:
        answer = SSL_get_verify_result(ssl);
        break;
    case PYOSSL_SHUTDOWN_STATE:
        answer = SSL_get_shutdown(ssl);
        break;
    }
    pyossl_connection_release(connection);
    return answer;
}

/* The session, with a reference for the caller; NULL if there is none, or as for pyossl_enter. */
static SSL_SESSION *pyossl_session(pyossl_connection *connection)
{
    SSL *ssl = pyossl_enter(connection);
    SSL_SESSION *session = NULL;

    if (ssl != NULL) {
        session = SSL_get1_session(ssl);
        pyossl_connection_release(connection);
    }
    return session;
}
