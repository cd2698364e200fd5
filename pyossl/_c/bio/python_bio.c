/* BIOs written in Python: their BIO_METHODs, which call the functions of pyossl/bio/python_bio.py.
 *
 * There are two methods, for sources and sinks and for filters.  Each process has them once, and they share one type:
 * 1.1.1 has 127 BIO types in a process.  A call fails if the Python object is gone, or if its method returns a value
 * that is not possible.
 *
 * An exception is parked for the call that the user made: `pyossl_calling` is the connection that was called, or NULL
 * if a BIO was called.  A call inside another restores its value. */

static _Thread_local int pyossl_thread_parked;             /* Python has parked an exception for the call of a BIO */

typedef struct {
    void *handle;    /* borrowed: the ffi.new_handle() of the Python object; NULL after that is gone */
    int eof;
} pyossl_python;

static BIO_METHOD *pyossl_python_source_method, *pyossl_python_filter_method;

static int pyossl_python_create(BIO *bio)
{
    pyossl_python *state = calloc(1, sizeof(*state));
    if (state == NULL)
        return 0;
    BIO_set_data(bio, state);
    BIO_set_init(bio, 1);
    return 1;
}

static int pyossl_python_destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    BIO_set_data(bio, NULL);
    return 1;
}

/* Called if Python raised.  If it could not keep the exception either (its stack or the memory is full), an error is
 * put into the queue: the failure must not look like the end of the data. */
static void pyossl_python_failed(void)
{
    pyossl_record record = {.data = "a BIO written in Python failed, and its exception was lost"};

    if (pyossl_calling != NULL ? pyossl_calling->parked : pyossl_thread_parked)
        return;
    record.code = ERR_PACK(ERR_LIB_BIO, 0, ERR_R_INTERNAL_ERROR);
    pyossl_put_error(&record);
}

/* What follows a negative answer of Python, which is -SSL_ERROR_WANT_x, or -SSL_ERROR_SSL if an exception has been
 * parked. */
static int pyossl_python_waits(BIO *bio, long long answer)
{
    switch (answer) {
    case -SSL_ERROR_SSL:
        pyossl_python_failed();
        break;
    case -SSL_ERROR_WANT_READ:
        BIO_set_retry_read(bio);
        break;
    case -SSL_ERROR_WANT_WRITE:
        BIO_set_retry_write(bio);
        break;
    case -SSL_ERROR_WANT_CONNECT:
        BIO_set_retry_special(bio);
        BIO_set_retry_reason(bio, BIO_RR_CONNECT);
        break;
    case -SSL_ERROR_WANT_ACCEPT:
        BIO_set_retry_special(bio);
        BIO_set_retry_reason(bio, BIO_RR_ACCEPT);
        break;
    }
    return -1;
}

/* A command of pyossl's own: whether the BIO may hold bytes that it has already taken from the transport below. */
enum { PYOSSL_HOLDS = -1 };

static long pyossl_python_ask(BIO *bio, int command);

