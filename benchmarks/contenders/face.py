"""pyossl.pyopenssl, which has pyOpenSSL's API."""

from benchmarks.contenders.pyopenssl_api import PyOpenSSLAPI
from pyossl.pyopenssl import SSL


class Face(PyOpenSSLAPI):
    SSL = SSL


contender = Face
