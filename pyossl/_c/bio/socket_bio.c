/* A BIO over a socket's descriptor, which it does not own and never closes.
 *
 * OpenSSL's own BIO_s_socket(3) sends with write(2), which raises SIGPIPE if the peer has closed the connection
 * (BIO_set_send_flags(3) came with 4.0).  This one sends with MSG_NOSIGNAL, or sets SO_NOSIGPIPE on systems without
 * that flag.
 *
 * If pyossl owns the socket, the BIO also saves system calls.  tls/connection/read.c, tls/connection/write.c and
 * sockets/read_waiting.c control that, under the connection's lock:
 *
 * Reading ahead (`ahead`).  OpenSSL reads the five bytes of a record's header, and then the rest of the record: two
 * calls for each record.  A read of this BIO also takes the bytes that follow, as far as the connection allows, and
 * later reads return these.  The allowance is the room of SSL_read's caller, less the bytes that OpenSSL and this BIO
 * already hold.  Ciphertext is longer than plaintext: so no whole record is left here when the call returns, and
 * select(2) on the descriptor gives the right result.
 *
 * Gathering writes (`gathered`).  The records of one long write are kept and sent together.  A record that the
 * descriptor does not take is kept too, so that OpenSSL never holds one itself: if a read then met a KeyUpdate, OpenSSL
 * would answer it, and fail for good with "bad length".  Nor does such an answer make the read wait: after the
 * handshake a flush without room counts as a success for OpenSSL, and the connection flushes later.
 *
 * After close_notify (`is_shut`) nothing may be sent, but OpenSSL still answers a KeyUpdate.  A peer that has read our
 * close_notify, sent all its data and closed would reset the connection, and data that we have not read would be lost.
 *
 * After a write has failed for good, the connection stores the failure, and the BIO does not report it to OpenSSL.
 * OpenSSL's later writes are dropped, and it can read the data that the peer had sent before.
 *
 * The buffers of `ahead` and `gathered` are borrowed only while they hold bytes: an idle connection has none. */

enum { PYOSSL_STRETCH = 128 * 1024, PYOSSL_SPARES = 8 };

typedef struct {
    unsigned char *bytes;    /* PYOSSL_STRETCH bytes; NULL while it is empty */
    size_t start, end;
} pyossl_stretch;

typedef struct pyossl_socket {
    int fd;
    int never_waits;         /* the descriptor is blocking, and calls of the BIO do not wait */
    int eof;
    int sys_errno;           /* of the last call, 0 if it did not fail; the thread's errno may be overwritten */
    int receiving;           /* a thread waits in recv(2), outside the lock: its bytes come before all others */
    int received_errno;      /* the errno of that recv(2), for the next read: the kernel reports it once */
    long receive_timeout;    /* SO_RCVTIMEO as pyossl has set it, in microseconds; 0 if it is the program's */
    int limits_known;        /* which of the next two are known: flags of PYOSSL_RECEIVES and PYOSSL_SENDS */
    struct timeval receive_limit, send_limit;    /* SO_RCVTIMEO and SO_SNDTIMEO as the program has set them */
    int attended;            /* a connection will send the gathered bytes */
    int lets_wait;           /* a flush without room is a success: the handshake has been finished once */
    int gathers;             /* writes are kept as long as there is room */
    int is_shut;             /* close_notify has been written: later writes are dropped */
    pyossl_file file;        /* of a descriptor that the caller owns and may close */
    size_t allowance;        /* the number of bytes that a read may take from the descriptor */
    size_t handed;           /* bytes that OpenSSL has read since it held none: it may hold that much of a record */
    pyossl_stretch ahead, gathered;
} pyossl_socket;

#ifndef MSG_NOSIGNAL
#  define MSG_NOSIGNAL 0
#endif

static BIO_METHOD *pyossl_socket_method;
static int pyossl_socket_type;

static unsigned char *pyossl_spares[PYOSSL_SPARES];

static unsigned char *pyossl_stretch_borrow(void)
{
    for (int n = 0; n < PYOSSL_SPARES; n++) {
        unsigned char *spare = __atomic_exchange_n(&pyossl_spares[n], NULL, __ATOMIC_ACQ_REL);
        if (spare != NULL)
            return spare;
    }
    return malloc(PYOSSL_STRETCH);
}

