/* The bodies of the methods: each makes a call of hot_calls.h, and the result of the method. */

/* What the caller gets for a result that is not a number of bytes. */
static PyObject *unfinished(PyObject *self, long long result, PyObject *operation)
{
    PyObject *number = PyLong_FromLongLong(result), *answer;

    if (number == NULL)
        return NULL;
    answer = PyObject_CallMethodObjArgs(self, _unfinished, number, operation, NULL);
    Py_DECREF(number);
    return answer;
}

/* The connection of an object; NULL: an exception is set, because its __init__ has not been called. */
static pyossl_connection *connection_of(PyObject *self)
{
    pyossl_connection *connection = __atomic_load_n(&((Methods *)self)->connection, __ATOMIC_ACQUIRE);

    if (connection == NULL)
        PyErr_SetString(PyExc_AttributeError, "this object has no connection: its __init__ was not called");
    return connection;
}

/* Begins a call of OpenSSL for `size` bytes.  The result is for `end`.
 *
 * In a subinterpreter a callback runs with another thread state, and takes the GIL for it: a call that kept the GIL
 * would wait for ever. */
static PyThreadState *begin(pyossl_connection *connection, size_t size)
{
#ifdef Py_GIL_DISABLED
    (void)connection;
    (void)size;
#else
    if (PyGILState_GetThisThreadState() == PyThreadState_Get() && calls->begin_short(connection, size))
        return NULL;
#endif
    return PyEval_SaveThread();
}

static void end(pyossl_connection *connection, PyThreadState *released)
{
    if (released == NULL)
        calls->end_short(connection);
    else
        PyEval_RestoreThread(released);
}

/* `result`, of a method that has moved bytes.  If it is NULL, an exception hides these bytes from the program, and nothing
 * may follow them: the connection fails. */
static PyObject *or_fail(pyossl_connection *connection, PyObject *result)
{
    if (result == NULL) {
        PyThreadState *released = PyEval_SaveThread();
        calls->fail_with_lost_bytes(connection);
        PyEval_RestoreThread(released);
    }
    return result;
}

/* Takes the connection's lock; waits for it without the GIL.  0: taken; below 0: the result of the method. */
static long long lock(pyossl_connection *connection)
{
    PyThreadState *released;
    long long result;

    if (calls->try_lock(connection))
        return 0;
    released = PyEval_SaveThread();
    result = calls->lock(connection);
    PyEval_RestoreThread(released);
    return result;
}

/* What is left of a result without PYOSSL_MORE, which sets the attribute `has_more`.  -1: an exception is set. */
static long long without_more(PyObject *self, long long result)
{
    if (result < PYOSSL_MORE)
        return result;
    return PyObject_SetAttr(self, has_more, Py_True) < 0 ? -1 : result & ~PYOSSL_MORE;
}

/* The first bytes in a room, as many as a result says. */
static PyObject *bytes_of(PyObject *self, const Room *room, long long result)
{
    result = without_more(self, result);
    return result < 0 ? NULL : bytes_in(room, (Py_ssize_t)result);
}

/* Reads or peeks at most `size` bytes with `call`.  `ends`: a result of 0, the end, goes to `_unfinished` too. */
static PyObject *read_bytes(PyObject *self, pyossl_read_call *call, Py_ssize_t size, PyObject *operation, int ends)
{
    pyossl_connection *connection = connection_of(self);
    char record[PYOSSL_RECORD];
    PyThreadState *released;
    PyObject *data;
    long long result;
    Room room;

    if (connection == NULL || size < 0
        || open_room(&room, size < PYOSSL_LARGEST_READ ? size : PYOSSL_LARGEST_READ, record) < 0)
        return NULL;
    released = begin(connection, 0);
    result = call(connection, room.bytes, (size_t)room.size);
    end(connection, released);
    if (result < 0 || (result == 0 && ends && size > 0))
        data = unfinished(self, result, operation);
    else
        data = bytes_of(self, &room, result);
    if (result > 0 && operation != peeking)    /* after a peek the bytes are still there */
        or_fail(connection, data);
    close_room(&room);
    return data;
}

