/* The frequent methods of EventLoopConnection: each is one step, which never waits. */

static PyObject *event_loop_receive(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return read_bytes(self, calls->read_step, PYOSSL_LARGEST_READ, reading, 0);
}

static PyObject *event_loop_read_some_into(ARGUMENTS)
{
    static const Signature signature = {"read_some_into", 1, {"buffer"}};
    TAKE(signature);
    return read_into(self, calls->read_step, values[0], NULL, 0);
}

static PyObject *event_loop_send(ARGUMENTS)
{
    static const Signature signature = {"send", 1, {"data", "start"}};
    Py_ssize_t start;
    TAKE(signature);
    start = values[1] == NULL ? 0 : number_from(self, values[1], _size_to_send);
    if (start < 0)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "start cannot be negative");
    return write_and_count(self, calls->write, values[0], start, PYOSSL_SLICE);
}

static PyMethodDef event_loop_methods[] = {
    {"receive", event_loop_receive, METH_NOARGS, event_loop_receive_doc},
    METHOD("read_some_into", event_loop_read_some_into),
    METHOD("send", event_loop_send),
    {NULL, NULL, 0, NULL},
};
