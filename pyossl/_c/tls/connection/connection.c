/* The C struct of a connection, and the limits that it sets to the BIOs below it.
 *
 * OpenSSL's callbacks find the connection by an ex_data index of the SSL.  The connection finds its Python object by a
 * handle (tls/callbacks/callbacks.c). */

#ifdef __APPLE__
#define PYOSSL_TURN_CLOCK CLOCK_REALTIME    /* macOS has no other clock for a condition */
#else
#define PYOSSL_TURN_CLOCK CLOCK_MONOTONIC
#endif

struct pyossl_live;    /* tls/mutable/live_context.c */
struct pyossl_job;     /* handshake_job.c */

typedef struct pyossl_connection {
    SSL *ssl;
    void *handle;                /* borrowed: ffi.new_handle() of the Python object, or NULL */
    int error;                   /* SSL_get_error(3) of the last call that failed */
    int sys_errno;               /* errno of that call, read before any other code ran */
    int record_count;
    pyossl_record *records;      /* the error queue after that call, oldest record first; owned */
    struct pyossl_socket *socket;    /* the socket of pyossl's own BIO; NULL for any other BIO */
    struct pyossl_memory *memory;    /* pyossl's BIO in memory; NULL for any other BIO */
    struct pyossl_queues *queues;    /* of pyossl's BIO over queues; NULL for any other BIO */
    double timeout;              /* in seconds, for calls without a timeout argument; below 0: none */
    int writing;                 /* a thread has the writers' turn, and keeps it while its record waits */
    pthread_t writer;            /* that thread */
    int turn_waiters;            /* threads that wait at `turn`, under `lock`, for a writer or a thread in recv(2) */
    pthread_cond_t turn;         /* uses PYOSSL_TURN_CLOCK */
    size_t write_pending;        /* length of the write that must be repeated; 0: none */
    size_t repeats;              /* how many bytes the next write repeats, and the last of them: */
    unsigned char repeated[16];  /* sockets/timeout_calls.c */
    size_t written;              /* how many bytes of a write that has failed or waits the transport has taken */
    size_t gathered;             /* how many of its first bytes are in records that the BIO has gathered */
    unsigned char *pending;      /* a copy of the encrypted bytes, unless the writer keeps them; owned */
    size_t pending_size;
    pyossl_lock *lock;           /* of the BIOs, kept by Python: the one that is read; or `own_lock` */
    pyossl_lock *other_lock;     /* of the one that is written; NULL where both have the same lock */
    pyossl_lock own_lock;
    int fd;                      /* the transport's file descriptor, or -1 */
    struct pyossl_connection *outer;    /* the call of this thread that goes on after this one */
    int has_callers_descriptor;  /* the descriptor is the caller's: sockets/mutable_connection_calls.c */
    int blocks;                  /* whether the caller's descriptor blocked when last looked up */
    int waiters;                 /* threads that wait for the descriptor, without the lock */
    int crosses_forks;           /* a child process may go on with it, also when it has keys */
    unsigned long forks;         /* pyossl_forks when the connection was made */
    size_t budget;               /* bytes that the call may still take off the transport before they become data */
    int pauses_early;            /* it may stop before the bytes received ahead are used up, which its caller checks */
    int paused;                  /* the last call stopped because its budget was used up */
    int busy;                    /* a call is running: another one can only come from a callback */
    int leaves_lock;             /* the lock was taken before that call, which does not release it */
    int keeps_gil;               /* that call keeps Python's GIL: hot_calls.c */
    int asked;                   /* how many questions Python answers under the lock, one inside the other */
    int closed;                  /* by the program: the SSL is freed as soon as no question is asked */
    int dead;                    /* a call has failed for good: OpenSSL is not called again */
    int has_lost_bytes;          /* that is because there was no memory for bytes */
    int parked;                  /* a callback raised: Python keeps the exception */
    int keeps_to_records;        /* nothing is received ahead: bytes after the close_notify stay on the descriptor */
    int requires_scts;           /* the peer must have valid certificate timestamps: certificate_transparency.c */
    int is_open;                 /* a read or a write has found the first handshake finished */
    int has_unused_buffers;      /* a message has been read after the handshake: see unused_buffers.c */
    int received_end;            /* the peer's close_notify has been received */
    int write_errno;             /* errno of a write that failed for good, 0: none; reads go on */
    int reads_alert;             /* after a failed write, an alert that comes next is reported instead */
    int awaits_renegotiation;    /* the program has asked a client for one, which is not finished */
    int renegotiation;           /* 1: the connection may renegotiate; -1: it may not; 0: not known yet */
    int counts_handshakes;       /* the number of its handshakes is limited (post_handshake.c): */
    int handshakes_left;
    int peer_may_renegotiate;    /* and the peer may begin one */
    int sent_close_notify;       /* our close_notify has been written */
    int flushed_close_notify;    /* the transport has taken it */
    SSL_CTX *first_context;      /* it was made from this one, which has its sessions; borrowed from the SSL */
    struct pyossl_live *live;    /* the lock of its present context, which may change; NULL: that is frozen */
    struct pyossl_live *in_context;    /* the step under way is in this lock */
    int requires_certificate;    /* if the peer is verified, whatever the cipher: see required_peer_certificate.c */
    int early;                   /* PYOSSL_EARLY_x: where the connection is with early data; 0: it has none */
    int early_unflushed;         /* OpenSSL may hold an answer to early data that the BIO has not taken */
    unsigned char *early_data;   /* of a client, to be written first in the handshake; owned */
    size_t early_size;
    unsigned char *extension;    /* the bytes of an extension that OpenSSL is writing; owned */
    size_t extension_size;
    struct pyossl_job *job;      /* the first handshake is made in a job, and is not finished; NULL: it is not; owned */
    int has_given_key;           /* Python has given a pre-shared key for the handshake */
    int is_peer_checked;         /* the peer of the last handshake has been checked, or need not be */
    unsigned char *hello;        /* the ClientHello, until Python has answered for it; owned */
    size_t hello_size;
    int has_passed_hello;        /* Python has answered */
    int calls_verify;            /* Python answers the verify callback */
    int verify_error;            /* X509_V_ERR_x of the first certificate that was refused, with its depth */
    int verify_depth;
    X509 *verify_certificate;    /* that certificate; owned */
} pyossl_connection;