static int pyossl_python_read(BIO *bio, char *buffer, size_t size, size_t *got)
{
    pyossl_python *state = BIO_get_data(bio);
    pyossl_aside *aside;
    long long answer;

    *got = 0;
    BIO_clear_retry_flags(bio);
    if (state->handle == NULL || size == 0)
        return 0;
    if (!pyossl_has_budget() && !pyossl_may_give(pyossl_python_ask(bio, PYOSSL_HOLDS) != 0)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (!pyossl_search_goes_on(bio))
        return -1;
    aside = pyossl_set_aside();
    answer = pyossl_on_bio_read(state->handle, buffer, size);
    pyossl_put_back(aside);
    errno = 0;
    if (answer < 0 || (unsigned long long)answer > size)
        return pyossl_python_waits(bio, answer);
    *got = (size_t)answer;
    pyossl_has_given(*got);
    pyossl_search_took(*got);
    state->eof = answer == 0;
    return answer > 0;
}

static int pyossl_python_write(BIO *bio, const char *data, size_t size, size_t *written)
{
    pyossl_python *state = BIO_get_data(bio);
    pyossl_aside *aside;
    long long answer;

    *written = 0;
    BIO_clear_retry_flags(bio);
    if (size == 0)
        return 0;
    if (state->handle == NULL)
        return -1;    /* with 0, the flush of a filter above would try again for ever */
    aside = pyossl_set_aside();
    answer = pyossl_on_bio_write(state->handle, data, size);
    pyossl_put_back(aside);
    errno = 0;
    if (answer <= 0 || (unsigned long long)answer > size)
        return pyossl_python_waits(bio, answer);
    *written = (size_t)answer;
    return 1;
}

static int pyossl_python_puts(BIO *bio, const char *text)
{
    size_t written;
    return pyossl_python_write(bio, text, strlen(text), &written) == 1 ? (int)written : -1;
}

static long pyossl_python_ask(BIO *bio, int command)
{
    pyossl_python *state = BIO_get_data(bio);
    pyossl_aside *aside;
    long long answer;

    if (state->handle == NULL)
        return 0;
    if (command == BIO_CTRL_FLUSH)
        BIO_clear_retry_flags(bio);
    aside = pyossl_set_aside();
    answer = pyossl_on_bio_control(state->handle, command);
    pyossl_put_back(aside);
    errno = 0;
    if (answer < 0)
        return command == BIO_CTRL_FLUSH ? pyossl_python_waits(bio, answer) : 0;
    return answer > LONG_MAX ? LONG_MAX : (long)answer;
}

static long pyossl_python_ctrl(BIO *bio, int command, long number, void *pointer)
{
    pyossl_python *state = BIO_get_data(bio);

    switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_PENDING:
    case BIO_C_SHUTDOWN_WR:
        return pyossl_python_ask(bio, command);
    case BIO_CTRL_EOF:
        return state->eof;
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(bio);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(bio, (int)number);
        return 1;
    default:
        return BIO_next(bio) == NULL ? 0 : BIO_ctrl(BIO_next(bio), command, number, pointer);
    }
}

/* `handle` must stay valid until pyossl_python_bio_free. */
static BIO *pyossl_python_bio(void *handle, int filters)
{
    BIO *bio = BIO_new(filters ? pyossl_python_filter_method : pyossl_python_source_method);
    if (bio != NULL)
        ((pyossl_python *)BIO_get_data(bio))->handle = handle;
    return bio;
}

/* Drops a reference, as BIO_free_all(3) does; the BIO then has no Python object any more, for other references too. */
static void pyossl_python_bio_free(BIO *bio)
{
    ((pyossl_python *)BIO_get_data(bio))->handle = NULL;
    BIO_free_all(bio);
}

/* Called when an exception is parked: returns the connection that this thread has called, or NULL if it called a
 * BIO. */
static pyossl_connection *pyossl_park(void)
{
    if (pyossl_calling == NULL)
        pyossl_thread_parked = 1;
    return pyossl_calling;
}

static BIO_METHOD *pyossl_python_method_of(int type)
{
    BIO_METHOD *method = BIO_meth_new(type, "Python");
    if (method != NULL
        && BIO_meth_set_create(method, pyossl_python_create)
        && BIO_meth_set_destroy(method, pyossl_python_destroy)
        && BIO_meth_set_read_ex(method, pyossl_python_read)
        && BIO_meth_set_write_ex(method, pyossl_python_write)
        && BIO_meth_set_puts(method, pyossl_python_puts)
        && BIO_meth_set_ctrl(method, pyossl_python_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}

static int pyossl_python_method_new(void)
{
    int index = BIO_get_new_index();
    if (index == -1)
        return 0;
    pyossl_python_source_method = pyossl_python_method_of(index | BIO_TYPE_SOURCE_SINK);
    pyossl_python_filter_method = pyossl_python_method_of(index | BIO_TYPE_FILTER);
    return pyossl_python_source_method != NULL && pyossl_python_filter_method != NULL;
}
