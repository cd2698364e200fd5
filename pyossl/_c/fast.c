/* pyossl._fast: the methods that a program calls most.
 *
 * Theory of operation
 *
 * This extension does not link to OpenSSL.  It calls pyossl's own C functions through the struct of hot_calls.h, whose
 * address it gets from Python.  Its types are base classes; the classes in Python add everything else.
 *
 * A method here does the plain good case only.  It takes the arguments, makes the call, and returns bytes, a number or
 * None.  Whatever else happens is decided in Python:
 *
 * - An argument of another kind goes to a method that returns it in the plain form or raises: `_size_to_read(size)`,
 *   `_size_to_send(size)`, `_size_in_buffer(size, room)`, `_bytes_of_text(text)`; `_readable(data)` and
 *   `_writable(buffer)` always raise.
 * - A result below 0 goes to `_unfinished(result, operation)`, which returns a Want or raises; the end too, where it is
 *   an exception.
 * - A result that says that there is more goes to `_rest_to_send`, `_rest_to_read` or `_rest_to_write`, or sets the
 *   attribute `has_more`.
 * - A call with flags goes to `_recv_with_flags`, `_recv_into_with_flags` or `_refuse_flags`.
 *
 * A buffer of the program is held while C uses it: it can be neither resized nor freed.
 *
 * How many bytes a read returns is known only when the record has arrived, and then the GIL has been released.  So a
 * read uses room on the stack, or borrowed room if the program asks for more than a record, and the bytes are copied
 * once, into an object of their own size.  Nothing is allocated while a read waits.  Where the size is known, the bytes
 * are written into the object that is returned.
 *
 * Locks: see hot_calls.c.  Threads: `pointer` and `connection` are set once, before any other thread has the object,
 * and pyossl_connection is freed with the object; the functions that are called take the connection's lock, and refuse
 * a connection that has been closed. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>

#include "hot_calls.h"

typedef struct {
    PyObject_HEAD
    PyObject *pointer;                /* cffi's, which keeps the connection alive; NULL until `_use` */
    pyossl_connection *connection;
    int sent_overhead, received_overhead;    /* of the last record: see `transfer` in fast/calls.c */
} Methods;

static const pyossl_hot_calls no_calls;
static const pyossl_hot_calls *calls = &no_calls;    /* until use_calls: no object has a connection before that */

/* The names of the methods in Python, and of the operations. */
#define NAMES(X) \
    X(_unfinished) X(_size_to_read) X(_size_to_send) X(_size_in_buffer) X(_readable) X(_writable) X(_bytes_of_text) \
    X(_rest_to_send) X(_rest_to_read) X(_rest_to_write) X(_recv_with_flags) X(_recv_into_with_flags) X(_refuse_flags) \
    X(_recv_into_unusual) X(reading) X(peeking) X(writing) X(receiving) X(sending) X(has_more) \
    X(owner) X(owner_object) X(_socket_gone) X(_sslobj) X(_failed_recv) X(_failed_recv_into)
#define X(name) static PyObject *name;
NAMES(X)
#undef X

#include "fast/docstrings.h"
#include "fast/arguments.c"
#include "fast/room.c"
#include "fast/calls.c"

