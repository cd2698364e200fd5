/* Algorithms whose signatures pause the job that they are made in, until the test writes to an eventfd.
 *
 * From OpenSSL 3.0 on it is a provider, which is loaded beside `default`.  It has the algorithms of another `default`,
 * which it loads into a library context of its own, and other functions for signatures.  Before, pausing_begin() makes
 * the signatures of new EC keys pause.
 *
 * Environment variables: with PAUSING_WITHOUT_FD it names no descriptor, and the second try succeeds.  With
 * PAUSING_AND_FAILING it puts an error into the queue before it pauses, and fails when the device answers.  With
 * PAUSING_FORBIDDEN it does not pause, and nothing else in the jobs of this thread can from then on. */

#define OPENSSL_SUPPRESS_DEPRECATED 1

#include <openssl/async.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#if (OPENSSL_VERSION_NUMBER >> 28) != PYOSSL_EXPECTS
#  error "these are the headers of another OpenSSL"
#endif

static _Atomic int pauses, ends;    /* how often a job was paused; how many waits have ended */

int pausing_pauses(void) { return pauses; }
int pausing_ends(void) { return ends; }

static void close_it(ASYNC_WAIT_CTX *waits, const void *key, int fd, void *data)
{
    (void)waits; (void)key; (void)data;
    close(fd);
}

/* 1: done; 0: the device has failed. */
static int wait_for_device(void)
{
    static const char key = 0;
    ASYNC_JOB *job = ASYNC_get_current_job();
    ASYNC_WAIT_CTX *waits;
    uint64_t done;
    int fd;

    if (job == NULL)
        return 1;
    if (getenv("PAUSING_FORBIDDEN") != NULL) {
        ASYNC_block_pause();
        return 1;
    }
    if (getenv("PAUSING_AND_FAILING") != NULL)
#if PYOSSL_EXPECTS < 3
        ERR_put_error(ERR_LIB_USER, 0, 77, __FILE__, __LINE__);
#else
        ERR_raise(ERR_LIB_USER, 77);
#endif
    if (getenv("PAUSING_WITHOUT_FD") != NULL) {
        pauses++;
        ASYNC_pause_job();
        ends++;
        return 1;
    }
    waits = ASYNC_get_wait_ctx(job);
    fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ASYNC_WAIT_CTX_set_wait_fd(waits, &key, fd, NULL, close_it);
    while (read(fd, &done, sizeof(done)) != sizeof(done)) {
        pauses++;
        ASYNC_pause_job();
    }
    ends++;
    ASYNC_WAIT_CTX_clear_fd(waits, &key);
    close(fd);
    return getenv("PAUSING_AND_FAILING") == NULL;
}

#if OPENSSL_VERSION_NUMBER >= 0x30000000L

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>

static OSSL_PROVIDER *base;
static OSSL_FUNC_signature_sign_fn *sign;
static OSSL_FUNC_signature_digest_sign_fn *digest_sign;
static OSSL_FUNC_signature_digest_sign_final_fn *digest_sign_final;

/* One function for each that `default` has for ECDSA: no other signature is used here. */
static int paused_sign(void *ctx, unsigned char *sig, size_t *length, size_t size, const unsigned char *tbs, size_t tbslen)
{
    if (sig != NULL && !wait_for_device())
        return 0;
    return sign(ctx, sig, length, size, tbs, tbslen);
}

static int paused_digest_sign(void *ctx, unsigned char *sig, size_t *length, size_t size, const unsigned char *tbs,
                              size_t tbslen)
{
    if (sig != NULL && !wait_for_device())
        return 0;
    return digest_sign(ctx, sig, length, size, tbs, tbslen);
}

static int paused_digest_sign_final(void *ctx, unsigned char *sig, size_t *length, size_t size)
{
    if (sig != NULL && !wait_for_device())
        return 0;
    return digest_sign_final(ctx, sig, length, size);
}

/* How many of the next derivations of keys for TLS 1.3 pause too. */
static int derivations;
static OSSL_FUNC_kdf_derive_fn *derive;

void pausing_derivations(int count) { derivations = count; }

static int paused_derive(void *ctx, unsigned char *key, size_t length, const OSSL_PARAM parameters[])
{
    if (derivations > 0 && ASYNC_get_current_job() != NULL) {
        derivations--;
        if (!wait_for_device())
            return 0;
    }
    return derive(ctx, key, length, parameters);
}

static void pause_derivation(OSSL_DISPATCH *function)
{
    if (function->function_id == OSSL_FUNC_KDF_DERIVE) {
        derive = OSSL_FUNC_kdf_derive(function);
        function->function = (void (*)(void))paused_derive;
    }
}

