/* The calls of a BIO that Python makes without a connection.  Each empties the error queue, makes the call and reads
 * the outcome at once.
 *
 * The result, as in tls/connection/call_outcome.c, is 0 or more if the call succeeded, and else
 *   -SSL_ERROR_WANT_x     the call must be repeated;
 *   -SSL_ERROR_SYSCALL    the descriptor failed, and pyossl_bio_errno returns the errno;
 *   -SSL_ERROR_SSL        OpenSSL failed, and the reasons are in the error queue;
 *   PYOSSL_PARKED         a BIO written in Python raised an exception;
 *   PYOSSL_INCOMPLETE     the last BIO of the chain is a filter.  OpenSSL's filters use the BIO below without a check
 *                         that there is one. */

enum { PYOSSL_INCOMPLETE = -120 };

typedef struct {
    pyossl_connection *outer;
    int parked, searches;
    size_t search_left;
} pyossl_bio_call;

/* Whether the last BIO of the chain is a source and sink, and not a filter. */
static int pyossl_is_complete(BIO *bio)
{
    while (BIO_next(bio) != NULL)
        bio = BIO_next(bio);
    return (BIO_method_type(bio) & BIO_TYPE_FILTER) == 0;
}

/* Called before each call; returns 0 if the call cannot be made. */
static int pyossl_bio_enter(pyossl_bio_call *call, BIO *bio)
{
    if (!pyossl_is_complete(bio))
        return 0;
    call->outer = pyossl_calling;
    call->parked = pyossl_thread_parked;
    call->searches = pyossl_searches;
    call->search_left = pyossl_search_left;
    pyossl_calling = NULL;
    pyossl_thread_parked = pyossl_searches = 0;
    pyossl_clear_errors();
    errno = 0;
    return 1;
}

/* Called after each call.  `result` is the number of bytes or the like, below 0 if the call did nothing; `end` is
 * returned if it did nothing and there is no failure and no reason to repeat it. */
static long long pyossl_bio_leave(pyossl_bio_call *call, BIO *bio, long long result, long long end)
{
    int parked = pyossl_thread_parked;

    pyossl_thread_parked = call->parked;
    pyossl_searches = call->searches;
    pyossl_search_left = call->search_left;
    pyossl_calling = call->outer;
    if (!parked && result >= 0) {
        pyossl_clear_errors();
        return result;
    }
    if (!parked && !BIO_should_retry(bio) && ERR_peek_error() != 0)
        return -SSL_ERROR_SSL;
    pyossl_clear_errors();
    if (parked)
        return PYOSSL_PARKED;
    result = end == 0 && !BIO_should_retry(bio) ? 0 : pyossl_chain_want(bio);
    if (result != 0)
        return result;
    return pyossl_bio_errno(bio) != 0 ? -SSL_ERROR_SYSCALL : end;
}

/* Returns 0 at the end of the data. */
static long long pyossl_bio_read(BIO *bio, void *buffer, size_t size)
{
    pyossl_bio_call call;
    size_t got = 0;
    int result;

    if (!pyossl_bio_enter(&call, bio))
        return PYOSSL_INCOMPLETE;
    result = BIO_read_ex(bio, buffer, size, &got);
    return pyossl_bio_leave(&call, bio, result == 1 ? (long long)got : -1, 0);
}

static long long pyossl_bio_write(BIO *bio, const void *data, size_t size)
{
    pyossl_bio_call call;
    size_t written = 0;
    int result;

    if (!pyossl_bio_enter(&call, bio))
        return PYOSSL_INCOMPLETE;
    result = BIO_write_ex(bio, data, size, &written);
    return pyossl_bio_leave(&call, bio, result == 1 ? (long long)written : -1, -SSL_ERROR_SSL);
}

/* Reads a line with its line feed, or its first size - 1 bytes; returns 0 at the end of the data. */
static long long pyossl_bio_line(BIO *bio, char *buffer, int size)
{
    pyossl_bio_call call;
    int result;

    if (!pyossl_bio_enter(&call, bio))
        return PYOSSL_INCOMPLETE;
    result = BIO_gets(bio, buffer, size);
    return pyossl_bio_leave(&call, bio, result > 0 ? result : -1, 0);
}

/* BIO_ctrl(3); a result of `least` or more is success. */
static long long pyossl_bio_control(BIO *bio, int command, long number, long least)
{
    pyossl_bio_call call;
    long result;

    if (!pyossl_bio_enter(&call, bio))
        return PYOSSL_INCOMPLETE;
    result = BIO_ctrl(bio, command, number, NULL);
    return pyossl_bio_leave(&call, bio, result >= least ? result : -1, -SSL_ERROR_SSL);
}

/* Each BIO of a chain owns a reference to the next.  Each of these functions makes the whole change: between two calls
 * a signal handler could raise, and a reference would have two owners. */

/* Appends `below` to a chain that ends in `last`; the chain gets its own reference to it. */
static int pyossl_push(BIO *last, BIO *below)
{
    return BIO_up_ref(below) && BIO_push(last, below) != NULL;
}

/* Removes `bio` from its chain; `above` is the BIO above it, or NULL. */
static void pyossl_pop(BIO *above, BIO *bio)
{
    BIO *below = BIO_next(bio);

    BIO_set_next(bio, NULL);
    if (above != NULL) {
        BIO_set_next(above, below);
        BIO_free(bio);
    } else {
        BIO_free(below);
    }
}
