/* A certificate, its chain and its key from files, as SSL_CTX_use_certificate_chain_file(3) reads them.
 *
 * They are read into a context of their own, which no connection uses, and then given to the other in one call.  So a
 * password may be asked for in between, and no connection gets a certificate without its key. */

static int pyossl_on_password(void *handle, char *buffer, int size);
#define pyossl_on_password(...) PYOSSL_IN_PYTHON((pyossl_on_password)(__VA_ARGS__))

/* A pem_password_cb(3) that asks Python.  `handle` is NULL if there is no password. */
static int pyossl_ask_password(char *buffer, int size, int writing, void *handle)
{
    pyossl_aside *aside;
    int length;

    (void)writing;
    if (handle == NULL)
        return -1;
    aside = pyossl_set_aside();
    length = pyossl_on_password(handle, buffer, size);
    pyossl_put_back(aside);
    return length < 0 || length > size ? -1 : length;
}

/* A pem_password_cb(3) that asks on the terminal.  The answer may take long, and forks do not wait for it. */
static int pyossl_prompt_for_password(char *buffer, int size, int writing, void *nothing)
{
    return PYOSSL_IN_PYTHON(PEM_def_callback(buffer, size, writing, nothing));
}

/* A context like `context` for reading files, with its security level; NULL if it fails.  `prompts`: passwords are asked
 * for on the terminal. */
static SSL_CTX *pyossl_context_for_files(SSL_CTX *context, int prompts, void *handle)
{
    SSL_CTX *reader;

    pyossl_hold_forks();
    reader = SSL_CTX_new(SSL_CTX_get_ssl_method(context));
    pyossl_let_fork();
    if (reader == NULL)
        return NULL;
    SSL_CTX_set_security_level(reader, SSL_CTX_get_security_level(context));
    SSL_CTX_set_default_passwd_cb(reader, prompts ? pyossl_prompt_for_password : pyossl_ask_password);
    SSL_CTX_set_default_passwd_cb_userdata(reader, handle);
    return reader;
}

enum {
    PYOSSL_CREDENTIALS_LOADED,
    PYOSSL_CERTIFICATE_FAILED,
    PYOSSL_KEY_FAILED,
    PYOSSL_CREDENTIALS_MISMATCH,
    PYOSSL_CREDENTIALS_REFUSED    /* by the context; pyossl_read_credentials never returns it */
};

/* Reads both files, in PEM.  Returns a constant of the enum above.  The reason of a failure is in the error queue, and in
 * errno if it is the system's. */
static int pyossl_read_credentials(SSL_CTX *reader, const char *certificate, const char *key)
{
    pyossl_clear_errors();
    errno = 0;
    if (SSL_CTX_use_certificate_chain_file(reader, certificate) != 1)
        return PYOSSL_CERTIFICATE_FAILED;
    errno = 0;
    if (SSL_CTX_use_PrivateKey_file(reader, key, SSL_FILETYPE_PEM) != 1)
        return PYOSSL_KEY_FAILED;
    return SSL_CTX_check_private_key(reader) == 1 ? PYOSSL_CREDENTIALS_LOADED : PYOSSL_CREDENTIALS_MISMATCH;
}

/* Gives the certificate, the key and the chain of `reader` to the context.  1: done; 0: it failed. */
static int pyossl_take_credentials(SSL_CTX *context, SSL_CTX *reader)
{
    STACK_OF(X509) *chain = NULL;

    pyossl_clear_errors();
    SSL_CTX_get0_chain_certs(reader, &chain);
    return SSL_CTX_use_cert_and_key(context, SSL_CTX_get0_certificate(reader), SSL_CTX_get0_privatekey(reader), chain,
                                    1) == 1;
}

/* pyossl_trust_system for the store of a context, under its lock: looking for a directory changes the store. */
static int pyossl_context_trusts_system(SSL_CTX *context, X509_STORE *default_file)
{
    return pyossl_trust_system(SSL_CTX_get_cert_store(context), default_file);
}
