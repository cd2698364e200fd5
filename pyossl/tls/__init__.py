"""TLS without I/O: contexts, connections, callbacks, sessions, and negotiated properties.  ssl(7)

context.py makes a ``Context``; each subject of its settings has a file: versions, ciphers_and_groups, options,
openssl_configuration (openssl.cnf), verification, alpn, server_name (SNI), session_settings (tickets and their keys),
info_and_key_log.  connection.py has the ``Connection``, negotiated.py its properties, connection_outcome.py its
failures, and callbacks.py the functions that OpenSSL calls.  mutable_context.py and mutable_connection.py have the
classes below other APIs, such as pyOpenSSL's.
"""
