/* Keys that are made in milliseconds. */

/* EVP_PKEY_keygen(3) for such a type: EC, Edwards curves and others, but not RSA and DSA.  1.1.1 takes a global lock in it
 * (CRYPTO_new_ex_data), so forks wait for it: see core/forks_wait.c.  Result: as EVP_PKEY_keygen.  Takes no lock of ours. */
static int pyossl_generate_quick_key(EVP_PKEY_CTX *context, EVP_PKEY **key)
{
    return EVP_PKEY_keygen(context, key);
}
