/* Refuses certificates with a public key that is known to be compromised.
 *
 * Python's own _ssl has such a list since October 2026 (gh-160040, CVE-2026-115557): the private keys of eight
 * authorities of eMudhra are public, and trust stores that are not updated still lead to them.  A program that gets
 * pyossl's TLS in the place of Python's must not lose the check.  A certificate is found by the SHA-256 digest of its
 * SubjectPublicKeyInfo, so that cross-signed certificates with the same key are refused too. */

#define PYOSSL_DIGEST_SIZE 32

static const unsigned char pyossl_distrusted_keys[][PYOSSL_DIGEST_SIZE] = {
    {0x43, 0xbf, 0xfa, 0x19, 0xd6, 0xef, 0x65, 0x14, 0x51, 0xf6, 0x84, 0x1e, 0x01, 0x99, 0x31, 0xe9,
     0x6f, 0x6f, 0x2e, 0xae, 0xff, 0x28, 0xab, 0x4b, 0x6f, 0x1c, 0xe4, 0x57, 0x6d, 0xe2, 0x71, 0x7b},
    {0x49, 0xdd, 0x35, 0x3d, 0xc2, 0xb9, 0x19, 0xa3, 0x77, 0x06, 0x45, 0x11, 0x7d, 0x0e, 0x60, 0xc1,
     0x61, 0x15, 0xe7, 0xd1, 0xbc, 0x25, 0x9e, 0xef, 0xe7, 0x34, 0xb0, 0x0e, 0xa4, 0x34, 0xfe, 0x5f},
    {0x5c, 0x06, 0x60, 0xa2, 0xb1, 0x64, 0x91, 0x0d, 0x8f, 0xf5, 0x89, 0xc1, 0x8e, 0x14, 0x55, 0x2e,
     0x9e, 0x0e, 0xc2, 0x37, 0xdc, 0xef, 0xe2, 0xcb, 0x73, 0x6d, 0x41, 0xa4, 0x81, 0x1f, 0x81, 0xa0},
    {0x63, 0xec, 0xef, 0xee, 0x43, 0x1d, 0x49, 0x52, 0x3b, 0xc1, 0x13, 0x6c, 0x4e, 0x72, 0xd0, 0x20,
     0x6a, 0x47, 0x70, 0x86, 0xca, 0xf6, 0x06, 0xcd, 0x5c, 0xf0, 0x25, 0x68, 0x6c, 0x10, 0x9c, 0xf8},
    {0x92, 0xc0, 0x63, 0xd6, 0x7e, 0x8f, 0x14, 0xdb, 0x71, 0xd2, 0x88, 0xe1, 0x12, 0x66, 0xff, 0xda,
     0xf6, 0x9c, 0xbf, 0x11, 0x5f, 0x7b, 0xab, 0x14, 0xf3, 0xbc, 0x2f, 0x68, 0xd2, 0x5e, 0x0e, 0x30},
    {0xe0, 0x25, 0x4c, 0x7f, 0xcd, 0xc2, 0x65, 0xe2, 0xf0, 0xf8, 0xa4, 0x28, 0xda, 0xbb, 0x75, 0xab,
     0x4a, 0xe0, 0x39, 0xb4, 0x87, 0x2d, 0x62, 0xf5, 0xee, 0x57, 0xf0, 0x87, 0x7d, 0x5a, 0x8a, 0x41},
    {0xeb, 0xed, 0x64, 0x75, 0xc2, 0xc2, 0xd8, 0x0f, 0xcb, 0x19, 0x9f, 0x3f, 0xe8, 0xdd, 0x6e, 0x6b,
     0x3c, 0xe6, 0x0b, 0x77, 0xeb, 0x15, 0xd4, 0xe4, 0x2c, 0x3d, 0xec, 0x0c, 0x6f, 0x5b, 0x51, 0x05},
    {0xec, 0x4f, 0xfa, 0x1a, 0xd0, 0xac, 0x88, 0x08, 0x13, 0x14, 0xb7, 0xaa, 0xff, 0xef, 0x6a, 0x91,
     0xf9, 0x7c, 0xd5, 0x72, 0x91, 0xbb, 0x5b, 0xa6, 0x86, 0xc5, 0x41, 0x5f, 0x5e, 0xb4, 0xf6, 0xb6},
};

enum {
    PYOSSL_SHORT_KEY = 560,     /* of RSA with 4096 bits */
    PYOSSL_SHORT_NAMES = 48,    /* of an algorithm, and of a curve */
    PYOSSL_LAST_TRUSTED = 4
};

/* The keys that this thread has found trusted last.  Most connections of a program meet the same few, and comparing a
 * key is much faster than its digest. */
static _Thread_local struct {
    size_t size;
    unsigned char key[PYOSSL_SHORT_KEY];
} pyossl_last_trusted[PYOSSL_LAST_TRUSTED];

