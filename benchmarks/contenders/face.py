"""pyossl's face of pyOpenSSL."""

from benchmarks.contenders.pyopenssl_api import PyOpenSSLAPI
from pyossl.pyopenssl import SSL


class Face(PyOpenSSLAPI):
    SSL = SSL


contender = Face
