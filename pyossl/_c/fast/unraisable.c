/* Exceptions that cannot be raised: they are reported, as CPython does in C. */

/* report_unraisable(error, where): calls sys.unraisablehook, which takes only what C makes. */
static PyObject *report_unraisable(PyObject *module, PyObject *arguments)
{
    PyObject *error, *where;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OO", &error, &where))
        return NULL;
    if (!PyExceptionInstance_Check(error))
        return PyErr_Format(PyExc_TypeError, "an exception is needed, not %R", Py_TYPE(error));
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(error)), Py_NewRef(error), PyException_GetTraceback(error));
    PyErr_WriteUnraisable(where);
    return Py_NewRef(Py_None);
}
