/* File. */

/* Goes on as a connection of another context, chosen by the name in the ClientHello, of which nothing has been looked at
 * yet.  SSL_set_SSL_CTX(3) takes over the credentials, the trust, the security level and the signature algorithms, and
 * the ciphers are the new context's from then on.  What the SSL has of its own is overwritten: what the first context
 * allows or asks of a peer must not take the place of what the second one does, in either direction; of the parameters
 * of verification those too that are not set.  The groups Python knows: OpenSSL does not tell them. */
static int pyossl_switch_context(pyossl_connection *connection, SSL_CTX *context)
{
    SSL *ssl = connection->ssl;
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    uint32_t inheritance = X509_VERIFY_PARAM_get_inh_flags(parameters);
    int copied;

    if (SSL_set_SSL_CTX(ssl, context) == NULL)
        return 0;
    pyossl_start_verifying(connection, SSL_CTX_get_verify_mode(context));
    X509_VERIFY_PARAM_set_inh_flags(parameters, X509_VP_FLAG_OVERWRITE | X509_VP_FLAG_RESET_FLAGS);
    copied = X509_VERIFY_PARAM_set1(parameters, SSL_CTX_get0_param(context));
    X509_VERIFY_PARAM_set_inh_flags(parameters, inheritance);
    SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(context));
    SSL_set_options(ssl, SSL_CTX_get_options(context));
    SSL_set_max_cert_list(ssl, SSL_CTX_get_max_cert_list(context));
    return copied && SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context)) == 1
        && SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(context)) == 1
        && SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(context)) == 1;
}
