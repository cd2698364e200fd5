/* The work of hashing the password of a PKCS#12 file or an encrypted key.  The file sets the number of iterations, and
 * OpenSSL carries them out, even if that takes hours.  So the work is computed here, before any hashing.
 *
 * All hashing that opening the file needs is counted: for the MAC, each encrypted part and each key, as many times as
 * it is done.  The contents of an encrypted part can be counted only after it has been opened.  That is done only if
 * the work so far is below the limit.
 *
 * The unit is one iteration of PBKDF2 with HMAC-SHA-256 and a key of one block.  It takes half a microsecond on one
 * core of a server with OpenSSL 3.0, the slowest version, and a quarter with 3.5 and newer.  Other functions were
 * measured with 1.1.1, 3.0, 3.5 and 4.0, and the highest value is used.  The sums are of type double, so that no number
 * in a file can overflow them. */

enum { PYOSSL_MOST_ITERATIONS = 5000000 };    /* 1.3 to 2.5 seconds */

static const double pyossl_least_work = 40;     /* at any count: to find and set up the algorithm */
static const double pyossl_refused_work = 1e18; /* for a number that OpenSSL may read differently */

static double pyossl_at_least(double work)
{
    return work < pyossl_least_work ? pyossl_least_work : work;
}

/* `number`, or `otherwise` if it is NULL.  A negative number is refused: OpenSSL uses the low bits of some. */
static double pyossl_count(const ASN1_INTEGER *number, double otherwise)
{
    uint64_t count = 0;

    if (number == NULL)
        return otherwise;
    if (!ASN1_INTEGER_get_uint64(&count, number) || (double)count > pyossl_refused_work)
        return pyossl_refused_work;    /* a larger number must not count for less than a smaller one */
    return count < 1 ? 1 : (double)count;
}

/* One iteration of HMAC with a digest. */
static double pyossl_digest_work(int digest)
{
    switch (digest) {
    case NID_sha1:
    case NID_sha224:
    case NID_sha256:
        return 1;
    case NID_md5:
        return 1.5;
    case NID_sha384:
    case NID_sha512:
    case NID_sha512_224:
    case NID_sha512_256:
        return 2.5;
    default:
        return 5;
    }
}

/* The number of blocks that are computed to derive `bytes` with a digest. */
static double pyossl_blocks(double bytes, int digest)
{
    const EVP_MD *type = EVP_get_digestbynid(digest);
    int size = type == NULL ? 0 : EVP_MD_get_size(type);

    if (size <= 0)
        size = 16;    /* the smallest size of a digest */
    if (bytes > 1e15)    /* near the limit of a long long, where the sum below could overflow */
        return bytes / size;
    return (double)(((long long)bytes + size - 1) / size);
}

/* `key_length` is used if the parameters do not contain one. */
static double pyossl_pbkdf2_work(const PBKDF2PARAM *parameters, double key_length)
{
    int digest = NID_sha1;

    if (parameters->prf != NULL
        && !EVP_PBE_find(EVP_PBE_TYPE_PRF, OBJ_obj2nid(parameters->prf->algorithm), NULL, &digest, NULL))
        digest = NID_undef;
    return pyossl_at_least(pyossl_count(parameters->iter, 1) * pyossl_digest_work(digest)
                           * pyossl_blocks(pyossl_count(parameters->keylength, key_length), digest));
}

#ifndef OPENSSL_NO_SCRYPT
/* scrypt mixes its blocks N times, and uses PBKDF2 before and after. */
static double pyossl_scrypt_work(const ASN1_STRING *encoded)
{
    const ASN1_ITEM *template = ASN1_ITEM_rptr(SCRYPT_PARAMS);    /* NULL: the library was built without scrypt */
    SCRYPT_PARAMS *parameters = template == NULL ? NULL : ASN1_item_unpack((ASN1_STRING *)encoded, template);
    double blocks, work = 0;

    if (parameters != NULL) {
        blocks = pyossl_count(parameters->blockSize, 1) * pyossl_count(parameters->parallelizationParameter, 1);
        work = pyossl_at_least(blocks * (pyossl_count(parameters->costParameter, 1) * 1.2 + 4));
    }
    SCRYPT_PARAMS_free(parameters);
    return work;
}
#endif

