/* A connection's locks: its own and that of a BIO below it, and what becomes of them in a child process.
 *
 * A child has a copy of each connection of its parent, and may not go on with one that has keys: both would send with them.
 * One that has not begun is adopted: its lock, which any thread may have held at the fork, is the child's from then on. */

/* A connection whose handshake has not begun has no keys, and may go on in a child process: a server accepts, and forks
 * a child for the connection.  Only one whose BIO is nobody else's. */
static int pyossl_has_no_keys(const pyossl_connection *connection)
{
    return connection->ssl != NULL && !connection->busy && !connection->asked && SSL_in_before(connection->ssl);
}

/* Whether the connection is the parent process's, and stays so.  Another thread may adopt it, and begin, meanwhile. */
static int pyossl_is_inherited(const pyossl_connection *connection)
{
    return pyossl_lock_is_inherited(connection->lock)
        && (connection->lock != &connection->own_lock || !pyossl_has_no_keys(connection))
        && pyossl_lock_is_inherited(connection->lock);
}

static void pyossl_turn_new(pthread_cond_t *turn);

/* In a child process: as pyossl_connection_acquire, of a connection that the parent process has made and not begun, of
 * which another thread may be the first to have the lock here. */
static int pyossl_adopt(pyossl_connection *connection)
{
    pyossl_lock *lock = connection->lock;
    int adopted;

    if (pyossl_is_inherited(connection))
        return 0;
    adopted = pyossl_lock_adopt(lock);
    if (adopted == 2) {    /* a thread of the parent's may have been about to begin */
        pyossl_turn_new(&connection->turn);
        connection->writing = connection->turn_waiters = connection->waiters = 0;
        __atomic_store_n(&lock->generation, pyossl_generation, __ATOMIC_RELEASE);
    }
    return adopted != 0;
}

/* Both locks are taken in one order, whichever connection asks. */
static int pyossl_connection_acquire(pyossl_connection *connection)
{
    pyossl_lock *first = connection->lock, *second = connection->other_lock;

    if (second == NULL)
        return pyossl_lock_is_inherited(first) ? pyossl_adopt(connection) : pyossl_lock_acquire(first);
    if (first > second) {
        pyossl_lock *swapped = first;
        first = second;
        second = swapped;
    }
    if (!pyossl_lock_acquire(first))
        return 0;
    if (pyossl_lock_acquire(second))
        return 1;
    pyossl_lock_release(first);
    return 0;
}

static void pyossl_connection_release(pyossl_connection *connection)
{
    if (connection->other_lock != NULL)
        pyossl_lock_release(connection->other_lock);
    pyossl_lock_release(connection->lock);
}
