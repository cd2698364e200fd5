/* The locks of a connection, its own or those of the BIOs below it, and their state in a child process.
 *
 * A child process has a copy of each connection of its parent.  It may not use a copy that has keys, because both
 * processes would send with the same keys.  It can adopt a connection whose handshake has not begun: any thread may
 * have held the lock at the fork, so the child takes it over.
 *
 * A program can allow more (pyossl_may_cross_forks), as the standard library's ssl does: a server forks after the
 * handshake, and its parent closes its copy without another word.  It then sees to it that only one process goes on. */

/* Whether the handshake has not begun.  Such a connection has no keys, and a child process may go on with it: a server
 * accepts, and forks a child for the connection.  This holds only if its BIO belongs to no other connection. */
static int pyossl_has_no_keys(const pyossl_connection *connection)
{
    return connection->ssl != NULL && !connection->busy && !connection->asked && SSL_in_before(connection->ssl);
}

/* A child process may go on with the connection, whatever its state, unless a thread of the parent was in a call of it
 * at the fork.  Only one of the processes may: two that sent with the same keys would give away what they send.  Takes
 * no lock: it is called before another thread has the connection. */
static void pyossl_may_cross_forks(pyossl_connection *connection)
{
    connection->crosses_forks = 1;
}

/* Whether a child process may take the connection over. */
static int pyossl_may_be_adopted(const pyossl_connection *connection)
{
    if (connection->lock != &connection->own_lock)
        return 0;
    return pyossl_has_no_keys(connection) || (connection->crosses_forks && !connection->busy && !connection->asked);
}

/* Whether the connection belongs to the parent process and cannot be adopted.  The generation is read twice, because
 * another thread may adopt the connection and begin its handshake in between.  Takes no lock. */
static int pyossl_is_inherited(const pyossl_connection *connection)
{
    return pyossl_lock_is_inherited(connection->lock)
        && !pyossl_may_be_adopted(connection)
        && pyossl_lock_is_inherited(connection->lock);
}

static void pyossl_turn_new(pthread_cond_t *turn);

/* In a child process: as pyossl_connection_acquire, for a connection that the parent has made and not begun.  Another
 * thread of the child may be the first to take the lock. */
static int pyossl_adopt(pyossl_connection *connection)
{
    pyossl_lock *lock = connection->lock;
    int adopted;

    if (pyossl_is_inherited(connection))
        return 0;
    adopted = pyossl_lock_adopt(lock);
    if (adopted == 2) {    /* a thread of the parent may have been about to begin */
        pyossl_turn_new(&connection->turn);
        connection->writing = connection->turn_waiters = connection->waiters = 0;
        __atomic_store_n(&lock->generation, pyossl_generation, __ATOMIC_RELEASE);
    }
    return adopted != 0;
}

/* Takes the connection's locks, one or two.  1: taken, until pyossl_connection_release; 0: they belong to the parent
 * process.  Two locks are always taken in the same order, so that two connections over the same BIOs cannot block each
 * other. */
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

/* Releases the locks that pyossl_connection_acquire has taken. */
static void pyossl_connection_release(pyossl_connection *connection)
{
    if (connection->other_lock != NULL)
        pyossl_lock_release(connection->other_lock);
    pyossl_lock_release(connection->lock);
}
