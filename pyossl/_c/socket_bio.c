/* A BIO over a socket's descriptor, which it borrows and never closes.
 *
 * OpenSSL's own BIO_s_socket(3) sends with write(2), and so raises SIGPIPE in a program that does not ignore it when
 * the peer has hung up (BIO_set_send_flags(3) came with 4.0).  This one sends with MSG_NOSIGNAL, or sets SO_NOSIGPIPE
 * where there is no such flag. */

typedef struct {
    int fd;
    int never_waits;         /* the descriptor blocks, calls of the BIO do not */
    int eof;
    int sys_errno;    /* of the last call, 0 if it did not fail: the thread's errno is anybody's by the time it is asked */
} pyossl_socket;

#ifndef MSG_NOSIGNAL
#  define MSG_NOSIGNAL 0
#endif

static BIO_METHOD *pyossl_socket_method;
static int pyossl_socket_type;

static int pyossl_socket_create(BIO *bio)
{
    pyossl_socket *state = calloc(1, sizeof(*state));
    if (state == NULL)
        return 0;
    state->fd = -1;
    BIO_set_data(bio, state);
    return 1;
}

static int pyossl_socket_destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    BIO_set_data(bio, NULL);
    return 1;
}

static int pyossl_socket_flags(const pyossl_socket *state)
{
    return state->never_waits ? MSG_DONTWAIT : 0;
}

static int pyossl_socket_read(BIO *bio, char *buffer, size_t size, size_t *got)
{
    pyossl_socket *state = BIO_get_data(bio);
    ssize_t result;

    BIO_clear_retry_flags(bio);
    *got = 0;
    result = recv(state->fd, buffer, size, pyossl_socket_flags(state));
    state->sys_errno = result < 0 ? errno : 0;
    state->eof = result == 0 && size > 0;
    if (result > 0) {
        *got = (size_t)result;
        return 1;
    }
    if (result < 0 && BIO_sock_should_retry(-1))
        BIO_set_retry_read(bio);
    return result < 0 ? -1 : 0;
}

static int pyossl_socket_write(BIO *bio, const char *data, size_t size, size_t *written)
{
    pyossl_socket *state = BIO_get_data(bio);
    ssize_t result;

    BIO_clear_retry_flags(bio);
    *written = 0;
    result = send(state->fd, data, size, MSG_NOSIGNAL | pyossl_socket_flags(state));
    state->sys_errno = result < 0 ? errno : 0;
    if (result >= 0) {
        *written = (size_t)result;
        return 1;
    }
    if (BIO_sock_should_retry(-1))
        BIO_set_retry_write(bio);
    return -1;
}

static int pyossl_socket_puts(BIO *bio, const char *text)
{
    size_t written;
    return pyossl_socket_write(bio, text, strlen(text), &written) == 1 ? (int)written : -1;
}

static long pyossl_socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    pyossl_socket *state = BIO_get_data(bio);

    switch (command) {
    case BIO_C_SET_FD:
        state->fd = *(int *)pointer;
        state->eof = 0;
        BIO_set_shutdown(bio, (int)number);
        BIO_set_init(bio, 1);
#ifdef SO_NOSIGPIPE
        {
            int on = 1;
            (void)setsockopt(state->fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
        }
#endif
        return 1;
    case BIO_C_GET_FD:
        if (!BIO_get_init(bio))
            return -1;
        if (pointer != NULL)
            *(int *)pointer = state->fd;
        return state->fd;
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(bio);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(bio, (int)number);
        return 1;
    case BIO_CTRL_EOF:
        return state->eof;
    case BIO_CTRL_DUP:
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static int pyossl_socket_errno(BIO *bio)
{
    pyossl_socket *state = BIO_get_data(bio);
    return state->sys_errno;
}

static BIO *pyossl_socket_bio(int fd, int never_waits)
{
    BIO *bio = BIO_new(pyossl_socket_method);
    if (bio != NULL) {
        pyossl_socket *state = BIO_get_data(bio);
        state->never_waits = never_waits;
        BIO_set_fd(bio, fd, BIO_NOCLOSE);
    }
    return bio;
}

/* A process has 127 BIO types in 1.1.1: each method is made once. */
static int pyossl_socket_method_new(void)
{
    int index = BIO_get_new_index();
    if (index == -1)
        return 0;
    pyossl_socket_type = index | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR;
    pyossl_socket_method = BIO_meth_new(pyossl_socket_type, "pyossl socket");
    return pyossl_socket_method != NULL
        && BIO_meth_set_create(pyossl_socket_method, pyossl_socket_create)
        && BIO_meth_set_destroy(pyossl_socket_method, pyossl_socket_destroy)
        && BIO_meth_set_read_ex(pyossl_socket_method, pyossl_socket_read)
        && BIO_meth_set_write_ex(pyossl_socket_method, pyossl_socket_write)
        && BIO_meth_set_puts(pyossl_socket_method, pyossl_socket_puts)
        && BIO_meth_set_ctrl(pyossl_socket_method, pyossl_socket_ctrl);
}
