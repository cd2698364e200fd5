"""The SSL_CTX of a context, and its settings, each subject in a file: versions, options, ciphers, verification, SNI.

context_state.py has the SSL_CTX.  Most files have a class that is a base of ``Context``.  SSL_CTX_new(3)
"""
