"""pyOpenSSL, with the OpenSSL that its ``cryptography`` carries."""

from OpenSSL import SSL

from benchmarks.contenders.pyopenssl_api import PyOpenSSLAPI


class PyOpenSSL(PyOpenSSLAPI):
    SSL = SSL


contender = PyOpenSSL
