"""A context and a connection that may be changed at any time, below other APIs: pyOpenSSL's and Python's ssl."""
