/* The thread's error queue, emptied into memory of our own.
 *
 * OpenSSL's entries point into the queue and are overwritten by the next error, so that they are copied at once.
 * Texts that are too long are cut; nothing here relies on a NUL that OpenSSL does not promise. */

typedef struct {
    unsigned long code;
    int line;
    char file[128];
    char function[80];
    char data[512];
} pyossl_record;

static void pyossl_copy(char *target, size_t size, const char *source)
{
    size_t length = source == NULL ? 0 : strnlen(source, size - 1);
    if (length > 0)
        memcpy(target, source, length);
    target[length] = '\0';
}

/* Empties the queue; returns how many entries, oldest first, went into `records`.  What finds no room is dropped. */
static int pyossl_take_errors(pyossl_record *records, int room)
{
    const char *file, *function, *data;
    int line, flags, count = 0;
    unsigned long code;

    while ((code = ERR_get_error_all(&file, &line, &function, &data, &flags)) != 0) {
        if (count == room)
            continue;
        records[count].code = code;
        records[count].line = line;
        pyossl_copy(records[count].file, sizeof(records[count].file), file);
        pyossl_copy(records[count].function, sizeof(records[count].function), function);
        pyossl_copy(records[count].data, sizeof(records[count].data), flags & ERR_TXT_STRING ? data : NULL);
        count++;
    }
    return count;
}

/* ERR_clear_error(3) walks all sixteen slots of the queue; asking first is a tenth of the work. */
static void pyossl_clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}
