"""A context and a connection that may be changed at any time, below other APIs: pyOpenSSL's and Python's ssl.

They alone load credentials from files and speak DTLS, and so have SRTP.
"""
