/* How often a password is to be hashed for what it locks: PKCS#12 files and encrypted keys say it themselves, and
 * OpenSSL does as they say, for hours if need be.  It is read here before anything is derived.
 *
 * All that a file asks for counts, because it is all done: the MAC, each encrypted part, each key.  What lies in an
 * encrypted part can be counted only once that has been opened, which is done when what is known so far is few enough. */

enum { PYOSSL_MOST_ITERATIONS = 10000000 };    /* some seconds of a processor's time */

static long long pyossl_count(const ASN1_INTEGER *number)
{
    int64_t count = 0;
    if (number == NULL)
        return 1;
    return ASN1_INTEGER_get_int64(&count, number) && count < INT_MAX ? (count < 1 ? 1 : count) : INT_MAX;
}

static long long pyossl_pbkdf2_iterations(const ASN1_STRING *encoded)
{
    PBKDF2PARAM *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(PBKDF2PARAM));
    long long count = parameters == NULL ? 0 : pyossl_count(parameters->iter);
    PBKDF2PARAM_free(parameters);
    return count;
}

/* 0 for an algorithm that counts in another way: scrypt, whose memory OpenSSL itself bounds. */
static long long pyossl_algorithm_iterations(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *kind;
    const void *encoded;
    int type;
    long long count = 0;

    X509_ALGOR_get0(&kind, &type, &encoded, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return 0;
    if (OBJ_obj2nid(kind) == NID_id_pbkdf2)
        return pyossl_pbkdf2_iterations(encoded);
    if (OBJ_obj2nid(kind) == NID_pbes2) {
        PBE2PARAM *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(PBE2PARAM));
        if (parameters != NULL)
            count = pyossl_algorithm_iterations(parameters->keyfunc);
        PBE2PARAM_free(parameters);
    } else {
        PBEPARAM *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(PBEPARAM));
        if (parameters != NULL)
            count = pyossl_count(parameters->iter);
        PBEPARAM_free(parameters);
    }
    return count;
}

static long long pyossl_mac_iterations(const PKCS12 *pkcs12)
{
    const X509_ALGOR *algorithm;
    const ASN1_INTEGER *iterations;

    if (!PKCS12_mac_present(pkcs12))
        return 0;
    PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, pkcs12);
#if HAVE_API_3_4
    if (algorithm != NULL) {
        PBKDF2PARAM *parameters = PBMAC1_get1_pbkdf2_param(algorithm);
        if (parameters != NULL) {
            long long count = pyossl_count(parameters->iter);
            PBKDF2PARAM_free(parameters);
            return count;
        }
    }
#endif
    return pyossl_count(iterations);
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

static long long pyossl_bags_iterations(const STACK_OF(PKCS12_SAFEBAG) *bags)
{
    long long count = 0;
    int n;

    for (n = 0; n < sk_PKCS12_SAFEBAG_num(bags); n++) {
        const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, n);
        const X509_ALGOR *algorithm;
        switch (PKCS12_SAFEBAG_get_nid(bag)) {
        case NID_pkcs8ShroudedKeyBag:
            X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
            count += pyossl_algorithm_iterations(algorithm);
            break;
        case NID_safeContentsBag:
            count += pyossl_bags_iterations(PKCS12_SAFEBAG_get0_safes(bag));
            break;
        }
    }
    return count;
}

static STACK_OF(PKCS12_SAFEBAG) *pyossl_opened(PKCS7 *part, const char *password, int length)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7encdata(part, password, length);
    /* No password and the empty one are two to PKCS#12, and PKCS12_parse(3) tries both. */
    if (bags == NULL && length == 0)
        bags = PKCS12_unpack_p7encdata(part, password == NULL ? "" : NULL, 0);
    return bags;
}

/* Of what can be told before an encrypted part is opened, and then of what is in those, until there are too many. */
static long long pyossl_pkcs12_iterations(PKCS12 *pkcs12, const char *password, int length)
{
    long long count = pyossl_mac_iterations(pkcs12);
    STACK_OF(PKCS7) *parts = PKCS12_unpack_authsafes(pkcs12);
    int n;

    for (n = 0; n < sk_PKCS7_num(parts); n++) {
        PKCS7 *part = sk_PKCS7_value(parts, n);
        if (pyossl_is_encrypted(part)) {
            count += pyossl_algorithm_iterations(part->d.encrypted->enc_data->algorithm);
        } else if (pyossl_is_data(part)) {
            STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7data(part);
            count += pyossl_bags_iterations(bags);
            sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
        }
    }
    for (n = 0; n < sk_PKCS7_num(parts) && count <= PYOSSL_MOST_ITERATIONS; n++) {
        PKCS7 *part = sk_PKCS7_value(parts, n);
        if (pyossl_is_encrypted(part)) {
            STACK_OF(PKCS12_SAFEBAG) *bags = pyossl_opened(part, password, length);
            count += pyossl_bags_iterations(bags);
            sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
        }
    }
    sk_PKCS7_pop_free(parts, PKCS7_free);
    ERR_clear_error();
    return count;
}

/* Of the first encrypted key in PKCS#8, PEM or DER; 0 where there is none. */
static long long pyossl_key_iterations(BIO *bio, int is_pem)
{
    const X509_ALGOR *algorithm;
    long long count = 0;
    X509_SIG *key = is_pem ? PEM_read_bio_PKCS8(bio, NULL, pyossl_password_callback, NULL) : d2i_PKCS8_bio(bio, NULL);

    if (key != NULL) {
        X509_SIG_get0(key, &algorithm, NULL);
        count = pyossl_algorithm_iterations(algorithm);
    }
    X509_SIG_free(key);
    ERR_clear_error();
    return count;
}
