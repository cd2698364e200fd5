/* What OpenSSL's BIOs do wrong, put right with callbacks (BIO_set_callback_ex(3)), which hold under a connection too.
 *
 * Loops that do not end.  A base64 filter skips what is not base64, and asks the BIO below for more until it finds
 * some: with /dev/zero below, or a peer that sends nothing but newlines, the call never returns, and nothing can
 * interrupt it.  So one read of a base64 filter takes a bounded number of bytes off a BIO that may have no end (a
 * descriptor, a file, one written in Python), and then fails.  And where the BIO below takes nothing and says 0, as
 * BIO_s_file(3) and BIO_f_prefix(3) do when they fail, the flush of a base64 filter, or in 1.1.1 of a cipher, writes
 * the same bytes again without end: 0 is made -1, which is what it means.
 *
 * Descriptors and files.
 *
 * They send with write(2), and so raise SIGPIPE in a program that does not ignore it when the peer has hung up: the
 * signal is blocked in this thread around what may write, and one that came meanwhile is taken away.  And they leave
 * the errno of a failed call to the thread, where anything may overwrite it: it is kept with the BIO.
 *
 * Sockets of other processes.
 *
 * BIO_s_connect(3) and BIO_s_accept(3) end their socket with shutdown(2) when they are freed, and so the socket of the
 * parent process when a child drops its copy: they get another descriptor of the same number to end. */

/* The bytes that one read of a base64 filter may take besides those that it needs; a read below counts as so many. */
enum { PYOSSL_SEARCH = 4 * 1024 * 1024, PYOSSL_SEARCH_STEP = 64 };

static _Thread_local int pyossl_searches;         /* reads of base64 filters that this thread is in, one in the other */
static _Thread_local size_t pyossl_search_left;   /* for the outermost */

/* 0 where a base64 filter above has had all it may have. */
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

/* On a BIO that may have no end, or on BIO_f_prefix(3), which says 0 where it could not write and does not say that the
 * BIO below waits. */
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

/* `bio`, with which no loop goes on for ever; NULL stays NULL. */
static BIO *pyossl_bounded(BIO *bio)
{
    if (bio != NULL)
        BIO_set_callback_ex(bio, pyossl_bound);
    return bio;
}

/* On a base64 filter.  One that has failed fails again, and does not say that the data has ended. */
static long pyossl_search(BIO *bio, int operation, const char *data, size_t size, int command, long number, int result,
                          size_t *processed)
{
    static const pyossl_record nothing_found = {.data = "too much that is not base64 before or between what is"};
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

/* `bio`, a base64 filter, whose reads end; NULL stays NULL. */
static BIO *pyossl_searching(BIO *bio)
{
    if (bio != NULL)
        BIO_set_callback_ex(bio, pyossl_search);
    return bio;
}

static _Thread_local int pyossl_guards;         /* calls of guarded BIOs that this thread is in, one in the other */
static _Thread_local int pyossl_pipe_pending;   /* a SIGPIPE was on its way before the outermost */
static _Thread_local sigset_t pyossl_mask;      /* the thread's signals before it */

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

/* Closes the descriptor of a BIO that is to be freed, and puts one in its place that nobody has. */
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

static int pyossl_file_index;    /* BIO_set_ex_data(3): the pyossl_file of a descriptor that is the caller's */

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

/* Whether the descriptor's number is a stranger's; the call has failed then. */
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
    if (!acts)    /* a question, which must not overwrite the errno of the call that it is about */
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
        /* No later write gets through either, after these two. */
        is_lost = !BIO_should_retry(bio) && (sys_errno == EPIPE || sys_errno == ECONNRESET);
        if (!is_lost || !pyossl_keeps_failure(sys_errno))
            return result == 0 ? -1 : result;
        *processed = size;
        return 1;
    default:
        return result;
    }
}

/* `bio`, guarded; NULL stays NULL. */
static BIO *pyossl_guarded(BIO *bio)
{
    if (bio != NULL)
        BIO_set_callback_ex(bio, pyossl_guard);
    return bio;
}

/* `bio`, guarded, over a descriptor that is the caller's, who may close it; NULL stays NULL. */
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

/* BIO_free_all(3) for what writes as it is freed: a file's last bytes. */
static void pyossl_guarded_free(BIO *bio)
{
    pyossl_block_sigpipe();
    BIO_free_all(bio);
    pyossl_unblock_sigpipe();
}

/* The errno of the last call of a chain's BIO over a descriptor or a file, 0 if it did not fail or there is none. */
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
