/* The types of the module `_ssl`: see pyossl/stdlib.
 *
 * Theory of operation
 *
 * The running Python's own ssl.py is executed over these types in the place of CPython's.  They are C because CPython's
 * are: immutable, and most of them neither subclassed nor instantiated by a program.
 *
 * An object has a `state`, an object in Python with the implementation.  A method that is not frequent calls the state's
 * method of the same name, and an attribute is the state's attribute of that name.  ssl_type_names.h lists them.  The
 * frequent ones are in ssl_socket.c, ssl_memory_bio.c and ssl_socket_methods.c.
 *
 * The state has a weak reference to its object, so that no cycle keeps a connection or a context alive. */

static int visit_held(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Held *)self)->state);
    return 0;
}

static int clear_held(PyObject *self)
{
    Py_CLEAR(((Held *)self)->state);
    return 0;
}

static void free_held(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static void deallocate_held(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    if (((Held *)self)->weakrefs != NULL)
        PyObject_ClearWeakRefs(self);
    clear_held(self);
    free_held(self);
}

static int visit_connection(PyObject *self, visitproc visit, void *arg)
{
    SSLSocket *connection = (SSLSocket *)self;

    Py_VISIT(connection->socket);
    Py_VISIT(connection->incoming);
    Py_VISIT(connection->outgoing);
    return visit_held(self, visit, arg);
}

/* `pointer` stays: another thread may still use it, and it refers to no other object. */
static int clear_connection(PyObject *self)
{
    SSLSocket *connection = (SSLSocket *)self;

    Py_CLEAR(connection->socket);
    Py_CLEAR(connection->incoming);
    Py_CLEAR(connection->outgoing);
    return clear_held(self);
}

static void deallocate_connection(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    if (((Held *)self)->weakrefs != NULL)
        PyObject_ClearWeakRefs(self);
    clear_connection(self);
    Py_CLEAR(((SSLSocket *)self)->pointer);
    free_held(self);
}

static PyObject *repr_held(PyObject *self)
{
    PyObject *state = state_of_held(self);
    return state == NULL ? NULL : PyObject_Repr(state);
}

static Py_hash_t hash_held(PyObject *self)
{
    PyObject *state = state_of_held(self);
    return state == NULL ? -1 : PyObject_Hash(state);
}

/* Equality is the states'; there is no order. */
static PyObject *compare_held(PyObject *self, PyObject *other, int operation)
{
    PyObject *state, *others;

    if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(self) != Py_TYPE(other))
        return Py_NewRef(Py_NotImplemented);
    if ((state = state_of_held(self)) == NULL || (others = state_of_held(other)) == NULL)
        return NULL;
    return PyObject_RichCompare(state, others, operation);
}

/* A method calls the state's method of the same name. */
static PyObject *call_state(PyObject *self, PyObject *name, PyObject *arguments, PyObject *keywords)
{
    PyObject *state = state_of_held(self), *method, *answer;

    if (state == NULL || (method = PyObject_GetAttr(state, name)) == NULL)
        return NULL;
    answer = PyObject_Call(method, arguments, keywords);
    Py_DECREF(method);
    return answer;
}

static PyObject *get_from_state(PyObject *self, void *name)
{
    PyObject *state = state_of_held(self);
    return state == NULL ? NULL : PyObject_GetAttr(state, *(PyObject **)name);
}

static int set_in_state(PyObject *self, PyObject *value, void *name)
{
    PyObject *state = state_of_held(self);

    if (state == NULL)
        return -1;
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "attribute '%U' cannot be deleted", *(PyObject **)name);
        return -1;
    }
    return PyObject_SetAttr(state, *(PyObject **)name, value);
}

