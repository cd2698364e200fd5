/* Queues of bytes that a program and a connection share: the MemoryBIOs of Python's ssl.
 *
 * A connection over queues reads from one and writes to the other.  A queue may outlive the connection, and two
 * connections may use one queue: what the first writes, the second reads.  So it counts its references, and has a lock
 * of its own, which is held for a copy of bytes only.
 *
 * OpenSSL reads a record's header and then its rest: bytes that follow the peer's close_notify stay in the queue. */

/* The bytes of a queue are in blocks, so that a long one never moves. */
typedef struct pyossl_block {
    struct pyossl_block *next;
    size_t start, end, size;
    unsigned char bytes[];
} pyossl_block;

enum {
    PYOSSL_LARGEST_BLOCK = 65536,    /* the most bytes that a block has room for, unless one write needs more */
    PYOSSL_KEPT_BLOCK = 1024         /* the size up to which an empty queue keeps its block */
};

typedef struct pyossl_queue {
    unsigned long holder;    /* the generation of the process of which a thread has the lock, plus 1; 0: it is free */
    int references;
    int ended;               /* nothing follows the bytes that are in it */
    size_t length;
    pyossl_block *first, *last;
} pyossl_queue;

/* The queues of a connection's BIO. */
typedef struct pyossl_queues {
    pyossl_queue *incoming, *outgoing;
} pyossl_queues;

static BIO_METHOD *pyossl_queues_method;
static int pyossl_queues_type;

/* Counts the bytes anew, and finds the last block. */
static void pyossl_queue_recount(pyossl_queue *queue)
{
    queue->length = 0;
    queue->last = NULL;
    for (pyossl_block *block = queue->first; block != NULL; block = block->next) {
        queue->length += block->end - block->start;
        queue->last = block;
    }
}

/* A thread holds the lock for less than it takes to sleep and wake up.  In a child process, a lock that a thread of the
 * parent had at the fork is taken over: that thread may have been in the middle of a change. */
