/* The frequent methods of Socket. */

static PyObject *socket_recv(ARGUMENTS)
{
    static const Signature signature = {"recv", 1, {"size", "flags"}};
    TAKE(signature);
    if (has_flags(values[1]))
        return PyObject_CallMethodObjArgs(self, _recv_with_flags, values[0], values[1], NULL);
    return read_bytes(self, calls->recv, size_from(self, values[0]), reading, 0);
}

static PyObject *socket_peek(ARGUMENTS)
{
    static const Signature signature = {"_peek", 1, {"size"}};
    TAKE(signature);
    return read_bytes(self, calls->recv_peek, size_from(self, values[0]), peeking, 0);
}

static PyObject *socket_recv_into(ARGUMENTS)
{
    static const Signature signature = {"recv_into", 1, {"buffer", "size", "flags"}};
    TAKE(signature);
    if (has_flags(values[2]))
        return PyObject_CallMethodObjArgs(self, _recv_into_with_flags, values[0],
                                          values[1] == NULL ? Py_None : values[1], values[2], NULL);
    return read_into(self, calls->recv, values[0], values[1], 0);
}

static PyObject *socket_send(ARGUMENTS)
{
    static const Signature signature = {"send", 1, {"data", "flags"}};
    TAKE(signature);
    if (has_flags(values[1]))
        return PyObject_CallMethodObjArgs(self, _refuse_flags, values[1], NULL);
    return write_and_count(self, calls->send, values[0], 0, PY_SSIZE_T_MAX);
}

static PyObject *socket_sendall(ARGUMENTS)
{
    static const Signature signature = {"sendall", 1, {"data", "flags"}};
    PyObject *answer, *number;
    Py_ssize_t size;
    long long sent;
    TAKE(signature);
    if (has_flags(values[1]))
        return PyObject_CallMethodObjArgs(self, _refuse_flags, values[1], NULL);
    sent = write_bytes(self, calls->send, values[0], 0, PY_SSIZE_T_MAX, &size, &answer);
    if (sent < 0)
        return answer;
    if (sent == size)
        return Py_NewRef(Py_None);
    number = or_fail(connection_of(self), PyLong_FromLongLong(sent));
    answer = number == NULL ? NULL : PyObject_CallMethodObjArgs(self, _rest_to_write, values[0], number, NULL);
    Py_XDECREF(number);
    return answer;
}

static PyMethodDef socket_methods[] = {
    METHOD("recv", socket_recv),
    METHOD("recv_into", socket_recv_into),
    METHOD("send", socket_send),
    METHOD("sendall", socket_sendall),
    METHOD("_peek", socket_peek),
    {NULL, NULL, 0, NULL},
};
