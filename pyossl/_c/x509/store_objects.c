/* What is in a trust store: certificates and CRLs that were added, and those that OpenSSL has loaded from directories.
 *
 * The store's own lock is held, because a verification in another thread may add what it finds in a directory. */

typedef struct {
    int certificates;
    int authorities;    /* of these, those of authorities: X509_check_ca(3) */
    int crls;
} pyossl_store_counts;

/* 1: counted; 0: the store cannot be locked. */
static int pyossl_count_store(X509_STORE *store, pyossl_store_counts *counts)
{
    STACK_OF(X509_OBJECT) *objects;

    memset(counts, 0, sizeof(*counts));
    if (!X509_STORE_lock(store))
        return 0;
    objects = X509_STORE_get0_objects(store);
    for (int n = 0; n < sk_X509_OBJECT_num(objects); n++) {
        X509_OBJECT *object = sk_X509_OBJECT_value(objects, n);
        X509 *certificate = (X509 *)X509_OBJECT_get0_X509(object);    /* const since 4.0 */
        counts->certificates += certificate != NULL;
        counts->authorities += certificate != NULL && X509_check_ca(certificate) != 0;
        counts->crls += X509_OBJECT_get_type(object) == X509_LU_CRL;
    }
    X509_STORE_unlock(store);
    pyossl_clear_errors();
    return 1;
}

/* Copies of the CRLs of a store, which the caller frees one by one, and the stack; NULL: no memory, or the store cannot
 * be locked.  They are copies, because a verification sorts the entries of the CRL in which it searches. */
static struct stack_st_X509_CRL *pyossl_store_crls(X509_STORE *store)
{
    STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
    STACK_OF(X509_OBJECT) *objects;
    int failed = 0;

    if (crls == NULL || !X509_STORE_lock(store)) {
        sk_X509_CRL_free(crls);
        return NULL;
    }
    objects = X509_STORE_get0_objects(store);
    for (int n = 0; !failed && n < sk_X509_OBJECT_num(objects); n++) {
        const X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, n));
        X509_CRL *copy;
        if (crl == NULL)
            continue;
        copy = X509_CRL_dup((X509_CRL *)crl);
        failed = copy == NULL || !sk_X509_CRL_push(crls, copy);
        if (failed)
            X509_CRL_free(copy);
    }
    X509_STORE_unlock(store);
    if (!failed)
        return crls;
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return NULL;
}
