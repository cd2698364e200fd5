/* recv, recv_into, send and sendall of ssl.py's SSLSocket, each in one call of C.
 *
 * They are put onto the class that ssl.py has made.  Each does the plain case: an object of exactly that class, which has
 * a connection of pyossl's, and plain arguments.  Anything else goes to ssl.py's own method, which is kept, so that
 * subclasses, flags, odd arguments and sockets without TLS are treated as the running Python does it.
 *
 * ssl.py may be executed again, and makes another class then.  Objects of the first class go on with its own methods. */

static PyTypeObject *socket_class;       /* the class that has got the methods last */
static PyObject *replaced_methods;       /* of each class that has got them: class -> its own methods */

enum { RECV, RECV_INTO, SEND, SENDALL, REPLACED };

/* Calls ssl.py's own method: that of the first class in the order of inheritance. */
static PyObject *call_replaced(PyObject *self, int which, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    PyObject *order = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "__mro__"), *methods = NULL;
    PyObject *arguments = NULL, *named = NULL, *answer = NULL;
    Py_ssize_t names = keywords == NULL ? 0 : PyTuple_Size(keywords);

    for (Py_ssize_t n = 0; order != NULL && methods == NULL && n < PyTuple_Size(order); n++)
        methods = PyDict_GetItemWithError(replaced_methods, PyTuple_GetItem(order, n));
    Py_XINCREF(methods);
    if (methods != NULL && (arguments = PyTuple_New(count + 1)) != NULL) {
        PyTuple_SetItem(arguments, 0, Py_NewRef(self));
        for (Py_ssize_t n = 0; n < count; n++)
            PyTuple_SetItem(arguments, n + 1, Py_NewRef(given[n]));
        named = names == 0 ? NULL : PyDict_New();
        for (Py_ssize_t n = 0; named != NULL && n < names; n++) {
            if (PyDict_SetItem(named, PyTuple_GetItem(keywords, n), given[count + n]) < 0)
                Py_CLEAR(named);
        }
        if (names == 0 || named != NULL)
            answer = PyObject_Call(PyTuple_GetItem(methods, which), arguments, named);
    } else if (methods == NULL && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "this is no socket of ssl's");
    }
    Py_XDECREF(order);
    Py_XDECREF(methods);
    Py_XDECREF(arguments);
    Py_XDECREF(named);
    return answer;
}

/* The connection of an object of exactly the class; a new reference.  NULL: it has another one, or none; no exception is
 * set. */
static SSLSocket *plain_connection(PyObject *self)
{
    PyObject *connection;

    if (Py_TYPE(self) != socket_class)
        return NULL;
    connection = PyObject_GetAttr(self, _sslobj);
    if (connection != NULL && Py_TYPE(connection) == connection_type
        && ((SSLSocket *)connection)->socket_address == self && ((Held *)connection)->state != NULL)
        return (SSLSocket *)connection;
    Py_XDECREF(connection);
    PyErr_Clear();
    return NULL;
}

/* As take_arguments, and whether the flags, the last of them, are 0; 0: ssl.py's own method looks at the arguments. */
static int take_plain(const Signature *signature, PyObject *const *given, Py_ssize_t count, PyObject *keywords,
                      PyObject **values, int flags)
{
    if (take_arguments(signature, given, count, keywords, values) < 0) {
        PyErr_Clear();
        return 0;
    }
    return values[flags] == NULL || (PyLong_CheckExact(values[flags]) && plain_number(values[flags]) == 0);
}

#define REPLACE(which) \
    do { \
        Py_XDECREF((PyObject *)connection); \
        return call_replaced(self, which, given, count, keywords); \
    } while (0)

static PyObject *ssl_recv(ARGUMENTS)
{
    static const Signature signature = {"recv", 0, {"buflen", "flags"}};
    SSLSocket *connection = plain_connection(self);
    PyObject *values[MOST_ARGUMENTS], *data;
    Py_ssize_t size = 1024;
    long long result;
    double timeout;

    if (connection == NULL || !take_plain(&signature, given, count, keywords, values, 1)
        || (values[0] != NULL && (size = plain_number(values[0])) <= 0))
        REPLACE(RECV);
    if ((timeout = timeout_of(self)) < -1)
        data = NULL;
    else if ((result = receive_bytes(connection, size, timeout, &data)) < 0)
        data = failed_in_state(connection, result, reading, _failed_recv, self);
    Py_DECREF((PyObject *)connection);
    return data;
}

