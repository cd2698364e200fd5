"""TLS over asynchronous streams of bytes: the code that ``pyossl.trio`` and ``pyossl.anyio`` share."""