#define X(type, name, since, signature, doc) \
    static PyObject *type##_##name##_name; \
    static PyObject *type##_##name(PyObject *self, PyObject *arguments, PyObject *keywords) \
    { \
        return call_state(self, type##_##name##_name, arguments, keywords); \
    }
CONTEXT_METHODS(X)
CONNECTION_METHODS(X)
CERTIFICATE_METHODS(X)
#undef X
#define X(type, name, since, doc) static PyObject *type##_##name##_name;
CONTEXT_ATTRIBUTES(X, X)
CONNECTION_ATTRIBUTES(X, X)
SESSION_ATTRIBUTES(X, X)
#undef X

/* The tables of the types, which keep pointers into them.  They are filled when the Python is known. */
typedef struct {
    int since;
    PyObject **name;
    PyMethodDef definition;
} ListedMethod;

typedef struct {
    int since;
    PyObject **name;
    PyGetSetDef definition;
} ListedAttribute;

#define X(type, name, since, signature, doc) \
    {since, &type##_##name##_name, \
     {#name, (PyCFunction)(void (*)(void))type##_##name, METH_VARARGS | METH_KEYWORDS, DOC(#name signature, doc)}},
#define P(type, name, since, doc) \
    {since, &type##_##name##_name, {#name, get_from_state, set_in_state, doc, &type##_##name##_name}},
#define Q(type, name, since, doc) \
    {since, &type##_##name##_name, {#name, get_from_state, NULL, doc, &type##_##name##_name}},
static ListedMethod context_methods[] = {CONTEXT_METHODS(X)};
static ListedMethod connection_state_methods[] = {CONNECTION_METHODS(X)};
static ListedMethod certificate_methods[] = {CERTIFICATE_METHODS(X)};
static ListedAttribute context_attributes[] = {CONTEXT_ATTRIBUTES(P, Q)};
static ListedAttribute connection_attributes[] = {CONNECTION_ATTRIBUTES(P, Q)};
static ListedAttribute session_attributes[] = {SESSION_ATTRIBUTES(P, Q)};
#undef X
#undef P
#undef Q

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

/* The methods that a type gets: `in_c`, which ends with NULL, and those of `listed` that this Python has.  The table
 * lives as long as the type: for ever.  NULL: no memory. */
static PyMethodDef *methods_for(const PyMethodDef *in_c, ListedMethod *listed, size_t count, long version)
{
    PyMethodDef *methods;
    size_t filled = 0;

    while (in_c != NULL && in_c[filled].ml_name != NULL)
        filled++;
    methods = calloc(filled + count + 1, sizeof(*methods));
    if (methods == NULL)
        return NULL;
    if (filled > 0)
        memcpy(methods, in_c, filled * sizeof(*methods));
    for (size_t n = 0; n < count; n++) {
        if (*listed[n].name == NULL && (*listed[n].name = PyUnicode_InternFromString(listed[n].definition.ml_name)) == NULL)
            return NULL;
        if (version >= listed[n].since)
            methods[filled++] = listed[n].definition;
    }
    return methods;
}

static PyGetSetDef *attributes_for(ListedAttribute *listed, size_t count, long version)
{
    PyGetSetDef *attributes = calloc(count + 1, sizeof(*attributes));
    size_t filled = 0;

    if (attributes == NULL)
        return NULL;
    for (size_t n = 0; n < count; n++) {
        if (*listed[n].name == NULL && (*listed[n].name = PyUnicode_InternFromString(listed[n].definition.name)) == NULL)
            return NULL;
        if (version >= listed[n].since)
            attributes[filled++] = listed[n].definition;
    }
    return attributes;
}

static PyMemberDef weakly_referenced[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Held, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *new_context(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *state, *self;

    if (keywords != NULL && PyDict_Size(keywords) > 0)
        return PyErr_Format(PyExc_TypeError, "_SSLContext() takes no keyword arguments");
    if (PyTuple_Size(arguments) != 1)
        return PyErr_Format(PyExc_TypeError, "_SSLContext() takes exactly one argument (%zd given)",
                            PyTuple_Size(arguments));
    state = PyObject_Call(new_context_state, arguments, NULL);
    if (state == NULL)
        return NULL;
    self = new_held(type, state);
    if (self != NULL && set_back(self, state, owner) < 0)
        Py_CLEAR(self);
    Py_DECREF(state);
    return self;
}

static PyObject *new_ssl_session(PyObject *module, PyObject *state)
{
    (void)module;
    return session_type == NULL ? PyErr_Format(PyExc_RuntimeError, "ssl_types has not been called")
                                : new_held(session_type, state);
}

static PyObject *new_certificate(PyObject *module, PyObject *state)
{
    (void)module;
    return certificate_type == NULL ? PyErr_Format(PyExc_RuntimeError, "ssl_types has not been called")
                                    : new_held(certificate_type, state);
}

static int is_held(PyObject *object)
{
    return types_by_name != NULL
        && (PyObject_TypeCheck(object, context_type) || Py_TYPE(object) == connection_type
            || Py_TYPE(object) == session_type || Py_TYPE(object) == certificate_type);
}

static PyObject *state_of(PyObject *module, PyObject *object)
{
    PyObject *state;

    (void)module;
    if (!is_held(object))
        return PyErr_Format(PyExc_TypeError, "an object of pyossl's _ssl is needed, not %R", Py_TYPE(object));
    state = state_of_held(object);
    return Py_XNewRef(state);
}

/* Adds a type to `types_by_name`. */
static PyTypeObject *add_ssl_type(PyType_Spec *spec)
{
    PyObject *type = PyType_FromSpec(spec);

    if (type != NULL && PyDict_SetItemString(types_by_name, strrchr(spec->name, '.') + 1, type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

enum {
    SSL_TYPE = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    MADE_HERE = SSL_TYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION
};

static int add_context_type(long version)
{
    PyType_Slot slots[] = {
        {Py_tp_new, new_context}, {Py_tp_dealloc, deallocate_held}, {Py_tp_traverse, visit_held},
        {Py_tp_clear, clear_held}, {Py_tp_members, weakly_referenced},
        {Py_tp_methods, methods_for(NULL, context_methods, LENGTH(context_methods), version)},
        {Py_tp_getset, attributes_for(context_attributes, LENGTH(context_attributes), version)},
        {0, NULL},
    };
    PyType_Spec spec = {"_ssl._SSLContext", sizeof(Held), 0, SSL_TYPE | Py_TPFLAGS_BASETYPE, slots};

    return slots[5].pfunc == NULL || slots[6].pfunc == NULL || (context_type = add_ssl_type(&spec)) == NULL ? -1 : 0;
}

static int add_connection_type(long version)
{
    PyType_Slot slots[] = {
        {Py_tp_dealloc, deallocate_connection}, {Py_tp_traverse, visit_connection}, {Py_tp_clear, clear_connection},
        {Py_tp_members, weakly_referenced},
        {Py_tp_methods, methods_for(connection_calls, connection_state_methods, LENGTH(connection_state_methods), version)},
        {Py_tp_getset, attributes_for(connection_attributes, LENGTH(connection_attributes), version)},
        {0, NULL},
    };
    PyType_Spec spec = {"_ssl._SSLSocket", sizeof(SSLSocket), 0, MADE_HERE, slots};

    return slots[4].pfunc == NULL || slots[5].pfunc == NULL || (connection_type = add_ssl_type(&spec)) == NULL ? -1 : 0;
}

static int add_session_type(long version)
{
    PyType_Slot slots[] = {
        {Py_tp_dealloc, deallocate_held}, {Py_tp_traverse, visit_held}, {Py_tp_clear, clear_held},
        {Py_tp_richcompare, compare_held}, {Py_tp_members, weakly_referenced},
        {Py_tp_getset, attributes_for(session_attributes, LENGTH(session_attributes), version)},
        {0, NULL},
    };
    PyType_Spec spec = {"_ssl.SSLSession", sizeof(Held), 0, MADE_HERE, slots};

    return slots[5].pfunc == NULL || (session_type = add_ssl_type(&spec)) == NULL ? -1 : 0;
}

static int add_certificate_type(long version)
{
    PyType_Slot slots[] = {
        {Py_tp_dealloc, deallocate_held}, {Py_tp_traverse, visit_held}, {Py_tp_clear, clear_held},
        {Py_tp_richcompare, compare_held}, {Py_tp_hash, hash_held}, {Py_tp_repr, repr_held},
        {Py_tp_members, weakly_referenced},
        {Py_tp_methods, methods_for(NULL, certificate_methods, LENGTH(certificate_methods), version)},
        {0, NULL},
    };
    PyType_Spec spec = {"_ssl.Certificate", sizeof(Held), 0, MADE_HERE, slots};

    return slots[7].pfunc == NULL || (certificate_type = add_ssl_type(&spec)) == NULL ? -1 : 0;
}

static int add_memory_bio_type(void)
{
    PyType_Slot slots[] = {
        {Py_tp_new, new_memory_bio}, {Py_tp_dealloc, deallocate_memory_bio}, {Py_tp_methods, memory_bio_methods},
        {Py_tp_getset, memory_bio_attributes}, {Py_tp_members, memory_bio_members}, {0, NULL},
    };
    PyType_Spec spec = {"_ssl.MemoryBIO", sizeof(MemoryBIO), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};

    return (memory_bio_type = add_ssl_type(&spec)) == NULL ? -1 : 0;
}

/* Makes the types at the first call.  The arguments: the function that makes the state of a context; the method
 * socket.socket.gettimeout; the version of Python, such as 0x30d.  If it fails, the next call begins again. */
static PyObject *ssl_types(PyObject *module, PyObject *arguments)
{
    PyObject *new_state, *socket_timeout;
    long version;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOl", &new_state, &socket_timeout, &version))
        return NULL;
    if (types_by_name != NULL)
        return Py_NewRef(types_by_name);
    if ((types_by_name = PyDict_New()) == NULL)
        return NULL;
    if (add_context_type(version) < 0 || add_connection_type(version) < 0 || add_session_type(version) < 0
        || add_certificate_type(version) < 0 || add_memory_bio_type() < 0) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        Py_CLEAR(types_by_name);
        return NULL;
    }
    new_context_state = Py_NewRef(new_state);
    gettimeout = Py_NewRef(socket_timeout);
    return Py_NewRef(types_by_name);
}

static void replace(PyObject **variable, PyObject *value)
{
    PyObject *old = *variable;

    *variable = Py_NewRef(value);
    Py_XDECREF(old);
}

/* Sets SSLError, SSLWantReadError and SSLWantWriteError. */
static PyObject *use_ssl_errors(PyObject *module, PyObject *arguments)
{
    PyObject *error, *want_read, *want_write;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOO", &error, &want_read, &want_write))
        return NULL;
    replace(&ssl_error, error);
    replace(&want_read_error, want_read);
    replace(&want_write_error, want_write);
    return Py_NewRef(Py_None);
}
