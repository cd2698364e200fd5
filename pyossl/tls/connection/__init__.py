"""The ``Connection``: its calls and their failures, its ``Session``, and the properties that were negotiated."""
