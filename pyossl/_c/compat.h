/* Functions of newer releases, written for older ones, so that all other code uses the newest names.  To drop an old
 * release, delete its group. */

#ifndef PYOSSL_COMPAT_H
#define PYOSSL_COMPAT_H

/* added in 3.0 */
#if !PYOSSL_SINCE(3, 0)
static unsigned long ERR_get_error_all(const char **file, int *line, const char **func, const char **data, int *flags)
{
    unsigned long code = ERR_get_error_line_data(file, line, data, flags);
    *func = ERR_func_error_string(code);
    return code;
}

#  define SSL_get1_peer_certificate SSL_get_peer_certificate
#  define EVP_PKEY_get_id EVP_PKEY_id
#  define EVP_PKEY_get_bits EVP_PKEY_bits
#  define EVP_PKEY_get_base_id EVP_PKEY_base_id
#  define EVP_PKEY_eq EVP_PKEY_cmp
#  define EVP_MD_get_size EVP_MD_size
#  define EVP_CIPHER_get_flags EVP_CIPHER_flags
#  define EVP_CIPHER_get_iv_length EVP_CIPHER_iv_length
#  define EVP_CIPHER_get_key_length EVP_CIPHER_key_length
#  define EVP_PKEY_get_security_bits EVP_PKEY_security_bits
#  define SSL_R_UNEXPECTED_EOF_WHILE_READING 294
#  define SSL_OP_IGNORE_UNEXPECTED_EOF 0
#  define SSL_ERROR_WANT_RETRY_VERIFY 12
#  define OPENSSL_VERSION_STR OPENSSL_VERSION_TEXT
#  define ERR_R_UNSUPPORTED 268

typedef struct ossl_lib_ctx_st OSSL_LIB_CTX;

static EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_name(OSSL_LIB_CTX *library, const char *name, const char *properties)
{
    int id;
    const EVP_PKEY_ASN1_METHOD *method = EVP_PKEY_asn1_find_str(NULL, name, -1);
    (void)library;
    (void)properties;
    if (method == NULL || !EVP_PKEY_asn1_get0_info(&id, NULL, NULL, NULL, NULL, method))
        return NULL;
    return EVP_PKEY_CTX_new_id(id, NULL);
}

static const char *EVP_PKEY_get0_type_name(const EVP_PKEY *key)
{
    const char *name = NULL;
    const EVP_PKEY_ASN1_METHOD *method = EVP_PKEY_get0_asn1(key);
    return method != NULL && EVP_PKEY_asn1_get0_info(NULL, NULL, NULL, NULL, &name, method) ? name : NULL;
}

static int EVP_PKEY_get_group_name(const EVP_PKEY *key, char *name, size_t size, size_t *length)
{
    int nid = NID_undef;
    if (EVP_PKEY_base_id(key) == EVP_PKEY_EC)
        nid = EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY((EVP_PKEY *)key)));
    else if (EVP_PKEY_base_id(key) == EVP_PKEY_DH)
        nid = DH_get_nid(EVP_PKEY_get0_DH((EVP_PKEY *)key));
    if (nid == NID_undef || size == 0)
        return 0;
    *length = OPENSSL_strlcpy(name, OBJ_nid2sn(nid), size);
    return *length < size;
}

/* Before 3.0 the certificates come in reverse order. */
static int pyossl_pkcs12_parse(PKCS12 *pkcs12, const char *password, EVP_PKEY **key, X509 **certificate,
                               STACK_OF(X509) **ca)
{
    int n, done = PKCS12_parse(pkcs12, password, key, certificate, ca);
    for (n = 0; done == 1 && ca != NULL && *ca != NULL && n < sk_X509_num(*ca) / 2; n++) {
        int opposite = sk_X509_num(*ca) - 1 - n;
        X509 *first = sk_X509_value(*ca, n);
        sk_X509_set(*ca, n, sk_X509_value(*ca, opposite));
        sk_X509_set(*ca, opposite, first);
    }
    return done;
}
#  define PKCS12_parse pyossl_pkcs12_parse

/* Before 3.0 a store returns public keys as keys of any kind, and pyossl_is_private looks at the key itself. */
#  define OSSL_STORE_INFO_PUBKEY (-1)
static EVP_PKEY *OSSL_STORE_INFO_get1_PUBKEY(const OSSL_STORE_INFO *info)
{
    (void)info;
    return NULL;
}

/* Whether the key has its private part.  Since 3.0 a store gives public keys as such, so this is not needed. */
static int pyossl_is_private(const EVP_PKEY *key)
{
    const BIGNUM *number = NULL;
    unsigned char raw[EVP_MAX_KEY_LENGTH * 2];
    size_t length = sizeof(raw);
    int is_private;
    switch (EVP_PKEY_base_id(key)) {
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
}

/* The caller owns the stack and a reference to each certificate. */
static STACK_OF(X509) *X509_STORE_get1_all_certs(X509_STORE *store)
{
    STACK_OF(X509) *certificates = sk_X509_new_null();
    STACK_OF(X509_OBJECT) *objects;
    int n;

    if (certificates == NULL || !X509_STORE_lock(store))
        return certificates;
    objects = X509_STORE_get0_objects(store);
    for (n = 0; n < sk_X509_OBJECT_num(objects); n++) {
        X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, n));
        if (certificate != NULL && X509_up_ref(certificate) && !sk_X509_push(certificates, certificate))
            X509_free(certificate);
    }
    X509_STORE_unlock(store);
    return certificates;
}
#else
static int pyossl_is_private(const EVP_PKEY *key)
{
    (void)key;    /* a store gives public keys as OSSL_STORE_INFO_PUBKEY */
    return 1;
}
#endif

/* added in 3.2 */
#if !PYOSSL_SINCE(3, 2)
#  if PYOSSL_SINCE(3, 0)
static const char *SSL_get0_group_name(SSL *ssl)
{
    int id = SSL_get_negotiated_group(ssl);
    return id == 0 ? NULL : SSL_group_to_name(ssl, id);
}
#  else
/* 1.1.1 does not keep the name of the group.  It can be found from the peer's key share, which only a client has. */
static const char *SSL_get0_group_name(SSL *ssl)
{
    const char *name = NULL;
    EVP_PKEY *key = NULL;
    if (!SSL_get_peer_tmp_key(ssl, &key) || key == NULL)
        return NULL;
    switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_EC:
        name = OBJ_nid2sn(EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key))));
        break;
    case EVP_PKEY_DH:
        break;
    default:
        name = OBJ_nid2sn(EVP_PKEY_id(key));
    }
    EVP_PKEY_free(key);
    return name;
}
#  endif
#endif

/* added in 3.3 */
#if !PYOSSL_SINCE(3, 3)
static time_t SSL_SESSION_get_time_ex(const SSL_SESSION *session)
{
    return (time_t)SSL_SESSION_get_time(session);
}
#endif

/* added in 4.0 */
#if !PYOSSL_SINCE(4, 0)
/* Before 3.0 SSL_set1_host takes an address for a DNS name, so there are two functions. */
static int SSL_set1_dnsname(SSL *ssl, const char *name)
{
    return SSL_set1_host(ssl, name);
}

static int SSL_set1_ipaddr(SSL *ssl, const char *address)
{
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address);
}

static int SSL_add1_dnsname(SSL *ssl, const char *name)
{
    return SSL_add1_host(ssl, name);
}
#endif

/* in no release yet: in ssl.h these are macros for functions that do not exist (docs/pitfalls.md, 53) */
#if HAVE_CT
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

#endif
