/* Functions of newer releases, written for older ones, so that all other code uses the newest names.  To drop an old
 * release, delete its group.
 *
 * Each is written once and used in two ways.  A linked build compiles the ones that its headers lack, under OpenSSL's
 * own names.  A late-bound build compiles all of them, and load.c uses one where the library in use lacks the function:
 *
 *   STAND_IN(name)           is the name of the function that stands in for `name`.
 *   RENAMED(result, name, old_name, parameters, arguments)
 *                            says that `name` was called `old_name` before.
 *   OLDER(result, name, parameters)
 *                            declares a function that the newest headers do not declare any more. */

#ifndef PYOSSL_COMPAT_H
#define PYOSSL_COMPAT_H

#if PYOSSL_LATE
#  define STAND_IN(name) pyossl_stand_in_##name
#  define RENAMED(result, name, old_name, parameters, arguments)
#  define OLDER(result, name, parameters) static result(*pyossl_older_##name) parameters;
#  define LACKS(major, minor) 1
#else
#  define STAND_IN(name) name
#  define RENAMED(result, name, old_name, parameters, arguments) \
      static inline result name parameters { return old_name arguments; }
#  define OLDER(result, name, parameters)
#  define LACKS(major, minor) !PYOSSL_SINCE(major, minor)
#endif

/* Whether code that needs `have`, a HAVE_x, can be compiled.  If it can, it asks `if (have)` when it runs. */
#if PYOSSL_LATE
#  define COMPILES(have) 1
#else
#  define COMPILES(have) have
#endif

#if COMPILES(HAVE_PROVIDERS)
#  include <openssl/core_names.h>
#  include <openssl/params.h>
#  include <openssl/provider.h>
#endif

/* added in 3.0 */
#if LACKS(3, 0)
OLDER(int, FIPS_mode, (void))
OLDER(void, ERR_put_error, (int library, int function, int reason, const char *file, int line))
OLDER(const void *, EVP_PKEY_asn1_find_str, (void **engine, const char *name, int length))
OLDER(int, EVP_PKEY_asn1_get0_info,
      (int *id, int *base_id, int *flags, const char **info, const char **name, const void *method))
OLDER(const void *, EVP_PKEY_get0_asn1, (const EVP_PKEY *key))
OLDER(unsigned long, X509_NAME_hash, (const X509_NAME *name))
#  if PYOSSL_LATE
#    define FIPS_mode pyossl_older_FIPS_mode
#    define EVP_PKEY_asn1_find_str pyossl_older_EVP_PKEY_asn1_find_str
#    define EVP_PKEY_asn1_get0_info pyossl_older_EVP_PKEY_asn1_get0_info
#    define EVP_PKEY_get0_asn1 pyossl_older_EVP_PKEY_get0_asn1
#    define EVP_PKEY_ASN1_METHOD void

/* Since 3.0 it is a macro. */
static void pyossl_put_error_of(int library, int function, int reason, const char *file, int line)
{
    if (HAVE_API_3_0) {
        ERR_new();
        ERR_set_debug(file, line, "");
        ERR_set_error(library, reason, NULL);
    } else {
        pyossl_older_ERR_put_error(library, function, reason, file, line);
    }
}
#    undef ERR_put_error
#    define ERR_put_error pyossl_put_error_of
#  endif

RENAMED(X509 *, SSL_get1_peer_certificate, SSL_get_peer_certificate, (const SSL *ssl), (ssl))
RENAMED(int, EVP_PKEY_get_id, EVP_PKEY_id, (const EVP_PKEY *key), (key))
RENAMED(int, EVP_PKEY_get_bits, EVP_PKEY_bits, (const EVP_PKEY *key), (key))
RENAMED(int, EVP_PKEY_get_base_id, EVP_PKEY_base_id, (const EVP_PKEY *key), (key))
RENAMED(int, EVP_PKEY_get_security_bits, EVP_PKEY_security_bits, (const EVP_PKEY *key), (key))
RENAMED(int, EVP_PKEY_eq, EVP_PKEY_cmp, (const EVP_PKEY *a, const EVP_PKEY *b), (a, b))
RENAMED(int, EVP_MD_get_size, EVP_MD_size, (const EVP_MD *digest), (digest))
RENAMED(unsigned long, EVP_CIPHER_get_flags, EVP_CIPHER_flags, (const EVP_CIPHER *cipher), (cipher))
RENAMED(int, EVP_CIPHER_get_iv_length, EVP_CIPHER_iv_length, (const EVP_CIPHER *cipher), (cipher))
RENAMED(int, EVP_CIPHER_get_key_length, EVP_CIPHER_key_length, (const EVP_CIPHER *cipher), (cipher))

