/* The late-bound build finds a libssl when it is imported: this file loads it, fills the pointers of pointers.h, and
 * answers what the library has.
 *
 * The library is loaded so that other OpenSSLs in the process neither give it symbols nor take its own: with RTLD_LOCAL,
 * and with RTLD_DEEPBIND if there is a stranger, a library that was preloaded or loaded with RTLD_GLOBAL and has functions
 * of OpenSSL's.  With RTLD_DEEPBIND the library calls its own functions first, but then also those of the C library, and
 * not those of a preloaded malloc, libfaketime or torsocks.  So it is used only if it is needed.
 *
 * A pointer whose function the library lacks gets the stand-in of compat.h, or else pyossl_absent, which fails. */

typedef struct {
    const char *name;
    void **pointer;
    const char *older_name;    /* NULL: it was always called `name` */
    void *stand_in;            /* NULL: nothing stands in for it */
} pyossl_symbol;

static void *pyossl_library;
static char pyossl_refusal[1024];

/* What is called in place of an absent function: it returns 0 or NULL, with an error in the queue. */
static long long pyossl_absent(void)
{
    pyossl_raise(ERR_LIB_USER, ERR_R_UNSUPPORTED, __FILE__, __LINE__, __func__, 0,
                 "the OpenSSL in use does not have this function");
    return 0;
}

#include "table.h"
#include "names.h"

static void pyossl_fill_held_functions(void);    /* held_functions.h */

static int pyossl_has_symbol(const char *name)
{
    return dlsym(pyossl_library, name) != NULL;
}

static const ASN1_ITEM *pyossl_item(const char *symbol)
{
    return dlsym(pyossl_library, symbol);
}

/* Keeps the reason, a text for printf(3), for pyossl_load_refusal; returns 0. */
__attribute__((format(printf, 1, 2))) static int pyossl_refuse(const char *reason, ...)
{
    va_list more;

    va_start(more, reason);
    vsnprintf(pyossl_refusal, sizeof(pyossl_refusal), reason, more);
    va_end(more);
    return 0;
}

/* Whether a library that was preloaded, or loaded with RTLD_GLOBAL, has functions with names of OpenSSL's.  These names
 * stand for each part of OpenSSL, because some libraries have only a part, for example the digests that they use.  Not all
 * names are tried: a search without success is slow. */
static int pyossl_is_stranger_there(void)
{
    static const char *const names[]
        = { "AES_encrypt", "ASN1_INTEGER_new", "BIO_free", "BIO_new", "BN_new", "BUF_MEM_new", "CRYPTO_malloc",
            "DES_set_key", "DH_new", "EC_KEY_new", "ERR_get_error", "EVP_CIPHER_CTX_new", "EVP_DigestInit_ex",
            "EVP_MD_CTX_new", "EVP_PKEY_new", "EVP_sha256", "HMAC", "MD5_Init", "MD5_Update", "OBJ_nid2obj",
            "OPENSSL_cleanse", "OPENSSL_sk_num", "PEM_read_bio", "RAND_bytes", "RC4", "RSA_new", "SHA1_Init",
            "SHA1_Update", "SHA256_Init", "SHA256_Update", "SHA512_Init", "SSL_new", "X509_free", "X509_new" };

    for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
        if (dlsym(RTLD_DEFAULT, names[n]) != NULL)
            return 1;
    }
    return 0;
}

static int pyossl_open_flags(void)
{
#ifdef RTLD_DEEPBIND
    static int flags;    /* 0: not known yet */

    if (flags == 0) {
        /* A sanitizer, which has this function, forbids RTLD_DEEPBIND. */
        int may_bind_deep = dlsym(RTLD_DEFAULT, "__sanitizer_set_death_callback") == NULL;
        flags = RTLD_NOW | RTLD_LOCAL | (may_bind_deep && pyossl_is_stranger_there() ? RTLD_DEEPBIND : 0);
    }
    return flags;
#else
    return RTLD_NOW | RTLD_LOCAL;
#endif
}

/* Refuses `file` for the reason that dlerror() gives, without the name of the file if the reason begins with it. */
static int pyossl_refuse_unloadable(const char *file)
{
    const char *reason = dlerror();
    size_t length = strlen(file);

    if (reason == NULL)
        return pyossl_refuse("it is not loaded");
    if (strncmp(reason, file, length) == 0 && strncmp(reason + length, ": ", 2) == 0)
        reason += length + 2;
    return pyossl_refuse("%s", reason);
}

/* Loads the libcrypto beside the libssl, if there is one.  The dynamic linker would look for it elsewhere, but it takes a
 * library of that name that is loaded already. */
static int pyossl_open_libcrypto_beside(const char *libssl, void **libcrypto)
{
    const char *base = strrchr(libssl, '/');
    const char *rest = base == NULL ? NULL : strstr(base, "ssl");
    char path[PATH_MAX];

    *libcrypto = NULL;
    if (rest == NULL
        || snprintf(path, sizeof(path), "%.*scrypto%s", (int)(rest - libssl), libssl, rest + strlen("ssl"))
               >= (int)sizeof(path)
        || access(path, F_OK) != 0)
        return 1;
    *libcrypto = dlopen(path, pyossl_open_flags());
    return *libcrypto != NULL || pyossl_refuse("%s", dlerror());
}

