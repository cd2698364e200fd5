/* os.fork() waits until no other thread is in a call that may hold one of OpenSSL's global locks.
 *
 * OpenSSL has global locks around its tables of methods, algorithms and indexes, and no fork handlers.  If another
 * thread holds such a lock when the process forks, it stays locked in the child for ever, and a call in the child that
 * makes a context waits for it.  Python's ssl keeps the GIL in these calls, which prevents most of that; cffi releases
 * it.
 *
 * These calls are counted: the calls by which Python makes, changes and frees OpenSSL's objects; other calls that fetch
 * algorithms; and the calls of a connection over BIOs that never wait.  os.fork() waits until none is running, and
 * delays new ones.  It waits without the GIL, because a callback in such a call may need it.
 * It waits for at most PYOSSL_FORK_PATIENCE seconds and one second more: a call may wait for a slow disk, or for a lock
 * of the forking thread.  A new call is not delayed for much longer either: a fork handler may wait for the thread that
 * makes the call.
 *
 * A thread may fork from a callback inside such a call, and a call may be made inside another.  A thread that is about
 * to fork may also make such calls: other handlers of os.register_at_fork(), and finalisers, run in it.
 *
 * Not counted: a short call that keeps Python's GIL (hot_calls.c), because os.fork() needs it; a connection's call while
 * a Python callback runs in it, because OpenSSL holds no lock then, and the callback may wait for anything; and calls
 * that may take very long or wait: making RSA and DSA keys and parameters, loading from a URI, and a connection over
 * other BIOs. */

enum { PYOSSL_FORK_PATIENCE = 1, PYOSSL_FORK_INTERVAL = 50 };    /* seconds; microseconds */

static int pyossl_forking;        /* threads that are about to fork */
static int pyossl_held;           /* threads in calls that forks wait for */
static _Thread_local int pyossl_held_here;    /* such calls that this thread is in, one inside the other */
static _Thread_local int pyossl_forking_here; /* forks that this thread is about to make, one in a handler of another */
static _Thread_local time_t pyossl_waits_here;   /* the time since which forks delay this thread's calls; 0: not */

static void pyossl_hold_forks(void)
{
    struct timespec now;

    if (pyossl_held_here++ > 0)
        return;
    for (;;) {
        __atomic_fetch_add(&pyossl_held, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&pyossl_forking, __ATOMIC_SEQ_CST) == 0) {
            pyossl_waits_here = 0;
            return;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (pyossl_waits_here == 0)
            pyossl_waits_here = now.tv_sec;
        if (pyossl_forking_here || now.tv_sec - pyossl_waits_here > PYOSSL_FORK_PATIENCE + 1)
            return;
        __atomic_fetch_sub(&pyossl_held, 1, __ATOMIC_SEQ_CST);
        usleep(PYOSSL_FORK_INTERVAL);
    }
}

static void pyossl_let_fork(void)
{
    if (--pyossl_held_here == 0)
        __atomic_fetch_sub(&pyossl_held, 1, __ATOMIC_SEQ_CST);
}

/* Called before a callback: forks do not wait for its Python code.  pyossl_resume_hold is called after it. */
static int pyossl_suspend_hold(void)
{
    int depth = pyossl_held_here;

    if (depth > 0) {
        pyossl_held_here = 1;
        pyossl_let_fork();
    }
    return depth;
}

static void pyossl_resume_hold(int depth)
{
    if (depth > 0) {
        pyossl_hold_forks();
        pyossl_held_here = depth;
    }
}

/* Around each callback.  pyossl_calling: see tls/connection/connection.c; the context's lock: see
 * tls/mutable/live_context.c. */
#define PYOSSL_IN_PYTHON(call) \
    __extension__({ \
        pyossl_connection *pyossl_caller = pyossl_calling; \
        int pyossl_depth = pyossl_suspend_hold(), pyossl_was_in = pyossl_suspend_context(pyossl_caller); \
        __typeof__(call) pyossl_answer = (call); \
        pyossl_resume_context(pyossl_caller, pyossl_was_in); \
        pyossl_resume_hold(pyossl_depth); \
        pyossl_resume_call(pyossl_caller); \
        pyossl_answer; \
    })
#define PYOSSL_IN_PYTHON_VOID(call) (void)PYOSSL_IN_PYTHON(((call), 0))

static void pyossl_before_fork(void)
{
    int own = pyossl_held_here > 0;
    struct timespec begin, now;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    now = begin;
    pyossl_forking_here++;
    __atomic_fetch_add(&pyossl_forking, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&pyossl_held, __ATOMIC_SEQ_CST) > own && now.tv_sec - begin.tv_sec <= PYOSSL_FORK_PATIENCE) {
        usleep(PYOSSL_FORK_INTERVAL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
}

static void pyossl_after_fork(void)
{
    pyossl_forking_here--;
    __atomic_fetch_sub(&pyossl_forking, 1, __ATOMIC_SEQ_CST);
}

/* Called in the child, which has this thread only. */
static void pyossl_forget_holders(void)
{
    pyossl_forking = pyossl_forking_here = 0;
    pyossl_held = pyossl_held_here > 0;
}
