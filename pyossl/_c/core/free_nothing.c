/* What is borrowed: it is kept by what it is in, and nothing is freed. */
static void pyossl_free_nothing(void *pointer)
{
    (void)pointer;
}