/* Finds the libssl beside the libcrypto that the process has loaded already, and writes its path.  0: there is none.
 * `libssl` is a name without a folder.  The dynamic linker would give that libcrypto to any libssl of that name. */
static int pyossl_find_libssl_beside(const char *libssl, char path[PATH_MAX])
{
    const char *rest = strstr(libssl, "ssl"), *base;
    char name[NAME_MAX];
    void *libcrypto, *function;
    Dl_info loaded;
    int found = 0;

    if (rest == NULL
        || snprintf(name, sizeof(name), "%.*scrypto%s", (int)(rest - libssl), libssl, rest + strlen("ssl"))
               >= (int)sizeof(name)
        || (libcrypto = dlopen(name, RTLD_LAZY | RTLD_NOLOAD)) == NULL)
        return 0;
    function = dlsym(libcrypto, "OpenSSL_version_num");
    if (function != NULL && dladdr(function, &loaded) && (base = strrchr(loaded.dli_fname, '/')) != NULL)
        found = snprintf(path, PATH_MAX, "%.*s/%s", (int)(base - loaded.dli_fname), loaded.dli_fname, libssl) < PATH_MAX
             && access(path, F_OK) == 0;
    dlclose(libcrypto);
    return found;
}

/* Whether the libssl uses the libcrypto beside it.  If the process has loaded another library of that name before, the
 * dynamic linker gives it that one; and musl's gives it none that was loaded by its path. */
static int pyossl_uses(void *libssl, void *libcrypto)
{
    void *function = dlsym(libssl, "OpenSSL_version_num");
    Dl_info loaded;

    if (libcrypto == NULL || function == dlsym(libcrypto, "OpenSSL_version_num"))
        return 1;
    return pyossl_refuse("it uses %s, not the libcrypto beside it: import pyossl first, or set LD_LIBRARY_PATH to its folder",
                         dladdr(function, &loaded) ? loaded.dli_fname : "another");
}

/* Whether the loaded library is an OpenSSL that pyossl knows. */
static int pyossl_is_known(void *library)
{
    unsigned long (*version_of)(void) = (unsigned long (*)(void))dlsym(library, "OpenSSL_version_num");
    unsigned long number;

    if (version_of == NULL && dlsym(library, "SSLeay") != NULL)
        return pyossl_refuse("it is older than OpenSSL 1.1.1");
    if (version_of == NULL)
        return pyossl_refuse("it is not OpenSSL");
    if (dlsym(library, "SSL_new") == NULL)
        return pyossl_refuse("it has no SSL_new: it is not libssl");
    if (dlsym(library, "SSL_CTX_set_custom_verify") != NULL || dlsym(library, "awslc_version_string") != NULL)
        return pyossl_refuse("it is BoringSSL or AWS-LC, not OpenSSL");
    number = version_of();
    if (PYOSSL_MAJOR(number) == 2)
        return pyossl_refuse("it is LibreSSL, not OpenSSL");
    if (number < PYOSSL_OLDEST)
        return pyossl_refuse("it is older than OpenSSL 1.1.1");
    if (PYOSSL_MAJOR(number) > PYOSSL_MAJOR(PYOSSL_HEADERS_NUMBER))
        return pyossl_refuse("it is of a newer major version than this pyossl knows, which was built with the headers of %s",
                             OPENSSL_VERSION_TEXT);
    /* pyossl_absent calls them. */
    if (dlsym(library, "ERR_clear_error") == NULL
        || (dlsym(library, "ERR_set_error") == NULL && dlsym(library, "ERR_put_error") == NULL))
        return pyossl_refuse("it lacks functions that every OpenSSL has");
    pyossl_version = number;
    return 1;
}

/* Loads `file`, a path or a name for the dynamic linker; with `if_loaded`, only if the process has loaded it already.
 * 1: there is a library in use; 0: not, and pyossl_load_refusal says why.  A process has one for its whole life: a
 * second interpreter in it gets the same. */
static int pyossl_load(const char *file, int if_loaded)
{
    void *libcrypto = NULL, *library;
    char path[PATH_MAX];

    if (pyossl_library != NULL)
        return 1;
    if (strchr(file, '/') == NULL && pyossl_find_libssl_beside(file, path))
        file = path;
    if (!if_loaded && !pyossl_open_libcrypto_beside(file, &libcrypto))
        return 0;
    library = dlopen(file, pyossl_open_flags() | (if_loaded ? RTLD_NOLOAD : 0));
    if (library == NULL)
        pyossl_refuse_unloadable(file);
    if (library == NULL || !pyossl_uses(library, libcrypto) || !pyossl_is_known(library)) {
        if (library != NULL)
            dlclose(library);
        if (libcrypto != NULL)
            dlclose(libcrypto);
        return 0;
    }
    for (size_t n = 0; n < sizeof(pyossl_symbols) / sizeof(*pyossl_symbols); n++) {
        const pyossl_symbol *symbol = &pyossl_symbols[n];
        void *found = dlsym(library, symbol->name);
        if (found == NULL && symbol->older_name != NULL)
            found = dlsym(library, symbol->older_name);
        if (found == NULL)
            found = symbol->stand_in;
        *symbol->pointer = found != NULL ? found : (void *)pyossl_absent;
    }
    pyossl_fill_held_functions();
    pyossl_library = library;    /* last: a thread of another interpreter that finds it set calls through the pointers */
    return 1;
}

