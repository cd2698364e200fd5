/* The stacks of bio.h, ssl.h and srtp.h, and the stack of names that SSL_CTX_get0_implemented_groups(3) returns. */

typedef int (*sk_BIO_compfunc)(const BIO *const *a, const BIO *const *b);
typedef void (*sk_BIO_freefunc)(BIO *a);
typedef BIO *(*sk_BIO_copyfunc)(const BIO *a);
int sk_BIO_num(const struct stack_st_BIO *sk);
BIO *sk_BIO_value(const struct stack_st_BIO *sk, int idx);
struct stack_st_BIO *sk_BIO_new(sk_BIO_compfunc compare);
struct stack_st_BIO *sk_BIO_new_null(void);
struct stack_st_BIO *sk_BIO_new_reserve(sk_BIO_compfunc compare, int n);
int sk_BIO_reserve(struct stack_st_BIO *sk, int n);
void sk_BIO_free(struct stack_st_BIO *sk);
void sk_BIO_zero(struct stack_st_BIO *sk);
BIO *sk_BIO_delete(struct stack_st_BIO *sk, int i);
BIO *sk_BIO_delete_ptr(struct stack_st_BIO *sk, BIO *ptr);
int sk_BIO_push(struct stack_st_BIO *sk, BIO *ptr);
int sk_BIO_unshift(struct stack_st_BIO *sk, BIO *ptr);
BIO *sk_BIO_pop(struct stack_st_BIO *sk);
BIO *sk_BIO_shift(struct stack_st_BIO *sk);
void sk_BIO_pop_free(struct stack_st_BIO *sk, sk_BIO_freefunc freefunc);
int sk_BIO_insert(struct stack_st_BIO *sk, BIO *ptr, int idx);
BIO *sk_BIO_set(struct stack_st_BIO *sk, int idx, BIO *ptr);
int sk_BIO_find(struct stack_st_BIO *sk, BIO *ptr);
int sk_BIO_find_ex(struct stack_st_BIO *sk, BIO *ptr);
#if HAVE_API_3_0
int sk_BIO_find_all(struct stack_st_BIO *sk, BIO *ptr, int *pnum);
#endif
void sk_BIO_sort(struct stack_st_BIO *sk);
int sk_BIO_is_sorted(const struct stack_st_BIO *sk);
struct stack_st_BIO *sk_BIO_dup(const struct stack_st_BIO *sk);
struct stack_st_BIO *sk_BIO_deep_copy(const struct stack_st_BIO *sk, sk_BIO_copyfunc copyfunc, sk_BIO_freefunc freefunc);
sk_BIO_compfunc sk_BIO_set_cmp_func(struct stack_st_BIO *sk, sk_BIO_compfunc compare);

typedef int (*sk_SSL_CIPHER_compfunc)(const SSL_CIPHER *const *a, const SSL_CIPHER *const *b);
typedef void (*sk_SSL_CIPHER_freefunc)(SSL_CIPHER *a);
typedef SSL_CIPHER *(*sk_SSL_CIPHER_copyfunc)(const SSL_CIPHER *a);
int sk_SSL_CIPHER_num(const struct stack_st_SSL_CIPHER *sk);
const SSL_CIPHER *sk_SSL_CIPHER_value(const struct stack_st_SSL_CIPHER *sk, int idx);
struct stack_st_SSL_CIPHER *sk_SSL_CIPHER_new(sk_SSL_CIPHER_compfunc compare);
struct stack_st_SSL_CIPHER *sk_SSL_CIPHER_new_null(void);
struct stack_st_SSL_CIPHER *sk_SSL_CIPHER_new_reserve(sk_SSL_CIPHER_compfunc compare, int n);
int sk_SSL_CIPHER_reserve(struct stack_st_SSL_CIPHER *sk, int n);
void sk_SSL_CIPHER_free(struct stack_st_SSL_CIPHER *sk);
void sk_SSL_CIPHER_zero(struct stack_st_SSL_CIPHER *sk);
const SSL_CIPHER *sk_SSL_CIPHER_delete(struct stack_st_SSL_CIPHER *sk, int i);
const SSL_CIPHER *sk_SSL_CIPHER_delete_ptr(struct stack_st_SSL_CIPHER *sk, const SSL_CIPHER *ptr);
int sk_SSL_CIPHER_push(struct stack_st_SSL_CIPHER *sk, const SSL_CIPHER *ptr);
int sk_SSL_CIPHER_unshift(struct stack_st_SSL_CIPHER *sk, const SSL_CIPHER *ptr);
const SSL_CIPHER *sk_SSL_CIPHER_pop(struct stack_st_SSL_CIPHER *sk);
const SSL_CIPHER *sk_SSL_CIPHER_shift(struct stack_st_SSL_CIPHER *sk);
void sk_SSL_CIPHER_pop_free(struct stack_st_SSL_CIPHER *sk, sk_SSL_CIPHER_freefunc freefunc);
int sk_SSL_CIPHER_insert(struct stack_st_SSL_CIPHER *sk, const SSL_CIPHER *ptr, int idx);
const SSL_CIPHER *sk_SSL_CIPHER_set(struct stack_st_SSL_CIPHER *sk, int idx, const SSL_CIPHER *ptr);
int sk_SSL_CIPHER_find(struct stack_st_SSL_CIPHER *sk, const SSL_CIPHER *ptr);
int sk_SSL_CIPHER_find_ex(struct stack_st_SSL_CIPHER *sk, const SSL_CIPHER *ptr);
#if HAVE_API_3_0
int sk_SSL_CIPHER_find_all(struct stack_st_SSL_CIPHER *sk, const SSL_CIPHER *ptr, int *pnum);
#endif
void sk_SSL_CIPHER_sort(struct stack_st_SSL_CIPHER *sk);
int sk_SSL_CIPHER_is_sorted(const struct stack_st_SSL_CIPHER *sk);
struct stack_st_SSL_CIPHER *sk_SSL_CIPHER_dup(const struct stack_st_SSL_CIPHER *sk);
struct stack_st_SSL_CIPHER *sk_SSL_CIPHER_deep_copy(const struct stack_st_SSL_CIPHER *sk, sk_SSL_CIPHER_copyfunc copyfunc, sk_SSL_CIPHER_freefunc freefunc);
sk_SSL_CIPHER_compfunc sk_SSL_CIPHER_set_cmp_func(struct stack_st_SSL_CIPHER *sk, sk_SSL_CIPHER_compfunc compare);

