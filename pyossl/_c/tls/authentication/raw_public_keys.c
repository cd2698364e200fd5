/* Raw public keys (RFC 7250): which keys of its peers a context accepts.
 *
 * A raw public key is not signed by anyone, so OpenSSL accepts it only if the program knows it.  There are two ways to
 * say so.  SSL_add_expected_rpk(3) adds the key to the DANE records of one connection.  Then DANE replaces the
 * verification of certificates too: one with an expected key is accepted although nobody trusts its issuer, and every
 * other one is refused (docs/pitfalls.md, 84).  The other way is used here.  Without DANE, OpenSSL calls the verify callback
 * with X509_V_ERR_RPK_UNTRUSTED for each raw key that is strong enough, and the callback of the context looks the key
 * up.  Certificates are verified as always, or are refused if the context takes raw keys only.
 *
 * The keys are in the external data of the SSL_CTX: after SSL_set_SSL_CTX(3) those of the new context count. */

typedef struct pyossl_expected_keys {
    int takes_certificates;
    size_t count;
    EVP_PKEY *keys[];
} pyossl_expected_keys;

static int pyossl_expected_keys_index = -1;

static void pyossl_expected_keys_free(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number,
                                      void *argument)
{
    pyossl_expected_keys *expected = pointer;
    size_t n;

    (void)parent; (void)data; (void)index; (void)number; (void)argument;
    if (expected == NULL)
        return;
    for (n = 0; n < expected->count; n++)
        EVP_PKEY_free(expected->keys[n]);
    free(expected);
}

/* Called once, at import.  Returns 1 on success. */
static int pyossl_expected_keys_set_up(void)
{
    pyossl_expected_keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, pyossl_expected_keys_free);
    return pyossl_expected_keys_index >= 0;
}

static const pyossl_expected_keys *pyossl_expected_keys_of(const SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), pyossl_expected_keys_index);
}

/* Whether a peer's raw key is expected.  It leaves no entry in the error queue. */
static int pyossl_is_expected(const pyossl_expected_keys *expected, const EVP_PKEY *key)
{
    int found = 0;
    size_t n;

    ERR_set_mark();
    for (n = 0; expected != NULL && key != NULL && n < expected->count && !found; n++)
        found = EVP_PKEY_eq(expected->keys[n], key) == 1;
    ERR_pop_to_mark();
    return found;
}

static EVP_PKEY *pyossl_raw_key_in(X509_STORE_CTX *store_context)
{
#if COMPILES(HAVE_RAW_PUBLIC_KEYS)
    if (HAVE_RAW_PUBLIC_KEYS)
        return X509_STORE_CTX_get0_rpk(store_context);
#endif
    (void)store_context;
    return NULL;
}

/* The verify callback of a context that expects raw keys.  OpenSSL has refused a raw key for another reason if it is
 * too weak: then it stays refused. */
static int pyossl_verify_raw_key(int ok, X509_STORE_CTX *store_context)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());
    const pyossl_expected_keys *expected = ssl == NULL ? NULL : pyossl_expected_keys_of(ssl);
    EVP_PKEY *key = pyossl_raw_key_in(store_context);

    if (expected == NULL)
        return 0;
    if (key == NULL) {
        if (ok && !expected->takes_certificates) {
            X509_STORE_CTX_set_error(store_context, X509_V_ERR_CERT_REJECTED);
            return 0;
        }
        return ok;
    }
#if COMPILES(HAVE_RAW_PUBLIC_KEYS)
    if (!ok && X509_STORE_CTX_get_error(store_context) == X509_V_ERR_RPK_UNTRUSTED
        && pyossl_is_expected(expected, key)) {
        X509_STORE_CTX_set_error(store_context, X509_V_OK);
        return 1;
    }
#endif
    return ok;
}

/* From now on a context verifies its peers in this mode, and accepts the raw public keys, of which it takes references.
 * 1: done; 0: no memory. */
static int pyossl_expect_keys(SSL_CTX *context, int mode, EVP_PKEY **keys, size_t count, int takes_certificates)
{
    pyossl_expected_keys *expected = calloc(1, sizeof(*expected) + count * sizeof(EVP_PKEY *));
    void *before = SSL_CTX_get_ex_data(context, pyossl_expected_keys_index);

    if (expected == NULL)
        return 0;
    expected->takes_certificates = takes_certificates;
    for (; expected->count < count && EVP_PKEY_up_ref(keys[expected->count]); expected->count++)
        expected->keys[expected->count] = keys[expected->count];
    if (expected->count < count || !SSL_CTX_set_ex_data(context, pyossl_expected_keys_index, expected)) {
        pyossl_expected_keys_free(NULL, expected, NULL, 0, 0, NULL);
        return 0;
    }
    pyossl_expected_keys_free(NULL, before, NULL, 0, 0, NULL);
    SSL_CTX_set_verify(context, mode, pyossl_verify_raw_key);
    return 1;
}

/* Whether a session may be resumed: its peer has shown a raw key that is expected, or a certificate if those are
 * taken. */
static int pyossl_session_fits_keys(const SSL *ssl, SSL_SESSION *session)
{
    const pyossl_expected_keys *expected = pyossl_expected_keys_of(ssl);
    EVP_PKEY *key = NULL;

#if COMPILES(HAVE_RAW_PUBLIC_KEYS)
    if (HAVE_RAW_PUBLIC_KEYS)
        key = SSL_SESSION_get0_peer_rpk(session);
#endif
    (void)session;
    if (key == NULL)
        return expected == NULL || expected->takes_certificates;
    return pyossl_is_expected(expected, key);
}

/* A connection goes on with the certificate types of another context.  1: done. */
static int pyossl_take_certificate_types(SSL *ssl, SSL_CTX *context)
{
#if COMPILES(HAVE_RAW_PUBLIC_KEYS)
    unsigned char *types = NULL;
    size_t count = 0;

    if (!HAVE_RAW_PUBLIC_KEYS)
        return 1;
    return SSL_CTX_get0_server_cert_type(context, &types, &count) == 1
        && SSL_set1_server_cert_type(ssl, types, count) == 1
        && SSL_CTX_get0_client_cert_type(context, &types, &count) == 1
        && SSL_set1_client_cert_type(ssl, types, count) == 1;
#else
    (void)ssl; (void)context;
    return 1;
#endif
}