static int pyossl_connection_index = -1;

static _Thread_local pyossl_connection *pyossl_calling;    /* whose call this thread makes; NULL: none, or a BIO's */
static _Thread_local pyossl_connection *pyossl_locked;     /* whose lock this thread has for its next pyossl_begin */

/* The calls of a thread are linked by `outer`.  As a rule the last to begin is the first to end.  But a callback may
 * switch to another greenlet of the thread, which begins calls of its own, and then they end in any order. */

/* A call ends. */
static void pyossl_forget_call(pyossl_connection *connection)
{
    pyossl_connection **link = &pyossl_calling;

    while (*link != NULL && *link != connection)
        link = &(*link)->outer;
    if (*link != NULL)
        *link = connection->outer;
}

/* A callback has returned: the thread goes on with the call of `connection`; NULL: with that of a BIO. */
static void pyossl_resume_call(pyossl_connection *connection)
{
    if (pyossl_calling == connection)
        return;
    if (connection != NULL) {
        pyossl_forget_call(connection);
        connection->outer = pyossl_calling;
    }
    pyossl_calling = connection;
}

/* A limit on the bytes that a call takes off the transport before they become data.
 *
 * A peer can send records without data: KeyUpdates, tickets, HelloRequests, warnings, empty records.  With
 * SSL_MODE_AUTO_RETRY, SSL_read(3) returns only when it has data, so these records would keep it busy without end, and
 * our BIOs would go on reading.  When the budget is used up, the BIO answers that there is nothing to read.  Then the
 * call can look at its deadline and at signals, and other threads and the event loop can run (docs/pitfalls.md, 30).
 * The budget is larger than any record, so each call makes progress. */
enum { PYOSSL_BUDGET = 32768 };

/* Whether the current call may take more bytes off the transport. */
static int pyossl_has_budget(void)
{
    return pyossl_calling == NULL || pyossl_calling->budget > 0;
}

/* Whether a BIO may give bytes to OpenSSL.  `is_here`: they have been taken off the transport already, so a program
 * that waits for the transport does not see them. */
static int pyossl_may_give(int is_here)
{
    if (pyossl_has_budget() || (is_here && !pyossl_calling->pauses_early))
        return 1;
    pyossl_calling->paused = 1;
    return 0;
}

/* Whether the descriptor is in blocking mode.  Calls over such a descriptor wait as long as it does, and do not stop
 * earlier. */
static int pyossl_fd_blocks(int fd)
{
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    return flags < 0 || !(flags & O_NONBLOCK);
}

/* A BIO has given `size` bytes to OpenSSL: they count against the budget. */
static void pyossl_has_given(size_t size)
{
    pyossl_connection *connection = pyossl_calling;

    if (connection != NULL)
        connection->budget -= size < connection->budget ? size : connection->budget;
}

/* A BIO's write has failed for good.  1: a connection's call made it; the connection remembers the errno, and the BIO
 * reports success to OpenSSL, which would otherwise refuse to read the bytes that the peer had sent before (4.0 always,
 * older releases during a handshake).  0: OpenSSL gets the failure, also for datagrams, which can be lost one by
 * one. */
static int pyossl_keeps_failure(int sys_errno)
{
    pyossl_connection *connection = pyossl_calling;

    if (connection == NULL || connection->ssl == NULL || SSL_is_dtls(connection->ssl))
        return 0;
    if (connection->write_errno == 0)
        connection->write_errno = sys_errno != 0 ? sys_errno : EIO;
    return 1;
}

/* Whether the BIO drops the bytes that OpenSSL writes: after lost bytes nothing may follow. */
static int pyossl_drops_writes(void)
{
    return pyossl_calling != NULL && pyossl_calling->write_errno != 0;
}

/* The connection of an SSL, or NULL. */
static pyossl_connection *pyossl_connection_of(const SSL *ssl)
{
    return ssl == NULL ? NULL : SSL_get_ex_data(ssl, pyossl_connection_index);
}
