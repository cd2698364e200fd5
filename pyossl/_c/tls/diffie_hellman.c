/* The Diffie-Hellman parameters of a context. */

/* Sets the parameters of a context.  1: the context owns `parameters` from now on; 0: it failed.  Takes no lock. */
static int pyossl_use_dh(SSL_CTX *context, EVP_PKEY *parameters)
{
#if HAVE_API_3_0
    return SSL_CTX_set0_tmp_dh_pkey(context, parameters) == 1;
#else
    DH *dh = EVP_PKEY_get0_DH(parameters);
    if (dh == NULL || SSL_CTX_set_tmp_dh(context, dh) != 1)
        return 0;
    EVP_PKEY_free(parameters);
    return 1;
#endif
}