static void pyossl_queue_lock(pyossl_queue *queue)
{
    unsigned long ours = pyossl_generation + 1, holder = 0;

    while (!__atomic_compare_exchange_n(&queue->holder, &holder, ours, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        if (holder == ours) {
            sched_yield();
            holder = 0;
        }
    }
    if (holder != 0)
        pyossl_queue_recount(queue);
}

static void pyossl_queue_unlock(pyossl_queue *queue)
{
    __atomic_store_n(&queue->holder, 0, __ATOMIC_RELEASE);
}

/* Appends a copy of the bytes, under the lock.  1: done; 0: there is no memory, and nothing has changed. */
static int pyossl_queue_append(pyossl_queue *queue, const unsigned char *data, size_t size)
{
    pyossl_block *last = queue->last, *more;
    size_t fits = last == NULL ? 0 : last->size - last->end, room;

    if (fits > size)
        fits = size;
    if (fits < size) {
        room = queue->length < PYOSSL_LARGEST_BLOCK ? queue->length : PYOSSL_LARGEST_BLOCK;
        if (room < size - fits)
            room = size - fits;
        more = room > SIZE_MAX / 2 ? NULL : malloc(sizeof(*more) + room);
        if (more == NULL)
            return 0;
        more->next = NULL;
        more->start = 0;
        more->end = size - fits;
        more->size = room;
        memcpy(more->bytes, data + fits, size - fits);
        *(last == NULL ? &queue->first : &last->next) = more;
        queue->last = more;
    }
    if (fits > 0) {
        memcpy(last->bytes + last->end, data, fits);
        last->end += fits;
    }
    queue->length += size;
    return 1;
}

/* Moves at most `size` bytes to `buffer`, under the lock; returns their number. */
static size_t pyossl_queue_take(pyossl_queue *queue, unsigned char *buffer, size_t size)
{
    size_t taken = 0;

    if (size > queue->length)
        size = queue->length;
    while (taken < size) {
        pyossl_block *block = queue->first;
        size_t step = block->end - block->start;
        if (step > size - taken)
            step = size - taken;
        memcpy(buffer + taken, block->bytes + block->start, step);
        block->start += step;
        taken += step;
        if (block->start < block->end)
            break;
        if (block->next == NULL && block->size <= PYOSSL_KEPT_BLOCK) {
            block->start = block->end = 0;
            break;
        }
        queue->first = block->next;
        if (queue->first == NULL)
            queue->last = NULL;
        free(block);
    }
    queue->length -= taken;
    return taken;
}

static pyossl_queue *pyossl_queue_new(void)
{
    pyossl_queue *queue = calloc(1, sizeof(*queue));

    if (queue != NULL)
        queue->references = 1;
    return queue;
}

static void pyossl_queue_free(pyossl_queue *queue)
{
    if (queue == NULL || __atomic_sub_fetch(&queue->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    while (queue->first != NULL) {
        pyossl_block *block = queue->first;
        queue->first = block->next;
        free(block);
    }
    free(queue);
}

static pyossl_queue *pyossl_queue_up_ref(pyossl_queue *queue)
{
    __atomic_add_fetch(&queue->references, 1, __ATOMIC_RELAXED);
    return queue;
}

/* Appends a copy of the bytes.  1: done; 0: no memory; -1: the queue has ended. */
static int pyossl_queue_write(pyossl_queue *queue, const void *data, size_t size)
{
    int done;

    pyossl_queue_lock(queue);
    done = queue->ended ? -1 : pyossl_queue_append(queue, data, size);
    pyossl_queue_unlock(queue);
    return done;
}

/* Moves at most `size` bytes to `buffer`; returns their number. */
static size_t pyossl_queue_read(pyossl_queue *queue, void *buffer, size_t size)
{
    size_t got;

    pyossl_queue_lock(queue);
    got = pyossl_queue_take(queue, buffer, size);
    pyossl_queue_unlock(queue);
    return got;
}

static size_t pyossl_queue_length(pyossl_queue *queue)
{
    size_t length;

    pyossl_queue_lock(queue);
    length = queue->length;
    pyossl_queue_unlock(queue);
    return length;
}

static void pyossl_queue_end(pyossl_queue *queue)
{
    pyossl_queue_lock(queue);
    queue->ended = 1;
    pyossl_queue_unlock(queue);
}

/* Whether the queue has bytes, or has ended. */
static int pyossl_queue_has_news(pyossl_queue *queue)
{
    int has_news;

    pyossl_queue_lock(queue);
    has_news = queue->ended || queue->length > 0;
    pyossl_queue_unlock(queue);
    return has_news;
}

/* Whether the queue has ended, and all of its bytes have been taken. */
static int pyossl_queue_is_at_end(pyossl_queue *queue)
{
    int is_at_end;

    pyossl_queue_lock(queue);
    is_at_end = queue->ended && queue->length == 0;
    pyossl_queue_unlock(queue);
    return is_at_end;
}

static int pyossl_queues_destroy(BIO *bio)
{
    pyossl_queues *queues = BIO_get_data(bio);

    if (queues != NULL) {
        pyossl_queue_free(queues->incoming);
        pyossl_queue_free(queues->outgoing);
    }
    free(queues);
    BIO_set_data(bio, NULL);
    return 1;
}

static int pyossl_queues_read(BIO *bio, char *buffer, size_t size, size_t *got)
{
    pyossl_queue *incoming = ((pyossl_queues *)BIO_get_data(bio))->incoming;

    BIO_clear_retry_flags(bio);
    *got = pyossl_queue_read(incoming, buffer, size);
    if (*got > 0 || size == 0)
        return 1;
    if (pyossl_queue_is_at_end(incoming))
        return 0;
    BIO_set_retry_read(bio);
    return -1;
}

/* As BIO_s_mem(3), it takes bytes also after write_eof of the MemoryBIO. */
static int pyossl_queues_write(BIO *bio, const char *data, size_t size, size_t *written)
{
    pyossl_queue *outgoing = ((pyossl_queues *)BIO_get_data(bio))->outgoing;
    int done;

    BIO_clear_retry_flags(bio);
    pyossl_queue_lock(outgoing);
    done = pyossl_queue_append(outgoing, (const unsigned char *)data, size);
    pyossl_queue_unlock(outgoing);
    *written = done ? size : 0;
    return done ? 1 : -1;
}

static int pyossl_queues_puts(BIO *bio, const char *text)
{
    size_t written;
    return pyossl_queues_write(bio, text, strlen(text), &written) == 1 ? (int)written : -1;
}

static long pyossl_queues_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const pyossl_queues *queues;

    (void)pointer;
    switch (command) {
    case BIO_CTRL_EOF:
        queues = BIO_get_data(bio);
        return pyossl_queue_is_at_end(queues->incoming);
    case BIO_CTRL_PENDING:
        queues = BIO_get_data(bio);
        return (long)pyossl_queue_length(queues->incoming);
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(bio);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(bio, (int)number);
        return 1;
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    default:
        return 0;
    }
}

/* A BIO that reads from one queue and writes to another, and has a reference to each.  NULL if it fails. */
static BIO *pyossl_queues_bio(pyossl_queue *incoming, pyossl_queue *outgoing)
{
    pyossl_queues *queues = calloc(1, sizeof(*queues));
    BIO *bio = queues == NULL ? NULL : BIO_new(pyossl_queues_method);

    if (bio == NULL) {
        free(queues);
        return NULL;
    }
    queues->incoming = pyossl_queue_up_ref(incoming);
    queues->outgoing = pyossl_queue_up_ref(outgoing);
    BIO_set_data(bio, queues);
    BIO_set_init(bio, 1);
    return bio;
}

static int pyossl_queues_method_new(void)
{
    int index = BIO_get_new_index();
    if (index == -1)
        return 0;
    pyossl_queues_type = index | BIO_TYPE_SOURCE_SINK;
    pyossl_queues_method = BIO_meth_new(pyossl_queues_type, "pyossl queues");
    return pyossl_queues_method != NULL
        && BIO_meth_set_destroy(pyossl_queues_method, pyossl_queues_destroy)
        && BIO_meth_set_read_ex(pyossl_queues_method, pyossl_queues_read)
        && BIO_meth_set_write_ex(pyossl_queues_method, pyossl_queues_write)
        && BIO_meth_set_puts(pyossl_queues_method, pyossl_queues_puts)
        && BIO_meth_set_ctrl(pyossl_queues_method, pyossl_queues_ctrl);
}
