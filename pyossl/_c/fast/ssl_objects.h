/* The objects of the types of `_ssl`: see ssl_types.c. */

typedef struct {
    PyObject_HEAD
    PyObject *state;       /* NULL only after the garbage collector has cleared the object */
    PyObject *weakrefs;
} Held;

/* A connection: _SSLSocket. */
typedef struct {
    Held held;
    PyObject *pointer;                   /* cffi's, which keeps `connection` alive */
    pyossl_connection *connection;
    PyObject *socket;                    /* a weak reference to the Python socket; NULL for a connection in memory */
    const void *socket_address;          /* of that object, which may be gone */
    PyObject *incoming, *outgoing;       /* the MemoryBIOs; NULL for a connection over a socket */
} SSLSocket;

/* MemoryBIO: see ssl_memory_bio.c. */
typedef struct {
    PyObject_HEAD
    pyossl_queue *queue;
    PyObject *weakrefs;
} MemoryBIO;

static PyTypeObject *context_type, *connection_type, *session_type, *certificate_type, *memory_bio_type;
static PyObject *types_by_name;          /* the five types; NULL until ssl_types */
static PyObject *new_context_state;      /* called with the arguments of _SSLContext */
static PyObject *ssl_error, *want_read_error, *want_write_error;    /* until use_ssl_errors, Exception */

static PyObject *state_of_held(PyObject *self)
{
    PyObject *state = ((Held *)self)->state;

    if (state == NULL)
        PyErr_SetString(PyExc_AttributeError, "this object has been cleared by the garbage collector");
    return state;
}

/* A new object with this state. */
static PyObject *new_held(PyTypeObject *type, PyObject *state)
{
    PyObject *self = ((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);

    if (self != NULL)
        ((Held *)self)->state = Py_NewRef(state);
    return self;
}

/* Sets the attribute `name` of the state to a weak reference to the object.  -1: an exception is set. */
static int set_back(PyObject *self, PyObject *state, PyObject *name)
{
    PyObject *weak = PyWeakref_NewRef(self, NULL);
    int result = weak == NULL ? -1 : PyObject_SetAttr(state, name, weak);

    Py_XDECREF(weak);
    return result;
}
