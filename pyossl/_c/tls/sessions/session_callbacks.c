/* A server's sessions outside of its process, and the program's data in its tickets; Python answers.
 *
 * SSL_CTX_sess_set_get_cb(3), SSL_CTX_set_session_ticket_cb(3)
 *
 * OpenSSL asks for a session in the middle of a handshake and waits for the answer.  The get callback has no value that
 * means failure: without a session the handshake goes on as a full one.  If Python raises, no session is returned, and
 * the call of the connection fails when the step is done.
 *
 * The remove callback gets no SSL.  OpenSSL calls it in two situations: in a step of a connection whose handshake has
 * failed, or which has been offered a session that is too old; and, with the lock of the SSL_CTX held, when it clears
 * its own cache.  Python sets the callback only with that cache off, so that the second does not happen: a function of
 * the program that used another connection of the context would wait for its own lock. */

static int pyossl_on_get_session(void *handle, const unsigned char *id, int length, SSL_SESSION **answer);
static void pyossl_on_removed_session(void *handle, SSL_SESSION *session);
static int pyossl_on_generate_ticket(void *handle, SSL_SESSION *session);
static int pyossl_on_decrypt_ticket(void *handle, SSL_SESSION *session);

/* Up to calls_that_hold_forks.h; see forks_wait.c. */
#define pyossl_on_get_session(...) PYOSSL_IN_PYTHON((pyossl_on_get_session)(__VA_ARGS__))
#define pyossl_on_removed_session(...) PYOSSL_IN_PYTHON_VOID((pyossl_on_removed_session)(__VA_ARGS__))
#define pyossl_on_generate_ticket(...) PYOSSL_IN_PYTHON((pyossl_on_generate_ticket)(__VA_ARGS__))
#define pyossl_on_decrypt_ticket(...) PYOSSL_IN_PYTHON((pyossl_on_decrypt_ticket)(__VA_ARGS__))

/* Python's answer to a callback that wants a session: takes a reference for OpenSSL.  In one call, so that a signal
 * handler that raises cannot come between the two.  1: done. */
static int pyossl_lend_session(SSL_SESSION **answer, SSL_SESSION *session)
{
    if (SSL_SESSION_up_ref(session) != 1)
        return 0;
    *answer = session;
    return 1;
}

static SSL_SESSION *pyossl_get_session(SSL *ssl, const unsigned char *id, int length, int *copy)
{
    void *handle = pyossl_handle_of(ssl);
    SSL_SESSION *answer = NULL;
    pyossl_aside *aside;
    int found;

    *copy = 0;    /* the reference is OpenSSL's */
    if (handle == NULL)
        return NULL;
    aside = pyossl_set_aside();
    found = pyossl_on_get_session(handle, id, length, &answer) == 1;
    pyossl_put_back(aside);
    if (found)
        return answer;
    SSL_SESSION_free(answer);
    return NULL;
}

static void pyossl_removed_session(SSL_CTX *context, SSL_SESSION *session)
{
    pyossl_connection *connection = pyossl_calling;
    int keeps_none = (SSL_CTX_get_session_cache_mode(context) & SSL_SESS_CACHE_NO_INTERNAL_STORE) != 0;

    if (connection != NULL && connection->handle != NULL && connection->first_context == context
        && (keeps_none || !SSL_is_server(connection->ssl))) {
        pyossl_aside *aside = pyossl_set_aside();
        pyossl_on_removed_session(connection->handle, session);
        pyossl_put_back(aside);
    }
}

/* Turns the two callbacks on or off.  Python sets the mode of the cache. */
static void pyossl_keep_sessions_outside(SSL_CTX *context, int gets, int removes)
{
    SSL_CTX_sess_set_get_cb(context, gets ? pyossl_get_session : NULL);
    SSL_CTX_sess_set_remove_cb(context, removes ? pyossl_removed_session : NULL);
}

/* 1: the ticket may be made; 0: the handshake ends. */
static int pyossl_generate_ticket(SSL *ssl, void *argument)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside;
    int done;

    (void)argument;
    if (handle == NULL)
        return 0;
    aside = pyossl_set_aside();
    done = pyossl_on_generate_ticket(handle, SSL_get_session(ssl)) == 1;
    pyossl_put_back(aside);
    return done;
}

/* Python is asked about a ticket that was decrypted.  1: it is used; 0: a full handshake, and a new ticket; below 0: the
 * handshake ends.  A ticket that was not decrypted leads to a full handshake. */
static SSL_TICKET_RETURN pyossl_decrypt_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *key_name,
                                               size_t length, SSL_TICKET_STATUS status, void *argument)
{
    void *handle = pyossl_handle_of(ssl);
    pyossl_aside *aside;
    int answer;

    (void)key_name; (void)length; (void)argument;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (handle == NULL)
        return SSL_TICKET_RETURN_ABORT;
    aside = pyossl_set_aside();
    answer = pyossl_on_decrypt_ticket(handle, session);
    pyossl_put_back(aside);
    if (answer < 0)
        return SSL_TICKET_RETURN_ABORT;
    if (answer != 1)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* Turns the two callbacks on or off.  1: done. */
static int pyossl_set_ticket_callbacks(SSL_CTX *context, int generates, int decrypts)
{
    return SSL_CTX_set_session_ticket_cb(context, generates ? pyossl_generate_ticket : NULL,
                                         decrypts ? pyossl_decrypt_ticket : NULL, NULL);
}
