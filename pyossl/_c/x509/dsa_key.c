/* DSA keys. */

/* Makes a DSA key of any size.  EVP_PKEY_keygen(3) refuses fewer than 1024 bits; this older API does not.  The caller
 * owns the key; NULL: it failed.  Takes no lock. */
static EVP_PKEY *pyossl_generate_dsa(int bits)
{
    DSA *dsa = DSA_new();
    EVP_PKEY *key = EVP_PKEY_new();

    if (dsa != NULL && key != NULL && DSA_generate_parameters_ex(dsa, bits, NULL, 0, NULL, NULL, NULL)
        && DSA_generate_key(dsa) && EVP_PKEY_assign_DSA(key, dsa))
        return key;
    DSA_free(dsa);
    EVP_PKEY_free(key);
    return NULL;
}
