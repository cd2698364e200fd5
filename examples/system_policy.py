"""The binding alone: reads this system's OpenSSL policy for clients with OpenSSL's own functions.

``lib`` has OpenSSL's functions and constants. ``ffi`` is cffi's interface; ``ffi.gc`` frees an object that C allocated.

Prints:
    OpenSSL …
    minimum version: …
    security level: …
    trust: … and …
"""

from pyossl import ffi, lib

NAMES = {0: "no limit", lib.TLS1_VERSION: "TLSv1", lib.TLS1_1_VERSION: "TLSv1.1", lib.TLS1_2_VERSION: "TLSv1.2"}


def text(pointer: object) -> str:
    return ffi.string(pointer).decode()


context = ffi.gc(lib.SSL_CTX_new(lib.TLS_client_method()), lib.SSL_CTX_free)
minimum = lib.SSL_CTX_get_min_proto_version(context)

print(text(lib.OpenSSL_version(lib.OPENSSL_VERSION)))
print("minimum version:", NAMES.get(minimum, hex(minimum)))
print("security level:", lib.SSL_CTX_get_security_level(context))
print("trust:", text(lib.X509_get_default_cert_file()), "and", text(lib.X509_get_default_cert_dir()))