/* The path of the libssl that Python's module _ssl uses, whose own path is `module`.  NULL: it has none of its own. */
static const char *pyossl_libssl_of_python(const char *module)
{
    void *handle = dlopen(module, RTLD_LAZY | RTLD_NOLOAD);
    void *of_module = handle == NULL ? NULL : dlsym(handle, "PyInit__ssl");
    void *of_libssl = handle == NULL ? NULL : dlsym(handle, "SSL_new");
    Dl_info ours, theirs;

    if (handle != NULL)
        dlclose(handle);    /* Python has loaded it too, so it stays */
    if (of_module == NULL || of_libssl == NULL || !dladdr(of_module, &ours) || !dladdr(of_libssl, &theirs))
        return NULL;
    return ours.dli_fbase == theirs.dli_fbase ? NULL : theirs.dli_fname;
}

static const char *pyossl_load_refusal(void)
{
    return pyossl_refusal;
}

static int pyossl_compare_names(const void *name, const void *entry)
{
    return strcmp(name, *(const char *const *)entry);
}

/* NULL if the library in use has what `name` is declared for; else which OpenSSL has it, in words. */
static const char *pyossl_lacks(const char *name)
{
    size_t size = sizeof(*pyossl_conditional_names), count = sizeof(pyossl_conditional_names) / size;
    const char *found = bsearch(name, pyossl_conditional_names, count, size, pyossl_compare_names);
    size_t n;

    if (found == NULL)
        return NULL;
    n = pyossl_conditional_names[(found - (const char *)pyossl_conditional_names) / size].condition;
    return pyossl_condition(n) ? NULL : pyossl_condition_texts[n];
}

/* Whether a handshake with this version can begin: 0 if OpenSSL was built without the version. */
static int pyossl_can_begin(const SSL_METHOD *method, int version)
{
    SSL_CTX *context;
    SSL *ssl = NULL;
    int can = method != NULL;

    ERR_set_mark();
    context = can ? SSL_CTX_new(method) : NULL;
    if (context != NULL)
        SSL_CTX_clear_options(context, SSL_OP_NO_SSL_MASK);    /* openssl.cnf can forbid versions that the build has */
    if (context != NULL && SSL_CTX_set_min_proto_version(context, version)
        && SSL_CTX_set_max_proto_version(context, version) && (ssl = SSL_new(context)) != NULL) {
        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        if (SSL_connect(ssl) <= 0 && ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_NO_PROTOCOLS_AVAILABLE)
            can = 0;
    } else {
        can = 0;
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_pop_to_mark();
    return can;
}

/* Whether OpenSSL can use kernel TLS.  No function tells it.  But a socket BIO that has the flag for it says so only in
 * a build with kernel TLS. */
static int pyossl_has_ktls(void)
{
    enum { SENDS_WITH_KERNEL_TLS = 0x4000 };    /* BIO_FLAGS_KTLS_TX of OpenSSL's internal/bio.h */
    BIO *bio = BIO_new(BIO_s_socket());
    int has;

    if (bio == NULL)
        return 0;
    BIO_set_flags(bio, SENDS_WITH_KERNEL_TLS);
    has = BIO_ctrl(bio, BIO_CTRL_GET_KTLS_SEND, 0, NULL) > 0;
    BIO_free(bio);
    return has;
}

/* Whether a QUIC listener has a limit for pending connections.  Distributions have added it to older releases. */
static int pyossl_limits_pending_connections(void)
{
    SSL_CTX *context;
    SSL *listener = NULL;
    uint64_t limit;
    int has = 0;

    if (!HAVE_QUIC_SERVER)
        return 0;
    ERR_set_mark();
    context = SSL_CTX_new(OSSL_QUIC_server_method());
    if (context != NULL && (listener = SSL_new_listener(context, 0)) != NULL)
        has = SSL_get_generic_value_uint(listener, SSL_VALUE_QUIC_MAX_PENDING_CONNS, &limit) == 1;
    SSL_free(listener);
    SSL_CTX_free(context);
    ERR_pop_to_mark();
    return has;
}

/* The headers of a build without compression leave its overhead out.  This is for Python's constants only: the files above
 * use the larger size. */
#undef SSL3_RT_MAX_COMPRESSED_LENGTH
#define SSL3_RT_MAX_COMPRESSED_LENGTH \
    (SSL3_RT_MAX_PLAIN_LENGTH + (pyossl_has_symbol("COMP_CTX_new") ? SSL3_RT_MAX_COMPRESSED_OVERHEAD : 0))
