/* `ssl.SSLError`, for a Python whose own `_ssl` has not been loaded.  It is in C because the original is immutable. */

/* The text of an exception: of the arguments (number, text) the text, as OSError would show both. */
static PyObject *text_of_error(PyObject *self)
{
    PyObject *text = PyObject_GetAttrString(self, "strerror"), *arguments;

    if (text == NULL || PyUnicode_Check(text))
        return text;
    Py_DECREF(text);
    arguments = PyObject_GetAttrString(self, "args");
    text = arguments == NULL ? NULL : PyObject_Str(arguments);
    Py_XDECREF(arguments);
    return text;
}

/* new_ssl_error_type(): makes the class. */
static PyObject *new_ssl_error_type(PyObject *module, PyObject *nothing)
{
    PyType_Slot slots[] = {
        {Py_tp_str, text_of_error},
        {Py_tp_doc, "TLS failed, or was used in a wrong way."},
        {0, NULL},
    };
    PyType_Spec spec = {
        "ssl.SSLError", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE, slots,
    };

    (void)module;
    (void)nothing;
    return PyType_FromSpecWithBases(&spec, PyExc_OSError);
}
