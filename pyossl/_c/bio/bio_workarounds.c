/* Workarounds for faults of OpenSSL's BIOs, in callbacks (BIO_set_callback_ex(3)), which also work under a connection.
 *
 * Endless loops.  A base64 filter skips bytes that are not base64, and reads more from the BIO below until it finds
 * base64.  With /dev/zero below, or a peer that sends only newlines, the call never returns, and cannot be interrupted.
 * So one read of a base64 filter takes a bounded number of bytes from a BIO that may have no end (a descriptor, a file,
 * a BIO written in Python), and then fails.  Also, BIO_s_file(3) and BIO_f_prefix(3) return 0 when a write fails, and
 * the flush of a base64 filter above (in 1.1.1 also of a cipher filter) then writes the same bytes again for ever: the
 * callback changes 0 to -1, a failure.
 *
 * SIGPIPE and errno.  BIOs over descriptors and files use write(2), which raises SIGPIPE if the reader has closed its
 * end.  The signal is blocked in this thread during calls that may write, and a new one is removed.  They leave the
 * errno of a failed call in the thread's errno, which later calls may overwrite: it is kept with the BIO.
 *
 * Sockets of the parent process.  BIO_s_connect(3) and BIO_s_accept(3) call shutdown(2) when they are freed.  In a
 * child process that would shut down the parent's socket: before they are freed, their descriptor is replaced by
 * another file with the same number. */

/* The bytes that one read of a base64 filter may take in excess of the bytes that it needs; each read of the BIO below
 * counts as PYOSSL_SEARCH_STEP bytes more. */
enum { PYOSSL_SEARCH = 4 * 1024 * 1024, PYOSSL_SEARCH_STEP = 64 };

static _Thread_local int pyossl_searches;         /* reads of base64 filters that this thread is in, nested */
static _Thread_local size_t pyossl_search_left;   /* the bytes that the outermost may still take */

/* 0 if a base64 filter above has taken all the bytes that it may take. */
static int pyossl_search_goes_on(BIO *bio)
{
    if (pyossl_searches == 0 || pyossl_search_left > 0)
        return 1;
    BIO_clear_retry_flags(bio);
    return 0;
}

static void pyossl_search_took(size_t size)
{
    if (pyossl_searches > 0)
        pyossl_search_left -= size + PYOSSL_SEARCH_STEP < pyossl_search_left ? size + PYOSSL_SEARCH_STEP
                                                                             : pyossl_search_left;
}

/* The callback of a BIO that may have no end, and of BIO_f_prefix(3), which returns 0 for a failed write and does not
 * set the retry flags when the BIO below has to wait. */
static long pyossl_bound(BIO *bio, int operation, const char *data, size_t size, int command, long number, int result,
                         size_t *processed)
{
    (void)data;
    (void)size;
    (void)command;
    (void)number;

    switch (operation) {
    case BIO_CB_READ:
        return pyossl_search_goes_on(bio) ? result : -1;
    case BIO_CB_READ | BIO_CB_RETURN:
        if (result > 0)
            pyossl_search_took(*processed);
        break;
    case BIO_CB_WRITE | BIO_CB_RETURN:
        if (result == 0)
            result = -1;
        break;
    default:
        return result;
    }
    if (BIO_next(bio) != NULL) {
        BIO_clear_retry_flags(bio);
        if (result <= 0)
            BIO_copy_next_retry(bio);
    }
    return result;
}

/* Sets that callback and returns `bio`; NULL stays NULL. */
static BIO *pyossl_bounded(BIO *bio)
{
    if (bio != NULL)
        BIO_set_callback_ex(bio, pyossl_bound);
    return bio;
}

