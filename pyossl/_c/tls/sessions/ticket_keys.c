/* Keys of session tickets that are replaced while connections use them: SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
 *
 * OpenSSL's own ticket keys belong to one SSL_CTX and cannot be changed safely beside its connections.  These are a set
 * of keys with a lock.  Any number of SSL_CTXs hold a reference to the set, in their external data, so that it lives as
 * long as their connections.  OpenSSL asks for a key by a callback, which is C only: it runs without Python's GIL, and a
 * thread that waits for the GIL delays no handshake.
 *
 * The first key encrypts.  All keys decrypt.  A ticket of TLS 1.2 that another key than the first has decrypted is
 * renewed; in TLS 1.3 each resumption gets a new ticket, as with OpenSSL's own keys (docs/pitfalls.md, 76).
 *
 * A key has 80 bytes, in the order of SSL_CTX_set_tlsext_ticket_keys(3): 16 of its name, 32 for HMAC-SHA-256 and 32 for
 * AES-256-CBC.  So tickets are the same as with OpenSSL's own keys.
 *
 * The cipher and the random numbers of a ticket are those of the context's library context, as the MAC is, which OpenSSL
 * chooses itself: with FIPS, a ticket is encrypted by the FIPS module.
 *
 * The lock is held only while a key is copied, and forks are held then (core/forks_wait.c): a child never finds it
 * taken.
 *
 * The same keys protect data that a program stores elsewhere, for example a session in a cache that several processes
 * use.  That is AES-256-GCM with a key which HMAC-SHA-256 derives, so that no key is used with two algorithms. */

enum {
    PYOSSL_TICKET_KEY_NAME = 16,
    PYOSSL_TICKET_KEY_MAC = 32,
    PYOSSL_TICKET_KEY_CIPHER = 32,
    PYOSSL_TICKET_KEY = 80,
    PYOSSL_MOST_TICKET_KEYS = 32,
    PYOSSL_TICKET_IV = 16,
    PYOSSL_NONCE = 12,
    PYOSSL_TAG = 16,
    PYOSSL_PROTECTION = PYOSSL_TICKET_KEY_NAME + PYOSSL_NONCE + PYOSSL_TAG    /* bytes that are added to stored data */
};

typedef struct {
    unsigned char name[PYOSSL_TICKET_KEY_NAME];
    unsigned char mac[PYOSSL_TICKET_KEY_MAC];
    unsigned char cipher[PYOSSL_TICKET_KEY_CIPHER];
} pyossl_ticket_key;

typedef struct pyossl_ticket_keys {
    pthread_mutex_t mutex;
    int references;
    int count;
    pyossl_ticket_key keys[PYOSSL_MOST_TICKET_KEYS];
} pyossl_ticket_keys;

static int pyossl_ticket_keys_index = -1, pyossl_ticket_library_index = -1;

/* An empty set, for pyossl_ticket_keys_free; NULL: no memory. */
static pyossl_ticket_keys *pyossl_ticket_keys_new(void)
{
    pyossl_ticket_keys *keys = calloc(1, sizeof(*keys));

    if (keys != NULL) {
        pthread_mutex_init(&keys->mutex, NULL);
        keys->references = 1;
    }
    return keys;
}

