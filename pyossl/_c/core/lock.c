/* The lock of a BIO or of a connection.
 *
 * Only one thread at a time may use an SSL, and cffi releases the GIL around each call: so pyossl needs its own lock.
 * The lock belongs to a BIO, because the two halves of a BIO pair use each other's memory and share one lock.  A
 * connection uses the lock of its BIO, or its own if it made the BIO itself.  The lock is recursive: a callback may
 * call methods of the connection.
 *
 * After a fork the thread that held a lock does not exist in the child.  So a call in the child refuses a lock that was
 * made before the fork, and does not wait for it.  A lock that was free at the fork can be adopted: see pyossl_adopt in
 * tls/connection/connection_lock.c. */

static unsigned long pyossl_generation;    /* the number of forks from the process that imported pyossl to this one */
static unsigned long pyossl_forks;         /* the number of forks by this process and its parents */

static void pyossl_forks_now(void)
{
    __atomic_fetch_add(&pyossl_forks, 1, __ATOMIC_SEQ_CST);    /* two threads may fork at once */
}

static void pyossl_forked(void)
{
    pyossl_generation++;
    pyossl_forget_holders();
}

static unsigned long pyossl_process(void)
{
    return pyossl_generation;
}

typedef struct {
    pthread_mutex_t mutex;
    unsigned long generation;
    int wanted;    /* threads that wait for it */
    int calls;     /* running calls of BIOs under it, one inside the other */
} pyossl_lock;

static void pyossl_lock_free(pyossl_lock *lock)
{
    if (lock == NULL)
        return;
    pthread_mutex_destroy(&lock->mutex);
    free(lock);
}

/* Returns 1 on success, 0 if the system has no memory or other resources for it. */
static int pyossl_lock_set_up(pyossl_lock *lock)
{
    pthread_mutexattr_t attributes;
    int failed;

    if (pthread_mutexattr_init(&attributes) != 0)
        return 0;
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    failed = pthread_mutex_init(&lock->mutex, &attributes);
    lock->generation = pyossl_generation;
    pthread_mutexattr_destroy(&attributes);
    return !failed;
}

static pyossl_lock *pyossl_lock_new(void)
{
    pyossl_lock *lock = calloc(1, sizeof(*lock));

    if (lock != NULL && pyossl_lock_set_up(lock))
        return lock;
    free(lock);
    return NULL;
}

static int pyossl_lock_is_inherited(const pyossl_lock *lock)
{
    return __atomic_load_n(&lock->generation, __ATOMIC_ACQUIRE) != pyossl_generation;
}

static int pyossl_is_ending;    /* whether the interpreter is ending */

static void pyossl_interpreter_ends(void)
{
    pyossl_is_ending = 1;
}

/* At the end of the interpreter a daemon thread that calls Python under a lock never returns from it. */
static int pyossl_lock_acquire_at_end(pyossl_lock *lock)
{
    for (int patience = 200; patience > 0; patience--) {
        if (pthread_mutex_trylock(&lock->mutex) == 0)
            return 1;
        usleep(1000);
    }
    return 0;
}

/* Returns 1 if this thread has the lock now, until pyossl_lock_release; 0 if the lock belongs to the parent process, or
 * to a thread that has ended. */
static int pyossl_lock_acquire(pyossl_lock *lock)
{
    int result;

    if (pyossl_lock_is_inherited(lock))
        return 0;
    if (pthread_mutex_trylock(&lock->mutex) == 0)
        return 1;
    if (pyossl_is_ending)
        return pyossl_lock_acquire_at_end(lock);
    __atomic_fetch_add(&lock->wanted, 1, __ATOMIC_SEQ_CST);
    result = pthread_mutex_lock(&lock->mutex);
    __atomic_fetch_sub(&lock->wanted, 1, __ATOMIC_SEQ_CST);
    return result == 0;
}

/* Takes a lock that the parent process made, if it was free at the fork.  Returns 1 as pyossl_lock_acquire; 2 if this
 * call is the first that has the lock in this process; 0 if the lock cannot be taken.  If it stays locked for longer
 * than the patience, it is held by a thread of the parent process. */
static int pyossl_lock_adopt(pyossl_lock *lock)
{
    for (int patience = 100; patience > 0; patience--) {
        if (!pyossl_lock_is_inherited(lock))
            return pyossl_lock_acquire(lock);
        if (pthread_mutex_trylock(&lock->mutex) == 0) {
            if (!pyossl_lock_is_inherited(lock))
                return 1;
            lock->wanted = lock->calls = 0;
            return 2;
        }
        usleep(100);
    }
    return 0;
}

/* As pyossl_lock_acquire, but does not wait: returns 0 also if another thread has the lock. */
static int pyossl_lock_try(pyossl_lock *lock)
{
    return !pyossl_lock_is_inherited(lock) && pthread_mutex_trylock(&lock->mutex) == 0;
}

static void pyossl_lock_release(pyossl_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

/* For a thread that has just released the lock and will take it again at once.  A mutex is not fair: the thread would
 * have it again before a waiting thread wakes up. */
static void pyossl_lock_let_others_in(pyossl_lock *lock)
{
    int patience = 50;

    while (__atomic_load_n(&lock->wanted, __ATOMIC_SEQ_CST) > 0 && patience-- > 0)
        usleep(20);
}