#  if !PYOSSL_LATE
#    define SSL_R_UNEXPECTED_EOF_WHILE_READING 294
#    define SSL_OP_IGNORE_UNEXPECTED_EOF 0
#    define SSL_ERROR_WANT_RETRY_VERIFY 12
#    define OPENSSL_VERSION_STR OPENSSL_VERSION_TEXT
#    define ERR_R_UNSUPPORTED 268
#    define OSSL_STORE_INFO_PUBKEY (-1)    /* a store returns public keys as keys of any kind: pyossl_is_private */
typedef struct ossl_lib_ctx_st OSSL_LIB_CTX;
#  endif

static unsigned long STAND_IN(ERR_get_error_all)(const char **file, int *line, const char **function,
                                                 const char **data, int *flags)
{
    unsigned long code = ERR_get_error_line_data(file, line, data, flags);
    *function = ERR_func_error_string(code);
    return code;
}

static EVP_PKEY_CTX *STAND_IN(EVP_PKEY_CTX_new_from_name)(OSSL_LIB_CTX *library, const char *name,
                                                          const char *properties)
{
    int id;
    const EVP_PKEY_ASN1_METHOD *method = EVP_PKEY_asn1_find_str(NULL, name, -1);
    (void)library;
    (void)properties;
    if (method == NULL || !EVP_PKEY_asn1_get0_info(&id, NULL, NULL, NULL, NULL, method))
        return NULL;
    return EVP_PKEY_CTX_new_id(id, NULL);
}

static const char *STAND_IN(EVP_PKEY_get0_type_name)(const EVP_PKEY *key)
{
    const char *name = NULL;
    const EVP_PKEY_ASN1_METHOD *method = EVP_PKEY_get0_asn1(key);
    return method != NULL && EVP_PKEY_asn1_get0_info(NULL, NULL, NULL, NULL, &name, method) ? name : NULL;
}

static int STAND_IN(EVP_PKEY_get_group_name)(const EVP_PKEY *key, char *name, size_t size, size_t *length)
{
    int nid = NID_undef;
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        nid = EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY((EVP_PKEY *)key)));
    else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_DH)
        nid = DH_get_nid(EVP_PKEY_get0_DH((EVP_PKEY *)key));
    if (nid == NID_undef || size == 0)
        return 0;
    *length = OPENSSL_strlcpy(name, OBJ_nid2sn(nid), size);
    return *length < size;
}

static EVP_PKEY *STAND_IN(OSSL_STORE_INFO_get1_PUBKEY)(const OSSL_STORE_INFO *info)
{
    (void)info;
    return NULL;
}

/* The caller owns the stack and a reference to each certificate. */
static STACK_OF(X509) *STAND_IN(X509_STORE_get1_all_certs)(X509_STORE *store)
{
    STACK_OF(X509) *certificates = sk_X509_new_null();
    STACK_OF(X509_OBJECT) *objects;
    int n;

    if (certificates == NULL || !X509_STORE_lock(store))
        return certificates;
    objects = X509_STORE_get0_objects(store);
    for (n = 0; n < sk_X509_OBJECT_num(objects); n++) {
        X509 *certificate = (X509 *)X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, n));
        if (certificate != NULL && X509_up_ref(certificate) && !sk_X509_push(certificates, certificate))
            X509_free(certificate);
    }
    X509_STORE_unlock(store);
    return certificates;
}

static int STAND_IN(EVP_default_properties_is_fips_enabled)(OSSL_LIB_CTX *library)
{
    (void)library;
    return FIPS_mode();
}

/* These take a library context, of which 1.1.1 has none: it is NULL. */
static OSSL_LIB_CTX *STAND_IN(OSSL_LIB_CTX_set0_default)(OSSL_LIB_CTX *library)
{
    (void)library;
    return NULL;
}

static SSL_CTX *STAND_IN(SSL_CTX_new_ex)(OSSL_LIB_CTX *library, const char *properties, const SSL_METHOD *method)
{
    (void)library;
    (void)properties;
    return SSL_CTX_new(method);
}

static EVP_PKEY *STAND_IN(PEM_read_bio_PrivateKey_ex)(BIO *bio, EVP_PKEY **key, pem_password_cb *callback,
                                                      void *argument, OSSL_LIB_CTX *library, const char *properties)
{
    (void)library;
    (void)properties;
    return PEM_read_bio_PrivateKey(bio, key, callback, argument);
}

static EVP_PKEY *STAND_IN(PEM_read_bio_PUBKEY_ex)(BIO *bio, EVP_PKEY **key, pem_password_cb *callback, void *argument,
                                                  OSSL_LIB_CTX *library, const char *properties)
{
    (void)library;
    (void)properties;
    return PEM_read_bio_PUBKEY(bio, key, callback, argument);
}

static EVP_PKEY *STAND_IN(d2i_PrivateKey_ex_bio)(BIO *bio, EVP_PKEY **key, OSSL_LIB_CTX *library,
                                                 const char *properties)
{
    (void)library;
    (void)properties;
    return d2i_PrivateKey_bio(bio, key);
}