/* Gives back one reference. */
static void pyossl_ticket_keys_free(pyossl_ticket_keys *keys)
{
    if (keys == NULL || __atomic_sub_fetch(&keys->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    pthread_mutex_destroy(&keys->mutex);
    OPENSSL_cleanse(keys->keys, sizeof(keys->keys));
    free(keys);
}

/* SSL_CTX_free(3) has freed the last reference to a context that uses the keys. */
static void pyossl_context_leaves_keys(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number,
                                       void *argument)
{
    (void)parent; (void)data; (void)index; (void)number; (void)argument;
    pyossl_ticket_keys_free(pointer);
}

/* Called once, at import.  Returns 1 on success. */
static int pyossl_ticket_keys_set_up(void)
{
    pyossl_ticket_keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, pyossl_context_leaves_keys);
    pyossl_ticket_library_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return pyossl_ticket_keys_index >= 0 && pyossl_ticket_library_index >= 0;
}

static void pyossl_ticket_keys_lock(pyossl_ticket_keys *keys)
{
    pyossl_hold_forks();
    pthread_mutex_lock(&keys->mutex);
}

static void pyossl_ticket_keys_unlock(pyossl_ticket_keys *keys)
{
    pthread_mutex_unlock(&keys->mutex);
    pyossl_let_fork();
}

/* Replaces all keys by these `count` keys of 80 bytes, of which there are 1 to PYOSSL_MOST_TICKET_KEYS. */
static void pyossl_ticket_keys_replace(pyossl_ticket_keys *keys, const unsigned char *bytes, int count)
{
    pyossl_ticket_keys_lock(keys);
    OPENSSL_cleanse(keys->keys, sizeof(keys->keys));
    memcpy(keys->keys, bytes, (size_t)count * PYOSSL_TICKET_KEY);
    keys->count = count;
    pyossl_ticket_keys_unlock(keys);
}

/* Puts a key before the others and keeps `kept` keys at most, the new one included. */
static void pyossl_ticket_keys_rotate(pyossl_ticket_keys *keys, const unsigned char *bytes, int kept)
{
    int older;

    pyossl_ticket_keys_lock(keys);
    older = keys->count < kept - 1 ? keys->count : kept - 1;
    memmove(&keys->keys[1], &keys->keys[0], (size_t)older * PYOSSL_TICKET_KEY);
    memcpy(&keys->keys[0], bytes, PYOSSL_TICKET_KEY);
    keys->count = older + 1;
    OPENSSL_cleanse(&keys->keys[keys->count], (size_t)(PYOSSL_MOST_TICKET_KEYS - keys->count) * PYOSSL_TICKET_KEY);
    pyossl_ticket_keys_unlock(keys);
}

/* Copies all keys; returns their number. */
static int pyossl_ticket_keys_copy(pyossl_ticket_keys *keys, unsigned char *room)
{
    int count;

    pyossl_ticket_keys_lock(keys);
    count = keys->count;
    memcpy(room, keys->keys, (size_t)count * PYOSSL_TICKET_KEY);
    pyossl_ticket_keys_unlock(keys);
    return count;
}

/* Copies the key of this name, or the first key if `name` is NULL; returns its place, or -1 if there is none. */
static int pyossl_ticket_key_find(pyossl_ticket_keys *keys, const unsigned char *name, pyossl_ticket_key *found)
{
    int place, at = -1;

    pyossl_ticket_keys_lock(keys);
    for (place = 0; place < keys->count && at < 0; place++)
        if (name == NULL || memcmp(keys->keys[place].name, name, PYOSSL_TICKET_KEY_NAME) == 0) {
            *found = keys->keys[place];
            at = place;
        }
    pyossl_ticket_keys_unlock(keys);
    return at;
}

/* Begins to encrypt or decrypt a ticket with a key, in a library context.  1: done. */
static int pyossl_begin_ticket_cipher(OSSL_LIB_CTX *library, EVP_CIPHER_CTX *cipher, const pyossl_ticket_key *key,
                                      unsigned char *iv, int encrypts)
{
    EVP_CIPHER *aes;
    int done;

    if (encrypts && RAND_bytes_ex(library, iv, PYOSSL_TICKET_IV, 0) != 1)
        return 0;
    aes = EVP_CIPHER_fetch(library, "AES-256-CBC", NULL);
    done = aes != NULL && EVP_CipherInit_ex(cipher, aes, NULL, key->cipher, iv, encrypts) == 1;
    EVP_CIPHER_free(aes);    /* the EVP_CIPHER_CTX has a reference of its own */
    return done;
}

/* Chooses the key for a ticket, of the context that has the connection's sessions, and sets up the cipher.  Returns what
 * OpenSSL's callback returns: 1: use the key; 2: use it, and send a new ticket; 0: no key has this name; -1: an error,
 * which ends the handshake. */
static int pyossl_choose_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                                    int encrypts, pyossl_ticket_key *key)
{
    const pyossl_connection *connection = pyossl_connection_of(ssl);
    SSL_CTX *context = connection == NULL ? NULL : connection->first_context;
    pyossl_ticket_keys *keys = context == NULL ? NULL : SSL_CTX_get_ex_data(context, pyossl_ticket_keys_index);
    int place;

    if (keys == NULL)
        return -1;
    place = pyossl_ticket_key_find(keys, encrypts ? NULL : name, key);
    if (place < 0)
        return encrypts ? -1 : 0;
    if (encrypts)
        memcpy(name, key->name, PYOSSL_TICKET_KEY_NAME);
    if (!pyossl_begin_ticket_cipher(SSL_CTX_get_ex_data(context, pyossl_ticket_library_index), cipher, key, iv, encrypts))
        return -1;
    return !encrypts && (place > 0 || SSL_version(ssl) == TLS1_3_VERSION) ? 2 : 1;
}

#if COMPILES(HAVE_API_3_0)
static int pyossl_ticket_key_by_mac(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                                    EVP_MAC_CTX *mac, int encrypts)
{
    pyossl_ticket_key key;
    OSSL_PARAM parameters[3];
    int answer = pyossl_choose_ticket_key(ssl, name, iv, cipher, encrypts, &key);

    if (answer > 0) {
        parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof(key.mac));
        parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0);
        parameters[2] = OSSL_PARAM_construct_end();
        if (EVP_MAC_CTX_set_params(mac, parameters) != 1)
            answer = -1;
    }
    OPENSSL_cleanse(&key, sizeof(key));
    return answer;
}
#endif

#if LACKS(3, 0)
static int pyossl_ticket_key_by_hmac(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                                     HMAC_CTX *hmac, int encrypts)
{
    pyossl_ticket_key key;
    int answer = pyossl_choose_ticket_key(ssl, name, iv, cipher, encrypts, &key);

    if (answer > 0 && HMAC_Init_ex(hmac, key.mac, sizeof(key.mac), EVP_sha256(), NULL) != 1)
        answer = -1;
    OPENSSL_cleanse(&key, sizeof(key));
    return answer;
}
#endif

