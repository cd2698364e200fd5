/* The Diffie-Hellman parameters of a context. */

/* Sets the parameters of a context.  1: the context owns `parameters` from now on; 0: it failed.  Takes no lock. */
static int pyossl_use_dh(SSL_CTX *context, EVP_PKEY *parameters)
{
    return SSL_CTX_set0_tmp_dh_pkey(context, parameters) == 1;
}
