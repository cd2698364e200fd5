/* Handshakes in asynchronous jobs: ASYNC_start_job(3).  A provider or an engine that waits for a device, or for the
 * network, can pause the job: ASYNC_pause_job(3).
 *
 * Theory of operation
 * -------------------
 * A job is a call with a stack of its own.  When it is paused, the call of the connection ends with
 * SSL_ERROR_WANT_ASYNC.  The next call of the connection goes on with the job, until it is paused again or its function
 * returns.
 *
 * SSL_MODE_ASYNC would make every call in a job.  A paused read would write to a buffer that the program has freed
 * meanwhile, and a read would go on with a paused write (docs/pitfalls.md, 75).  So that mode is off, and pyossl starts
 * the jobs: for the first handshake only, which has no buffer.  A read or a write that comes before its end goes on with
 * the same job first.  Providers find no job in other calls, and do not pause those.
 *
 * The stack of a job has 32 KiB, and nothing behind it stops an overflow.  From OpenSSL 3.2 on, pyossl sets functions
 * that make it larger, with a page behind it that stops one.
 *
 * Python.  Python measures the depth of its own stack, and needs more than that.  So it never runs in a job.  All
 * callbacks and all BIOs in Python go through one function of cffi's, which pyossl_call_python replaces: in a job it
 * leaves the question with the job and pauses it.  The thread then calls Python on its own stack, and goes on with the
 * job at once.
 *
 * Threads.  OpenSSL and the compiler keep addresses of the thread's own data on the stack of a job.  So a job is
 * continued by the thread that has begun it, and by no other.
 *
 * The end.  OpenSSL cannot end a paused job, and never frees it.  SSL_free(3) would free what the job uses, and close the
 * descriptor to which a device may still write.  So a connection that is closed with a paused job is kept, without its
 * BIO and without Python.  Before the thread of the job begins another one, it goes on with this one, if that is ready,
 * and frees the connection after the end of the job.  If the thread never does, the connection is never freed.  There
 * may be very many of these connections while a device does not answer, so the thread looks at a few of them each
 * time. */

struct _cffi_externpy_s;

struct pyossl_job {
    ASYNC_JOB *job;              /* it is paused, or under way; NULL: none */
    ASYNC_WAIT_CTX *waits;       /* the descriptors that the job waits for; owned */
    unsigned long thread;        /* the thread of the job: pyossl_thread_number */
    int sys_errno;               /* errno at the end of the job's function */
    int is_abandoned;            /* the connection is closed: Python is not asked any more */
    int can_finish;              /* and the job uses no BIO of the program */
    int is_unanswered;           /* Python could not be asked: the handshake must not succeed */
    struct _cffi_externpy_s *function;    /* the Python function that the job asks for; NULL: none */
    char *arguments;             /* of that function, which puts its result there */
    pyossl_aside *aside;         /* the errors that were in the thread's queue when the job was paused; owned */
    pyossl_connection *next;     /* in the list of the abandoned ones */
};

typedef struct {
    pyossl_connection *connection;
    int (*function)(SSL *);
} pyossl_job_arguments;

static _Thread_local struct pyossl_job *pyossl_in_job;    /* the job on whose stack this thread runs now; NULL: none */

/* Closed connections with paused jobs, linked by `job->next`: those of this thread, and those that another thread than
 * that of the job has dropped. */
static _Thread_local pyossl_connection *pyossl_abandoned_here, *pyossl_last_abandoned_here;
static pyossl_connection *pyossl_abandoned;

/* A number of the thread that no other thread of the process has or had. */
static unsigned long pyossl_thread_number(void)
{
    static unsigned long threads;
    static _Thread_local unsigned long number;

    if (number == 0)
        number = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
    return number;
}

static int pyossl_has_async_jobs(void)
{
#ifdef _cffi_call_python
    return HAVE_ASYNC_JOBS && ASYNC_is_capable();
#else
    return 0;    /* Python would run in the jobs: pyossl_call_python */
#endif
}

#if COMPILES(HAVE_API_3_2)

enum { PYOSSL_JOB_STACK = 256 * 1024 };    /* bytes; only the pages that are used take memory */

