/* Reading a certificate from PEM, and copying one. */

/* Reads the next certificate from PEM, like PEM_read_bio_X509(3).  It also reads a TRUSTED CERTIFICATE, with its
 * trusted and rejected uses.  (PEM_read_bio_X509_AUX(3) would read bytes after any certificate as such uses, and refuse
 * other bytes.) */
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

/* A copy, like that of X509_dup(3), with the trusted and rejected uses.  NULL also if the certificate is too incomplete
 * to be encoded.  The copy has none of the values that OpenSSL has cached in the original. */
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

/* The public key of a certificate in DER (SubjectPublicKeyInfo), the same bytes as in the certificate, also if OpenSSL
 * cannot read the key.  Like i2d_X509_PUBKEY(3). */
static int pyossl_certificate_key_der(const X509 *certificate, unsigned char **out)
{
    return i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), out);
}