static void pyossl_stretch_give_back(unsigned char *bytes)
{
    for (int n = 0; bytes != NULL && n < PYOSSL_SPARES; n++) {
        unsigned char *nothing = NULL;
        if (__atomic_compare_exchange_n(&pyossl_spares[n], &nothing, bytes, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return;
    }
    free(bytes);
}

static size_t pyossl_stretch_length(const pyossl_stretch *stretch)
{
    return stretch->end - stretch->start;
}

static void pyossl_stretch_take(pyossl_stretch *stretch, size_t size)
{
    stretch->start += size;
    if (stretch->start == stretch->end) {
        pyossl_stretch_give_back(stretch->bytes);
        memset(stretch, 0, sizeof(*stretch));
    }
}

/* Whether it begins with a whole record. */
static int pyossl_stretch_holds_record(const pyossl_stretch *stretch)
{
    size_t length = pyossl_stretch_length(stretch);
    const unsigned char *header = stretch->bytes + stretch->start;

    return length >= SSL3_RT_HEADER_LENGTH
        && length - SSL3_RT_HEADER_LENGTH >= ((size_t)header[3] << 8 | header[4]);
}

/* Returns 1 if the bytes were appended, 0 if there is no room. */
static int pyossl_stretch_append(pyossl_stretch *stretch, const void *data, size_t size)
{
    if (size > PYOSSL_STRETCH - pyossl_stretch_length(stretch))
        return 0;
    if (size > PYOSSL_STRETCH - stretch->end) {
        memmove(stretch->bytes, stretch->bytes + stretch->start, pyossl_stretch_length(stretch));
        stretch->end -= stretch->start;
        stretch->start = 0;
    }
    if (stretch->bytes == NULL && (stretch->bytes = pyossl_stretch_borrow()) == NULL)
        return 0;
    memcpy(stretch->bytes + stretch->end, data, size);
    stretch->end += size;
    return 1;
}

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
    pyossl_socket *state = BIO_get_data(bio);
    if (state != NULL) {
        pyossl_stretch_give_back(state->ahead.bytes);
        pyossl_stretch_give_back(state->gathered.bytes);
    }
    free(state);
    BIO_set_data(bio, NULL);
    return 1;
}

/* The state of `bio` if it is such a BIO over a socket that pyossl owns, else NULL. */
static pyossl_socket *pyossl_own_socket(BIO *bio)
{
    pyossl_socket *state = bio != NULL && BIO_method_type(bio) == pyossl_socket_type ? BIO_get_data(bio) : NULL;
    return state != NULL && state->never_waits ? state : NULL;
}

static int pyossl_socket_flags(const pyossl_socket *state)
{
    return state->never_waits ? MSG_DONTWAIT : 0;
}

/* recv(2); the bytes that do not fit into `buffer` are kept in `ahead`. */
static ssize_t pyossl_socket_receive(pyossl_socket *state, char *buffer, size_t size)
{
    struct iovec parts[2] = {{buffer, size}, {NULL, 0}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t result;

    if (state->allowance <= size || (parts[1].iov_base = pyossl_stretch_borrow()) == NULL)
        return recv(state->fd, buffer, size, pyossl_socket_flags(state));
    parts[1].iov_len = state->allowance - size < PYOSSL_STRETCH ? state->allowance - size : PYOSSL_STRETCH;
    result = recvmsg(state->fd, &message, pyossl_socket_flags(state));
    if (result > (ssize_t)size) {
        state->ahead.bytes = parts[1].iov_base;
        state->ahead.end = (size_t)result - size;
        result = (ssize_t)size;
    } else {
        int kept = errno;
        pyossl_stretch_give_back(parts[1].iov_base);
        errno = kept;
    }
    return result;
}

static int pyossl_socket_read(BIO *bio, char *buffer, size_t size, size_t *got)
{
    pyossl_socket *state = BIO_get_data(bio);
    size_t there = pyossl_stretch_length(&state->ahead);
    ssize_t result;

    BIO_clear_retry_flags(bio);
    *got = 0;
    state->sys_errno = 0;
    if (!pyossl_has_budget() && (state->never_waits || !pyossl_fd_blocks(state->fd)) && !pyossl_may_give(there > 0)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (there > 0) {
        *got = size < there ? size : there;
        memcpy(buffer, state->ahead.bytes + state->ahead.start, *got);
        pyossl_has_given(*got);
        state->handed += *got;
        pyossl_stretch_take(&state->ahead, *got);
        return 1;
    }
    if (state->receiving) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (state->received_errno != 0) {
        state->sys_errno = errno = state->received_errno;
        state->received_errno = 0;
        return -1;
    }
    result = pyossl_is_still(&state->file, state->fd) ? pyossl_socket_receive(state, buffer, size) : -1;
    state->sys_errno = result < 0 ? errno : 0;
    if (result == 0 && size > 0 && pyossl_calling != NULL && pyossl_calling->write_errno == ECONNRESET) {
        state->sys_errno = errno = ECONNRESET;    /* the kernel reported it to a write, and now reports the end */
        return -1;
    }
    state->eof = result == 0 && size > 0;
    if (result > 0) {
        size_t taken = (size_t)result + pyossl_stretch_length(&state->ahead);
        state->allowance -= taken < state->allowance ? taken : state->allowance;
        *got = (size_t)result;
        pyossl_has_given(*got);
        state->handed += *got;
        return 1;
    }
    if (result < 0 && BIO_sock_should_retry(-1))
        BIO_set_retry_read(bio);
    return result < 0 ? -1 : 0;
}

static int pyossl_socket_send(BIO *bio, const void *data, size_t size, size_t *written)
{
    pyossl_socket *state = BIO_get_data(bio);
    ssize_t result = -1;

    if (pyossl_is_still(&state->file, state->fd))
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

/* Sends the gathered bytes; returns 1 if none are left. */
static int pyossl_socket_flush(BIO *bio)
{
    pyossl_socket *state = BIO_get_data(bio);
    size_t length;

    BIO_clear_retry_flags(bio);
    while ((length = pyossl_stretch_length(&state->gathered)) > 0) {
        size_t written = length;
        if (!pyossl_drops_writes()
            && pyossl_socket_send(bio, state->gathered.bytes + state->gathered.start, length, &written) != 1
            && (BIO_should_retry(bio) || !pyossl_keeps_failure(state->sys_errno)))
            return 0;
        if (pyossl_drops_writes()) {
            written = length;
            state->sys_errno = 0;
        }
        pyossl_stretch_take(&state->gathered, written);
    }
    return 1;
}

static int pyossl_socket_write(BIO *bio, const char *data, size_t size, size_t *written)
{
    pyossl_socket *state = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *written = size;
    if (state->is_shut || pyossl_drops_writes())
        return 1;
    *written = 0;
    if (state->gathers && pyossl_stretch_append(&state->gathered, data, size)) {
        *written = size;
        return 1;
    }
    if (pyossl_socket_flush(bio) && !pyossl_drops_writes() && pyossl_socket_send(bio, data, size, written) == 1)
        return 1;
    if (BIO_should_retry(bio)) {
        if (!state->attended || !pyossl_stretch_append(&state->gathered, data, size))
            return -1;
    } else if (!pyossl_drops_writes() && !pyossl_keeps_failure(state->sys_errno)) {
        return -1;
    }
    BIO_clear_retry_flags(bio);
    state->sys_errno = 0;
    *written = size;
    return 1;
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
    case BIO_CTRL_PENDING:
        return (long)pyossl_stretch_length(&state->ahead);
    case BIO_CTRL_WPENDING:
        return (long)pyossl_stretch_length(&state->gathered);
    case BIO_CTRL_FLUSH:
        if (!pyossl_socket_flush(bio) && !(state->lets_wait && BIO_should_retry(bio)))
            return -1;
        BIO_clear_retry_flags(bio);
        return 1;
    case BIO_CTRL_DUP:
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

/* `never_waits` is 1 if pyossl owns the socket, whose descriptor is blocking. */
static BIO *pyossl_socket_bio(int fd, int never_waits)
{
    BIO *bio = BIO_new(pyossl_socket_method);
    if (bio != NULL) {
        pyossl_socket *state = BIO_get_data(bio);
        state->never_waits = never_waits;
        BIO_set_fd(bio, fd, BIO_NOCLOSE);
        if (!never_waits)
            pyossl_know_file(&state->file, fd);
    }
    return bio;
}

/* 1.1.1 has 127 BIO types in a process: each method is made once. */
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