/* Writes the DER of a certificate's SubjectPublicKeyInfo, if it is short, as i2d_X509_PUBKEY(3) does.  That encodes it
 * four times, to find out the lengths, and this is done for each certificate of each handshake.  Returns its length; 0:
 * it is too long, its algorithm has other parameters than a name, or OpenSSL failed. */
static size_t pyossl_encode_short_key(const X509 *certificate, unsigned char out[PYOSSL_SHORT_KEY])
{
    unsigned char algorithm_der[PYOSSL_SHORT_NAMES + 16], *end = algorithm_der;
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR *algorithm = NULL;
    const unsigned char *key = NULL;
    const void *parameter = NULL;
    int key_size = 0, type = 0, algorithm_size, inner, size;
    size_t names;

    /* OpenSSL 4.0 has more const in its declaration. */
    if (X509_PUBKEY_get0_param(NULL, &key, &key_size, (void *)&algorithm, (void *)X509_get_X509_PUBKEY(certificate)) != 1)
        return 0;
    X509_ALGOR_get0(&object, &type, &parameter, algorithm);
    if (type != V_ASN1_UNDEF && type != V_ASN1_NULL && type != V_ASN1_OBJECT)
        return 0;
    names = OBJ_length(object) + (type == V_ASN1_OBJECT ? OBJ_length(parameter) : 0);
    if (names > PYOSSL_SHORT_NAMES || key_size <= 0 || key_size > PYOSSL_SHORT_KEY
        || (algorithm_size = i2d_X509_ALGOR(algorithm, &end)) <= 0)
        return 0;
    inner = algorithm_size + ASN1_object_size(0, key_size + 1, V_ASN1_BIT_STRING);
    size = ASN1_object_size(1, inner, V_ASN1_SEQUENCE);
    if (size > PYOSSL_SHORT_KEY)
        return 0;
    end = out;
    ASN1_put_object(&end, 1, inner, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(end, algorithm_der, (size_t)algorithm_size);
    end += algorithm_size;
    ASN1_put_object(&end, 0, key_size + 1, V_ASN1_BIT_STRING, V_ASN1_UNIVERSAL);
    *end++ = 0;    /* the number of unused bits */
    memcpy(end, key, (size_t)key_size);
    return (size_t)size;
}

/* Whether the digest of a key is not in the list; 0 also if there is no digest. */
static int pyossl_is_key_trusted(const unsigned char *key, size_t size)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_size = 0;
    size_t n;

    if (EVP_Digest(key, size, digest, &digest_size, EVP_sha256(), NULL) != 1 || digest_size != PYOSSL_DIGEST_SIZE)
        return 0;
    for (n = 0; n < sizeof(pyossl_distrusted_keys) / PYOSSL_DIGEST_SIZE; n++)
        if (memcmp(digest, pyossl_distrusted_keys[n], PYOSSL_DIGEST_SIZE) == 0)
            return 0;
    return 1;
}

/* Whether a certificate's key is not in the list; 0 also if it cannot be looked at. */
static int pyossl_has_trusted_key(const X509 *certificate)
{
    unsigned char short_key[PYOSSL_SHORT_KEY], *key = NULL;
    size_t size = pyossl_encode_short_key(certificate, short_key), place;
    int length, trusted;

    if (size > 0) {
        place = short_key[size / 2] % PYOSSL_LAST_TRUSTED;    /* a byte of a modulus or a point */
        if (pyossl_last_trusted[place].size == size && memcmp(pyossl_last_trusted[place].key, short_key, size) == 0)
            return 1;
        if (!pyossl_is_key_trusted(short_key, size))
            return 0;
        pyossl_last_trusted[place].size = size;
        memcpy(pyossl_last_trusted[place].key, short_key, size);
        return 1;
    }
    length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    trusted = length > 0 && pyossl_is_key_trusted(key, (size_t)length);
    OPENSSL_free(key);
    return trusted;
}

/* The verify callback of a context: 0, with X509_V_ERR_CERT_REJECTED, for a certificate with a distrusted key, and for
 * one whose key cannot be looked at.  Else it leaves OpenSSL's answer. */
static int pyossl_refuse_distrusted_key(int ok, X509_STORE_CTX *store_context)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store_context);

    if (!ok || certificate == NULL || pyossl_has_trusted_key(certificate))
        return ok;
    X509_STORE_CTX_set_error(store_context, X509_V_ERR_CERT_REJECTED);
    return 0;
}

/* SSL_CTX_set_verify(3): verifies in this mode, and refuses the distrusted keys. */
static void pyossl_verify_without_distrusted_keys(SSL_CTX *context, int mode)
{
    SSL_CTX_set_verify(context, mode, pyossl_refuse_distrusted_key);
}
