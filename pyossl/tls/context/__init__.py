"""The ``Context``, which has all settings as its bases, and calls of libssl's other functions on its SSL_CTX."""
