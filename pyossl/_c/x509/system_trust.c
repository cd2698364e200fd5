/* Whom the system trusts, for a store that stays its context's own.
 *
 * Nearly all that X509_STORE_set_default_paths(3) does is to parse the default file, 20 ms of it with 3.0: it is parsed
 * once, into a store that nobody verifies with, and each store gets references to what that holds.  The rest is as
 * there. */

static int pyossl_load_default_file(X509_STORE *store)
{
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

    if (lookup == NULL)
        return 0;
    X509_LOOKUP_load_file(lookup, NULL, X509_FILETYPE_DEFAULT);
    pyossl_clear_errors();    /* there may be no such file */
    return 1;
}

static int pyossl_add_objects(X509_STORE *store, X509_STORE *source)
{
    int done = X509_STORE_lock(source);
    STACK_OF(X509_OBJECT) *objects;

    if (!done)
        return 0;
    objects = X509_STORE_get0_objects(source);
    for (int n = 0; done && n < sk_X509_OBJECT_num(objects); n++) {
        X509_OBJECT *object = sk_X509_OBJECT_value(objects, n);
        X509 *certificate = (X509 *)X509_OBJECT_get0_X509(object);
        X509_CRL *crl = (X509_CRL *)X509_OBJECT_get0_X509_CRL(object);
        done = certificate != NULL ? X509_STORE_add_cert(store, certificate)
             : crl != NULL         ? X509_STORE_add_crl(store, crl)
                                   : 1;
    }
    X509_STORE_unlock(source);
    return done;
}

/* As X509_STORE_set_default_paths(3), with what pyossl_load_default_file has put into `default_file`. */
static int pyossl_trust_system(X509_STORE *store, X509_STORE *default_file)
{
    X509_LOOKUP *lookup;

    if (!pyossl_add_objects(store, default_file) || X509_STORE_add_lookup(store, X509_LOOKUP_file()) == NULL)
        return 0;
    lookup = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
    if (lookup == NULL)
        return 0;
    X509_LOOKUP_add_dir(lookup, NULL, X509_FILETYPE_DEFAULT);
#if HAVE_API_3_0
    lookup = X509_STORE_add_lookup(store, X509_LOOKUP_store());
    if (lookup == NULL)
        return 0;
    X509_LOOKUP_add_store(lookup, NULL);
#endif
    pyossl_clear_errors();
    return 1;
}

/* The next certificate of PEM text, as PEM_read_bio_X509(3) reads it, and also the blocks which that one skips: a
 * TRUSTED CERTIFICATE is read with the purposes that it is trusted and rejected for.  (PEM_read_bio_X509_AUX(3) takes
 * what stands behind any certificate for such purposes, and refuses one behind which stands anything else.) */
static X509 *pyossl_read_certificate(BIO *bio, X509 **certificate, pem_password_cb *callback, void *argument)
{
    unsigned char *data = NULL;
    const unsigned char *place;
    char *label = NULL;
    long length = 0;
    X509 *found;

    if (!PEM_bytes_read_bio(&data, &length, &label, PEM_STRING_X509_TRUSTED, bio, callback, argument))
        return NULL;
    place = data;
    found = strcmp(label, PEM_STRING_X509_TRUSTED) == 0 ? d2i_X509_AUX(certificate, &place, length)
                                                        : d2i_X509(certificate, &place, length);
    OPENSSL_free(label);
    OPENSSL_free(data);
    return found;
}

/* A copy, as X509_dup(3) makes it, with the purposes that the certificate is trusted and rejected for; NULL also where
 * it is not whole enough to be encoded.  Nothing that OpenSSL has noted of the first one is noted of the copy. */
static X509 *pyossl_copy_certificate(X509 *certificate)
{
    unsigned char *encoded = NULL;
    const unsigned char *place;
    int length = i2d_X509_AUX(certificate, &encoded);
    X509 *copy = NULL;

    if (length > 0) {
        place = encoded;
        copy = d2i_X509_AUX(NULL, &place, length);
    }
    OPENSSL_free(encoded);
    return copy;
}

static int pyossl_verify_at_time(X509_STORE_CTX *store_context, void *argument)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);

    (void)argument;
    if (X509_VERIFY_PARAM_get_flags(parameters) & X509_V_FLAG_USE_CHECK_TIME)
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(store_context), X509_VERIFY_PARAM_get_time(parameters));
    return X509_verify_cert(store_context) == 1;
}

/* Verifies as if it were this time, whatever time the store has: OpenSSL would take the store's. */
static void pyossl_set_verify_time(SSL_CTX *context, time_t time)
{
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context), time);
    SSL_CTX_set_cert_verify_callback(context, pyossl_verify_at_time, NULL);
}