static X509_SIG *STAND_IN(PKCS8_encrypt_ex)(int nid, const EVP_CIPHER *cipher, const char *password, int length,
                                            unsigned char *salt, int salt_length, int iterations,
                                            PKCS8_PRIV_KEY_INFO *plain, OSSL_LIB_CTX *library, const char *properties)
{
    (void)library;
    (void)properties;
    return PKCS8_encrypt(nid, cipher, password, length, salt, salt_length, iterations, plain);
}

static PKCS8_PRIV_KEY_INFO *STAND_IN(PKCS8_decrypt_ex)(const X509_SIG *encrypted, const char *password, int length,
                                                       OSSL_LIB_CTX *library, const char *properties)
{
    (void)library;
    (void)properties;
    return PKCS8_decrypt(encrypted, password, length);
}

static EVP_PKEY *STAND_IN(EVP_PKCS82PKEY_ex)(const PKCS8_PRIV_KEY_INFO *plain, OSSL_LIB_CTX *library,
                                             const char *properties)
{
    (void)library;
    (void)properties;
    return EVP_PKCS82PKEY(plain);
}

static EVP_PKEY_CTX *STAND_IN(EVP_PKEY_CTX_new_from_pkey)(OSSL_LIB_CTX *library, EVP_PKEY *key, const char *properties)
{
    (void)library;
    (void)properties;
    return EVP_PKEY_CTX_new(key, NULL);
}

static X509_STORE_CTX *STAND_IN(X509_STORE_CTX_new_ex)(OSSL_LIB_CTX *library, const char *properties)
{
    (void)library;
    (void)properties;
    return X509_STORE_CTX_new();
}

static int STAND_IN(RAND_bytes_ex)(OSSL_LIB_CTX *library, unsigned char *buffer, size_t size, unsigned int strength)
{
    (void)library;
    (void)strength;
    return RAND_bytes(buffer, (int)size);
}

/* It lives as long as the library: EVP_CIPHER_free does nothing. */
static EVP_CIPHER *STAND_IN(EVP_CIPHER_fetch)(OSSL_LIB_CTX *library, const char *name, const char *properties)
{
    (void)library;
    (void)properties;
    return (EVP_CIPHER *)EVP_get_cipherbyname(name);
}

static void STAND_IN(EVP_CIPHER_free)(EVP_CIPHER *cipher)
{
    (void)cipher;
}

static int STAND_IN(X509_STORE_set_default_paths_ex)(X509_STORE *store, OSSL_LIB_CTX *library, const char *properties)
{
    (void)library;
    (void)properties;
    return X509_STORE_set_default_paths(store);
}

static int STAND_IN(X509_STORE_load_locations_ex)(X509_STORE *store, const char *file, const char *directory,
                                                  OSSL_LIB_CTX *library, const char *properties)
{
    (void)library;
    (void)properties;
    return X509_STORE_load_locations(store, file, directory);
}

/* It takes over `parameters` as the newer function does. */
static int STAND_IN(SSL_CTX_set0_tmp_dh_pkey)(SSL_CTX *context, EVP_PKEY *parameters)
{
    DH *dh = (DH *)EVP_PKEY_get0_DH(parameters);
    if (dh == NULL || SSL_CTX_set_tmp_dh(context, dh) != 1)
        return 0;
    EVP_PKEY_free(parameters);
    return 1;
}
#endif

/* Whether the key has its private part.  Since 3.0 a store gives public keys as OSSL_STORE_INFO_PUBKEY, and this is not
 * needed. */
static int pyossl_is_private(const EVP_PKEY *key)
{
#if LACKS(3, 0)
    const BIGNUM *number = NULL;
    unsigned char raw[EVP_MAX_KEY_LENGTH * 2];
    size_t length = sizeof(raw);
    int is_private;
    if (HAVE_API_3_0)
        return 1;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        RSA_get0_key(EVP_PKEY_get0_RSA((EVP_PKEY *)key), NULL, NULL, &number);
        return number != NULL;
    case EVP_PKEY_DSA:
        DSA_get0_key(EVP_PKEY_get0_DSA((EVP_PKEY *)key), NULL, &number);
        return number != NULL;
    case EVP_PKEY_DH:
        DH_get0_key(EVP_PKEY_get0_DH((EVP_PKEY *)key), NULL, &number);
        return number != NULL;
    case EVP_PKEY_EC:
        return EC_KEY_get0_private_key(EVP_PKEY_get0_EC_KEY((EVP_PKEY *)key)) != NULL;
    default:
        ERR_set_mark();
        is_private = EVP_PKEY_get_raw_private_key(key, raw, &length) == 1;
        ERR_pop_to_mark();
        OPENSSL_cleanse(raw, sizeof(raw));
        return is_private;
    }
