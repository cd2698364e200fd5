"""TLS without I/O: contexts and their settings, connections, callbacks, sessions, and what was negotiated.  ssl(7)"""