static void pause_signature(OSSL_DISPATCH *function)
{
    switch (function->function_id) {
    case OSSL_FUNC_SIGNATURE_SIGN:
        sign = OSSL_FUNC_signature_sign(function);
        function->function = (void (*)(void))paused_sign;
        break;
    case OSSL_FUNC_SIGNATURE_DIGEST_SIGN:
        digest_sign = OSSL_FUNC_signature_digest_sign(function);
        function->function = (void (*)(void))paused_digest_sign;
        break;
    case OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL:
        digest_sign_final = OSSL_FUNC_signature_digest_sign_final(function);
        function->function = (void (*)(void))paused_digest_sign_final;
        break;
    default:
        break;
    }
}

enum { MOST = 100 };

typedef struct {
    OSSL_ALGORITHM algorithms[MOST];
    OSSL_DISPATCH functions[MOST];
} copies;

/* A copy of the algorithms, in which `pause` has replaced functions of the one with this name.  It has a property, by
 * which it is preferred to the one of `default`. */
static const OSSL_ALGORITHM *with_pauses(const OSSL_ALGORITHM *algorithms, const char *name,
                                         void (*pause)(OSSL_DISPATCH *), copies *mine)
{
    size_t n, k, length = strlen(name);

    for (n = 0; algorithms[n].algorithm_names != NULL && n < MOST - 1; n++) {
        const char *names = algorithms[n].algorithm_names;
        mine->algorithms[n] = algorithms[n];
        if (strncmp(names, name, length) != 0 || (names[length] != ':' && names[length] != '\0'))
            continue;
        for (k = 0; algorithms[n].implementation[k].function_id != 0 && k < MOST - 1; k++) {
            mine->functions[k] = algorithms[n].implementation[k];
            pause(&mine->functions[k]);
        }
        mine->algorithms[n].property_definition = "provider=pausing";
        mine->algorithms[n].implementation = mine->functions;
    }
    return mine->algorithms;
}

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *no_cache)
{
    static copies derivations_of_keys, signatures;
    const OSSL_ALGORITHM *algorithms = OSSL_PROVIDER_query_operation(base, operation, no_cache);

    (void)ctx;
    if (operation == OSSL_OP_RAND)
        return NULL;    /* those of `default` beside this provider: OpenSSL 3.5.7 can use no others */
    if (operation == OSSL_OP_KDF && algorithms != NULL)
        return with_pauses(algorithms, "TLS13-KDF", pause_derivation, &derivations_of_keys);
    if (operation == OSSL_OP_SIGNATURE && algorithms != NULL)
        return with_pauses(algorithms, "ECDSA", pause_signature, &signatures);
    return algorithms;
}

static int capabilities(void *ctx, const char *name, OSSL_CALLBACK *callback, void *argument)
{
    (void)ctx;
    return OSSL_PROVIDER_get_capabilities(base, name, callback, argument);
}

static int get_params(void *ctx, OSSL_PARAM parameters[])
{
    OSSL_PARAM *status = OSSL_PARAM_locate(parameters, OSSL_PROV_PARAM_STATUS);

    (void)ctx;
    return status == NULL || OSSL_PARAM_set_int(status, 1);
}

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **ctx)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get_params},
        {0, NULL},
    };

    (void)handle; (void)in;
    if (base == NULL)
        base = OSSL_PROVIDER_load(OSSL_LIB_CTX_new(), "default");
    if (base == NULL)
        return 0;
    *out = functions;
    *ctx = OSSL_PROVIDER_get0_provider_ctx(base);
    return 1;
}

#else

#include <openssl/ec.h>

static int (*sign)(int, const unsigned char *, int, unsigned char *, unsigned int *, const BIGNUM *, const BIGNUM *,
                   EC_KEY *);

static int paused_sign(int type, const unsigned char *digest, int length, unsigned char *sig, unsigned int *siglen,
                       const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
    if (!wait_for_device())
        return 0;
    return sign(type, digest, length, sig, siglen, kinv, r, key);
}

void pausing_begin(void)
{
    EC_KEY_METHOD *method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    int (*set_up)(EC_KEY *, BN_CTX *, BIGNUM **, BIGNUM **);
    ECDSA_SIG *(*sign_into)(const unsigned char *, int, const BIGNUM *, const BIGNUM *, EC_KEY *);

    EC_KEY_METHOD_get_sign(method, &sign, &set_up, &sign_into);
    EC_KEY_METHOD_set_sign(method, paused_sign, set_up, sign_into);
    EC_KEY_set_default_method(method);
}

void pausing_end(void)
{
    EC_KEY_set_default_method(EC_KEY_OpenSSL());
}

#endif
