/* The time at which the certificates of a connection are verified. */

static int pyossl_verify_at_time(X509_STORE_CTX *store_context, void *argument)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);

    (void)argument;
    if (X509_VERIFY_PARAM_get_flags(parameters) & X509_V_FLAG_USE_CHECK_TIME)
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(store_context), X509_VERIFY_PARAM_get_time(parameters));
    return X509_verify_cert(store_context) == 1;
}

/* Sets the time at which certificates are verified.  Without the callback OpenSSL would prefer the time of the
 * store. */
static void pyossl_set_verify_time(SSL_CTX *context, time_t time)
{
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context), time);
    SSL_CTX_set_cert_verify_callback(context, pyossl_verify_at_time, NULL);
}
