"""TLS without I/O: contexts, connections, callbacks, sessions, and negotiated properties.  ssl(7)

The folders, from the lowest floor to the highest; each imports only from those below it:

- callbacks: the functions that OpenSSL calls, and the values that they get;
- settings: the SSL_CTX of a ``Context``, and its settings, each subject in a file;
- sessions: the settings about tickets and their keys, the session cache, pre-shared keys;
- authentication and ech, beside each other: the settings about certificates and raw public keys, and about Encrypted
  Client Hello;
- context: the ``Context``, made of all settings;
- connection: the ``Connection``, its ``Session`` and its negotiated properties;
- mutable: the classes below other APIs, such as pyOpenSSL's.

system_openssl.py, beside them, is about the OpenSSL in use.
"""
