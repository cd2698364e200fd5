/* The friendly name, in UTF-8, of the first key outside the encrypted parts, where nearly every program writes keys.
 * Returns its length, or -1 if there is none.  PKCS12_parse(3) reads the friendly names of certificates only. */
static int pyossl_key_name(const PKCS12 *pkcs12, unsigned char **name)
{
    STACK_OF(PKCS7) *parts = PKCS12_unpack_authsafes(pkcs12);
    int n, m, length = -1;

    for (n = 0; n < sk_PKCS7_num(parts) && length < 0; n++) {
        PKCS7 *part = sk_PKCS7_value(parts, n);
        STACK_OF(PKCS12_SAFEBAG) *bags = pyossl_is_data(part) ? PKCS12_unpack_p7data(part) : NULL;
        for (m = 0; m < sk_PKCS12_SAFEBAG_num(bags) && length < 0; m++) {
            const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, m);
            int kind = PKCS12_SAFEBAG_get_nid(bag);
            const ASN1_TYPE *value = PKCS12_SAFEBAG_get0_attr(bag, NID_friendlyName);
            if ((kind == NID_keyBag || kind == NID_pkcs8ShroudedKeyBag) && value != NULL
                && value->type == V_ASN1_BMPSTRING)
                length = ASN1_STRING_to_UTF8(name, value->value.bmpstring);
        }
        sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    }
    sk_PKCS7_pop_free(parts, PKCS7_free);
    ERR_clear_error();
    return length;
}
