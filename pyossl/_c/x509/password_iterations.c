/* How much work hashing a password is for what it locks: PKCS#12 files and encrypted keys say it themselves, and OpenSSL
 * does as they say, for hours if need be.  It is read here before anything is derived.
 *
 * All that a file asks for counts, because it is all done: the MAC, each encrypted part, each key, and each of them as
 * often as it is done.  What lies in an encrypted part can be counted only once that has been opened, which is done when
 * what is known so far is little enough.
 *
 * The unit is one iteration of PBKDF2 with HMAC-SHA-256 and a key that one block of it fills: half a microsecond of one
 * core of a server with OpenSSL 3.0, which is the slowest, and a quarter with 3.5 and later.  What other functions take
 * was measured with 1.1.1, 3.0, 3.5 and 4.0, and the dearest is what stands here.  The sums are of type double, so that
 * no number in a file overflows them. */

enum { PYOSSL_MOST_ITERATIONS = 5000000 };    /* 1.3 to 2.5 seconds */

static const double pyossl_least_work = 40;     /* whatever the count: finding the algorithm, and setting it up */
static const double pyossl_refused_work = 1e18; /* of a number that OpenSSL may understand in another way */

static double pyossl_at_least(double work)
{
    return work < pyossl_least_work ? pyossl_least_work : work;
}

/* `number`, or `otherwise` where there is none.  A negative one is refused: OpenSSL keeps the low bits of some. */
static double pyossl_count(const ASN1_INTEGER *number, double otherwise)
{
    uint64_t count = 0;

    if (number == NULL)
        return otherwise;
    if (!ASN1_INTEGER_get_uint64(&count, number))
        return pyossl_refused_work;
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

/* Where `bytes` are derived with a digest, block by block: how many blocks. */
static double pyossl_blocks(double bytes, int digest)
{
    const EVP_MD *type = EVP_get_digestbynid(digest);
    int size = type == NULL ? 0 : EVP_MD_get_size(type);

    if (size <= 0)
        size = 16;    /* the smallest that there is */
    if (bytes > 1e15)    /* near what a long long holds: its sum below could be negative */
        return bytes / size;
    return (double)(((long long)bytes + size - 1) / size);
}

/* `key_length` is used where the parameters name none. */
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
/* Its blocks are mixed N times, and made and gathered by PBKDF2. */
static double pyossl_scrypt_work(const ASN1_STRING *encoded)
{
    SCRYPT_PARAMS *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(SCRYPT_PARAMS));
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

/* Of an algorithm that encrypts with a password.  The old ones hash a block or two for the key, and one for the IV. */
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

/* Once: by PKCS12_verify_mac(3). */
static double pyossl_mac_work(const PKCS12 *pkcs12)
{
    const X509_ALGOR *algorithm;
    const ASN1_OBJECT *digest;
    const ASN1_INTEGER *iterations;

    if (!PKCS12_mac_present(pkcs12))
        return 0;
    PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, pkcs12);
    if (algorithm == NULL)
        return 0;
#if HAVE_API_3_4
    PBKDF2PARAM *parameters = PBMAC1_get1_pbkdf2_param(algorithm);
    if (parameters != NULL) {
        double work = pyossl_pbkdf2_work(parameters, EVP_MAX_MD_SIZE);
        PBKDF2PARAM_free(parameters);
        return work;
    }
#endif
    /* An iteration is one digest, not the two of HMAC. */
    X509_ALGOR_get0(&digest, NULL, NULL, algorithm);
    return pyossl_at_least(pyossl_count(iterations, 1) * pyossl_digest_work(OBJ_obj2nid(digest)) / 2);
}

/* A part's content is optional: where there is none, whatever the part says it is, there is nothing to open. */
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

/* No password and the empty one are two to PKCS#12, and PKCS12_parse(3) tries both; for either, this is the other. */
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

/* PKCS12_parse(3) opens nothing where the MAC is not right, and everything with the password that it is right for. */
static int pyossl_would_be_opened(PKCS12 *pkcs12, const char **password, int length)
{
    return !PKCS12_mac_present(pkcs12) || PKCS12_verify_mac(pkcs12, *password, length)
        || (pyossl_has_other(password, length) && PKCS12_verify_mac(pkcs12, *password, 0));
}

static long long pyossl_iterations(double work)
{
    return (long long)(work < pyossl_refused_work ? work : pyossl_refused_work);
}

/* Of what can be told before an encrypted part is opened, and then of what is in those, until it is too much.
 *
 * The MAC and the encrypted parts are done here and by PKCS12_parse(3).  The MAC is done for no password first where a
 * function is to be asked for one, and without a MAC all of it is: PKCS12.load tries both. */
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

/* Of an encrypted key in PKCS#8; 0 for any other DER. */
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
