/* Reading a certificate from PEM, and copying one. */

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
