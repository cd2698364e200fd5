/* The initialisation at import, once in a process, and the test that the library fits the headers. */

/* Returns 1 on success.  OpenSSL must not clean up at exit: finalisers and daemon threads may still use it then. */
static int pyossl_initialise(void)
{
    pyossl_version = OpenSSL_version_num();
    if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) || pthread_atfork(pyossl_forks_now, NULL, pyossl_forked) != 0
        || !pyossl_silence_set_up())
        return 0;
    pyossl_connection_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return pyossl_connection_index >= 0 && pyossl_live_set_up() && pyossl_ticket_keys_set_up()
        && pyossl_expected_keys_set_up() && pyossl_file_set_up() && pyossl_socket_method_new() && pyossl_memory_method_new()
        && pyossl_queues_method_new() && pyossl_python_method_new();
}

/* Whether the extension can run with a library of this version: 0 if it can; 1 if the library has another major version
 * than the headers with which the extension was compiled; 2 if it is older. */
static int pyossl_library_refused(unsigned long library)
{
    if (PYOSSL_LATE)
        return 0;    /* pyossl_load has refused others */
    if (PYOSSL_MAJOR(library) != PYOSSL_MAJOR(PYOSSL_HEADERS_NUMBER))
        return 1;
    return PYOSSL_RELEASE(library) < PYOSSL_RELEASE(PYOSSL_HEADERS_NUMBER) ? 2 : 0;
}
