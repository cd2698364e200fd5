/* The frequent methods of `_SSLSocket`: read, write and pending.
 *
 * The timeout is the one that `socket.socket` itself has: a subclass may override gettimeout(), but the descriptor is in
 * the mode that belongs to this one. */

static PyObject *gettimeout;    /* socket.socket.gettimeout; NULL until use_gettimeout */

/* The timeout of a Python socket, in seconds, as timeout_calls.c takes it.  Below -1: an exception is set. */
static double timeout_of(PyObject *socket)
{
    PyObject *timeout = PyObject_CallFunctionObjArgs(gettimeout, socket, NULL);
    double seconds;

    if (timeout == NULL)
        return -2;
    if (timeout == Py_None)
        seconds = -1;
    else if (!PyFloat_Check(timeout) || (seconds = PyFloat_AsDouble(timeout)) < 0)
        seconds = 0;
    Py_DECREF(timeout);
    return seconds;
}

/* Keeps the socket of a connection, if it has one, alive during a call.  -1: an exception is set, because the socket is
 * gone. */
static int hold_socket(SSLSocket *self, PyObject **socket, double *timeout)
{
    PyObject *state;

    *socket = NULL;
    *timeout = 0;
    if ((state = state_of_held((PyObject *)self)) == NULL)
        return -1;
    if (self->socket == NULL)
        return 0;
    *socket = PyObject_CallFunctionObjArgs(self->socket, NULL);
    if (*socket == NULL)
        return -1;
    if (*socket != Py_None && (*timeout = timeout_of(*socket)) >= -1)
        return 0;
    if (*socket == Py_None) {
        PyObject *answer = PyObject_CallMethodObjArgs(state, _socket_gone, NULL);    /* raises */
        Py_XDECREF(answer);
        if (answer != NULL)
            PyErr_SetString(PyExc_SystemError, "_socket_gone has not raised");
    }
    Py_CLEAR(*socket);
    return -1;
}

/* The bodies take the timeout, and give a result below 0 to `failed`, a method of the state. */

static PyObject *failed_in_state(SSLSocket *self, long long result, PyObject *operation, PyObject *failed,
                                 PyObject *caller)
{
    PyObject *state = state_of_held((PyObject *)self), *number, *answer;

    if (state == NULL || (number = PyLong_FromLongLong(result)) == NULL)
        return NULL;
    answer = PyObject_CallMethodObjArgs(state, failed, number, operation, caller, NULL);
    Py_DECREF(number);
    return answer;
}

/* A result below 0, of a method of `_SSLSocket`. */
static PyObject *failed_call(SSLSocket *self, long long result, PyObject *operation)
{
    return failed_in_state(self, result, operation, _unfinished, NULL);
}

/* Reads at most `size` bytes, which is more than 0.  Below 0: `*data` is not set. */
static long long receive_bytes(SSLSocket *self, Py_ssize_t size, double timeout, PyObject **data)
{
    pyossl_connection *connection = self->connection;
    char record[PYOSSL_RECORD];
    PyThreadState *released;
    long long result;
    Room room;

    *data = NULL;
    if (open_room(&room, size < PYOSSL_LARGEST_READ ? size : PYOSSL_LARGEST_READ, record) < 0)
        return 0;
    released = begin(connection, 0);
    result = calls->timeout_read(connection, room.bytes, (size_t)room.size, timeout);
    end(connection, released);
    if (result >= 0) {
        *data = bytes_in(&room, (Py_ssize_t)result);
        if (result > 0)
            or_fail(connection, *data);
    }
    close_room(&room);
    return result;
}

static long long receive_into(SSLSocket *self, void *buffer, Py_ssize_t size, double timeout)
{
    PyThreadState *released = begin(self->connection, 0);
    long long result = calls->timeout_read(self->connection, buffer, (size_t)size, timeout);

    end(self->connection, released);
    return result;
}

static long long send_bytes(SSLSocket *self, const void *data, Py_ssize_t size, double timeout)
{
    PyThreadState *released = begin(self->connection, (size_t)size);
    long long result = calls->timeout_write(self->connection, data, (size_t)size, timeout);

    end(self->connection, released);
    return result;
}

/* The exception for something that cannot be written into. */
static PyObject *refuse_buffer(PyObject *buffer)
{
    PyObject *name = NULL;

    PyErr_Clear();
    name = PyObject_GetAttrString((PyObject *)Py_TYPE(buffer), "__name__");
    if (name != NULL)
        PyErr_Format(PyExc_TypeError, "read() argument 2 must be read-write bytes-like object, not %U", name);
    Py_XDECREF(name);
    return NULL;
}