/* The callback of a base64 filter.  After a failure each read fails again, and BIO_eof(3) is false. */
static long pyossl_search(BIO *bio, int operation, const char *data, size_t size, int command, long number, int result,
                          size_t *processed)
{
    static const pyossl_record nothing_found = {.data = "too much input that is not base64"};
    (void)data;
    (void)number;
    (void)processed;

    if (operation == BIO_CB_READ && pyossl_searches++ == 0)
        pyossl_search_left = PYOSSL_SEARCH + (size < INT_MAX ? size : INT_MAX) * (2 * (PYOSSL_SEARCH_STEP + (size_t)1));
    if (operation == (BIO_CB_CTRL | BIO_CB_RETURN) && command == BIO_CTRL_EOF)
        return BIO_get_callback_arg(bio) == NULL ? result : 0;
    if (operation != (BIO_CB_READ | BIO_CB_RETURN))
        return result;
    pyossl_searches--;
    if (pyossl_search_left == 0)
        BIO_set_callback_arg(bio, (char *)bio);
    if (result > 0 || BIO_get_callback_arg(bio) == NULL)
        return result;
    if (ERR_peek_error() == 0) {
        pyossl_record record = nothing_found;
        record.code = ERR_PACK(ERR_LIB_BIO, 0, BIO_R_LENGTH_TOO_LONG);
        pyossl_put_error(&record);
    }
    return -1;
}

/* Sets that callback on `bio`, a base64 filter, and returns it; NULL stays NULL. */
static BIO *pyossl_searching(BIO *bio)
{
    if (bio != NULL)
        BIO_set_callback_ex(bio, pyossl_search);
    return bio;
}

static _Thread_local int pyossl_guards;         /* calls of guarded BIOs that this thread is in, one inside the other */
static _Thread_local int pyossl_pipe_pending;   /* a SIGPIPE was pending before the outermost */
static _Thread_local sigset_t pyossl_mask;      /* the thread's signal mask before it */

static void pyossl_block_sigpipe(void)
{
    sigset_t pipe_only, pending;

    if (pyossl_guards++ > 0)
        return;
    sigemptyset(&pending);
    sigpending(&pending);
    pyossl_pipe_pending = sigismember(&pending, SIGPIPE);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &pyossl_mask);
}

static void pyossl_unblock_sigpipe(void)
{
    sigset_t pipe_only, pending;
    int taken;

    if (--pyossl_guards > 0)
        return;
    sigemptyset(&pending);
    sigpending(&pending);
    if (!pyossl_pipe_pending && sigismember(&pending, SIGPIPE)) {
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        sigwait(&pipe_only, &taken);
    }
    pthread_sigmask(SIG_SETMASK, &pyossl_mask, NULL);
}

/* Called before a connect or accept BIO is freed: closes its descriptor, and opens /dev/null with the same number. */
static void pyossl_leave_to_others(BIO *bio)
{
    int type = BIO_method_type(bio), fd, null;

    if ((type != BIO_TYPE_CONNECT && type != BIO_TYPE_ACCEPT) || !BIO_get_close(bio))
        return;
    fd = (int)BIO_get_fd(bio, NULL);
    null = fd < 0 ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return;
    dup2(null, fd);
    close(null);
}

static int pyossl_file_index;    /* of BIO_set_ex_data(3): the pyossl_file of a descriptor of the caller */

static void pyossl_file_free(void *bio, void *file, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
    (void)bio;
    (void)data;
    (void)index;
    (void)number;
    (void)pointer;
    free(file);
}

static int pyossl_file_set_up(void)
{
    pyossl_file_index = BIO_get_ex_new_index(0, NULL, NULL, NULL, pyossl_file_free);
    return pyossl_file_index >= 0;
}

/* Whether the descriptor belongs to another file now; the call then fails with EBADF. */
static int pyossl_is_other_file(BIO *bio)
{
    const pyossl_file *file = BIO_get_ex_data(bio, pyossl_file_index);

    if (file == NULL || pyossl_is_still(file, (int)BIO_get_fd(bio, NULL)))
        return 0;
    BIO_clear_retry_flags(bio);
    BIO_set_callback_arg(bio, (char *)(intptr_t)EBADF);
    return 1;
}

