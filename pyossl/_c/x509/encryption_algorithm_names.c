/* The names of the algorithms that protect keys and PKCS#12 files.  OpenSSL's errors do not always name the algorithm
 * that it does not support. */

static void pyossl_add_name(char *name, int size, const char *before, const ASN1_OBJECT *kind)
{
    char text[80];

    if (kind == NULL || OBJ_obj2txt(text, sizeof(text), kind, 0) <= 0)
        return;
    BIO_snprintf(name + strlen(name), (size_t)size - strlen(name), "%s%s", before, text);
}

static void pyossl_add_pbkdf2(char *name, int size, const ASN1_STRING *encoded)
{
    PBKDF2PARAM *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(PBKDF2PARAM));

    if (parameters != NULL && parameters->prf != NULL)
        pyossl_add_name(name, size, ", ", parameters->prf->algorithm);
    PBKDF2PARAM_free(parameters);
}

static void pyossl_add_pbes2(char *name, int size, const ASN1_STRING *encoded)
{
    PBE2PARAM *parameters = ASN1_item_unpack((ASN1_STRING *)encoded, ASN1_ITEM_rptr(PBE2PARAM));
    const ASN1_OBJECT *kind;
    const void *value;
    int type;

    if (parameters == NULL)
        return;
    X509_ALGOR_get0(&kind, &type, &value, parameters->keyfunc);
    pyossl_add_name(name, size, ", ", kind);
    if (OBJ_obj2nid(kind) == NID_id_pbkdf2 && type == V_ASN1_SEQUENCE)
        pyossl_add_pbkdf2(name, size, value);
    pyossl_add_name(name, size, ", ", parameters->encryption->algorithm);
    PBE2PARAM_free(parameters);
}

/* Writes the encryption of a key in PKCS#8; empty if it is not encrypted. */
static void pyossl_key_scheme(const unsigned char *der, long length, char *name, int size)
{
    X509_SIG *key = d2i_X509_SIG(NULL, &der, length);
    const X509_ALGOR *algorithm;
    const ASN1_OBJECT *kind;
    const void *value;
    int type;

    name[0] = '\0';
    if (key != NULL) {
        X509_SIG_get0(key, &algorithm, NULL);
        X509_ALGOR_get0(&kind, &type, &value, algorithm);
        pyossl_add_name(name, size, "", kind);
        if (OBJ_obj2nid(kind) == NID_pbes2 && type == V_ASN1_SEQUENCE)
            pyossl_add_pbes2(name, size, value);
    }
    X509_SIG_free(key);
    ERR_clear_error();
}

/* Writes the algorithm of a PKCS#12's MAC; empty if it has none. */
static void pyossl_mac_scheme(const PKCS12 *pkcs12, char *name, int size)
{
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *kind;

    name[0] = '\0';
    if (PKCS12_mac_present(pkcs12))
        PKCS12_get0_mac(NULL, &algorithm, NULL, NULL, pkcs12);
    if (algorithm == NULL)
        return;
    X509_ALGOR_get0(&kind, NULL, NULL, algorithm);
    pyossl_add_name(name, size, "", kind);
}
