/* The thread's error queue: its entries are copied, removed and put back.
 *
 * The texts of an entry belong to the queue, and the next error overwrites them: they are copied at once.  Texts that
 * are too long are cut.  No text needs to end with a NUL. */

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

/* Empties the queue into `records`, oldest entry first; returns their number.  Entries without room are dropped. */
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

/* ERR_clear_error(3) visits all sixteen entries of the queue; a test for emptiness first is a tenth of the work. */
static void pyossl_clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static void pyossl_put_error(const pyossl_record *record)
{
    pyossl_raise(ERR_GET_LIB(record->code), ERR_GET_REASON(record->code), record->file, record->line, record->function,
                 record->code >> 12 & 0xfff, record->data);
}

/* A callback runs during a call that may already have put errors into the queue, and the Python code of the callback
 * may empty the queue.  So the entries are set aside during the callback and put back after it: SSL_get_error(3) tests
 * whether the queue is empty. */
typedef struct {
    int count;
    pyossl_record records[16];
} pyossl_aside;

static pyossl_aside *pyossl_set_aside(void)
{
    pyossl_aside *aside = ERR_peek_error() == 0 ? NULL : malloc(sizeof(*aside));
    if (aside != NULL)
        aside->count = pyossl_take_errors(aside->records, 16);
    return aside;
}

static void pyossl_put_back(pyossl_aside *aside)
{
    pyossl_clear_errors();
    for (int n = 0; aside != NULL && n < aside->count; n++)
        pyossl_put_error(&aside->records[n]);
    free(aside);
}