/* Reads with `call` into the program's buffer. */
static PyObject *read_into(PyObject *self, pyossl_read_call *call, PyObject *buffer, PyObject *argument, int ends)
{
    pyossl_connection *connection = connection_of(self);
    PyThreadState *released;
    Py_ssize_t size;
    Py_buffer view;
    long long result;

    if (connection == NULL || take_buffer(self, buffer, &view, PyBUF_WRITABLE, _writable) < 0)
        return NULL;
    size = size_to_fill(self, &view, argument);
    if (size < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    released = begin(connection, 0);
    result = call(connection, view.buf, (size_t)size);
    end(connection, released);
    PyBuffer_Release(&view);
    if (result < 0 || (result == 0 && ends && size > 0))
        return unfinished(self, result, reading);
    result = without_more(self, result);
    return or_fail(connection, result < 0 ? NULL : PyLong_FromLongLong(result));
}

/* Writes the program's bytes from `start` on, at most `most` of them, with `call`.  The result is the number of bytes
 * written, and `size` that of the program's; below 0: `*answer` is what the method returns, NULL if an exception is
 * set. */
static long long write_bytes(PyObject *self, pyossl_write_call *call, PyObject *data, Py_ssize_t start, Py_ssize_t most,
                             Py_ssize_t *size, PyObject **answer)
{
    pyossl_connection *connection = connection_of(self);
    PyThreadState *released;
    Py_buffer view;
    long long result;

    *answer = NULL;
    if (connection == NULL || take_buffer(self, data, &view, PyBUF_SIMPLE, _readable) < 0)
        return -1;
    *size = view.len;
    if (start > view.len)
        start = view.len;
    if (view.len - start < most)
        most = view.len - start;
    released = begin(connection, (size_t)most);
    result = call(connection, (char *)view.buf + start, (size_t)most);
    end(connection, released);
    PyBuffer_Release(&view);
    if (result < 0)
        *answer = unfinished(self, result, writing);
    return result;
}

/* As write_bytes; returns the number of bytes as Python's. */
static PyObject *write_and_count(PyObject *self, pyossl_write_call *call, PyObject *data, Py_ssize_t start,
                                 Py_ssize_t most)
{
    PyObject *answer;
    Py_ssize_t size;
    long long result = write_bytes(self, call, data, start, most, &size, &answer);

    return result < 0 ? answer : or_fail(connection_of(self), PyLong_FromLongLong(result));
}

enum {
    LARGE = 4096,         /* from this size on, a record is worth a guess of its size */
    MOST_OVERHEAD = 256    /* the most bytes of a record's overhead, as a rule */
};

/* Passes the program's bytes through OpenSSL: encrypts or decrypts them.  `rest` is the method that gets a result which
 * is not all.
 *
 * A large record is written straight into the object that is returned, which must have the right size before.  So the
 * size is guessed: a record has the overhead of the last one, `*overhead`.  This is the number of bytes that the result
 * has more than `data`; 0: not known.
 *
 * Encrypted bytes never go to the stack: a callback in the call may switch to a greenlet, which has another stack in the
 * same place, and takes them there with data_to_send. */
static PyObject *transfer(PyObject *self, pyossl_transfer_call *call, PyObject *data, int *overhead, PyObject *operation,
                          PyObject *rest)
{
    pyossl_connection *connection = connection_of(self);
    char record[PYOSSL_RECORD];
    PyThreadState *released;
    PyObject *bytes, *all;
    int guess, is_record, fits_record, failed;
    Py_buffer view;
    long long got;
    Room room;

    if (connection == NULL || take_buffer(self, data, &view, PyBUF_SIMPLE, _readable) < 0)
        return NULL;
    is_record = view.len >= LARGE && view.len <= PYOSSL_RECORD + MOST_OVERHEAD;
    guess = is_record ? __atomic_load_n(overhead, __ATOMIC_RELAXED) : 0;
    fits_record = operation == reading && view.len < LARGE;
    failed = guess != 0 ? open_result(&room, view.len + guess)
                        : open_room(&room, fits_record ? PYOSSL_RECORD : PYOSSL_LARGEST_READ, record);
    if (failed) {
        PyBuffer_Release(&view);
        return NULL;
    }
    released = begin(connection, (size_t)view.len);
    got = call(connection, view.buf, (size_t)view.len, room.bytes, (size_t)room.size);
    end(connection, released);
    if (is_record && got > 0) {
        long long difference = got - view.len;
        guess = difference >= -MOST_OVERHEAD && difference <= MOST_OVERHEAD ? (int)difference : 0;
        __atomic_store_n(overhead, guess, __ATOMIC_RELAXED);
    }
    PyBuffer_Release(&view);
    bytes = got < 0 ? unfinished(self, got, operation)
                    : or_fail(connection, bytes_in(&room, (Py_ssize_t)(got & ~PYOSSL_MORE)));
    close_room(&room);
    if (bytes == NULL || got < 0 || (got & PYOSSL_MORE) == 0)
        return bytes;
    all = PyObject_CallMethodObjArgs(self, rest, bytes, NULL);
    Py_DECREF(bytes);
    return or_fail(connection, all);
}

/* Returns at most `most` bytes for the peer; -1: all.  They are taken once there is an object for them. */
static PyObject *take_bytes_to_send(PyObject *self, Py_ssize_t most)
{
    pyossl_connection *connection = connection_of(self);
    PyObject *data = NULL;
    long long result;

    if (connection == NULL)
        return NULL;
    result = lock(connection);
    if (result == 0) {
        result = calls->bytes_to_send(connection);
        if (most >= 0 && result > most)
            result = most;
        if (result >= 0)
            data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)result);
        if (data != NULL)
            result = calls->data_to_send(connection, PyBytes_AsString(data), (size_t)result);
        calls->unlock(connection);
    }
    if (result < 0) {
        Py_XDECREF(data);
        return unfinished(self, result, sending);
    }
    return data;
}

/* Gives bytes of the peer to the connection.  Returns their number; below 0: `*answer` as in write_bytes. */
static Py_ssize_t give_received(PyObject *self, PyObject *data, PyObject **answer)
{
    pyossl_connection *connection = connection_of(self);
    long long result;
    Py_buffer view;

    *answer = NULL;
    if (connection == NULL || take_buffer(self, data, &view, PyBUF_SIMPLE, _readable) < 0)
        return -1;
    result = lock(connection);
    if (result == 0) {
        result = calls->receive_data(connection, view.buf, (size_t)view.len);
        calls->unlock(connection);
    }
    PyBuffer_Release(&view);
    if (result < 0)
        *answer = unfinished(self, result, receiving);
    return result < 0 ? -1 : view.len;
}
