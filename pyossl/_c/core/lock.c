/* Whose turn it is.
 *
 * An SSL is one thread's at a time, and cffi gives up the GIL around every call: the lock is ours.  It belongs to a BIO,
 * because the two halves of a BIO pair touch each other's memory and so share one; a connection works under the lock
 * of its BIO, or under one of its own where nobody else has the BIO.  It is recursive: a callback may ask the connection
 * questions.
 *
 * In a child process the thread that held a lock may not exist: a lock made before the fork is refused there, not
 * waited for.  It can be adopted where it was free at the fork: see pyossl_adopt in connection_lock.c. */

static unsigned long pyossl_generation;    /* forks between this process and the one that imported pyossl */
static unsigned long pyossl_forks;         /* of this process and of those before it */

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
    int calls;     /* calls of BIOs under it, one within the other */
} pyossl_lock;

static void pyossl_lock_free(pyossl_lock *lock)
{
    if (lock == NULL)
        return;
    pthread_mutex_destroy(&lock->mutex);
    free(lock);
}

/* 1 where it is ready to be used, 0 where there are no means for it. */
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

static int pyossl_is_ending;    /* the interpreter ends */

static void pyossl_interpreter_ends(void)
{
    pyossl_is_ending = 1;
}

/* As the interpreter ends a daemon thread that asks Python under a lock never comes back from there. */
static int pyossl_lock_acquire_at_end(pyossl_lock *lock)
{
    for (int patience = 200; patience > 0; patience--) {
        if (pthread_mutex_trylock(&lock->mutex) == 0)
            return 1;
        usleep(1000);
    }
    return 0;
}

/* 1: it is ours, until pyossl_lock_release; 0: the lock is the parent process's, or of a thread that is no more. */
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

/* A lock that the parent process made: 1 where it was free at the fork, and is ours now, as pyossl_lock_acquire; 2 where
 * this call is the first to have it here.  A thread that holds it for longer than the patience is one of the parent's. */
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

/* As pyossl_lock_acquire, but 0 too where another thread has the lock. */
static int pyossl_lock_try(pyossl_lock *lock)
{
    return !pyossl_lock_is_inherited(lock) && pthread_mutex_trylock(&lock->mutex) == 0;
}

static void pyossl_lock_release(pyossl_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

/* For a thread that has just released the lock and will want it again at once: a mutex is not fair, and would be its own
 * again before a waiting thread has woken up. */
static void pyossl_lock_let_others_in(pyossl_lock *lock)
{
    int patience = 50;

    while (__atomic_load_n(&lock->wanted, __ATOMIC_SEQ_CST) > 0 && patience-- > 0)
        usleep(20);
}