typedef int (*sk_SSL_COMP_compfunc)(const SSL_COMP *const *a, const SSL_COMP *const *b);
typedef void (*sk_SSL_COMP_freefunc)(SSL_COMP *a);
typedef SSL_COMP *(*sk_SSL_COMP_copyfunc)(const SSL_COMP *a);
int sk_SSL_COMP_num(const struct stack_st_SSL_COMP *sk);
SSL_COMP *sk_SSL_COMP_value(const struct stack_st_SSL_COMP *sk, int idx);
struct stack_st_SSL_COMP *sk_SSL_COMP_new(sk_SSL_COMP_compfunc compare);
struct stack_st_SSL_COMP *sk_SSL_COMP_new_null(void);
struct stack_st_SSL_COMP *sk_SSL_COMP_new_reserve(sk_SSL_COMP_compfunc compare, int n);
int sk_SSL_COMP_reserve(struct stack_st_SSL_COMP *sk, int n);
void sk_SSL_COMP_free(struct stack_st_SSL_COMP *sk);
void sk_SSL_COMP_zero(struct stack_st_SSL_COMP *sk);
SSL_COMP *sk_SSL_COMP_delete(struct stack_st_SSL_COMP *sk, int i);
SSL_COMP *sk_SSL_COMP_delete_ptr(struct stack_st_SSL_COMP *sk, SSL_COMP *ptr);
int sk_SSL_COMP_push(struct stack_st_SSL_COMP *sk, SSL_COMP *ptr);
int sk_SSL_COMP_unshift(struct stack_st_SSL_COMP *sk, SSL_COMP *ptr);
SSL_COMP *sk_SSL_COMP_pop(struct stack_st_SSL_COMP *sk);
SSL_COMP *sk_SSL_COMP_shift(struct stack_st_SSL_COMP *sk);
void sk_SSL_COMP_pop_free(struct stack_st_SSL_COMP *sk, sk_SSL_COMP_freefunc freefunc);
int sk_SSL_COMP_insert(struct stack_st_SSL_COMP *sk, SSL_COMP *ptr, int idx);
SSL_COMP *sk_SSL_COMP_set(struct stack_st_SSL_COMP *sk, int idx, SSL_COMP *ptr);
int sk_SSL_COMP_find(struct stack_st_SSL_COMP *sk, SSL_COMP *ptr);
int sk_SSL_COMP_find_ex(struct stack_st_SSL_COMP *sk, SSL_COMP *ptr);
#if HAVE_API_3_0
int sk_SSL_COMP_find_all(struct stack_st_SSL_COMP *sk, SSL_COMP *ptr, int *pnum);
#endif
void sk_SSL_COMP_sort(struct stack_st_SSL_COMP *sk);
int sk_SSL_COMP_is_sorted(const struct stack_st_SSL_COMP *sk);
struct stack_st_SSL_COMP *sk_SSL_COMP_dup(const struct stack_st_SSL_COMP *sk);
struct stack_st_SSL_COMP *sk_SSL_COMP_deep_copy(const struct stack_st_SSL_COMP *sk, sk_SSL_COMP_copyfunc copyfunc, sk_SSL_COMP_freefunc freefunc);
sk_SSL_COMP_compfunc sk_SSL_COMP_set_cmp_func(struct stack_st_SSL_COMP *sk, sk_SSL_COMP_compfunc compare);

