/* The arguments of a call: what is of the plain kind is taken here, everything else by a method in Python. */

enum { MOST_ARGUMENTS = 3 };

typedef struct {
    const char *function;
    int needed;
    const char *names[MOST_ARGUMENTS + 1];
} Signature;

/* Sorts a call's arguments into `values`, by the signature's names; NULL for one that is not given.  -1: an exception
 * is set. */
static int take_arguments(const Signature *signature, PyObject *const *given, Py_ssize_t count, PyObject *keywords,
                          PyObject **values)
{
    Py_ssize_t named = keywords == NULL ? 0 : PyTuple_Size(keywords);
    int most = 0;

    while (signature->names[most] != NULL)
        values[most++] = NULL;
    if (count > most) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d arguments (%zd given)", signature->function, most, count);
        return -1;
    }
    for (Py_ssize_t n = 0; n < count; n++)
        values[n] = given[n];
    for (Py_ssize_t n = 0; n < named; n++) {
        PyObject *keyword = PyTuple_GetItem(keywords, n);
        int at = 0;

        while (at < most && PyUnicode_CompareWithASCIIString(keyword, signature->names[at]) != 0)
            at++;
        if (at == most || values[at] != NULL) {
            PyErr_Format(PyExc_TypeError,
                         at == most ? "%s() got an unexpected keyword argument '%U'"
                                    : "%s() got multiple values for argument '%U'",
                         signature->function, keyword);
            return -1;
        }
        values[at] = given[count + n];
    }
    for (int n = 0; n < signature->needed; n++) {
        if (values[n] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s' (pos %d)", signature->function,
                         signature->names[n], n + 1);
            return -1;
        }
    }
    return 0;
}

/* A number from 0 on that is an int; below 0: it is something else, and no exception is set. */
static Py_ssize_t plain_number(PyObject *argument)
{
    Py_ssize_t number = PyLong_Check(argument) ? PyLong_AsSsize_t(argument) : -1;

    if (number == -1)
        PyErr_Clear();
    return number;
}

/* As plain_number, after `method` has looked at a number of another kind; below 0: an exception may be set. */
static Py_ssize_t number_from(PyObject *self, PyObject *argument, PyObject *method)
{
    Py_ssize_t number = plain_number(argument);
    PyObject *plain;

    if (number >= 0)
        return number;
    plain = PyObject_CallMethodObjArgs(self, method, argument, NULL);
    if (plain == NULL)
        return -1;
    number = PyLong_AsSsize_t(plain);
    Py_DECREF(plain);
    return number;
}

/* The number of bytes to read: a record's if it is not given.  Below 0: an exception is set. */
static Py_ssize_t size_from(PyObject *self, PyObject *argument)
{
    return argument == NULL ? PYOSSL_RECORD : number_from(self, argument, _size_to_read);
}

/* Whether `flags` are given, and are not the number 0 or None. */
static int has_flags(PyObject *flags)
{
    return flags != NULL && flags != Py_None && plain_number(flags) != 0;
}

/* As PyObject_GetBuffer. */
static int get_buffer(PyObject *argument, Py_buffer *view, int flags)
{
    if (PyBytes_CheckExact(argument) && flags == PyBUF_SIMPLE) {    /* it is immutable, and the caller has it */
        view->obj = NULL;
        view->buf = PyBytes_AsString(argument);
        view->len = PyBytes_Size(argument);
        return 0;
    }
    return PyObject_GetBuffer(argument, view, flags);
}

/* Takes hold of the memory of an argument.  -1: an exception is set, by `method` if the argument has none. */
static int take_buffer(PyObject *self, PyObject *argument, Py_buffer *view, int flags, PyObject *method)
{
    PyObject *answer;

    if (get_buffer(argument, view, flags) == 0)
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_BufferError)
        && !PyErr_ExceptionMatches(PyExc_ValueError))
        return -1;
    PyErr_Clear();
    answer = PyObject_CallMethodObjArgs(self, method, argument, NULL);
    if (answer != NULL) {
        Py_DECREF(answer);
        PyErr_SetString(PyExc_TypeError, "a buffer is needed, and this object gives none now");
    }
    return -1;
}

/* How many bytes of `view` are to be filled; `size` is the program's, NULL or None or 0 for all.  Below 0: an exception
 * is set. */
static Py_ssize_t size_to_fill(PyObject *self, const Py_buffer *view, PyObject *size)
{
    Py_ssize_t number;
    PyObject *room, *plain;

    if (size == NULL || size == Py_None || (number = plain_number(size)) == 0)
        return view->len;
    if (number > 0 && number <= view->len)
        return number;
    room = PyLong_FromSsize_t(view->len);
    plain = room == NULL ? NULL : PyObject_CallMethodObjArgs(self, _size_in_buffer, size, room, NULL);
    Py_XDECREF(room);
    if (plain == NULL)
        return -1;
    number = PyLong_AsSsize_t(plain);
    Py_DECREF(plain);
    if (number > view->len) {    /* a subclass has replaced the method */
        PyErr_SetString(PyExc_ValueError, "the size is larger than the buffer");
        return -1;
    }
    return number == 0 ? view->len : number;
}

/* The arguments of a method, and its beginning: `values` has them in the order of the signature. */
#define ARGUMENTS PyObject *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords
#define TAKE(signature) \
    PyObject *values[MOST_ARGUMENTS]; \
    if (take_arguments(&(signature), given, count, keywords, values) < 0) \
        return NULL
