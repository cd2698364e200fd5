/* Pre-shared keys, which Python gives: SSL_CTX_set_psk_client_callback(3), SSL_CTX_set_psk_server_callback(3), and for
 * TLS 1.3 alone SSL_CTX_set_psk_use_session_callback(3) and SSL_CTX_set_psk_find_session_callback(3).
 *
 * OpenSSL calls the first two functions for TLS 1.2 and for TLS 1.3.  In TLS 1.3 a key from a client's callback need not
 * be used: the server may go on with its certificate, or with a session.  A server's callback is also called with
 * session tickets, if they are no longer than an identity may be (docs/pitfalls.md, 57).
 *
 * 0 bytes mean that there is no key.  In TLS 1.2 the handshake fails then; in TLS 1.3 it goes on without the key.  If
 * Python raises, 0 is returned too, and the call of the connection fails. */

/* Python's answer for TLS 1.3, a session or none; if it has failed, OpenSSL gets neither. */
static int pyossl_take_session(pyossl_connection *connection, int done, SSL_SESSION **session)
{
    if (!done) {
        SSL_SESSION_free(*session);
        *session = NULL;
    }
    if (*session != NULL)
        connection->has_given_key = 1;
    return done;
}

#if COMPILES(HAVE_PSK)

/* Python's answer, a number of bytes that fits the room; 0 for any other. */
static unsigned int pyossl_take_key(pyossl_connection *connection, int size, unsigned int room)
{
    if (size <= 0 || (unsigned int)size > room)
        return 0;
    connection->has_given_key = 1;
    return (unsigned int)size;
}

static unsigned int pyossl_psk_of_client(SSL *ssl, const char *hint, char *identity, unsigned int identity_room,
                                         unsigned char *key, unsigned int room)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    pyossl_aside *aside;
    int size;

    if (connection == NULL || connection->handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    size = pyossl_on_client_key(connection->handle, hint, identity, identity_room, key, room);
    pyossl_put_back(aside);
    return pyossl_take_key(connection, size, room);
}

static unsigned int pyossl_psk_of_server(SSL *ssl, const char *identity, unsigned char *key, unsigned int room)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    pyossl_aside *aside;
    int size;

    if (connection == NULL || connection->handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    size = pyossl_on_server_key(connection->handle, identity, key, room);
    pyossl_put_back(aside);
    return pyossl_take_key(connection, size, room);
}

static int pyossl_set_psk_of(SSL_CTX *context, int is_server, int on)
{
    if (is_server)
        SSL_CTX_set_psk_server_callback(context, on ? pyossl_psk_of_server : NULL);
    else
        SSL_CTX_set_psk_client_callback(context, on ? pyossl_psk_of_client : NULL);
    return 1;
}

static int pyossl_use_hint(SSL_CTX *context, const char *hint)
{
    return SSL_CTX_use_psk_identity_hint(context, hint) == 1;
}

static int pyossl_longest_identity(void)
{
    return PSK_MAX_IDENTITY_LEN;
}

#else

static int pyossl_set_psk_of(SSL_CTX *context, int is_server, int on)
{
    (void)context; (void)is_server; (void)on;
    return 0;
}

static int pyossl_use_hint(SSL_CTX *context, const char *hint)
{
    (void)context; (void)hint;
    return 0;
}

static int pyossl_longest_identity(void)
{
    return 0;
}

#endif

/* A client's key for TLS 1.3: Python makes the session, of which OpenSSL gets a reference, and keeps the identity.
 * Without a session the handshake goes on without a key. */
static int pyossl_psk_use_session(SSL *ssl, const EVP_MD *digest, const unsigned char **identity, size_t *length,
                                  SSL_SESSION **session)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    pyossl_aside *aside;
    int done;

    *identity = NULL;
    *length = 0;
    *session = NULL;
    if (connection == NULL || connection->handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    done = pyossl_on_use_session(connection->handle, digest == NULL ? 0 : EVP_MD_get_size(digest), identity, length,
                                 session) == 1;
    pyossl_put_back(aside);
    return pyossl_take_session(connection, done, session);
}

/* A server's key for TLS 1.3, by the identity that the client has sent. */
static int pyossl_psk_find_session(SSL *ssl, const unsigned char *identity, size_t length, SSL_SESSION **session)
{
    pyossl_connection *connection = pyossl_connection_of(ssl);
    pyossl_aside *aside;
    int done;

    *session = NULL;
    if (connection == NULL || connection->handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    done = pyossl_on_find_session(connection->handle, identity, length, session) == 1;
    pyossl_put_back(aside);
    return pyossl_take_session(connection, done, session);
}

/* Turns the callback of a client or a server for TLS 1.3 on or off. */
static void pyossl_set_psk_session_callback(SSL_CTX *context, int is_server, int on)
{
    if (is_server)
        SSL_CTX_set_psk_find_session_callback(context, on ? pyossl_psk_find_session : NULL);
    else
        SSL_CTX_set_psk_use_session_callback(context, on ? pyossl_psk_use_session : NULL);
}

/* Turns the callback of a client or a server on or off.  1: done; 0: this OpenSSL has no pre-shared keys. */
static int pyossl_set_psk_callback(SSL_CTX *context, int is_server, int on)
{
    return HAVE_PSK ? pyossl_set_psk_of(context, is_server, on) : 0;
}

/* SSL_CTX_use_psk_identity_hint(3); NULL: none.  1: done; 0: it is too long, or there is no memory. */
static int pyossl_use_psk_hint(SSL_CTX *context, const char *hint)
{
    return HAVE_PSK ? pyossl_use_hint(context, hint) : 0;
}

/* Whether the handshake, which is finished, has proved that the peer knows the key that Python has given to this
 * connection. */
static int pyossl_has_proved_key(const pyossl_connection *connection)
{
    const SSL *ssl = connection->ssl;

    if (!connection->has_given_key)
        return 0;
    if (SSL_version(ssl) == TLS1_3_VERSION)
        return SSL_session_reused(ssl);
    return !SSL_session_reused(ssl) && SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(ssl)) == NID_auth_psk;
}
