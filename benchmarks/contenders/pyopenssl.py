"""pyOpenSSL, with the OpenSSL in the wheels of ``cryptography``."""

from OpenSSL import SSL

from benchmarks.contenders.pyopenssl_api import PyOpenSSLAPI


class PyOpenSSL(PyOpenSSLAPI):
    SSL = SSL


contender = PyOpenSSL