/* From now on the tickets of the context are encrypted with these keys; NULL: with its own.  `library` is the library
 * context of the context, which is never freed (core/library_context.py).  1: done; 0: no memory. */
static int pyossl_use_ticket_keys(SSL_CTX *context, pyossl_ticket_keys *keys, OSSL_LIB_CTX *library)
{
    pyossl_ticket_keys *before = SSL_CTX_get_ex_data(context, pyossl_ticket_keys_index);

    if (!SSL_CTX_set_ex_data(context, pyossl_ticket_library_index, library)
        || !SSL_CTX_set_ex_data(context, pyossl_ticket_keys_index, keys))
        return 0;
    if (keys != NULL)
        __atomic_add_fetch(&keys->references, 1, __ATOMIC_ACQ_REL);
    pyossl_ticket_keys_free(before);
#if COMPILES(HAVE_API_3_0)
    if (HAVE_API_3_0)
        return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, keys == NULL ? NULL : pyossl_ticket_key_by_mac) == 1;
#endif
#if LACKS(3, 0)
    return SSL_CTX_set_tlsext_ticket_key_cb(context, (keys == NULL ? NULL : pyossl_ticket_key_by_hmac)) == 1;
#else
    return 0;
#endif
}

/* The key for stored data. */
static int pyossl_storage_key(const pyossl_ticket_key *key, unsigned char *derived)
{
    static const unsigned char purpose[] = "pyossl: data that is stored, AES-256-GCM";
    unsigned int length = 0;

    return HMAC(EVP_sha256(), key->mac, sizeof(key->mac), purpose, sizeof(purpose) - 1, derived, &length) != NULL
        && length == 32;
}

/* Encrypts or decrypts with AES-256-GCM; `tag` is written or compared.  1: done; 0: an error, or the tag is wrong. */
static int pyossl_storage_cipher(const pyossl_ticket_key *key, int encrypts, const unsigned char *nonce,
                                 const unsigned char *label, int label_length, const unsigned char *data, int length,
                                 unsigned char *result, unsigned char *tag)
{
    unsigned char derived[EVP_MAX_MD_SIZE], none[EVP_MAX_BLOCK_LENGTH];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int size, done;

    done = cipher != NULL && pyossl_storage_key(key, derived)
        && EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, derived, nonce, encrypts) == 1
        && EVP_CipherUpdate(cipher, NULL, &size, key->name, PYOSSL_TICKET_KEY_NAME) == 1
        && (label_length == 0 || EVP_CipherUpdate(cipher, NULL, &size, label, label_length) == 1)
        && (length == 0 || EVP_CipherUpdate(cipher, result, &size, data, length) == 1)
        && (encrypts || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, PYOSSL_TAG, tag) == 1)
        && EVP_CipherFinal_ex(cipher, none, &size) == 1
        && (!encrypts || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, PYOSSL_TAG, tag) == 1);
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(derived, sizeof(derived));
    return done;
}

/* Encrypts data with the first key: its name, a nonce, the encrypted data, a tag.  `result` has room for `length` and
 * PYOSSL_PROTECTION bytes.  1: done; 0: an error, which is in the queue. */
static int pyossl_ticket_keys_encrypt(pyossl_ticket_keys *keys, const unsigned char *data, int length,
                                      const unsigned char *label, int label_length, unsigned char *result)
{
    unsigned char *nonce = result + PYOSSL_TICKET_KEY_NAME, *encrypted = nonce + PYOSSL_NONCE;
    pyossl_ticket_key key;
    int done;

    pyossl_clear_errors();
    done = pyossl_ticket_key_find(keys, NULL, &key) == 0 && RAND_bytes(nonce, PYOSSL_NONCE) == 1
        && pyossl_storage_cipher(&key, 1, nonce, label, label_length, data, length, encrypted, encrypted + length);
    memcpy(result, key.name, PYOSSL_TICKET_KEY_NAME);
    OPENSSL_cleanse(&key, sizeof(key));
    return done;
}

/* Decrypts the result of pyossl_ticket_keys_encrypt.  1: done; 0: no key has decrypted it.  The queue is empty then. */
static int pyossl_ticket_keys_decrypt(pyossl_ticket_keys *keys, const unsigned char *data, int length,
                                      const unsigned char *label, int label_length, unsigned char *result)
{
    const unsigned char *nonce = data + PYOSSL_TICKET_KEY_NAME, *encrypted = nonce + PYOSSL_NONCE;
    unsigned char tag[PYOSSL_TAG];
    pyossl_ticket_key key;
    int done, plain = length - PYOSSL_PROTECTION;

    pyossl_clear_errors();
    if (plain < 0 || pyossl_ticket_key_find(keys, data, &key) < 0)
        return 0;
    memcpy(tag, encrypted + plain, PYOSSL_TAG);
    done = pyossl_storage_cipher(&key, 0, nonce, label, label_length, encrypted, plain, result, tag);
    OPENSSL_cleanse(&key, sizeof(key));
    if (!done)
        OPENSSL_cleanse(result, (size_t)plain);
    pyossl_clear_errors();
    return done;
}
