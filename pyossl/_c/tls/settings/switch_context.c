/* Another context for a connection in its handshake, chosen by the server name (docs/pitfalls.md, 13). */

/* Goes on with another context.  Nothing in the ClientHello but the name has been used yet.
 *
 * SSL_set_SSL_CTX(3) takes over the credentials, the trusted certificates, the security level and the signature
 * algorithms; the new context's ciphers are used from then on.  The settings that the SSL has of its own are
 * overwritten here.  No setting of the first context may replace one of the second, whether it is stricter or looser;
 * that includes verification parameters which are not set.  Python sets the groups: OpenSSL does not give access to
 * them.
 *
 * 1: done; 0: it failed.  Python calls it from a callback: the lock is held. */
static int pyossl_switch_context(pyossl_connection *connection, SSL_CTX *context)
{
    SSL *ssl = connection->ssl;
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    uint32_t inheritance = X509_VERIFY_PARAM_get_inh_flags(parameters);
    int copied;

    if (!pyossl_set_context(connection, context))
        return 0;
    pyossl_start_verifying(connection, SSL_CTX_get_verify_mode(context));
    X509_VERIFY_PARAM_set_inh_flags(parameters, X509_VP_FLAG_OVERWRITE | X509_VP_FLAG_RESET_FLAGS);
    copied = X509_VERIFY_PARAM_set1(parameters, SSL_CTX_get0_param(context));
    X509_VERIFY_PARAM_set_inh_flags(parameters, inheritance);
    SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(context));
    SSL_set_options(ssl, SSL_CTX_get_options(context));
    SSL_set_max_cert_list(ssl, SSL_CTX_get_max_cert_list(context));
    return copied && pyossl_take_certificate_types(ssl, context)
        && SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context)) == 1
        && SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(context)) == 1
        && SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(context)) == 1;
}
