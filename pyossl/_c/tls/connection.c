/* One connection's C side, and the callbacks that OpenSSL makes into it.
 *
 * OpenSSL finds the connection from the SSL by an ex_data index; the connection finds its Python object by a handle.
 * Every callback that can answer answers with a failure when either is missing, and every answer that comes from
 * Python starts out as the failure: the `onerror` value that pyossl/tls/callbacks.py gives to cffi. */

#ifdef __APPLE__
#define PYOSSL_TURN_CLOCK CLOCK_REALTIME    /* a condition knows no other there */
#else
#define PYOSSL_TURN_CLOCK CLOCK_MONOTONIC
#endif

typedef struct pyossl_connection {
    SSL *ssl;
    void *handle;                /* borrowed: ffi.new_handle() of the Python side, or NULL */
    int error;                   /* SSL_get_error(3) of the last call that did not succeed */
    int sys_errno;               /* errno of that call, read before anything else could run */
    int record_count;
    pyossl_record *records;      /* the queue after that call, oldest first; owned */
    struct pyossl_socket *socket;    /* of the BIO below, where pyossl owns it; NULL for any other */
    double timeout;              /* of the calls that take none, in seconds; below 0: none */
    int writing;                 /* a thread has the writers' turn: a record that waits comes before anybody else's */
    pthread_t writer;            /* which */
    int turn_waiters;            /* threads that wait for the turn, or the one in recv(2), at `turn`, under `lock` */
    pthread_cond_t turn;         /* goes by PYOSSL_TURN_CLOCK */
    size_t write_pending;        /* length of a write that waits to be repeated; 0 if none does */
    size_t gathered;             /* its first bytes, whose records the BIO has gathered */
    unsigned char *pending;      /* a copy of what is encrypted already, where the writer has not kept it; owned */
    size_t pending_size;
    pyossl_lock *lock;           /* of the BIO read from, and of the one written to, which Python keeps; or `own_lock` */
    pyossl_lock *other_lock;     /* NULL where they are the same */
    pyossl_lock own_lock;
    int fd;                      /* the transport's descriptor, or -1 */
    struct pyossl_connection *outer;    /* whose call this one is made in: a BIO below it is written in Python */
    int blocks;                  /* a descriptor that is the caller's did so when it was last asked */
    int waiters;                 /* threads that wait for the descriptor, outside the lock */
    unsigned long forks;         /* pyossl_forks when it was made */
    size_t budget;               /* how many bytes the call under way may still take before it has made data of them */
    int pauses_early;            /* its caller sees to what has been received ahead: it may stop before that is used up */
    int paused;                  /* the last call has stopped because its budget was used up */
    int busy;                    /* a call is under way: it is a callback that calls again */
    int asked;                   /* questions that Python is being asked under the lock, one in the other */
    int closed;                  /* the user has closed the connection: the SSL is gone, when no question is asked any more */
    int dead;                    /* a call has failed for good: OpenSSL is not asked again */
    int parked;                  /* a callback raised: Python keeps the exception */
    int keeps_to_records;        /* nothing is received ahead: what follows the close_notify is left to the descriptor */
    int is_open;                 /* a read or a write has found the first handshake finished */
    int received_end;            /* the peer's close_notify is here */
    int write_errno;             /* what a write has failed with for good, 0 while none has: the peer may be read on */
    int reads_alert;               /* a write that fails is told by the alert that has come, where one comes next */
    int renegotiation;           /* above 0: there may be one; below: there may not; 0: it is not known yet */
    int sent_close_notify;       /* ours is on its way */
    int flushed_close_notify;    /* and the transport has taken it */
    SSL_CTX *first_context;      /* that it was made from, to which its sessions belong; borrowed from the SSL */
    int requires_certificate;     /* of a peer that is verified, whatever the cipher: see peer_certificate.c */
    int is_peer_checked;             /* the peer of the last handshake has been looked at, or need not be */
    int calls_verify;            /* Python answers the verify callback */
    int verify_error;            /* X509_V_ERR_x of the first certificate refused, and where */
    int verify_depth;
    X509 *verify_certificate;    /* owned */
} pyossl_connection;

static int pyossl_connection_index = -1;

static _Thread_local pyossl_connection *pyossl_calling;    /* whose call this thread is in; NULL: a BIO's, or nobody's */

/* A peer that sends records without data (KeyUpdates, tickets, HelloRequests, warnings, empty records) would keep
 * SSL_read(3) busy for as long as it likes: with SSL_MODE_AUTO_RETRY it returns only with data, and our BIOs would go on
 * reading.  So a call of a connection may take so many bytes before they have become data; then the BIO says that there
 * is nothing to read, and the deadline, the signals, the lock and the loop have their turn (docs/pitfalls.md, 30).  It is more
 * than any record, so that each call gets on. */
enum { PYOSSL_BUDGET = 32768 };

static int pyossl_has_budget(void)
{
    return pyossl_calling == NULL || pyossl_calling->budget > 0;
}

/* Whether a BIO may give OpenSSL bytes.  `is_here`: they have been taken off the transport already, where a program that
 * waits for the transport does not see them. */
static int pyossl_may_give(int is_here)
{
    if (pyossl_has_budget() || (is_here && !pyossl_calling->pauses_early))
        return 1;
    pyossl_calling->paused = 1;
    return 0;
}

/* The calls of a descriptor that blocks wait as long as it does, and do not stop before. */
static int pyossl_fd_blocks(int fd)
{
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    return flags < 0 || !(flags & O_NONBLOCK);
}

static void pyossl_has_given(size_t size)
{
    pyossl_connection *connection = pyossl_calling;

    if (connection != NULL)
        connection->budget -= size < connection->budget ? size : connection->budget;
}

/* A write of a BIO has failed for good.  1: it is made in a connection's call, which tells it, and OpenSSL is not to know:
 * it would refuse to read what the peer has sent before (4.0 does so always, the others in a handshake).  Datagrams
 * are lost one by one, and their failures are OpenSSL's. */
static int pyossl_keeps_failure(int sys_errno)
{
    pyossl_connection *connection = pyossl_calling;

    if (connection == NULL || connection->ssl == NULL || SSL_is_dtls(connection->ssl))
        return 0;
    if (connection->write_errno == 0)
        connection->write_errno = sys_errno != 0 ? sys_errno : EIO;
    return 1;
}

/* Whether what OpenSSL writes is to be dropped: nothing may follow what has been lost. */
static int pyossl_drops_writes(void)
{
    return pyossl_calling != NULL && pyossl_calling->write_errno != 0;
}

static pyossl_connection *pyossl_connection_of(const SSL *ssl)
{
    return ssl == NULL ? NULL : SSL_get_ex_data(ssl, pyossl_connection_index);
}