static double pyossl_cipher_key_length(const X509_ALGOR *cipher)
{
    const EVP_CIPHER *type = EVP_get_cipherbynid(OBJ_obj2nid(cipher->algorithm));
    return type == NULL ? EVP_MAX_KEY_LENGTH : EVP_CIPHER_get_key_length(type);
}

static double pyossl_kdf_work(const X509_ALGOR *kdf, double key_length)
{
    const ASN1_OBJECT *kind;
    const void *encoded;
    int type;
    double work = 0;

    X509_ALGOR_get0(&kind, &type, &encoded, kdf);
    if (type != V_ASN1_SEQUENCE)
        return 0;
    if (OBJ_obj2nid(kind) == NID_id_pbkdf2) {
        PBKDF2PARAM *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(PBKDF2PARAM));
        if (parameters != NULL)
            work = pyossl_pbkdf2_work(parameters, key_length);
        PBKDF2PARAM_free(parameters);
    }
#ifndef OPENSSL_NO_SCRYPT
    if (OBJ_obj2nid(kind) == NID_id_scrypt)
        work = pyossl_scrypt_work(encoded);
#endif
    return work;
}

/* The work of an algorithm that encrypts with a password.  The old ones hash one or two blocks for the key and one for
 * the IV. */
static double pyossl_algorithm_work(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *kind;
    const void *encoded;
    int type;
    double work = 0;

    X509_ALGOR_get0(&kind, &type, &encoded, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return 0;
    if (OBJ_obj2nid(kind) == NID_pbes2) {
        PBE2PARAM *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(PBE2PARAM));
        if (parameters != NULL)
            work = pyossl_kdf_work(parameters->keyfunc, pyossl_cipher_key_length(parameters->encryption));
        PBE2PARAM_free(parameters);
    } else {
        PBEPARAM *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(PBEPARAM));
        if (parameters != NULL)
            work = pyossl_at_least(pyossl_count(parameters->iter, 1) * 1.5);
        PBEPARAM_free(parameters);
    }
    return work;
}

/* The work of one PKCS12_verify_mac(3). */
static double pyossl_mac_work(const PKCS12 *pkcs12)
{
    const X509_ALGOR *algorithm;
    const ASN1_OBJECT *digest;
    const ASN1_INTEGER *iterations;
    PBKDF2PARAM *parameters;

    if (!PKCS12_mac_present(pkcs12))
        return 0;
    PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, pkcs12);
    if (algorithm == NULL)
        return 0;
    parameters = PBMAC1_get1_pbkdf2_param(algorithm);
    if (parameters != NULL) {
        double work = pyossl_pbkdf2_work(parameters, EVP_MAX_MD_SIZE);
        PBKDF2PARAM_free(parameters);
        return work;
    }
    /* Here an iteration is one digest, and not the two of HMAC. */
    X509_ALGOR_get0(&digest, NULL, NULL, algorithm);
    return pyossl_at_least(pyossl_count(iterations, 1) * pyossl_digest_work(OBJ_obj2nid(digest)) / 2);
}

/* The content of a part is optional, whatever its type: without content there is nothing to open. */
static int pyossl_is_encrypted(PKCS7 *part)
{
    return part->d.ptr != NULL && PKCS7_type_is_encrypted(part);
}

static int pyossl_is_data(PKCS7 *part)
{
    return part->d.ptr != NULL && PKCS7_type_is_data(part);
}

static double pyossl_bags_work(const STACK_OF(PKCS12_SAFEBAG) *bags)
{
    double work = 0;
    int n;

    for (n = 0; n < sk_PKCS12_SAFEBAG_num(bags); n++) {
        const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, n);
        const X509_ALGOR *algorithm;
        switch (PKCS12_SAFEBAG_get_nid(bag)) {
        case NID_pkcs8ShroudedKeyBag:
            X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
            work += pyossl_algorithm_work(algorithm);
            break;
        case NID_safeContentsBag:
            work += pyossl_bags_work(PKCS12_SAFEBAG_get0_safes(bag));
            break;
        }
    }
    return work;
}

