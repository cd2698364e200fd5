/* Loads a certificate with its chain, and its key, from files, in one change of the context.
 *
 * A connection that is made at the same time, on a server that replaces its certificate, gets the old ones or the new
 * ones, and never a certificate with another certificate's key. */

enum { PYOSSL_CREDENTIALS_LOADED, PYOSSL_CERTIFICATE_FAILED, PYOSSL_KEY_FAILED, PYOSSL_CREDENTIALS_MISMATCH };

/* Loads both files, in PEM.  `password` is for encrypted ones; NULL: OpenSSL asks for it on the terminal.  The result is
 * a constant of the enum above; the reason is in the error queue.  SSL_CTX_use_certificate_chain_file(3) */
static int pyossl_use_credential_files(SSL_CTX *context, const char *certificate, const char *key,
                                       pyossl_password *password)
{
    int result;

    pyossl_clear_errors();
    SSL_CTX_set_default_passwd_cb(context, password == NULL ? NULL : pyossl_password_callback);
    SSL_CTX_set_default_passwd_cb_userdata(context, password);
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        result = PYOSSL_CERTIFICATE_FAILED;
    else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        result = PYOSSL_KEY_FAILED;
    else if (SSL_CTX_check_private_key(context) != 1)
        result = PYOSSL_CREDENTIALS_MISMATCH;
    else
        result = PYOSSL_CREDENTIALS_LOADED;
    SSL_CTX_set_default_passwd_cb(context, pyossl_password_callback);
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    return result;
}
