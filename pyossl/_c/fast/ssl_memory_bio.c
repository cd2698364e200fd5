/* MemoryBIO: encrypted bytes between a connection in memory and the program.
 *
 * The bytes are in a queue of C's (bio/queue_bio.c), which has a lock of its own: the connection that uses it runs
 * without the GIL. */

static PyObject *new_memory_bio(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *self;

    if (PyTuple_Size(arguments) > 0 || (keywords != NULL && PyDict_Size(keywords) > 0))
        return PyErr_Format(PyExc_TypeError, "MemoryBIO() takes no arguments");
    self = ((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self != NULL && (((MemoryBIO *)self)->queue = calls->queue_new()) == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return self;
}

static void deallocate_memory_bio(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    MemoryBIO *memory = (MemoryBIO *)self;

    if (memory->weakrefs != NULL)
        PyObject_ClearWeakRefs(self);
    if (memory->queue != NULL)
        calls->queue_free(memory->queue);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* The object is made before the bytes are taken, so that none are lost if there is no memory. */
static PyObject *memory_bio_read(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    pyossl_queue *queue = ((MemoryBIO *)self)->queue;
    Py_ssize_t size = -1, length, taken;
    PyObject *data, *shorter;

    if (count > 1)
        return PyErr_Format(PyExc_TypeError, "read expected at most 1 argument, got %zd", count);
    if (count == 1) {
        size = PyNumber_AsSsize_t(given[0], PyExc_OverflowError);
        if (size == -1 && PyErr_Occurred())
            return NULL;
    }
    length = (Py_ssize_t)calls->queue_length(queue);
    if (size < 0 || size > length)
        size = length;
    data = PyBytes_FromStringAndSize(NULL, size);
    if (data == NULL || size == 0)
        return data;
    taken = (Py_ssize_t)calls->queue_read(queue, PyBytes_AsString(data), (size_t)size);
    if (taken == size)
        return data;
    shorter = PyBytes_FromStringAndSize(PyBytes_AsString(data), taken);    /* another thread has taken some */
    Py_DECREF(data);
    return shorter;
}

static PyObject *memory_bio_write(PyObject *self, PyObject *data)
{
    pyossl_queue *queue = ((MemoryBIO *)self)->queue;
    Py_buffer view;
    int written;

    if (get_buffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    written = calls->queue_write(queue, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    if (written == 1)
        return PyLong_FromSsize_t(view.len);
    if (written == 0)
        return PyErr_NoMemory();
    PyErr_SetString(ssl_error == NULL ? PyExc_OSError : ssl_error, "cannot write() after write_eof()");
    return NULL;
}

static PyObject *memory_bio_write_eof(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    calls->queue_end(((MemoryBIO *)self)->queue);
    return Py_NewRef(Py_None);
}

static PyObject *memory_bio_pending(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromSize_t(calls->queue_length(((MemoryBIO *)self)->queue));
}

static PyObject *memory_bio_eof(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(calls->queue_is_at_end(((MemoryBIO *)self)->queue));
}

static PyMethodDef memory_bio_methods[] = {
    {"read", (PyCFunction)(void (*)(void))memory_bio_read, METH_FASTCALL,
     DOC("read($self, size=-1, /)",
         "Reads up to ``size`` bytes; all of them if it is negative.\n\n"
         "Empty bytes mean that there are none now, or no more: see ``eof``.")},
    {"write", memory_bio_write, METH_O, DOC("write($self, b, /)", "Writes bytes, and returns their number.")},
    {"write_eof", memory_bio_write_eof, METH_NOARGS,
     DOC("write_eof($self, /)", "Ends the bytes: when all have been read, ``eof`` is True.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef memory_bio_attributes[] = {
    {"eof", memory_bio_eof, NULL, "Whether all bytes have been read, and no more follow.", NULL},
    {"pending", memory_bio_pending, NULL, "The number of bytes that can be read.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef memory_bio_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(MemoryBIO, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* The address of the queue of a MemoryBIO, for pyossl_connection_over_queues. */
static PyObject *queue_of(PyObject *module, PyObject *object)
{
    (void)module;
    if (memory_bio_type == NULL || Py_TYPE(object) != memory_bio_type)
        return PyErr_Format(PyExc_TypeError, "a MemoryBIO is needed, not %R", Py_TYPE(object));
    return PyLong_FromVoidPtr(((MemoryBIO *)object)->queue);
}
