/* The system's trusted certificates, for a store that belongs to one context.
 *
 * X509_STORE_set_default_paths(3) spends nearly all its time parsing the default file: 20 ms with OpenSSL 3.0.  So the
 * file is parsed once, into a store that is used for nothing else, and each store gets references to its objects.  The
 * other steps are the same. */

static int pyossl_load_default_file(X509_STORE *store)
{
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

    if (lookup == NULL)
        return 0;
    X509_LOOKUP_load_file(lookup, NULL, X509_FILETYPE_DEFAULT);
    pyossl_clear_errors();    /* the file may not exist */
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

/* Like X509_STORE_set_default_paths(3), with the objects that pyossl_load_default_file has put into `default_file`. */
static int pyossl_trust_system(X509_STORE *store, X509_STORE *default_file)
{
    X509_LOOKUP *lookup;

    if (!pyossl_add_objects(store, default_file) || X509_STORE_add_lookup(store, X509_LOOKUP_file()) == NULL)
        return 0;
    lookup = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
    if (lookup == NULL)
        return 0;
    X509_LOOKUP_add_dir(lookup, NULL, X509_FILETYPE_DEFAULT);
#if COMPILES(HAVE_API_3_0)
    if (HAVE_API_3_0) {
        lookup = X509_STORE_add_lookup(store, X509_LOOKUP_store());
        if (lookup == NULL)
            return 0;
        X509_LOOKUP_add_store(lookup, NULL);
    }
#endif
    pyossl_clear_errors();
    return 1;
}