#else
    (void)key;
    return 1;
#endif
}

/* Before 3.0 the certificates come in reverse order. */
static int pyossl_pkcs12_parse(PKCS12 *pkcs12, const char *password, EVP_PKEY **key, X509 **certificate,
                               STACK_OF(X509) **ca)
{
    int n, done = PKCS12_parse(pkcs12, password, key, certificate, ca);
    if (HAVE_API_3_0)
        return done;
    for (n = 0; done == 1 && ca != NULL && *ca != NULL && n < sk_X509_num(*ca) / 2; n++) {
        int opposite = sk_X509_num(*ca) - 1 - n;
        X509 *first = sk_X509_value(*ca, n);
        sk_X509_set(*ca, n, sk_X509_value(*ca, opposite));
        sk_X509_set(*ca, opposite, first);
    }
    return done;
}
#undef PKCS12_parse
#define PKCS12_parse pyossl_pkcs12_parse

/* Puts an entry into the error queue.  `data` is copied; before 3.0 `file` and `function` are not used. */
static void pyossl_raise(int library, int reason, const char *file, int line, const char *function, int function_code,
                         const char *data)
{
#if COMPILES(HAVE_ERR_ALL)
    if (HAVE_ERR_ALL) {
        ERR_new();
        ERR_set_debug(file, line, function);
        ERR_set_error(library, reason, data[0] == '\0' ? NULL : "%s", data);
        return;
    }
#endif
#if LACKS(3, 0)
    (void)file;    /* OpenSSL would keep the pointer */
    (void)function;
    ERR_put_error(library, function_code, reason, "", line);
    if (data[0] != '\0')
        ERR_add_error_data(1, data);
#else
    (void)function_code;
#endif
}

/* added in 3.2 */
#if LACKS(3, 2)
static const char *STAND_IN(SSL_get0_group_name)(SSL *ssl)
{
    const char *name = NULL;
    EVP_PKEY *key = NULL;
#  if COMPILES(HAVE_API_3_0)
    if (HAVE_API_3_0) {
        int id = (int)SSL_get_negotiated_group(ssl);
        return id == 0 ? NULL : SSL_group_to_name(ssl, id);
    }
#  endif
    /* 1.1.1 does not keep the name of the group.  It can be found from the peer's key share, which a server keeps in
       TLS 1.3 alone. */
    if (!SSL_get_peer_tmp_key(ssl, &key) || key == NULL)
        return NULL;
    switch (EVP_PKEY_get_id(key)) {
    case EVP_PKEY_EC:
        name = OBJ_nid2sn(EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key))));
        break;
    case EVP_PKEY_DH:
        break;
    default:
        name = OBJ_nid2sn(EVP_PKEY_get_id(key));
    }
    EVP_PKEY_free(key);
    return name;
}

static EVP_PKEY *STAND_IN(SSL_get0_peer_rpk)(const SSL *ssl)
{
    (void)ssl;
    return NULL;
}
#endif

/* added in 3.3 */
#if LACKS(3, 3)
static time_t STAND_IN(SSL_SESSION_get_time_ex)(const SSL_SESSION *session)
{
    return (time_t)SSL_SESSION_get_time(session);
}
#endif

/* added in 3.4 */
#if LACKS(3, 4)
static PBKDF2PARAM *STAND_IN(PBMAC1_get1_pbkdf2_param)(const X509_ALGOR *algorithm)
{
    (void)algorithm;
    return NULL;
}
#endif

/* added in 4.0 */
#if LACKS(4, 0)
/* Before 3.0 SSL_set1_host takes an address for a DNS name, so there are two functions. */
RENAMED(int, SSL_set1_dnsname, SSL_set1_host, (SSL *ssl, const char *name), (ssl, name))
RENAMED(int, SSL_add1_dnsname, SSL_add1_host, (SSL *ssl, const char *name), (ssl, name))

static int STAND_IN(SSL_set1_ipaddr)(SSL *ssl, const char *address)
{
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address);
}
#endif

/* in no release yet: in ssl.h these are macros for functions that do not exist (docs/pitfalls.md, 53) */
#if COMPILES(HAVE_CT)
#  undef SSL_disable_ct
#  undef SSL_CTX_disable_ct
static void SSL_disable_ct(SSL *ssl)
{
    SSL_set_ct_validation_callback(ssl, NULL, NULL);
}

static void SSL_CTX_disable_ct(SSL_CTX *context)
{
    SSL_CTX_set_ct_validation_callback(context, NULL, NULL);
}
#endif

#if PYOSSL_LATE
#  include "late/older_libraries.h"
#  undef OPENSSL_VERSION_NUMBER
#  define OPENSSL_VERSION_NUMBER pyossl_version    /* a constant has the value that the library's own headers give it */
#endif

#include "changed_constants.h"

#endif
