/* The frequent methods of Connection. */

static PyObject *connection_read(ARGUMENTS)
{
    static const Signature signature = {"read", 0, {"size"}};
    TAKE(signature);
    return read_bytes(self, calls->read, size_from(self, values[0]), reading, 0);
}

static PyObject *connection_peek(ARGUMENTS)
{
    static const Signature signature = {"peek", 0, {"size"}};
    TAKE(signature);
    return read_bytes(self, calls->peek, size_from(self, values[0]), peeking, 0);
}

static PyObject *connection_read_into(ARGUMENTS)
{
    static const Signature signature = {"read_into", 1, {"buffer", "size"}};
    TAKE(signature);
    return read_into(self, calls->read, values[0], values[1], 0);
}

static PyObject *connection_write(ARGUMENTS)
{
    static const Signature signature = {"write", 1, {"data"}};
    TAKE(signature);
    return write_and_count(self, calls->write, values[0], 0, PY_SSIZE_T_MAX);
}

static PyObject *connection_receive_data(ARGUMENTS)
{
    static const Signature signature = {"receive_data", 1, {"data"}};
    PyObject *answer;
    TAKE(signature);
    return give_received(self, values[0], &answer) < 0 ? answer : Py_NewRef(Py_None);
}

static PyObject *connection_data_to_send(ARGUMENTS)
{
    static const Signature signature = {"data_to_send", 0, {"size"}};
    Py_ssize_t most = -1;
    TAKE(signature);
    if (values[0] != NULL && (most = number_from(self, values[0], _size_to_send)) < 0 && PyErr_Occurred())
        return NULL;
    return take_bytes_to_send(self, most);
}

static PyObject *connection_encrypt(ARGUMENTS)
{
    static const Signature signature = {"encrypt", 1, {"data"}};
    TAKE(signature);
    return transfer(self, calls->encrypt, values[0], &((Methods *)self)->sent_overhead, writing, _rest_to_send);
}

static PyObject *connection_decrypt(ARGUMENTS)
{
    static const Signature signature = {"decrypt", 1, {"data"}};
    TAKE(signature);
    return transfer(self, calls->decrypt, values[0], &((Methods *)self)->received_overhead, reading, _rest_to_read);
}

static PyMethodDef connection_methods[] = {
    METHOD("read", connection_read),
    METHOD("peek", connection_peek),
    METHOD("read_into", connection_read_into),
    METHOD("write", connection_write),
    METHOD("receive_data", connection_receive_data),
    METHOD("data_to_send", connection_data_to_send),
    METHOD("encrypt", connection_encrypt),
    METHOD("decrypt", connection_decrypt),
    {NULL, NULL, 0, NULL},
};
