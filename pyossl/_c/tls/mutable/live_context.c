/* Contexts that may be changed while connections use them: their lock.
 *
 * OpenSSL reads the SSL_CTX in SSL_new(3) and in a handshake: cipher list, authorities, callbacks, trust store.  It
 * takes no lock for that, and its manual says that a program must not change an SSL_CTX then.  A server that replaces
 * its certificate does it all the same, and cffi releases the GIL in each call.
 *
 * SSL_new(3) copies some settings, and others are looked up later (docs/pitfalls.md, 58).
 *
 * Most contexts are frozen at their first connection, and have no such lock.  A live context has one, kept in the
 * SSL_CTX's external data, and these rules:
 *
 * - A call that makes a connection, or a step of a connection in which OpenSSL may read the SSL_CTX, enters the lock.
 *   Any number of threads may be in it.
 * - A call that changes the SSL_CTX (core/calls_that_hold_forks.h) has the lock alone.  It is one call of C, and runs
 *   no Python: a signal handler would otherwise run in it.
 * - Around each callback the step leaves the lock: the callback may change the context, or wait for a thread that does.
 *   OpenSSL reads the SSL_CTX anew afterwards, but for the trust store, which a live context never replaces.
 * - A change and the threads that wait for its end take turns, so that neither keeps out the other.
 *
 * The lock is taken after the connection's, and before forks are held (core/forks_wait.c).  After the handshake OpenSSL
 * reads only single fields of the SSL_CTX, and session lists that it locks itself; pyossl_reads_context names the
 * exceptions. */

typedef struct pyossl_live {
    pthread_mutex_t mutex;
    pthread_cond_t turn;
    unsigned long generation;    /* pyossl_generation; PYOSSL_CLAIMED: a thread sets up the lock after a fork */
    int users;                   /* steps that are in it */
    int queued;                  /* steps that wait */
    int admitted;                /* of these, how many come before the next change */
    int changes;                 /* changes that wait */
    int changing;                /* a change is under way */
} pyossl_live;

#define PYOSSL_CLAIMED ULONG_MAX

static int pyossl_live_index = -1;

static void pyossl_live_free(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument)
{
    pyossl_live *live = pointer;

    (void)parent; (void)data; (void)index; (void)number; (void)argument;
    if (live == NULL)
        return;
    if (live->generation == pyossl_generation) {
        pthread_cond_destroy(&live->turn);
        pthread_mutex_destroy(&live->mutex);
    }
    free(live);
}

/* Called once, at import.  Returns 1 on success. */
static int pyossl_live_set_up(void)
{
    pyossl_live_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, pyossl_live_free);
    return pyossl_live_index >= 0;
}

/* The lock of a context; NULL: it is not live. */
static pyossl_live *pyossl_live_of(const SSL_CTX *context)
{
    return context == NULL ? NULL : SSL_CTX_get_ex_data(context, pyossl_live_index);
}

/* From now on the context may be changed beside its connections.  1: done; 0: no memory. */
static int pyossl_make_live(SSL_CTX *context)
{
    pyossl_live *live;

    if (pyossl_live_of(context) != NULL)
        return 1;
    live = calloc(1, sizeof(*live));
    if (live == NULL)
        return 0;
    pthread_mutex_init(&live->mutex, NULL);
    pthread_cond_init(&live->turn, NULL);
    live->generation = pyossl_generation;
    if (SSL_CTX_set_ex_data(context, pyossl_live_index, live))
        return 1;
    free(live);
    return 0;
}

/* In a child process the threads that were in the lock, or waited for it, do not exist: the first call sets it up
 * anew. */
static void pyossl_live_adopt(pyossl_live *live)
{
    unsigned long generation;

    pyossl_hold_forks();
    while ((generation = __atomic_load_n(&live->generation, __ATOMIC_ACQUIRE)) != pyossl_generation) {
        if (generation == PYOSSL_CLAIMED) {
            usleep(10);
        } else if (__atomic_compare_exchange_n(&live->generation, &generation, PYOSSL_CLAIMED, 0, __ATOMIC_ACQ_REL,
                                               __ATOMIC_ACQUIRE)) {
            pthread_mutex_init(&live->mutex, NULL);
            pthread_cond_init(&live->turn, NULL);
            live->users = live->queued = live->admitted = live->changes = live->changing = 0;
            __atomic_store_n(&live->generation, pyossl_generation, __ATOMIC_RELEASE);
        }
    }
    pyossl_let_fork();
}

static void pyossl_live_lock(pyossl_live *live)
{
    if (__atomic_load_n(&live->generation, __ATOMIC_ACQUIRE) != pyossl_generation)
        pyossl_live_adopt(live);
    pthread_mutex_lock(&live->mutex);
}

/* Enters the lock, beside other steps; NULL: nothing to do. */
static void pyossl_live_enter(pyossl_live *live)
{
    if (live == NULL)
        return;
    pyossl_live_lock(live);
    live->queued++;
    while (live->changing || (live->changes > 0 && live->admitted == 0))
        pthread_cond_wait(&live->turn, &live->mutex);
    live->queued--;
    if (live->admitted > 0)
        live->admitted--;
    live->users++;
    pthread_mutex_unlock(&live->mutex);
}

