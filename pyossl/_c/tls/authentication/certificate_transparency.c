/* Certificate transparency: the timestamps that a server has sent, and a check that OpenSSL leaves out.
 *
 * OpenSSL checks no timestamps, and calls no callback, if the chain that it has verified is only the server's own
 * certificate: there is no issuer, whose key a log's signature may cover (docs/pitfalls.md, 79).  Nor does it if a
 * callback has accepted the chain and left the error in the result.  A client that requires timestamps must not accept
 * such a server.  So its chain is looked at when OpenSSL has verified it, before there is a session that could be resumed
 * (pyossl_verify_chain in tls/callbacks/suspending_callbacks.c). */

typedef struct {
    int source;
    int status;
    uint64_t timestamp;
    unsigned char *log_id;       /* borrowed */
    size_t log_id_length;
} pyossl_sct;

#if COMPILES(HAVE_CT)

/* Timestamps are not required.  A timestamp that is not valid leaves errors in the queue.  A handshake that has to wait
 * after that would fail, as with any old entry (docs/pitfalls.md, 1). */
static int pyossl_scts_are_optional(const CT_POLICY_EVAL_CTX *policy, const STACK_OF(SCT) *every, void *argument)
{
    (void)policy; (void)every; (void)argument;
    pyossl_clear_errors();
    return 1;
}

/* Timestamps are required: one must be valid. */
static int pyossl_scts_are_required(const CT_POLICY_EVAL_CTX *policy, const STACK_OF(SCT) *every, void *argument)
{
    int n;

    (void)policy; (void)argument;
    for (n = 0; n < sk_SCT_num(every); n++) {
        if (SCT_get_validation_status(sk_SCT_value(every, n)) == SCT_VALIDATION_STATUS_VALID) {
            pyossl_clear_errors();
            return 1;
        }
    }
    return 0;
}

static int pyossl_check_scts(SSL_CTX *context, int required)
{
    ssl_ct_validation_cb check = required ? pyossl_scts_are_required : pyossl_scts_are_optional;

    return SSL_CTX_set_ct_validation_callback(context, check, NULL);
}

/* Reads one timestamp.  1: done; 0: there is none at this index; -1: the list is malformed. */
static int pyossl_read_sct(SSL *ssl, int index, pyossl_sct *sct)
{
    const STACK_OF(SCT) *every = SSL_get0_peer_scts(ssl);
    SCT *one;

    if (every == NULL)
        return ERR_peek_error() == 0 ? 0 : -1;
    if (index >= sk_SCT_num(every))
        return 0;
    one = sk_SCT_value(every, index);
    sct->source = SCT_get_source(one);
    sct->status = SCT_get_validation_status(one);
    sct->timestamp = SCT_get_timestamp(one);
    sct->log_id_length = SCT_get0_log_id(one, &sct->log_id);
    return 1;
}

#else

static int pyossl_read_sct(SSL *ssl, int index, pyossl_sct *sct)
{
    (void)ssl; (void)index; (void)sct;
    return 0;
}

static int pyossl_check_scts(SSL_CTX *context, int required)
{
    (void)context; (void)required;
    return 0;
}

#endif

/* The timestamp at this index of those that the peer has sent: see above. */
static int pyossl_sct_at(SSL *ssl, int index, pyossl_sct *sct)
{
    return HAVE_CT && SSL_get_current_cipher(ssl) != NULL ? pyossl_read_sct(ssl, index, sct) : 0;
}

/* SSL_CTX_set_ct_validation_callback(3).  1: done; 0: it failed, or this OpenSSL has no certificate transparency. */
static int pyossl_verify_scts(SSL_CTX *context, int required)
{
    if (required)
        pyossl_set_callback(context, PYOSSL_CHAIN, 1);
    return HAVE_CT ? pyossl_check_scts(context, required) : 0;
}

/* Whether this connection requires timestamps and OpenSSL will not check any of this chain, which is verified. */
static int pyossl_lacks_scts(const pyossl_connection *connection, X509_STORE_CTX *store_context)
{
    return connection->requires_scts
        && (sk_X509_num(X509_STORE_CTX_get0_chain(store_context)) <= 1
            || X509_STORE_CTX_get_error(store_context) != X509_V_OK);
}
