/* The calls that Python makes of a BIO, apart from any connection: each empties the queue, makes the call, and reads at
 * once what it came to.
 *
 * Result by value, as in io.c: >= 0 is what was done; below 0 it is -SSL_ERROR_WANT_x where the call is to be repeated,
 * -SSL_ERROR_SYSCALL where the descriptor failed (pyossl_bio_errno tells the errno), -SSL_ERROR_SSL where OpenSSL did
 * (the queue tells, and stays as it is), PYOSSL_PARKED where a BIO written in Python raised, PYOSSL_INCOMPLETE where
 * the chain has no end: OpenSSL's filters look at the BIO below without asking whether there is one. */

enum { PYOSSL_INCOMPLETE = -120 };

typedef struct {
    pyossl_connection *outer;
    int parked, searches;
    size_t search_left;
} pyossl_bio_call;

/* Whether the last of the chain is a source and a sink. */
static int pyossl_is_complete(BIO *bio)
{
    while (BIO_next(bio) != NULL)
        bio = BIO_next(bio);
    return (BIO_method_type(bio) & BIO_TYPE_FILTER) == 0;
}

/* 0 where the call cannot be made. */
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

/* `result` is what was done, below 0 if nothing was; `end` is the answer where that is no failure. */
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

/* 0 bytes: the end. */
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

/* A line with its end, of at most size - 1 bytes; 0 bytes: the end. */
static long long pyossl_bio_line(BIO *bio, char *buffer, int size)
{
    pyossl_bio_call call;
    int result;

    if (!pyossl_bio_enter(&call, bio))
        return PYOSSL_INCOMPLETE;
    result = BIO_gets(bio, buffer, size);
    return pyossl_bio_leave(&call, bio, result > 0 ? result : -1, 0);
}

/* BIO_ctrl(3), for which an answer of at least `least` is success. */
static long long pyossl_bio_control(BIO *bio, int command, long number, long least)
{
    pyossl_bio_call call;
    long result;

    if (!pyossl_bio_enter(&call, bio))
        return PYOSSL_INCOMPLETE;
    result = BIO_ctrl(bio, command, number, NULL);
    return pyossl_bio_leave(&call, bio, result >= least ? result : -1, -SSL_ERROR_SSL);
}

/* Each BIO of a chain owns a reference to the next.  What moves them is one call each: between two the handler of a
 * signal could raise, and a reference would have two owners. */

/* Puts `below` at the end of a chain, which gets a reference of its own to it. */
static int pyossl_push(BIO *last, BIO *below)
{
    return BIO_up_ref(below) && BIO_push(last, below) != NULL;
}

/* Takes `bio` out of its chain, where `above`, which may be NULL, is above it. */
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
