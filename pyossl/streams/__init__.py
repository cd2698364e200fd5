"""TLS over a stream that is awaited: what ``pyossl.trio`` and ``pyossl.anyio`` share."""