#define METHOD(name, function) \
    {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, function##_doc}

#include "fast/connection_methods.c"
#include "fast/socket_methods.c"
#include "fast/event_loop_methods.c"
#include "fast/face_methods.c"

#include "fast/ssl_objects.h"
#include "fast/ssl_memory_bio.c"
#include "fast/ssl_socket.c"
#include "fast/ssl_type_names.h"
#include "fast/ssl_types.c"
#include "fast/ssl_error_type.c"
#include "fast/ssl_socket_methods.c"
#include "fast/unraisable.c"

static PyObject *base_type;

/* For the first line of an __init__, which must not change an object that has a connection: C may use what the first
 * call has set, for example the context and the handle of the callbacks. */
static PyObject *refuse_second_init(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    if (((Methods *)self)->pointer != NULL)
        return PyErr_Format(PyExc_TypeError, "this object has a connection already: __init__ was called twice");
    return Py_NewRef(Py_None);
}

static PyObject *set_connection(Methods *methods, PyObject *pointer, pyossl_connection *connection)
{
    PyObject *none = refuse_second_init((PyObject *)methods, NULL);

    if (none == NULL)
        return NULL;
    methods->pointer = Py_NewRef(pointer);
    __atomic_store_n(&methods->connection, connection, __ATOMIC_RELEASE);
    return none;
}

static PyObject *use(PyObject *self, PyObject *arguments)
{
    unsigned long long address;
    PyObject *pointer;

    if (!PyArg_ParseTuple(arguments, "OK", &pointer, &address))
        return NULL;
    return set_connection((Methods *)self, pointer, (pyossl_connection *)(uintptr_t)address);
}

static void deallocate(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(((Methods *)self)->pointer);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* The connection of another object, which it shares. */
static PyObject *share(PyObject *self, PyObject *other)
{
    Methods *methods = (Methods *)self, *others = (Methods *)other;

    if (!PyObject_TypeCheck(other, (PyTypeObject *)base_type) || connection_of(other) == NULL) {
        PyErr_SetString(PyExc_TypeError, "an object with a connection is needed");
        return NULL;
    }
    return set_connection(methods, others->pointer, others->connection);
}

static PyMemberDef members[] = {
    {"_c", T_OBJECT_EX, offsetof(Methods, pointer), READONLY, "The ``pyossl_connection *``."},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef methods_methods[] = {
    {"_refuse_second_init", refuse_second_init, METH_NOARGS,
     DOC("_refuse_second_init($self, /)", "Raises TypeError if the connection has been set.")},
    {"_use", use, METH_VARARGS, DOC("_use($self, pointer, address, /)", "Sets the connection, once.")},
    {"_share", share, METH_O, DOC("_share($self, other, /)", "Sets the connection, once, to that of another object.")},
    {NULL, NULL, 0, NULL},
};

/* Adds a type with these methods to the module.  `base` is NULL for the first; returns a new reference, NULL if it
 * fails. */
static PyObject *add_type(PyObject *module, const char *name, const char *doc, PyMethodDef *methods, PyObject *base)
{
    PyType_Slot slots[] = {
        {Py_tp_doc, (void *)(uintptr_t)doc},
        {Py_tp_methods, methods},
        {Py_tp_dealloc, deallocate},
        {base == NULL ? Py_tp_members : 0, base == NULL ? members : NULL},
        {0, NULL},
    };
    PyType_Spec spec = {name, sizeof(Methods), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    PyObject *type = PyType_FromSpecWithBases(&spec, base);

    if (type != NULL && PyModule_AddObjectRef(module, strrchr(name, '.') + 1, type) < 0)
        Py_CLEAR(type);
    return type;
}

static PyObject *use_calls(PyObject *module, PyObject *address)
{
    const pyossl_hot_calls *given = (const pyossl_hot_calls *)PyLong_AsVoidPtr(address);

    (void)module;
    if (given == NULL)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "the address is 0");
    if (given->size != sizeof(*given))
        return PyErr_Format(PyExc_ImportError, "pyossl._fast and pyossl._openssl come from different builds of pyossl");
    calls = given;
    return Py_NewRef(Py_None);
}

static PyMethodDef functions[] = {
    {"use_calls", use_calls, METH_O, DOC("use_calls(address, /)", "Sets the functions of hot_calls.c.")},
    {"ssl_types", ssl_types, METH_VARARGS,
     DOC("ssl_types(new_context, gettimeout, version, /)", "Returns the types of `_ssl` by name, made at the first call.")},
    {"use_ssl_errors", use_ssl_errors, METH_VARARGS,
     DOC("use_ssl_errors(error, want_read, want_write, /)", "Sets the exceptions of the types of `_ssl`.")},
    {"new_ssl_error_type", new_ssl_error_type, METH_NOARGS,
     DOC("new_ssl_error_type()", "Makes the class `ssl.SSLError`.")},
    {"new_ssl_socket", (PyCFunction)(void (*)(void))new_ssl_socket, METH_FASTCALL,
     DOC("new_ssl_socket(state, pointer, address, sock, incoming, outgoing, /)", "Makes a `_SSLSocket`.")},
    {"new_ssl_session", new_ssl_session, METH_O, DOC("new_ssl_session(state, /)", "Makes an `SSLSession`.")},
    {"new_certificate", new_certificate, METH_O, DOC("new_certificate(state, /)", "Makes a `Certificate`.")},
    {"state_of", state_of, METH_O, DOC("state_of(object, /)", "Returns the object with the implementation.")},
    {"socket_methods", replace_socket_methods, METH_VARARGS,
     DOC("socket_methods(cls, recv, recv_into, send, sendall, /)", "Puts the methods in C onto ssl.py's SSLSocket.")},
    {"queue_of", queue_of, METH_O, DOC("queue_of(memory, /)", "Returns the address of the queue of a `MemoryBIO`.")},
    {"report_unraisable", report_unraisable, METH_VARARGS,
     DOC("report_unraisable(error, where, /)", "Reports an exception that cannot be raised.")},
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *module)
{
    PyObject *type;

#define X(name) if ((name = PyUnicode_InternFromString(#name)) == NULL) return -1;
    NAMES(X)
#undef X
    base_type = add_type(module, "pyossl._fast.Methods", "The base of the types here.", methods_methods, NULL);
    if (base_type == NULL)
        return -1;
#define ADD(name, doc, methods) \
    if ((type = add_type(module, "pyossl._fast." name, doc, methods, base_type)) == NULL) \
        return -1; \
    Py_DECREF(type)
    ADD("ConnectionMethods", "The frequent methods of ``Connection``.", connection_methods);
    ADD("SocketMethods", "The frequent methods of ``Socket``.", socket_methods);
    ADD("EventLoopMethods", "The steps of an ``EventLoopConnection``.", event_loop_methods);
    ADD("FaceMethods", "The frequent methods of ``pyossl.pyopenssl.SSL.Connection``.", face_methods);
    return 0;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "pyossl._fast", "The methods that a program calls most, in C.", -1, functions,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__fast(void)
{
    PyObject *module = PyModule_Create(&definition);

    if (module == NULL)
        return NULL;
#ifdef Py_GIL_DISABLED
    PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    if (fill(module) < 0)
        Py_CLEAR(module);
    return module;
}
