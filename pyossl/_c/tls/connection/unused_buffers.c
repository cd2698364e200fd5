/* The buffers of a connection that has nothing to read and nothing to write.
 *
 * With SSL_MODE_RELEASE_BUFFERS, OpenSSL frees its read buffer after a read and its write buffer after a write.  But
 * before 3.2 its state machine allocates both when a message comes after the handshake: a session ticket or a KeyUpdate.
 * The write buffer, 16 KiB, then stays until the next write, unless SSL_free_buffers(3) frees it.
 *
 * That call is not cheap, so it is made only after a message.  The info callback shows that there was one. */

/* For the info callback: the state machine has run. */
static void pyossl_note_message(pyossl_connection *connection, int where)
{
    if (where & SSL_CB_EXIT)
        connection->has_unused_buffers = 1;
}

/* Whether OpenSSL leaves a write buffer behind that the mode says to free.  The mode has no effect for DTLS. */
static int pyossl_leaves_buffers(SSL *ssl)
{
    return !HAVE_API_3_2 && (SSL_get_mode(ssl) & SSL_MODE_RELEASE_BUFFERS) != 0
        && !SSL_is_dtls(ssl);
}

/* Frees the buffers after a read, if OpenSSL does not need them.  Releases without the fix of CVE-2024-4741 also free a
 * read buffer that holds a record of which the body has not arrived, or of which a part has not been read.  So both are
 * checked here: "RH" means that OpenSSL waits for the header of a record. */
static void pyossl_free_unused_buffers(pyossl_connection *connection)
{
    SSL *ssl = connection->ssl;

    if (connection->dead)
        return;
    if (!pyossl_leaves_buffers(ssl))
        connection->has_unused_buffers = 0;
    else if (SSL_is_init_finished(ssl) && strcmp(SSL_rstate_string(ssl), "RH") == 0 && !SSL_has_pending(ssl))
        connection->has_unused_buffers = !SSL_free_buffers(ssl);
}
