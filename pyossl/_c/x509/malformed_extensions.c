/* Reading one extension of a certificate that has other, malformed extensions.  OpenSSL reads all extensions before it
 * answers a question about one, and gives no answer if any of them is malformed. */

/* A copy of a certificate with only the extensions of these numbers; NULL if it cannot be copied. */
static X509 *pyossl_with_extensions(X509 *certificate, const int *numbers, int count)
{
    X509 *copy = pyossl_copy_certificate(certificate);
    int location, n;

    for (location = copy == NULL ? 0 : X509_get_ext_count(copy); location-- > 0;) {
        int number = OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *)X509_get_ext(copy, location)));
        for (n = 0; n < count && numbers[n] != number; n++)
            ;
        if (n == count)
            X509_EXTENSION_free(X509_delete_ext(copy, location));
    }
    return copy;
}

/* The number of an extension that OpenSSL supports; NID_undef for any other. */
static int pyossl_known_extension(X509_EXTENSION *extension)
{
    return X509V3_EXT_get(extension) == NULL ? NID_undef : OBJ_obj2nid(X509_EXTENSION_get_object(extension));
}

/* Whether OpenSSL supports the extension but cannot decode its value. */
static int pyossl_is_malformed(X509_EXTENSION *extension)
{
    const X509V3_EXT_METHOD *method = X509V3_EXT_get(extension);
    void *value = NULL;

    if (method != NULL && (value = X509V3_EXT_d2i(extension)) != NULL) {
        if (method->it != NULL)
            ASN1_item_free(value, ASN1_ITEM_ptr(method->it));
        else
            method->ext_free(value);
    }
    pyossl_clear_errors();
    return method != NULL && value == NULL;
}

/* Whether an entry has a malformed extension.  OpenSSL stops there when it reads the entries of a CRL, and does not set
 * the issuers of the entries after it. */
static int pyossl_has_malformed_entry(X509_CRL *crl)
{
    static const int numbers[] = { NID_certificate_issuer, NID_crl_reason };
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
    int n, which, found = 0;

    for (n = 0; n < sk_X509_REVOKED_num(entries) && !found; n++) {
        for (which = 0; which < 2 && !found; which++) {
            int critical = -1;
            void *value = X509_REVOKED_get_ext_d2i(sk_X509_REVOKED_value(entries, n), numbers[which], &critical, NULL);
            if (value == NULL)
                found = critical != -1;
            else if (which == 0)
                GENERAL_NAMES_free(value);
            else
                ASN1_ENUMERATED_free(value);
        }
    }
    pyossl_clear_errors();
    return found;
}
