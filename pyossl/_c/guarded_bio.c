/* OpenSSL's own BIOs over descriptors and files, with two things put right.
 *
 * They send with write(2), and so raise SIGPIPE in a program that does not ignore it when the peer has hung up: the
 * signal is blocked in this thread around what may write, and one that came meanwhile is taken away.  And they leave
 * the errno of a failed call to the thread, where anything may overwrite it: it is kept with the BIO.
 *
 * Both hang on the BIO's callback (BIO_set_callback_ex(3)), and so hold under a connection as well. */

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

static long pyossl_guard(BIO *bio, int operation, const char *data, size_t size, int command, long number, int result,
                         size_t *processed)
{
    int sys_errno = errno, acts = operation % BIO_CB_RETURN != BIO_CB_CTRL || command == BIO_CTRL_FLUSH
        || command == BIO_C_DO_STATE_MACHINE;
    (void)data;
    (void)size;
    (void)number;
    (void)processed;

    if (!acts)    /* a question, which must not overwrite the errno of the call that it is about */
        return result;
    switch (operation) {
    case BIO_CB_WRITE:
    case BIO_CB_PUTS:
    case BIO_CB_CTRL:
        pyossl_block_sigpipe();
        /* fall through */
    case BIO_CB_READ:
    case BIO_CB_GETS:
        errno = 0;
        return result;
    case BIO_CB_WRITE | BIO_CB_RETURN:
    case BIO_CB_PUTS | BIO_CB_RETURN:
    case BIO_CB_CTRL | BIO_CB_RETURN:
        pyossl_unblock_sigpipe();
        /* fall through */
    case BIO_CB_READ | BIO_CB_RETURN:
    case BIO_CB_GETS | BIO_CB_RETURN:
        BIO_set_callback_arg(bio, (char *)(intptr_t)(result > 0 ? 0 : sys_errno));
        errno = sys_errno;
        return result;
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
