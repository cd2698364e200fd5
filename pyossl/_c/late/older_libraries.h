/* What a late-bound build must do differently with an older library, because the newest headers do not tell it. */

#ifndef PYOSSL_OLDER_LIBRARIES_H
#define PYOSSL_OLDER_LIBRARIES_H

/* How an error's code is packed. */
static int pyossl_get_lib(unsigned long code)
{
    return HAVE_API_3_0 ? ERR_GET_LIB(code) : (int)(code >> 24 & 0xff);
}

static int pyossl_get_reason(unsigned long code)
{
    return HAVE_API_3_0 ? ERR_GET_REASON(code) : (int)(code & 0xfff);
}

static int pyossl_fatal_error(unsigned long code)
{
    return HAVE_API_3_0 ? ERR_FATAL_ERROR(code) : (int)(code & 0x40);
}

static unsigned long pyossl_pack(int library, int function, int reason)
{
    if (HAVE_API_3_0)
        return ERR_PACK(library, function, reason);
    return ((unsigned long)library & 0xff) << 24 | ((unsigned long)function & 0xfff) << 12
         | ((unsigned long)reason & 0xfff);
}
#undef ERR_PACK
#undef ERR_GET_FUNC
#define ERR_GET_LIB pyossl_get_lib
#define ERR_GET_REASON pyossl_get_reason
#define ERR_FATAL_ERROR pyossl_fatal_error
#define ERR_PACK pyossl_pack
#define ERR_GET_FUNC(code) ((int)((code) >> 12 & 0xfff))

/* 1.1.1 exports the template itself, later libraries a function that returns it.  The same is true of an ASN1_ITEM_EXP in
 * a struct. */
static const ASN1_ITEM *pyossl_item(const char *symbol);
#undef ASN1_ITEM_ptr
#define ASN1_ITEM_ptr(item) (HAVE_API_3_0 ? (item)() : (const ASN1_ITEM *)(item))
#undef ASN1_ITEM_rptr
#define ASN1_ITEM_rptr(type) (HAVE_API_3_0 ? type##_it() : pyossl_item(#type "_it"))

/* The newest headers call these from macros and inline functions. */
static OPENSSL_STACK *STAND_IN(OPENSSL_sk_set_thunks)(OPENSSL_STACK *stack, OPENSSL_sk_freefunc_thunk thunk)
{
    (void)thunk;
    return stack;
}

static OPENSSL_STACK *STAND_IN(OPENSSL_sk_set_cmp_thunks)(OPENSSL_STACK *stack,
                                                         int (*thunk)(int (*)(const void *, const void *), const void *,
                                                                      const void *))
{
    (void)thunk;
    return stack;
}

static int STAND_IN(BIO_eof)(BIO *bio)
{
    return (int)BIO_ctrl(bio, BIO_CTRL_EOF, 0, NULL);
}

static unsigned long STAND_IN(X509_NAME_hash_ex)(const X509_NAME *name, OSSL_LIB_CTX *library, const char *properties,
                                                 int *ok)
{
    (void)library;
    (void)properties;
    if (ok != NULL)
        *ok = 1;
    return pyossl_older_X509_NAME_hash(name);
}

/* 1.1.1's function returns nothing. */
static int pyossl_set_record_padding_callback(SSL *ssl, size_t (*callback)(SSL *, int, size_t, void *))
{
    int result = SSL_set_record_padding_callback(ssl, callback);
    return HAVE_API_3_0 ? result : 1;
}
#undef SSL_set_record_padding_callback
#define SSL_set_record_padding_callback pyossl_set_record_padding_callback

#endif
