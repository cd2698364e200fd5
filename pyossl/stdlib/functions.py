"""The functions of the module ``_ssl``: random numbers, object identifiers, paths.

They take the arguments as CPython's do.  Where ``_ssl`` wants positions only, so do these.
"""

from __future__ import annotations

import os

from pyossl.core import ffi, lib, own, text
from pyossl.stdlib import errors
from pyossl.stdlib.c_numbers import c_int
from pyossl.stdlib.deprecation import deprecated

TYPE_CHECKING = False  # as in typing, which takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any


def RAND_add(string: Any, entropy: float, /) -> None:
    """Mixes ``string`` into the state of the random number generator.  RAND_add(3)"""
    data = string.encode() if isinstance(string, str) else bytes(memoryview(string))
    lib.RAND_add(data, len(data), float(entropy))


def RAND_bytes(n: int, /) -> bytes:
    """``n`` random bytes.  RAND_bytes(3)"""
    size = c_int(n)
    if size < 0:
        raise ValueError("num must be positive")
    buffer = ffi.new("unsigned char[]", size)
    lib.pyossl_clear_errors()
    if lib.RAND_bytes(buffer, size) != 1:
        code = lib.ERR_peek_last_error()
        lib.pyossl_clear_errors()
        raise errors.SSLError(code, text(lib.ERR_reason_error_string(code)))
    return bytes(ffi.buffer(buffer, size))


def RAND_pseudo_bytes(n: int, /) -> tuple[bytes, bool]:
    """``n`` random bytes, and True.  RAND_bytes(3)"""
    size = c_int(n)
    deprecated("ssl.RAND_pseudo_bytes() is deprecated")
    return RAND_bytes(size), True


def RAND_status() -> bool:
    """Whether the random number generator has enough entropy.  RAND_status(3)"""
    return bool(lib.RAND_status() == 1)


def get_default_verify_paths() -> tuple[str, str, str, str]:
    """The names of the variables and the paths of OpenSSL's own trusted certificates.

    X509_get_default_cert_file(3)
    """
    file_variable, file, directory_variable, directory = (
        os.fsdecode(ffi.string(function()))
        for function in (
            lib.X509_get_default_cert_file_env,
            lib.X509_get_default_cert_file,
            lib.X509_get_default_cert_dir_env,
            lib.X509_get_default_cert_dir,
        )
    )
    return file_variable, file, directory_variable, directory


def txt2obj(txt: str, name: object = False) -> tuple[int, str, str, str | None]:
    """The number, the names and the dotted form of an object; None for the last if it has none.  OBJ_txt2obj(3)

    - ``txt``: the dotted form; with ``name`` also a name.
    """
    if not isinstance(txt, str):
        kind = "None" if txt is None else type(txt).__name__
        raise TypeError(f"txt2obj() argument 'txt' must be str, not {kind}")
    if "\0" in txt:
        raise ValueError("embedded null character")
    pointer = lib.OBJ_txt2obj(txt.encode(), 0 if name else 1)
    if pointer == ffi.NULL:
        lib.pyossl_clear_errors()
        raise ValueError(f"unknown object '{txt:.100}'")
    return _object(own(pointer, lib.ASN1_OBJECT_free))


def nid2obj(nid: int, /) -> tuple[int, str, str, str | None]:
    """The number, the names and the dotted form of OpenSSL's object ``nid``, as ``txt2obj``.  OBJ_nid2obj(3)"""
    number = c_int(nid)
    if number < 0:
        raise ValueError("NID must be positive.")
    if number == lib.NID_undef:
        raise ValueError("Unknown object")
    short = lib.OBJ_nid2sn(number)
    if short == ffi.NULL:
        lib.pyossl_clear_errors()
        raise ValueError(f"unknown NID {number}")
    return _object(own(lib.OBJ_txt2obj(short, 0), lib.ASN1_OBJECT_free))


def _object(pointer: Any) -> tuple[int, str, str, str | None]:
    nid = lib.OBJ_obj2nid(pointer)
    if nid == lib.NID_undef:
        raise ValueError("Unknown object")
    size = lib.OBJ_obj2txt(ffi.NULL, 0, pointer, 1) + 1
    dotted = ffi.new("char[]", size)
    lib.OBJ_obj2txt(dotted, size, pointer, 1)
    return nid, text(lib.OBJ_nid2sn(nid)), text(lib.OBJ_nid2ln(nid)), text(dotted) or None


def get_sigalgs() -> list[str]:
    """The names of all signature algorithms of TLS.  SSL_get1_builtin_sigalgs(3)"""
    if not lib.HAVE_API_3_4:
        raise NotImplementedError("Getting signature algorithms requires OpenSSL 3.4 or later.")
    from pyossl.tls.settings.ciphers_and_groups import builtin_sigalgs

    return list(builtin_sigalgs())


def _test_decode_cert(path: Any, /) -> dict[str, Any]:
    """The dictionary of a certificate in a PEM file, for CPython's own tests."""
    from pyossl.stdlib.certificate import dictionary_of

    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    lib.pyossl_clear_errors()
    bio = lib.BIO_new_file(encoded, b"rb")
    if bio == ffi.NULL:
        lib.pyossl_clear_errors()
        raise errors.SSLError("Can't open file")
    owned = own(bio, lib.BIO_free_all)
    pointer = lib.PEM_read_bio_X509(owned, ffi.NULL, lib.pyossl_password_callback, ffi.NULL)
    lib.pyossl_clear_errors()
    if pointer == ffi.NULL:
        raise errors.SSLError("Error decoding PEM-encoded file")
    return dictionary_of(own(pointer, lib.X509_free))