static long pyossl_guard(BIO *bio, int operation, const char *data, size_t size, int command, long number, int result,
                         size_t *processed)
{
    int sys_errno = errno, is_lost, acts = operation % BIO_CB_RETURN != BIO_CB_CTRL || command == BIO_CTRL_FLUSH
        || command == BIO_C_DO_STATE_MACHINE;
    (void)data;
    (void)number;

    if (operation == BIO_CB_FREE && pyossl_is_other_file(bio))
        (void)BIO_set_close(bio, BIO_NOCLOSE);
    if (!acts)    /* a query: it must not overwrite the errno of the call before it */
        return result;
    if (operation != BIO_CB_FREE && (operation & BIO_CB_RETURN) == 0 && pyossl_is_other_file(bio))
        return -1;
    switch (operation) {
    case BIO_CB_FREE:
        pyossl_leave_to_others(bio);
        errno = sys_errno;
        return result;
    case BIO_CB_WRITE:
    case BIO_CB_PUTS:
    case BIO_CB_CTRL:
        pyossl_block_sigpipe();
        /* fall through */
    case BIO_CB_READ:
    case BIO_CB_GETS:
        errno = 0;
        if (operation != BIO_CB_READ)
            return result;
        if (!pyossl_search_goes_on(bio))
            return -1;
        if (pyossl_has_budget() || (BIO_method_type(bio) & BIO_TYPE_DESCRIPTOR) == 0
            || pyossl_fd_blocks((int)BIO_get_fd(bio, NULL)) || pyossl_may_give(0))
            return result;
        BIO_clear_retry_flags(bio);
        BIO_set_retry_read(bio);
        return -1;
    case BIO_CB_WRITE | BIO_CB_RETURN:
    case BIO_CB_PUTS | BIO_CB_RETURN:
    case BIO_CB_CTRL | BIO_CB_RETURN:
        pyossl_unblock_sigpipe();
        /* fall through */
    case BIO_CB_READ | BIO_CB_RETURN:
    case BIO_CB_GETS | BIO_CB_RETURN:
        BIO_set_callback_arg(bio, (char *)(intptr_t)(result > 0 ? 0 : sys_errno));
        if (operation == (BIO_CB_READ | BIO_CB_RETURN) && result > 0) {
            pyossl_search_took(*processed);
            pyossl_has_given(*processed);
        }
        errno = sys_errno;
        if (operation != (BIO_CB_WRITE | BIO_CB_RETURN) || result > 0)
            return result;
        /* After these two errors all later writes fail too. */
        is_lost = !BIO_should_retry(bio) && (sys_errno == EPIPE || sys_errno == ECONNRESET);
        if (!is_lost || !pyossl_keeps_failure(sys_errno))
            return result == 0 ? -1 : result;
        *processed = size;
        return 1;
    default:
        return result;
    }
}

/* Sets pyossl_guard as the callback and returns `bio`; NULL stays NULL. */
static BIO *pyossl_guarded(BIO *bio)
{
    if (bio != NULL)
        BIO_set_callback_ex(bio, pyossl_guard);
    return bio;
}

/* As pyossl_guarded, for a descriptor that the caller owns and may close; NULL stays NULL. */
static BIO *pyossl_guarded_of_caller(BIO *bio, int fd)
{
    pyossl_file *file = bio == NULL ? NULL : calloc(1, sizeof(*file));

    if (file == NULL || !BIO_set_ex_data(bio, pyossl_file_index, file)) {
        free(file);
        BIO_free_all(bio);
        return NULL;
    }
    pyossl_know_file(file, fd);
    return pyossl_guarded(bio);
}

/* BIO_free_all(3) for a BIO over a file: it writes the last bytes when it is freed. */
static void pyossl_guarded_free(BIO *bio)
{
    pyossl_block_sigpipe();
    BIO_free_all(bio);
    pyossl_unblock_sigpipe();
}

/* The errno of the last call of the BIO over a descriptor or a file in a chain; 0 if it did not fail or there is
 * none. */
static int pyossl_bio_errno(BIO *bio)
{
    for (; bio != NULL; bio = BIO_next(bio)) {
        if (BIO_method_type(bio) == pyossl_socket_type)
            return pyossl_socket_errno(bio);
        if (BIO_get_callback_ex(bio) == pyossl_guard)
            return (int)(intptr_t)BIO_get_callback_arg(bio);
    }
    return 0;
}
