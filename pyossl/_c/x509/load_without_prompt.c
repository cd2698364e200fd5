/* OSSL_STORE functions that never prompt on a terminal.
 *
 * If no password is given, a token's provider prompts through the default UI_METHOD of the process.  While any thread
 * is in one of these functions, the default is UI_null(3), which refuses.  It is replaced and restored in C, so that no
 * Python exception can come between.  The mutex is held only for this: any number of threads may load at the same
 * time. */

static struct {
    pthread_mutex_t mutex;
    int loads;                   /* in progress; one more if the silence stays */
    int stays;                   /* the default stays UI_null(3), here and in child processes */
    const UI_METHOD *default_method;
} pyossl_silence = { PTHREAD_MUTEX_INITIALIZER, 0, 0, NULL };

static void pyossl_silence_begins(void)
{
    pthread_mutex_lock(&pyossl_silence.mutex);
    if (pyossl_silence.loads++ == 0) {
        pyossl_silence.default_method = UI_get_default_method();
        UI_set_default_method(UI_null());
    }
    pthread_mutex_unlock(&pyossl_silence.mutex);
}

static void pyossl_silence_ends(void)
{
    pthread_mutex_lock(&pyossl_silence.mutex);
    /* If a load forked and continues in the child, it is not counted there. */
    if (pyossl_silence.loads > pyossl_silence.stays && --pyossl_silence.loads == 0)
        UI_set_default_method(pyossl_silence.default_method);
    pthread_mutex_unlock(&pyossl_silence.mutex);
}

/* Called once a private key in a token is loaded.  Its provider may need the PIN again when the key signs: in a child
 * process, or when the token was removed and comes back.  Then it must not prompt in the middle of a handshake. */
static void pyossl_silence_stays(void)
{
    pthread_mutex_lock(&pyossl_silence.mutex);
    if (!pyossl_silence.stays) {
        pyossl_silence.stays = 1;
        if (pyossl_silence.loads++ == 0) {
            pyossl_silence.default_method = UI_get_default_method();
            UI_set_default_method(UI_null());
        }
    }
    pthread_mutex_unlock(&pyossl_silence.mutex);
}

/* A child process has one thread, and none of the loads of its parent. */
static void pyossl_silence_before_fork(void)
{
    pthread_mutex_lock(&pyossl_silence.mutex);
}

static void pyossl_silence_in_parent(void)
{
    pthread_mutex_unlock(&pyossl_silence.mutex);
}

static void pyossl_silence_in_child(void)
{
    if (pyossl_silence.loads > 0 && !pyossl_silence.stays)
        UI_set_default_method(pyossl_silence.default_method);
    pyossl_silence.loads = pyossl_silence.stays;
    pthread_mutex_unlock(&pyossl_silence.mutex);
}

static int pyossl_silence_set_up(void)
{
    return pthread_atfork(pyossl_silence_before_fork, pyossl_silence_in_parent, pyossl_silence_in_child) == 0;
}

/* OSSL_STORE_open_ex(3), with the providers of a library context; NULL: the default one. */
static OSSL_STORE_CTX *pyossl_store_open(const char *uri, OSSL_LIB_CTX *library, const UI_METHOD *method, void *data)
{
    OSSL_STORE_CTX *store;

    pyossl_silence_begins();
#if COMPILES(HAVE_API_3_0)
    if (HAVE_API_3_0)
        store = OSSL_STORE_open_ex(uri, library, NULL, method, data, NULL, NULL, NULL);
    else
#endif
        store = OSSL_STORE_open(uri, method, data, NULL, NULL);
    (void)library;
    pyossl_silence_ends();
    return store;
}

/* OSSL_STORE_load(3) */
static OSSL_STORE_INFO *pyossl_store_load(OSSL_STORE_CTX *store)
{
    OSSL_STORE_INFO *info;

    pyossl_silence_begins();
    info = OSSL_STORE_load(store);
    pyossl_silence_ends();
    return info;
}

#if COMPILES(HAVE_API_3_0)
/* OSSL_STORE_attach(3) for bytes of one type: "PEM" or "DER", or NULL for any other. */
static OSSL_STORE_CTX *pyossl_store_attach(BIO *bio, const char *type, OSSL_LIB_CTX *library, const UI_METHOD *method,
                                           void *data)
{
    OSSL_STORE_CTX *store;
    OSSL_PARAM parameters[2] = { OSSL_PARAM_END, OSSL_PARAM_END };

    if (type != NULL)
        parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_STORE_PARAM_INPUT_TYPE, (char *)type, 0);
    pyossl_silence_begins();
    store = OSSL_STORE_attach(bio, "file", library, NULL, method, data, parameters, NULL, NULL);
    pyossl_silence_ends();
    return store;
}
#endif
