/* Forks wait for the calls that hold OpenSSL's global locks.
 *
 * OpenSSL has locks of its own around its tables of methods, algorithms and indexes, and no handlers for forks: where
 * another thread holds one in the moment of a fork it stays locked in the child, for ever, and a call that makes a
 * context there waits for it.  Python's ssl is spared most of that by the GIL, which it keeps in these calls and cffi
 * gives up.  So the calls that Python makes on the way to a context and a connection are counted, with whatever else
 * fetches algorithms, and the steps of first handshakes over BIOs that never wait; os.fork() waits until none is under
 * way, and holds up new ones.  It waits without the GIL, which a callback in such a call may need, and for no longer than
 * PYOSSL_FORK_PATIENCE, or a second more: a call may have to wait for a slow disk, or for what the forking thread has.
 * Nor is a new call held up for much longer: a handler of the fork may wait for the thread that makes it.
 *
 * A thread in the middle of such a call may fork itself, from a callback, and may make others in it.  So may a thread
 * that is about to fork: other handlers of os.register_at_fork(), and finalisers, run in it between these two.
 * A handshake is not counted while a callback of Python's runs in it: OpenSSL has no lock then, and the callback may
 * wait for anything.  Nor is what may take very long, or wait: the making of keys and parameters, handshakes over other
 * BIOs. */

enum { PYOSSL_FORK_PATIENCE = 1, PYOSSL_FORK_INTERVAL = 50 };    /* seconds; microseconds */

static int pyossl_forking;        /* threads that are about to fork */
static int pyossl_held;           /* threads in calls that forks wait for */
static _Thread_local int pyossl_held_here;    /* such calls that this thread is in, one in the other */
static _Thread_local int pyossl_forking_here; /* forks that this thread is about to make, one in a handler of the other */
static _Thread_local time_t pyossl_waits_here;   /* since when this thread has met forks; 0: none is there */

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

/* Before and after a callback: forks do not wait for what Python does there. */
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

#define PYOSSL_IN_PYTHON(call) \
    __extension__({ \
        int pyossl_depth = pyossl_suspend_hold(); \
        __typeof__(call) pyossl_answer = (call); \
        pyossl_resume_hold(pyossl_depth); \
        pyossl_answer; \
    })
#define PYOSSL_IN_PYTHON_VOID(call) \
    __extension__({ int pyossl_depth = pyossl_suspend_hold(); (call); pyossl_resume_hold(pyossl_depth); })

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

/* In the child there is this thread alone. */
static void pyossl_forget_holders(void)
{
    pyossl_forking = pyossl_forking_here = 0;
    pyossl_held = pyossl_held_here > 0;
}