static PyObject *read_into_buffer(SSLSocket *self, Py_ssize_t size, PyObject *buffer)
{
    PyObject *socket;
    long long result;
    double timeout;
    Py_buffer view;

    if (PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE) < 0)
        return refuse_buffer(buffer);
    if (hold_socket(self, &socket, &timeout) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    if (size <= 0 || size > view.len)
        size = view.len;
    result = size == 0 ? 0 : receive_into(self, view.buf, size, timeout);
    PyBuffer_Release(&view);
    Py_XDECREF(socket);
    return result < 0 ? failed_call(self, result, reading) : or_fail(self->connection, PyLong_FromLongLong(result));
}

static PyObject *connection_type_read(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    PyObject *socket, *data;
    Py_ssize_t size;
    long long result;
    double timeout;

    if (count < 1 || count > 2)
        return PyErr_Format(PyExc_TypeError, "_ssl._SSLSocket.read requires 1 to 2 arguments");
    size = PyNumber_AsSsize_t(given[0], PyExc_OverflowError);
    if (size == -1 && PyErr_Occurred())
        return NULL;
    if (count == 2)
        return read_into_buffer((SSLSocket *)self, size, given[1]);
    if (size < 0)
        return PyErr_Format(PyExc_ValueError, "size should not be negative");
    if (hold_socket((SSLSocket *)self, &socket, &timeout) < 0)
        return NULL;
    if (size == 0) {
        Py_XDECREF(socket);
        return PyBytes_FromStringAndSize(NULL, 0);
    }
    result = receive_bytes((SSLSocket *)self, size, timeout, &data);
    Py_XDECREF(socket);
    return result < 0 ? failed_call((SSLSocket *)self, result, reading) : data;
}

static PyObject *connection_type_write(PyObject *self, PyObject *data)
{
    PyObject *socket;
    long long result;
    double timeout;
    Py_buffer view;

    if (get_buffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    if (hold_socket((SSLSocket *)self, &socket, &timeout) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    result = send_bytes((SSLSocket *)self, view.buf, view.len, timeout);
    PyBuffer_Release(&view);
    Py_XDECREF(socket);
    return result < 0 ? failed_call((SSLSocket *)self, result, writing)
                      : or_fail(((SSLSocket *)self)->connection, PyLong_FromLongLong(result));
}

static PyObject *connection_type_pending(PyObject *self, PyObject *nothing)
{
    SSLSocket *socket = (SSLSocket *)self;
    PyThreadState *released;
    long long result;

    (void)nothing;
    if (state_of_held(self) == NULL)
        return NULL;
    released = PyEval_SaveThread();
    result = calls->bytes_pending(socket->connection);
    PyEval_RestoreThread(released);
    return result < 0 ? failed_call(socket, result, reading) : PyLong_FromLongLong(result);
}

static PyMethodDef connection_calls[] = {
    {"read", (PyCFunction)(void (*)(void))connection_type_read, METH_FASTCALL,
     "read(size, [buffer])\nReads up to ``size`` bytes: returns them, or their number if it has put them into ``buffer``."},
    {"write", connection_type_write, METH_O, DOC("write($self, b, /)", "Sends bytes, and returns their number.")},
    {"pending", connection_type_pending, METH_NOARGS,
     DOC("pending($self, /)", "Returns the number of decrypted bytes that can be read at once.")},
    {NULL, NULL, 0, NULL},
};

/* The arguments: the state, cffi's pointer, its address, the Python socket or None, the MemoryBIOs or None. */
static PyObject *new_ssl_socket(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    PyObject *state, *pointer, *socket, *incoming, *outgoing, *self;
    SSLSocket *connection;
    void *address;

    (void)module;
    if (count != 6)
        return PyErr_Format(PyExc_TypeError, "new_ssl_socket takes 6 arguments (%zd given)", count);
    state = given[0];
    pointer = given[1];
    socket = given[3];
    incoming = given[4];
    outgoing = given[5];
    address = PyLong_AsVoidPtr(given[2]);
    if (address == NULL && PyErr_Occurred())
        return NULL;
    if (connection_type == NULL || gettimeout == NULL || address == NULL)
        return PyErr_Format(PyExc_RuntimeError, "ssl_types has not been called, or there is no connection");
    self = new_held(connection_type, state);
    if (self == NULL)
        return NULL;
    connection = (SSLSocket *)self;
    connection->pointer = Py_NewRef(pointer);
    connection->connection = address;
    if (socket != Py_None && (connection->socket = PyWeakref_NewRef(socket, NULL)) == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    connection->socket_address = socket == Py_None ? NULL : socket;
    if (incoming != Py_None)
        connection->incoming = Py_NewRef(incoming);
    if (outgoing != Py_None)
        connection->outgoing = Py_NewRef(outgoing);
    if (set_back(self, state, owner_object) < 0)
        Py_CLEAR(self);
    return self;
}
