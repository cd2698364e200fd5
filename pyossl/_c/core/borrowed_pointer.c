/* The destructor of a borrowed pointer, whose owner is kept instead: it frees nothing. */
static void pyossl_free_nothing(void *pointer)
{
    (void)pointer;
}
