"""The settings of a context about sessions, tickets and their keys, and pre-shared keys.

A ``Session`` belongs to a ``Context``, so its class is in tls/connection/session.py.
"""