/* PKCS#12 distinguishes between no password and the empty one, and PKCS12_parse(3) tries both.  This changes one into
 * the other; it returns 0 for any other password. */
static int pyossl_has_other(const char **password, int length)
{
    if (*password != NULL && length != 0)
        return 0;
    *password = *password == NULL ? "" : NULL;
    return 1;
}

static STACK_OF(PKCS12_SAFEBAG) *pyossl_opened(PKCS7 *part, const char *password, int length, int has_mac)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7encdata(part, password, length);
    if (bags == NULL && !has_mac && pyossl_has_other(&password, length))
        bags = PKCS12_unpack_p7encdata(part, password, 0);
    return bags;
}

/* PKCS12_parse(3) opens nothing if the MAC is wrong, and opens all parts with the password for which the MAC is
 * right. */
static int pyossl_would_be_opened(PKCS12 *pkcs12, const char **password, int length)
{
    return !PKCS12_mac_present(pkcs12) || PKCS12_verify_mac(pkcs12, *password, length)
        || (pyossl_has_other(password, length) && PKCS12_verify_mac(pkcs12, *password, 0));
}

static long long pyossl_iterations(double work)
{
    return (long long)(work < pyossl_refused_work ? work : pyossl_refused_work);
}

/* Counts the work that is known before an encrypted part is opened, and then the contents of these parts, up to the
 * limit.
 *
 * The passwords for the MAC and the encrypted parts are hashed both here and by PKCS12_parse(3).  PKCS12.load first
 * tries without a password, if the password is a function or the file has no MAC: that counts too. */
static long long pyossl_pkcs12_iterations(PKCS12 *pkcs12, const char *password, int length)
{
    double work = 4 * pyossl_mac_work(pkcs12);
    int has_mac = PKCS12_mac_present(pkcs12);
    int passes = has_mac ? 2 : 5;
    STACK_OF(PKCS7) *parts = PKCS12_unpack_authsafes(pkcs12);
    int n;

    for (n = 0; n < sk_PKCS7_num(parts); n++) {
        PKCS7 *part = sk_PKCS7_value(parts, n);
        if (pyossl_is_encrypted(part)) {
            work += passes * pyossl_algorithm_work(part->d.encrypted->enc_data->algorithm);
        } else if (pyossl_is_data(part)) {
            STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7data(part);
            work += (has_mac ? 1 : 2) * pyossl_bags_work(bags);
            sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
        }
    }
    if (work <= PYOSSL_MOST_ITERATIONS && pyossl_would_be_opened(pkcs12, &password, length)) {
        for (n = 0; n < sk_PKCS7_num(parts) && work <= PYOSSL_MOST_ITERATIONS; n++) {
            PKCS7 *part = sk_PKCS7_value(parts, n);
            if (pyossl_is_encrypted(part)) {
                STACK_OF(PKCS12_SAFEBAG) *bags = pyossl_opened(part, password, length, has_mac);
                work += (has_mac ? 1 : 2) * pyossl_bags_work(bags);
                sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
            }
        }
    }
    sk_PKCS7_pop_free(parts, PKCS7_free);
    ERR_clear_error();
    return pyossl_iterations(work);
}

/* The work for an encrypted key in PKCS#8; 0 for any other DER. */
static long long pyossl_key_iterations(const unsigned char *der, long length)
{
    const X509_ALGOR *algorithm;
    double work = 0;
    X509_SIG *key = d2i_X509_SIG(NULL, &der, length);

    if (key != NULL) {
        X509_SIG_get0(key, &algorithm, NULL);
        work = pyossl_algorithm_work(algorithm);
    }
    X509_SIG_free(key);
    ERR_clear_error();
    return pyossl_iterations(work);
}
