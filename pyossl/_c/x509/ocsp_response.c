/* Questions about an OCSP response that OpenSSL answers only in several calls. */

#if COMPILES(HAVE_OCSP)

/* PEM_read_bio_OCSP_RESPONSE is a macro that some compilers refuse: it passes a char ** as a void **. */
static OCSP_RESPONSE *pyossl_pem_ocsp_response(BIO *bio, OCSP_RESPONSE **response, pem_password_cb *callback,
                                               void *argument)
{
    return PEM_ASN1_read_bio((d2i_of_void *)d2i_OCSP_RESPONSE, PEM_STRING_OCSP_RESPONSE, bio, (void **)response,
                             callback, argument);
}

/* The serial number of the certificate that a single response is about.  It belongs to the response. */
static ASN1_INTEGER *pyossl_ocsp_serial(OCSP_SINGLERESP *single)
{
    ASN1_INTEGER *serial = NULL;

    OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
    return serial;
}

/* Whether a single response is about `certificate`, which `issuer` has issued.  The identifier in the response has
 * digests of the issuer's name and key, by an algorithm that the responder chooses.  0 also if the library context does
 * not have that algorithm. */
static int pyossl_ocsp_is_about(OCSP_SINGLERESP *single, X509 *certificate, X509 *issuer, OSSL_LIB_CTX *library)
{
    OSSL_LIB_CTX *before = OSSL_LIB_CTX_set0_default(library);
    OCSP_CERTID *theirs = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single), *ours = NULL;
    ASN1_OBJECT *algorithm = NULL;
    const EVP_MD *digest = NULL;
    int is_same;

    if (OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, theirs) == 1)
        digest = EVP_get_digestbynid(OBJ_obj2nid(algorithm));
    if (digest != NULL)
        ours = OCSP_cert_to_id(digest, certificate, issuer);
    is_same = ours != NULL && OCSP_id_cmp(ours, theirs) == 0;
    OCSP_CERTID_free(ours);
    (void)OSSL_LIB_CTX_set0_default(before);
    return is_same;
}

/* OCSP_basic_verify(3), with the algorithms of a library context; NULL: the default one.  OpenSSL would use the
 * thread's default library context for the signature of the response, also if the certificates belong to another. */
static int pyossl_ocsp_verify(OCSP_BASICRESP *basic, STACK_OF(X509) *certificates, X509_STORE *store,
                              unsigned long flags, OSSL_LIB_CTX *library)
{
    OSSL_LIB_CTX *before = OSSL_LIB_CTX_set0_default(library);
    int result = library != NULL && before == NULL ? -1 : OCSP_basic_verify(basic, certificates, store, flags);

    (void)OSSL_LIB_CTX_set0_default(before);
    return result;
}

/* The digest of a signature with RSA-PSS, as a NID. */
static int pyossl_pss_digest(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object;
    const void *value;
    const unsigned char *data;
    RSA_PSS_PARAMS *parameters = NULL;
    int type, digest;

    X509_ALGOR_get0(&object, &type, &value, algorithm);
    if (type == V_ASN1_SEQUENCE) {
        data = ASN1_STRING_get0_data((const ASN1_STRING *)value);
        parameters = d2i_RSA_PSS_PARAMS(NULL, &data, ASN1_STRING_length((const ASN1_STRING *)value));
    }
    if (parameters == NULL)
        return NID_undef;
    digest = NID_sha1;    /* the default, RFC 8017, A.2.3 */
    if (parameters->hashAlgorithm != NULL) {
        X509_ALGOR_get0(&object, NULL, NULL, parameters->hashAlgorithm);
        digest = OBJ_obj2nid(object);
    }
    RSA_PSS_PARAMS_free(parameters);
    return digest;
}

/* The bits of security of the digest that is signed, as OpenSSL 3.0 counts them for certificates; 0 if it is not known.
 * A signature algorithm without a digest of its own, such as Ed25519, is as strong as its key. */
static int pyossl_ocsp_digest_bits(OCSP_BASICRESP *basic)
{
    const X509_ALGOR *algorithm = OCSP_resp_get0_tbs_sigalg(basic);
    const ASN1_OBJECT *object;
    const EVP_MD *md;
    int digest = NID_undef, key = NID_undef, number;

    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    number = OBJ_obj2nid(object);
    if (number == NID_rsassaPss)
        digest = pyossl_pss_digest(algorithm);
    else if (OBJ_find_sigid_algs(number, &digest, &key) != 1)
        return 0;
    else if (digest == NID_undef)
        return INT_MAX;
    if (digest == NID_sha1)
        return 63;
    if (digest == NID_md5)
        return 39;
    md = EVP_get_digestbynid(digest);
    return md == NULL ? 0 : EVP_MD_size(md) * 4;
}

#endif