static void pyossl_live_leave(pyossl_live *live)
{
    if (live == NULL)
        return;
    pyossl_live_lock(live);
    if (--live->users == 0 && live->changes > 0)
        pthread_cond_broadcast(&live->turn);
    pthread_mutex_unlock(&live->mutex);
}

/* Begins a call that changes the context.  Returns the lock, for pyossl_end_change. */
static pyossl_live *pyossl_begin_change(const SSL_CTX *context)
{
    pyossl_live *live = pyossl_live_of(context);

    if (live == NULL)
        return NULL;
    pyossl_live_lock(live);
    live->changes++;
    while (live->changing || live->users > 0 || live->admitted > 0)
        pthread_cond_wait(&live->turn, &live->mutex);
    live->changes--;
    live->changing = 1;
    pthread_mutex_unlock(&live->mutex);
    return live;
}

static void pyossl_end_change(pyossl_live *live)
{
    if (live == NULL)
        return;
    pyossl_live_lock(live);
    live->changing = 0;
    live->admitted = live->queued;
    pthread_cond_broadcast(&live->turn);
    pthread_mutex_unlock(&live->mutex);
}

/* Whether OpenSSL may follow pointers of the SSL_CTX in the next step of this connection: in a handshake, which a
 * renegotiation is too, and when a server gets the certificate that it has requested after the handshake. */
static int pyossl_reads_context(const pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    return !SSL_is_init_finished(ssl) || (SSL_get_verify_mode(ssl) & SSL_VERIFY_POST_HANDSHAKE) != 0
        || (SSL_version(ssl) != TLS1_3_VERSION && (SSL_get_options(ssl) & SSL_OP_NO_RENEGOTIATION) == 0);
}

/* Before a step of a connection; pyossl_leave_context comes after it. */
static void pyossl_enter_context(pyossl_connection *connection)
{
    if (connection->live == NULL || !pyossl_reads_context(connection))
        return;
    pyossl_live_enter(connection->live);
    connection->in_context = connection->live;
}

static void pyossl_leave_context(pyossl_connection *connection)
{
    pyossl_live *live = connection->in_context;

    connection->in_context = NULL;
    pyossl_live_leave(live);
}

/* Around a callback (PYOSSL_IN_PYTHON).  The result of the first is the argument of the second.  The callback may choose
 * another context, which the connection enters then. */
static int pyossl_suspend_context(pyossl_connection *connection)
{
    if (connection == NULL || connection->in_context == NULL)
        return 0;
    pyossl_leave_context(connection);
    return 1;
}

static void pyossl_resume_context(pyossl_connection *connection, int was_in)
{
    if (!was_in)
        return;
    pyossl_live_enter(connection->live);
    connection->in_context = connection->live;
}

/* SSL_set_SSL_CTX(3).  1: done; 0: it failed.  The caller has the connection's lock, and is in no step. */
static int pyossl_set_context(pyossl_connection *connection, SSL_CTX *context)
{
    pyossl_live *live = pyossl_live_of(context);
    int done;

    pyossl_live_enter(live);
    pyossl_hold_forks();
    done = SSL_set_SSL_CTX(connection->ssl, context) != NULL;
    pyossl_let_fork();
    pyossl_live_leave(live);
    if (done)
        connection->live = live;
    return done;
}

/* A copy of the context's list of ciphers, for sk_SSL_CIPHER_free; NULL if there is none. */
static struct stack_st_SSL_CIPHER *pyossl_context_ciphers(SSL_CTX *context)
{
    pyossl_live *live = pyossl_live_of(context);
    STACK_OF(SSL_CIPHER) *ciphers;

    pyossl_live_enter(live);
    ciphers = SSL_CTX_get_ciphers(context);
    if (ciphers != NULL)
        ciphers = sk_SSL_CIPHER_dup(ciphers);
    pyossl_live_leave(live);
    return ciphers;
}

/* As pyossl_context_ciphers, of a connection.  The caller has its lock. */
static struct stack_st_SSL_CIPHER *pyossl_connection_ciphers(pyossl_connection *connection)
{
    STACK_OF(SSL_CIPHER) *ciphers;

    pyossl_live_enter(connection->live);
    ciphers = SSL_get_ciphers(connection->ssl);
    if (ciphers != NULL)
        ciphers = sk_SSL_CIPHER_dup(ciphers);
    pyossl_live_leave(connection->live);
    return ciphers;
}

/* SSL_CTX_use_cert_and_key(3), in place of the old ones of the same type: no connection gets one without the other. */
static int pyossl_use_credentials(SSL_CTX *context, X509 *certificate, EVP_PKEY *key, STACK_OF(X509) *chain)
{
    return SSL_CTX_use_cert_and_key(context, certificate, key, chain, 1);
}
