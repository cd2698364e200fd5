"""The filters: BIOs that change the bytes on their way to and from the BIO below."""

from __future__ import annotations

from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own
from pyossl.core.arguments import LARGEST_INT, c_string, c_text, flag, integer, utf8
from pyossl.core.errors import Error, check, check_ptr, require
from pyossl.core.outcome import Failure

_SMALLEST = 4096


def _made(method: Any) -> Any:
    return own(check_ptr(lib.BIO_new(method), "BIO_new"), lib.BIO_free_all)


class BufferFilter(BIO):
    """Buffers reads and writes, and reads lines (``readline``).

    Bytes that are written are kept until ``flush`` or until the buffer is full.  ``size`` is the size of each of its
    two buffers in bytes, at least 4096.  Raises ``TypeError`` or ``ValueError`` for another size.  BIO_f_buffer(3)
    """

    def __init__(self, size: int = _SMALLEST) -> None:
        integer(size, "the number of bytes that a buffer has", _SMALLEST, LARGEST_INT)
        super().__init__(_made(lib.BIO_f_buffer()))
        check(lib.BIO_set_read_buffer_size(self._bio, size), "BIO_set_read_buffer_size")
        check(lib.BIO_set_write_buffer_size(self._bio, size), "BIO_set_write_buffer_size")


class Base64Filter(BIO):
    """Encodes the bytes that are written in base64, in lines of 64 characters, and decodes the bytes that are read.

    Call ``flush`` at the end: it writes the last line.  With ``newlines=False`` there are no line feeds: all base64 is
    one line, written and read.

    A read skips lines before the first line of base64.  It ends at bytes that are not base64, and OpenSSL does not
    report that as an error.  It raises ``Error`` after 4 MiB without base64 from a file, a descriptor or a BIO written
    in Python.  BIO_f_base64(3)
    """

    def __init__(self, *, newlines: bool = True) -> None:
        flag(newlines, "newlines")
        super().__init__(_made(lib.BIO_f_base64()))
        lib.pyossl_searching(self._bio)
        if not newlines:
            lib.BIO_set_flags(self._bio, lib.BIO_FLAGS_BASE64_NO_NL)


class DigestFilter(BIO):
    """Computes a digest of all bytes that are written and read, and does not change them.

    ``name`` is OpenSSL's name of the digest, for example ``sha256``.  Raises ``ValueError`` if OpenSSL does not have
    it.  BIO_f_md(3)
    """

    def __init__(self, name: str) -> None:
        method = lib.EVP_get_digestbyname(c_string(name, "a digest"))
        if method == ffi.NULL:
            raise ValueError(f"OpenSSL has no digest {name!r}")
        super().__init__(_made(lib.BIO_f_md()))
        check(lib.BIO_set_md(self._bio, method), f"BIO_set_md, {name}")

    def digest(self) -> bytes:
        """The digest of the bytes until now; more bytes may follow.  EVP_DigestFinal_ex(3)"""
        context = ffi.new("EVP_MD_CTX **")
        copy = own(check_ptr(lib.EVP_MD_CTX_new(), "EVP_MD_CTX_new"), lib.EVP_MD_CTX_free)

        def digested() -> None:
            check(lib.BIO_get_md_ctx(self._bio, context), "BIO_get_md_ctx")
            check(lib.EVP_MD_CTX_copy_ex(copy, context[0]), "EVP_MD_CTX_copy_ex")

        self._in_turn(digested)
        out, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
        check(lib.EVP_DigestFinal_ex(copy, out, length), "EVP_DigestFinal_ex")
        return bytes(ffi.buffer(out, length[0]))


class CipherFilter(BIO):
    """Encrypts, or decrypts, the bytes that are written and the bytes that are read.

    - ``name``: OpenSSL's name of the cipher, for example ``aes-256-cbc``.
    - ``key``, ``iv``: bytes, of the lengths that the cipher has.
    - ``decrypt``: True to decrypt.

    Call ``flush`` at the end: it writes the last block.  ``read`` and ``flush`` raise ``Error`` if the last block
    cannot be decrypted.  The bytes are not authenticated: a change to the encrypted bytes may stay unnoticed.  Ciphers
    that authenticate, for example GCM, cannot be used, because a BIO has no place for their tag.

    Raises ``ValueError`` for these, for a cipher that OpenSSL does not have and for a wrong length.  BIO_f_cipher(3)
    """

    def __init__(self, name: str, key: bytes, iv: bytes = b"", *, decrypt: bool = False) -> None:
        flag(decrypt, "decrypt")
        cipher = lib.EVP_get_cipherbyname(c_string(name, "a cipher"))
        if cipher == ffi.NULL:
            raise ValueError(f"OpenSSL has no cipher {name!r}")
        if lib.EVP_CIPHER_get_flags(cipher) & lib.EVP_CIPH_FLAG_AEAD_CIPHER:
            raise ValueError(f"{name} has an authentication tag, which a CipherFilter cannot store")
        for what, given, length in (
            ("key", key, lib.EVP_CIPHER_get_key_length(cipher)),
            ("iv", iv, lib.EVP_CIPHER_get_iv_length(cipher)),
        ):
            if not isinstance(given, bytes):
                raise TypeError(f"the {what} is bytes, not {type(given).__name__}")
            if len(given) != length:
                raise ValueError(f"the {what} of {name} has {length} bytes, not {len(given)}")
        super().__init__(_made(lib.BIO_f_cipher()))
        check(lib.BIO_set_cipher(self._bio, cipher, key, iv, not decrypt), f"BIO_set_cipher, {name}")

    def _check_own_end(self) -> None:
        if lib.BIO_get_cipher_status(self._pointer) != 1:
            raise Error("decrypting failed: the last block is wrong", Failure("decrypting"))


class PrefixFilter(BIO):
    """Writes ``prefix``, and then ``indent`` spaces, at the start of each line; it does not change the bytes that are
    read.

    ``prefix`` is text, encoded in UTF-8, or bytes; without a NUL.  OpenSSL 3.0 or newer; else raises
    ``UnsupportedError``.  BIO_f_prefix(3)
    """

    def __init__(self, prefix: str | bytes = b"", *, indent: int = 0) -> None:
        require(lib.HAVE_API_3_0, "BIO_f_prefix")
        encoded = c_text(utf8(prefix, "a prefix") if isinstance(prefix, str) else prefix, "a prefix")
        integer(indent, "an indent", 0, LARGEST_INT)
        super().__init__(_made(lib.BIO_f_prefix()))
        lib.pyossl_bounded(self._bio)
        check(lib.BIO_set_prefix(self._bio, encoded), "BIO_set_prefix")
        check(lib.BIO_set_indent(self._bio, indent), "BIO_set_indent")

    @property
    def name(self) -> str:
        """``prefix``: OpenSSL gives this BIO the type of a ``BufferFilter``, and another name.  BIO_method_name(3)"""
        return "closed" if self.closed else "prefix"