/* ssl.py counts the items of some buffers, and their bytes in newer releases: here are only those of bytes. */
static PyObject *ssl_recv_into(ARGUMENTS)
{
    static const Signature signature = {"recv_into", 1, {"buffer", "nbytes", "flags"}};
    SSLSocket *connection = plain_connection(self);
    PyObject *values[MOST_ARGUMENTS], *answer;
    Py_ssize_t size = 0;
    long long result;
    double timeout;
    Py_buffer view;

    if (connection == NULL || !take_plain(&signature, given, count, keywords, values, 2)
        || (values[1] != NULL && values[1] != Py_None && (size = plain_number(values[1])) < 0)
        || !(PyByteArray_CheckExact(values[0]) || Py_TYPE(values[0]) == &PyMemoryView_Type))
        REPLACE(RECV_INTO);
    if (PyObject_GetBuffer(values[0], &view, PyBUF_WRITABLE) < 0) {
        PyErr_Clear();
        REPLACE(RECV_INTO);
    }
    if (view.itemsize != 1 || view.len == 0) {
        PyBuffer_Release(&view);
        REPLACE(RECV_INTO);
    }
    if (size == 0 || size > view.len)
        size = view.len;
    timeout = timeout_of(self);
    result = timeout < -1 ? -1 : receive_into(connection, view.buf, size, timeout);
    PyBuffer_Release(&view);
    if (timeout < -1)
        answer = NULL;
    else if (result < 0)
        answer = failed_in_state(connection, result, reading, _failed_recv_into, self);
    else
        answer = or_fail(connection->connection, PyLong_FromLongLong(result));
    Py_DECREF((PyObject *)connection);
    return answer;
}

static PyObject *ssl_send(ARGUMENTS)
{
    static const Signature signature = {"send", 1, {"data", "flags"}};
    SSLSocket *connection = plain_connection(self);
    PyObject *values[MOST_ARGUMENTS], *answer;
    long long result;
    double timeout;

    if (connection == NULL || !take_plain(&signature, given, count, keywords, values, 1)
        || !PyBytes_CheckExact(values[0]))
        REPLACE(SEND);
    timeout = timeout_of(self);
    if (timeout < -1)
        answer = NULL;
    else if ((result = send_bytes(connection, PyBytes_AsString(values[0]), PyBytes_Size(values[0]), timeout)) < 0)
        answer = failed_in_state(connection, result, writing, _unfinished, NULL);
    else
        answer = or_fail(connection->connection, PyLong_FromLongLong(result));
    Py_DECREF((PyObject *)connection);
    return answer;
}

static PyObject *ssl_sendall(ARGUMENTS)
{
    static const Signature signature = {"sendall", 1, {"data", "flags"}};
    SSLSocket *connection = plain_connection(self);
    PyObject *values[MOST_ARGUMENTS], *answer = Py_None;
    double timeout = 0;
    Py_buffer view;

    if (connection == NULL || !take_plain(&signature, given, count, keywords, values, 1))
        REPLACE(SENDALL);
    if (get_buffer(values[0], &view, PyBUF_SIMPLE) < 0) {
        PyErr_Clear();
        REPLACE(SENDALL);
    }
    for (Py_ssize_t sent = 0; answer == Py_None && sent < view.len && (timeout = timeout_of(self)) >= -1;) {
        long long result = send_bytes(connection, (char *)view.buf + sent, view.len - sent, timeout);
        if (result < 0)
            answer = failed_in_state(connection, result, writing, _unfinished, NULL);
        else
            sent += (Py_ssize_t)result;
    }
    PyBuffer_Release(&view);
    Py_DECREF((PyObject *)connection);
    if (timeout < -1 || answer == NULL)
        return NULL;
    return answer == Py_None ? Py_NewRef(answer) : answer;
}

static PyMethodDef replacing_methods[REPLACED] = {
    METHOD("recv", ssl_recv), METHOD("recv_into", ssl_recv_into), METHOD("send", ssl_send),
    METHOD("sendall", ssl_sendall),
};

/* Puts the methods onto a class.  The arguments: the class, and its own methods in the order of the enum. */
static PyObject *replace_socket_methods(PyObject *module, PyObject *arguments)
{
    PyObject *class, *methods, *replaced[REPLACED];

    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!OOOO", &PyType_Type, &class, &replaced[RECV], &replaced[RECV_INTO],
                          &replaced[SEND], &replaced[SENDALL]))
        return NULL;
    if (connection_type == NULL)
        return PyErr_Format(PyExc_RuntimeError, "ssl_types has not been called");
    if (replaced_methods == NULL && (replaced_methods = PyDict_New()) == NULL)
        return NULL;
    methods = PyTuple_Pack(REPLACED, replaced[RECV], replaced[RECV_INTO], replaced[SEND], replaced[SENDALL]);
    if (methods == NULL || PyDict_SetItem(replaced_methods, class, methods) < 0) {
        Py_XDECREF(methods);
        return NULL;
    }
    Py_DECREF(methods);
    for (int which = 0; which < REPLACED; which++) {
        PyObject *method = PyDescr_NewMethod((PyTypeObject *)class, &replacing_methods[which]);
        int result = method == NULL ? -1 : PyObject_SetAttrString(class, replacing_methods[which].ml_name, method);

        Py_XDECREF(method);
        if (result < 0)
            return NULL;
    }
    __atomic_store_n(&socket_class, (PyTypeObject *)class, __ATOMIC_RELEASE);
    return Py_NewRef(Py_None);
}