/* The bytes before a stack that stop an overflow. */
static size_t pyossl_stack_guard(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *pyossl_stack_new(size_t *size)
{
    size_t guard = pyossl_stack_guard();
    char *pages = mmap(NULL, guard + PYOSSL_JOB_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return NULL;
    if (mprotect(pages, guard, PROT_NONE) != 0) {
        munmap(pages, guard + PYOSSL_JOB_STACK);
        return NULL;
    }
    *size = PYOSSL_JOB_STACK;
    return pages + guard;
}

static void pyossl_stack_free(void *stack)
{
    size_t guard = pyossl_stack_guard();

    if (stack != NULL)
        munmap((char *)stack - guard, guard + PYOSSL_JOB_STACK);
}

/* OpenSSL refuses these functions after the first job of the process. */
static void pyossl_enlarge_stacks(void)
{
    if (HAVE_API_3_2)
        (void)ASYNC_set_mem_functions(pyossl_stack_new, pyossl_stack_free);
}

#else

static void pyossl_enlarge_stacks(void) {}

#endif

/* A context with SSL_MODE_ASYNC has made the connection: its first handshake will be made in a job, if it `uses_jobs`.
 * 1: done; 0: no memory.  Takes no lock: no other thread has the connection. */
static int pyossl_take_async_mode(pyossl_connection *connection, int uses_jobs)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    SSL_clear_mode(connection->ssl, SSL_MODE_ASYNC);
    if (!uses_jobs)
        return 1;
    pthread_once(&once, pyossl_enlarge_stacks);
    connection->job = calloc(1, sizeof(*connection->job));
    if (connection->job == NULL)
        return 0;
    connection->job->waits = ASYNC_WAIT_CTX_new();
    if (connection->job->waits != NULL)
        return 1;
    free(connection->job);
    connection->job = NULL;
    pyossl_clear_errors();
    return 0;
}

/* Whether the handshake is in a job that is paused.  The SSL must not be used for anything else. */
static int pyossl_job_is_paused(const pyossl_connection *connection)
{
    return connection->job != NULL && connection->job->job != NULL;
}

/* The connection needs no job any more. */
static void pyossl_forget_job(pyossl_connection *connection)
{
    if (connection->job == NULL)
        return;
    ASYNC_WAIT_CTX_free(connection->job->waits);
    free(connection->job);
    connection->job = NULL;
}

/* The function of a job, on its stack. */
static int pyossl_job_body(void *given)
{
    pyossl_job_arguments *arguments = given;
    int result;

    errno = 0;
    result = arguments->function(arguments->connection->ssl);
    arguments->connection->job->sys_errno = errno;
    return result;
}

/* Begins the job, or goes on with it: the result of ASYNC_start_job(3).  Answers its questions.  Errors that the job
 * has put into the thread's queue before it was paused are put back: it may be about to report them. */
static int pyossl_run_job(pyossl_connection *connection, int (*function)(SSL *), int *result)
{
    pyossl_job_arguments arguments = {connection, function};    /* OpenSSL makes a copy */
    struct pyossl_job *job = connection->job;

    pyossl_put_back(job->aside);
    job->aside = NULL;
    for (;;) {
        int status;
        pyossl_in_job = job;
        status = ASYNC_start_job(&job->job, job->waits, result, pyossl_job_body, &arguments, sizeof(arguments));
        pyossl_in_job = NULL;
        if (status == ASYNC_FINISH || status == ASYNC_ERR)
            job->job = NULL;
        if (status != ASYNC_PAUSE)
            return status;
        if (job->function == NULL) {
            job->aside = pyossl_set_aside();
            return status;
        }
#ifdef _cffi_call_python
        _cffi_call_python(job->function, job->arguments);
#endif
        job->function = NULL;
    }
}

#ifdef _cffi_call_python

/* Calls a Python function, for all functions that C calls.  In a job, the thread calls it outside of the job.  If Python
 * is not to be asked, or an engine or provider has forbidden pauses (ASYNC_block_pause(3)), the result is 0, which some
 * callbacks would take for success: so the handshake fails. */
static void pyossl_call_python(struct _cffi_externpy_s *function, char *arguments)
{
    struct pyossl_job *job = pyossl_in_job;

    if (job == NULL) {
        _cffi_call_python(function, arguments);
        return;
    }
    if (!job->is_abandoned) {
        job->function = function;
        job->arguments = arguments;
        if (ASYNC_pause_job() && job->function == NULL)
            return;
        job->function = NULL;
    }
    job->is_unanswered = 1;
    memset(arguments, 0, 8);
}

#endif

/* Whether a job can go on: one of its descriptors is readable, or it has none. */
static int pyossl_job_is_ready(const struct pyossl_job *job)
{
    enum { MOST = 16 };
    OSSL_ASYNC_FD fds[MOST];
    struct pollfd pollers[MOST];
    size_t count = 0;

    if (!ASYNC_WAIT_CTX_get_all_fds(job->waits, NULL, &count) || count == 0 || count > MOST
        || !ASYNC_WAIT_CTX_get_all_fds(job->waits, fds, &count))
        return 1;
    for (size_t n = 0; n < count; n++)
        pollers[n] = (struct pollfd){.fd = fds[n], .events = POLLIN};
    return poll(pollers, (nfds_t)count, 0) != 0;
}

/* Adds a connection to the end of the list of this thread, or to the other list. */
static void pyossl_add_abandoned(pyossl_connection *connection)
{
    pyossl_connection *first;

    if (connection->job->thread == pyossl_thread_number()) {
        connection->job->next = NULL;
        if (pyossl_abandoned_here == NULL)
            pyossl_abandoned_here = connection;
        else
            pyossl_last_abandoned_here->job->next = connection;
        pyossl_last_abandoned_here = connection;
        return;
    }
    first = __atomic_load_n(&pyossl_abandoned, __ATOMIC_ACQUIRE);
    do
        connection->job->next = first;
    while (!__atomic_compare_exchange_n(&pyossl_abandoned, &first, connection, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

/* Moves the connections of this thread that another thread has dropped to the others of this thread.  Those of the
 * parent process are left alone. */
static void pyossl_find_abandoned(void)
{
    pyossl_connection *connection, *next;

    if (__atomic_load_n(&pyossl_abandoned, __ATOMIC_RELAXED) == NULL)
        return;
    connection = __atomic_exchange_n(&pyossl_abandoned, NULL, __ATOMIC_ACQ_REL);
    for (; connection != NULL; connection = next) {
        next = connection->job->next;
        if (!pyossl_lock_is_inherited(&connection->own_lock))
            pyossl_add_abandoned(connection);
    }
}

/* Goes on with the abandoned jobs of this thread, the oldest first, at most PYOSSL_ABANDONED_AT_ONCE of them.  Frees the
 * connections whose jobs have ended, and puts the others to the end of the list. */
static void pyossl_finish_abandoned(void)
{
    enum { PYOSSL_ABANDONED_AT_ONCE = 16 };
    pyossl_connection *last;

    pyossl_find_abandoned();
    if (pyossl_abandoned_here == NULL)
        return;
    last = pyossl_last_abandoned_here;
    for (int n = 0; n < PYOSSL_ABANDONED_AT_ONCE && pyossl_abandoned_here != NULL; n++) {
        pyossl_connection *connection = pyossl_abandoned_here;
        struct pyossl_job *job = connection->job;
        int result, status = ASYNC_PAUSE, is_last = connection == last;

        pyossl_abandoned_here = job->next;
        if (!pyossl_lock_is_inherited(&connection->own_lock)) {
            if (pyossl_job_is_ready(job))
                status = pyossl_run_job(connection, NULL, &result);
            if (status == ASYNC_PAUSE)
                pyossl_add_abandoned(connection);
            else
                pyossl_connection_free(connection);
        }
        if (is_last)
            break;
    }
    pyossl_clear_errors();
}

/* A connection is closed.  1: it has a paused job, which uses no BIO and no Python from now on, and its SSL must not be
 * freed; 0: it has none.  The caller has the lock, or the only reference. */
static int pyossl_abandon_job(pyossl_connection *connection)
{
    BIO *nothing;

    if (!pyossl_job_is_paused(connection))
        return 0;
    if (connection->job->is_abandoned)
        return 1;
    connection->job->is_abandoned = 1;
    connection->handle = NULL;
    /* Over BIOs of the program, one of them may be in the middle of a call: then the job is never finished. */
    pyossl_hold_forks();
    nothing = connection->memory != NULL || connection->socket != NULL ? BIO_new(BIO_s_null()) : NULL;
    if (nothing != NULL) {
        SSL_set_bio(connection->ssl, nothing, nothing);
        connection->job->can_finish = 1;
    }
    pyossl_let_fork();
    pyossl_clear_errors();
    connection->memory = NULL;
    connection->socket = NULL;
    return 1;
}

/* The last reference to a connection goes.  1: it has a paused job, and must not be freed now; 0: it has none. */
static int pyossl_keep_abandoned(pyossl_connection *connection)
{
    if (!pyossl_abandon_job(connection))
        return 0;
    if (connection->job->can_finish)
        pyossl_add_abandoned(connection);
    return 1;
}

/* The descriptors that a paused job waits for: at most `room` are put into `fds`.  Returns how many there are.  The
 * caller holds the lock. */
static int pyossl_async_fds(pyossl_connection *connection, int *fds, int room)
{
    size_t count = 0;

    if (!pyossl_job_is_paused(connection) || !ASYNC_WAIT_CTX_get_all_fds(connection->job->waits, NULL, &count))
        return 0;
    if (count <= (size_t)room && count > 0 && !ASYNC_WAIT_CTX_get_all_fds(connection->job->waits, fds, &count))
        return 0;
    return (int)count;
}

/* Begins the handshake in a job, or goes on with it.  0: it is finished; else the answer of the call.  Between
 * pyossl_begin and pyossl_end. */
static long long pyossl_handshake_in_job(pyossl_connection *connection, int (*function)(SSL *))
{
    struct pyossl_job *job = connection->job;
    int status, result = -1;
    long long outcome;

    if (job->job != NULL && job->thread != pyossl_thread_number())
        return PYOSSL_OTHER_THREAD;
    if (job->job == NULL) {
        job->thread = pyossl_thread_number();
        pyossl_finish_abandoned();
    }
    status = pyossl_run_job(connection, function, &result);
    if (status == ASYNC_PAUSE || status == ASYNC_NO_JOBS) {
        pyossl_clear_errors();
        return status == ASYNC_PAUSE ? -SSL_ERROR_WANT_ASYNC : -SSL_ERROR_WANT_ASYNC_JOB;
    }
    if (job->is_unanswered)
        status = ASYNC_ERR;
    if (status == ASYNC_FINISH && result == 1) {
        pyossl_forget_job(connection);
        return 0;
    }
    errno = job->sys_errno;
    outcome = pyossl_not_done(connection, status == ASYNC_FINISH ? result : -1);
    if (status == ASYNC_FINISH || connection->dead)
        return outcome;
    connection->dead = 1;
    connection->error = SSL_ERROR_SSL;
    return -SSL_ERROR_SSL;
}
