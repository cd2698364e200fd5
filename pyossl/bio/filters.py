"""The filters: BIOs that change bytes on their way to or from the BIO that is pushed below them."""

from __future__ import annotations

from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core.arguments import LARGEST_INT, c_string, c_text, flag, integer, utf8
from pyossl.core.binding import ffi, lib, own
from pyossl.core.errors import Error, check, check_ptr, require
from pyossl.core.outcome import Failure

_SMALLEST = 4096


def _made(method: Any) -> Any:
    return own(check_ptr(lib.BIO_new(method), "BIO_new"), lib.BIO_free_all)


class BufferFilter(BIO):
    """Reads ahead, and holds back what is written until ``flush`` or until there is much; its ``readline`` reads lines.

    ``size`` is that of both of its buffers, in bytes; 4096 is OpenSSL's smallest.  BIO_f_buffer(3)
    """

    def __init__(self, size: int = _SMALLEST) -> None:
        integer(size, "the number of bytes that a buffer has", _SMALLEST, LARGEST_INT)
        super().__init__(_made(lib.BIO_f_buffer()))
        check(lib.BIO_set_read_buffer_size(self._bio, size), "BIO_set_read_buffer_size")
        check(lib.BIO_set_write_buffer_size(self._bio, size), "BIO_set_write_buffer_size")


class Base64Filter(BIO):
    """Encodes what is written, in lines of 64 characters, and decodes what is read; ``flush`` writes the last line.

    With ``newlines=False`` all is one line, written and read.  What is not base64 ends what is read, and OpenSSL does
    not tell that from its end.  Lines before the first of base64 are skipped; a ``read`` raises ``Error`` after 4 MiB
    that a file, a descriptor or a BIO written in Python gave without any.  BIO_f_base64(3)
    """

    def __init__(self, *, newlines: bool = True) -> None:
        flag(newlines, "newlines")
        super().__init__(_made(lib.BIO_f_base64()))
        lib.pyossl_searching(self._bio)
        if not newlines:
            lib.BIO_set_flags(self._bio, lib.BIO_FLAGS_BASE64_NO_NL)


class DigestFilter(BIO):
    """Digests what is written and read, and passes it on as it is.

    ``name`` is OpenSSL's, such as ``sha256``; ``ValueError`` for one that it does not know.  BIO_f_md(3)
    """

    def __init__(self, name: str) -> None:
        method = lib.EVP_get_digestbyname(c_string(name, "a digest"))
        if method == ffi.NULL:
            raise ValueError(f"OpenSSL knows no digest {name!r}")
        super().__init__(_made(lib.BIO_f_md()))
        check(lib.BIO_set_md(self._bio, method), f"BIO_set_md, {name}")

    def digest(self) -> bytes:
        """The digest of what has gone through so far, which goes on.  EVP_DigestFinal_ex(3)"""
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
    """Encrypts, or with ``decrypt=True`` decrypts, what is written and what is read; ``flush`` writes the last block.

    ``name`` is OpenSSL's, such as ``aes-256-cbc``.  A last block that cannot be decrypted is an ``Error`` of ``read``
    and of ``flush``.  Nothing proves that the bytes are those that were encrypted: ciphers that do (GCM and the like)
    have no place for their tag here.  ``ValueError`` for those, for names that OpenSSL does not know, and for a key or
    an iv of another length than the cipher's.  BIO_f_cipher(3)
    """

    def __init__(self, name: str, key: bytes, iv: bytes = b"", *, decrypt: bool = False) -> None:
        flag(decrypt, "decrypt")
        cipher = lib.EVP_get_cipherbyname(c_string(name, "a cipher"))
        if cipher == ffi.NULL:
            raise ValueError(f"OpenSSL knows no cipher {name!r}")
        if lib.EVP_CIPHER_get_flags(cipher) & lib.EVP_CIPH_FLAG_AEAD_CIPHER:
            raise ValueError(f"{name} has a tag, for which a BIO has no place")
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
            raise Error("decrypting failed: the last block is not right", Failure("decrypting"))


class PrefixFilter(BIO):
    """Writes ``prefix``, and ``indent`` spaces, at the start of each line; what is read it passes on as it is.

    From OpenSSL 3.0; ``UnsupportedError`` before.  BIO_f_prefix(3)
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
        """``prefix``, as BIO_method_name(3) has it: the type is a ``BufferFilter``'s."""
        return "closed" if self.closed else "prefix"
