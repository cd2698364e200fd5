"""A context and a connection that may be changed at any time, below other APIs: pyOpenSSL's and Python's ssl.

Files of credentials are read here as these APIs read them.  DTLS is only here, and so is SRTP, which needs it.
"""
