/* The frequent methods of the Connection of the pyOpenSSL face. */

/* The program's argument, or, with a warning, the bytes of a str. */
static PyObject *bytes_or_text(PyObject *self, PyObject *data)
{
    return PyUnicode_Check(data) ? PyObject_CallMethodObjArgs(self, _bytes_of_text, data, NULL) : Py_NewRef(data);
}

static PyObject *face_recv(ARGUMENTS)
{
    static const Signature signature = {"recv", 1, {"bufsiz", "flags"}};
    TAKE(signature);
    if (has_flags(values[1]))
        return PyObject_CallMethodObjArgs(self, _recv_with_flags, values[0], values[1], NULL);
    return read_bytes(self, calls->read, size_from(self, values[0]), reading, 1);
}

/* The result of len(); -1: there is none; -2: an exception is set, for example that of a signal's handler. */
static Py_ssize_t length_of(PyObject *object)
{
    Py_ssize_t length = PyObject_Size(object);

    if (length >= 0)
        return length;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -2;
    PyErr_Clear();
    return -1;
}

/* Whether bytes can be read straight into the buffer: into a bytearray, or a memoryview of single bytes.  One that
 * cannot be written is refused before any bytes are read. */
static int is_plain_buffer(PyObject *buffer)
{
    Py_buffer view;
    int is_plain;

    if (!PyMemoryView_Check(buffer))
        return PyByteArray_CheckExact(buffer);
    if (PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE) != 0) {
        PyErr_Clear();
        return 1;
    }
    is_plain = view.len == length_of(buffer);
    PyBuffer_Release(&view);
    return is_plain;
}

static PyObject *face_recv_into(ARGUMENTS)
{
    static const Signature signature = {"recv_into", 1, {"buffer", "nbytes", "flags"}};
    PyObject *size, *flags;
    Py_ssize_t most = 1;
    TAKE(signature);
    size = values[1] == NULL ? Py_None : values[1];
    flags = values[2] == NULL ? Py_None : values[2];
    if (size != Py_None)
        most = plain_number(size);
    if (flags != Py_None || most <= 0 || !is_plain_buffer(values[0]))
        return PyObject_CallMethodObjArgs(self, _recv_into_unusual, values[0], size, flags, NULL);
    return read_into(self, calls->read, values[0], most < length_of(values[0]) ? size : Py_None, 1);
}

/* Writes at most `most` bytes of the program's argument. */
static PyObject *write_bytes_or_text(PyObject *self, PyObject *argument, Py_ssize_t most)
{
    PyObject *data = bytes_or_text(self, argument), *answer;

    if (data == NULL)
        return NULL;
    answer = write_and_count(self, calls->write, data, 0, most);
    Py_DECREF(data);
    return answer;
}

static PyObject *face_send(ARGUMENTS)
{
    static const Signature signature = {"send", 1, {"buf", "flags"}};
    Py_ssize_t length;
    TAKE(signature);
    length = length_of(values[0]);
    if (length == -2)
        return NULL;
    if (length > INT_MAX)
        return PyErr_Format(PyExc_ValueError, "Cannot send more than 2**31-1 bytes at once.");
    return write_bytes_or_text(self, values[0], PYOSSL_RECORD);
}

static PyObject *face_sendall(ARGUMENTS)
{
    static const Signature signature = {"sendall", 1, {"buf", "flags"}};
    TAKE(signature);
    return write_bytes_or_text(self, values[0], PY_SSIZE_T_MAX);
}

static PyObject *face_bio_read(ARGUMENTS)
{
    static const Signature signature = {"bio_read", 1, {"bufsiz"}};
    PyObject *data;
    Py_ssize_t most;
    TAKE(signature);
    if ((most = number_from(self, values[0], _size_to_send)) < 0)
        return NULL;
    data = take_bytes_to_send(self, most);
    if (data == NULL || PyBytes_Size(data) > 0)
        return data;
    Py_DECREF(data);
    return unfinished(self, 0, sending);
}

static PyObject *face_bio_write(ARGUMENTS)
{
    static const Signature signature = {"bio_write", 1, {"buf"}};
    PyObject *data, *answer = NULL;
    Py_ssize_t taken, length;
    TAKE(signature);
    if ((data = bytes_or_text(self, values[0])) == NULL)
        return NULL;
    length = length_of(data);
    if (length == 0) {    /* an empty one would be the end of the peer's bytes */
        answer = unfinished(self, 0, receiving);
    } else if (length != -2) {
        taken = give_received(self, data, &answer);
        if (taken >= 0)
            answer = or_fail(connection_of(self), PyLong_FromSsize_t(taken));
    }
    Py_DECREF(data);
    return answer;
}

static PyMethodDef face_methods[] = {
    METHOD("recv", face_recv),
    METHOD("recv_into", face_recv_into),
    METHOD("send", face_send),
    METHOD("sendall", face_sendall),
    METHOD("bio_read", face_bio_read),
    METHOD("bio_write", face_bio_write),
    {NULL, NULL, 0, NULL},
};
