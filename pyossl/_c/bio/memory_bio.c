/* The BIO of a connection without a transport: the program passes the peer's bytes in, and takes the bytes for the peer
 * out.
 *
 * BIO_s_mem(3) would copy all bytes in and out, and keep memory for the largest number of bytes it ever held.  This BIO
 * uses the program's own buffers during a call: OpenSSL reads from the buffer with the peer's bytes (`given`) and
 * writes to the buffer for the bytes to the peer (`room`).  Only the bytes that are left at the end of the call are
 * copied, and kept until a later call takes them. */

typedef struct {
    unsigned char *bytes;    /* NULL while it is empty */
    size_t start, end, size;
} pyossl_kept;

typedef struct pyossl_memory {
    const unsigned char *given;    /* bytes of the running call; they come after `incoming` */
    size_t given_size;
    unsigned char *room;           /* buffer of the running call; its bytes come before `outgoing` */
    size_t room_size, filled;
    pyossl_kept incoming, outgoing;
    int ended;                     /* the peer's bytes have ended */
} pyossl_memory;

static BIO_METHOD *pyossl_memory_method;
static int pyossl_memory_type;

static size_t pyossl_kept_length(const pyossl_kept *kept)
{
    return kept->end - kept->start;
}

/* How many of the peer's bytes OpenSSL has not read. */
static size_t pyossl_memory_incoming(const pyossl_memory *memory)
{
    return pyossl_kept_length(&memory->incoming) + memory->given_size;
}

/* Makes room for `before` bytes in front and `after` bytes behind; returns 0 if there is no memory. */
static int pyossl_kept_grow(pyossl_kept *kept, size_t before, size_t after)
{
    size_t length = pyossl_kept_length(kept), needed, size;
    unsigned char *bytes;

    if (before <= kept->start && after <= kept->size - kept->end)
        return 1;
    if (before > SIZE_MAX / 4 || after > SIZE_MAX / 4 || length > SIZE_MAX / 4)
        return 0;
    needed = before + length + after;
    size = kept->bytes == NULL ? needed : needed + needed / 2;    /* it has grown before, and may grow again */
    bytes = malloc(size);
    if (bytes == NULL)
        return 0;
    if (length > 0)
        memcpy(bytes + before, kept->bytes + kept->start, length);
    free(kept->bytes);
    kept->bytes = bytes;
    kept->start = before;
    kept->end = before + length;
    kept->size = size;
    return 1;
}

static int pyossl_kept_append(pyossl_kept *kept, const void *data, size_t size)
{
    if (size == 0)
        return 1;
    if (!pyossl_kept_grow(kept, 0, size))
        return 0;
    memcpy(kept->bytes + kept->end, data, size);
    kept->end += size;
    return 1;
}

static int pyossl_kept_prepend(pyossl_kept *kept, const void *data, size_t size)
{
    if (size == 0)
        return 1;
    if (!pyossl_kept_grow(kept, size, 0))
        return 0;
    kept->start -= size;
    memcpy(kept->bytes + kept->start, data, size);
    return 1;
}

/* Moves at most `size` bytes to `buffer`; returns their number. */
static size_t pyossl_kept_take(pyossl_kept *kept, void *buffer, size_t size)
{
    size_t length = pyossl_kept_length(kept);

    if (size > length)
        size = length;
    if (size == 0)
        return 0;
    memcpy(buffer, kept->bytes + kept->start, size);
    kept->start += size;
    if (size == length) {
        free(kept->bytes);
        memset(kept, 0, sizeof(*kept));
    }
    return size;
}

/* Ends the use of the program's buffers: copies the bytes that the call has not read, and the bytes that it has written
 * and not returned.  Returns 0 if there is no memory. */
static int pyossl_memory_settle(pyossl_memory *state)
{
    int all = pyossl_kept_append(&state->incoming, state->given, state->given_size)
        && pyossl_kept_prepend(&state->outgoing, state->room, state->filled);

    state->given = NULL;
    state->room = NULL;
    state->given_size = state->room_size = state->filled = 0;
    return all;
}

static int pyossl_memory_create(BIO *bio)
{
    pyossl_memory *state = calloc(1, sizeof(*state));
    if (state == NULL)
        return 0;
    BIO_set_data(bio, state);
    BIO_set_init(bio, 1);
    return 1;
}

static int pyossl_memory_destroy(BIO *bio)
{
    pyossl_memory *state = BIO_get_data(bio);
    if (state != NULL) {
        free(state->incoming.bytes);
        free(state->outgoing.bytes);
    }
    free(state);
    BIO_set_data(bio, NULL);
    return 1;
}

static int pyossl_memory_read(BIO *bio, char *buffer, size_t size, size_t *got)
{
    pyossl_memory *state = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *got = pyossl_kept_take(&state->incoming, buffer, size);
    if (*got == 0 && state->given_size > 0) {
        *got = size < state->given_size ? size : state->given_size;
        memcpy(buffer, state->given, *got);
        state->given += *got;
        state->given_size -= *got;
    }
    if (*got > 0 || size == 0)
        return 1;
    if (state->ended)
        return 0;
    BIO_set_retry_read(bio);
    return -1;
}

static int pyossl_memory_write(BIO *bio, const char *data, size_t size, size_t *written)
{
    pyossl_memory *state = BIO_get_data(bio);
    size_t fits = 0;

    BIO_clear_retry_flags(bio);
    *written = 0;
    if (pyossl_kept_length(&state->outgoing) == 0 && state->room != NULL) {
        fits = state->room_size - state->filled;
        if (fits > size)
            fits = size;
        memcpy(state->room + state->filled, data, fits);
    }
    if (!pyossl_kept_append(&state->outgoing, data + fits, size - fits))
        return -1;
    state->filled += fits;
    *written = size;
    return 1;
}

static int pyossl_memory_puts(BIO *bio, const char *text)
{
    size_t written;
    return pyossl_memory_write(bio, text, strlen(text), &written) == 1 ? (int)written : -1;
}

/* OpenSSL calls it several times for each record, most often with a command of other BIOs. */
static long pyossl_memory_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const pyossl_memory *state;

    (void)pointer;
    switch (command) {
    case BIO_CTRL_EOF:
        state = BIO_get_data(bio);
        return state->ended && pyossl_memory_incoming(state) == 0;
    case BIO_CTRL_PENDING:
        return (long)pyossl_memory_incoming(BIO_get_data(bio));
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(bio);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(bio, (int)number);
        return 1;
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    default:    /* BIO_CTRL_WPENDING too: outgoing bytes count as sent, else DTLS would make its next datagram smaller */
        return 0;
    }
}

static BIO *pyossl_memory_bio(void)
{
    return BIO_new(pyossl_memory_method);
}

static int pyossl_memory_method_new(void)
{
    int index = BIO_get_new_index();
    if (index == -1)
        return 0;
    pyossl_memory_type = index | BIO_TYPE_SOURCE_SINK;
    pyossl_memory_method = BIO_meth_new(pyossl_memory_type, "pyossl memory");
    return pyossl_memory_method != NULL
        && BIO_meth_set_create(pyossl_memory_method, pyossl_memory_create)
        && BIO_meth_set_destroy(pyossl_memory_method, pyossl_memory_destroy)
        && BIO_meth_set_read_ex(pyossl_memory_method, pyossl_memory_read)
        && BIO_meth_set_write_ex(pyossl_memory_method, pyossl_memory_write)
        && BIO_meth_set_puts(pyossl_memory_method, pyossl_memory_puts)
        && BIO_meth_set_ctrl(pyossl_memory_method, pyossl_memory_ctrl);
}
