"""The settings of a context about sessions, tickets and their keys, and pre-shared keys.

The class ``Session`` needs a ``Context``, so it is on a higher floor: tls/connection/session.py.
"""