typedef int (*sk_SRTP_PROTECTION_PROFILE_compfunc)(const SRTP_PROTECTION_PROFILE *const *a, const SRTP_PROTECTION_PROFILE *const *b);
typedef void (*sk_SRTP_PROTECTION_PROFILE_freefunc)(SRTP_PROTECTION_PROFILE *a);
typedef SRTP_PROTECTION_PROFILE *(*sk_SRTP_PROTECTION_PROFILE_copyfunc)(const SRTP_PROTECTION_PROFILE *a);
int sk_SRTP_PROTECTION_PROFILE_num(const struct stack_st_SRTP_PROTECTION_PROFILE *sk);
SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_value(const struct stack_st_SRTP_PROTECTION_PROFILE *sk, int idx);
struct stack_st_SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_new(sk_SRTP_PROTECTION_PROFILE_compfunc compare);
struct stack_st_SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_new_null(void);
struct stack_st_SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_new_reserve(sk_SRTP_PROTECTION_PROFILE_compfunc compare, int n);
int sk_SRTP_PROTECTION_PROFILE_reserve(struct stack_st_SRTP_PROTECTION_PROFILE *sk, int n);
void sk_SRTP_PROTECTION_PROFILE_free(struct stack_st_SRTP_PROTECTION_PROFILE *sk);
void sk_SRTP_PROTECTION_PROFILE_zero(struct stack_st_SRTP_PROTECTION_PROFILE *sk);
SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_delete(struct stack_st_SRTP_PROTECTION_PROFILE *sk, int i);
SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_delete_ptr(struct stack_st_SRTP_PROTECTION_PROFILE *sk, SRTP_PROTECTION_PROFILE *ptr);
int sk_SRTP_PROTECTION_PROFILE_push(struct stack_st_SRTP_PROTECTION_PROFILE *sk, SRTP_PROTECTION_PROFILE *ptr);
int sk_SRTP_PROTECTION_PROFILE_unshift(struct stack_st_SRTP_PROTECTION_PROFILE *sk, SRTP_PROTECTION_PROFILE *ptr);
SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_pop(struct stack_st_SRTP_PROTECTION_PROFILE *sk);
SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_shift(struct stack_st_SRTP_PROTECTION_PROFILE *sk);
void sk_SRTP_PROTECTION_PROFILE_pop_free(struct stack_st_SRTP_PROTECTION_PROFILE *sk, sk_SRTP_PROTECTION_PROFILE_freefunc freefunc);
int sk_SRTP_PROTECTION_PROFILE_insert(struct stack_st_SRTP_PROTECTION_PROFILE *sk, SRTP_PROTECTION_PROFILE *ptr, int idx);
SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_set(struct stack_st_SRTP_PROTECTION_PROFILE *sk, int idx, SRTP_PROTECTION_PROFILE *ptr);
int sk_SRTP_PROTECTION_PROFILE_find(struct stack_st_SRTP_PROTECTION_PROFILE *sk, SRTP_PROTECTION_PROFILE *ptr);
int sk_SRTP_PROTECTION_PROFILE_find_ex(struct stack_st_SRTP_PROTECTION_PROFILE *sk, SRTP_PROTECTION_PROFILE *ptr);
#if HAVE_API_3_0
int sk_SRTP_PROTECTION_PROFILE_find_all(struct stack_st_SRTP_PROTECTION_PROFILE *sk, SRTP_PROTECTION_PROFILE *ptr, int *pnum);
#endif
void sk_SRTP_PROTECTION_PROFILE_sort(struct stack_st_SRTP_PROTECTION_PROFILE *sk);
int sk_SRTP_PROTECTION_PROFILE_is_sorted(const struct stack_st_SRTP_PROTECTION_PROFILE *sk);
struct stack_st_SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_dup(const struct stack_st_SRTP_PROTECTION_PROFILE *sk);
struct stack_st_SRTP_PROTECTION_PROFILE *sk_SRTP_PROTECTION_PROFILE_deep_copy(const struct stack_st_SRTP_PROTECTION_PROFILE *sk, sk_SRTP_PROTECTION_PROFILE_copyfunc copyfunc, sk_SRTP_PROTECTION_PROFILE_freefunc freefunc);
sk_SRTP_PROTECTION_PROFILE_compfunc sk_SRTP_PROTECTION_PROFILE_set_cmp_func(struct stack_st_SRTP_PROTECTION_PROFILE *sk, sk_SRTP_PROTECTION_PROFILE_compfunc compare);

int sk_OPENSSL_CSTRING_num(const struct stack_st_OPENSSL_CSTRING *sk);
const char *sk_OPENSSL_CSTRING_value(const struct stack_st_OPENSSL_CSTRING *sk, int idx);
struct stack_st_OPENSSL_CSTRING *sk_OPENSSL_CSTRING_new_null(void);
void sk_OPENSSL_CSTRING_free(struct stack_st_OPENSSL_CSTRING *sk);

struct stack_st_X509_NAME *sk_X509_NAME_new_null(void);
int sk_X509_NAME_push(struct stack_st_X509_NAME *stack, X509_NAME *name);
int sk_X509_NAME_num(const struct stack_st_X509_NAME *stack);
X509_NAME *sk_X509_NAME_value(const struct stack_st_X509_NAME *stack, int index);
void sk_X509_NAME_free(struct stack_st_X509_NAME *stack);
X509_NAME *sk_X509_NAME_pop(struct stack_st_X509_NAME *stack);
