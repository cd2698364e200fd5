/* Room for bytes that a method will return.  Borrowed room is shared by all connections, because most are idle. */

typedef struct {
    char *bytes;
    Py_ssize_t size;
    PyObject *result;      /* the object to return, if `size` is right; NULL: the room is elsewhere */
    int is_borrowed;
} Room;

enum { BORROWED = 8 };

static void *borrowed[BORROWED];

static void *borrow(void)
{
    for (int n = 0; n < BORROWED; n++) {
        void *bytes = __atomic_exchange_n(&borrowed[n], NULL, __ATOMIC_ACQ_REL);
        if (bytes != NULL)
            return bytes;
    }
    return malloc(PYOSSL_LARGEST_READ);
}

static void give_back(void *bytes)
{
    for (int n = 0; n < BORROWED; n++) {
        void *none = NULL;
        if (__atomic_compare_exchange_n(&borrowed[n], &none, bytes, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return;
    }
    free(bytes);
}

/* Room for `size` bytes: `record`, which has PYOSSL_RECORD bytes, or borrowed room.  -1: an exception is set. */
static int open_room(Room *room, Py_ssize_t size, char *record)
{
    *room = (Room){record, size, NULL, size > PYOSSL_RECORD};
    if (room->is_borrowed && (room->bytes = borrow()) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* Room in the object to return, of `size` bytes.  -1: an exception is set. */
static int open_result(Room *room, Py_ssize_t size)
{
    PyObject *result = PyBytes_FromStringAndSize(NULL, size);

    *room = (Room){result == NULL ? NULL : PyBytes_AsString(result), size, result, 0};
    return result == NULL ? -1 : 0;
}

/* The first `size` bytes, as a new reference. */
static PyObject *bytes_in(const Room *room, Py_ssize_t size)
{
    return room->result != NULL && size == room->size ? Py_NewRef(room->result)
                                                        : PyBytes_FromStringAndSize(room->bytes, size);
}

static void close_room(Room *room)
{
    Py_XDECREF(room->result);
    if (room->is_borrowed)
        give_back(room->bytes);
}
