"""Keys and certificates by their URI, wherever they are kept: files, PKCS#11 tokens, TPMs.  ossl_store(7)

A file is read once, and split into what it consists of: the blocks of PEM, or the elements of DER.  How much work it is
to hash the password for all of them is known before any of it is done, and each is given to its own reader, alone: to
OpenSSL's decoders, which try whatever there is, only what needs no hashing.  OSSL_STORE_open(3) is for folders and for
the URIs of providers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar, overload

from pyossl.bio.bio import BIO
from pyossl.core.arguments import c_string
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.errors import (
    DecodeError,
    Error,
    PasswordError,
    UnsupportedError,
    check,
    check_ptr,
    failed,
    transport_error,
)
from pyossl.core.outcome import take_records
from pyossl.x509.certificate import Certificate
from pyossl.x509.crl import CRL
from pyossl.x509.encoding import Block, contents, describe, element_end, pem_blocks, pem_text
from pyossl.x509.keys import PrivateKey, PublicKey, check_header, is_private, iterations_of
from pyossl.x509.passwords import Password, check_iterations, password_bytes
from pyossl.x509.pkcs12 import PKCS12

Stored = PrivateKey | PublicKey | Certificate | CRL
"""What can be kept under a URI."""


_S = TypeVar("_S", PrivateKey, PublicKey, Certificate, CRL)


@overload
def load_uri(uri: str, password: Password | None = None) -> list[Stored | str]: ...
@overload
def load_uri(uri: str, password: Password | None = None, *, kind: type[_S]) -> list[_S]: ...
def load_uri(uri: str, password: Password | None = None, *, kind: type[Any] | None = None) -> list[Any]:
    """All that is kept under a URI, in the order in which it is found; or what is of one ``kind``, such as
    ``PrivateKey``, whatever else may be there.

    ``file:/etc/ssl/key.pem``, or a path alone, is a file of any format that OpenSSL reads, or a folder, which has the
    URIs of its files.  From OpenSSL 3.0 others are a provider's: ``pkcs11:token=mine;object=key`` is that of
    pkcs11-provider, which openssl.cnf loads; such a key signs where it lies, and cannot be written.

    ``password`` (a PIN is one) is asked for only when there is need of it; nothing ever prompts.  Raises
    ``PasswordError`` when it is missing or wrong, ``FileNotFoundError`` or another ``OSError``, ``DecodeError`` for
    what nobody can read and where nothing is, and for a file in which to hash the password would take seconds, as in
    ``PrivateKey.load``, and ``UnsupportedError`` for a URI of a kind that this OpenSSL, as it is configured, knows
    nothing of.  OSSL_STORE_open(3), OSSL_STORE_load(3)
    """
    if kind not in (None, PrivateKey, PublicKey, Certificate, CRL):
        raise TypeError(f"kind is PrivateKey, PublicKey, Certificate, CRL or None, not {kind!r:.80}")
    place = _place(uri)
    what = f"loading {uri!r}"
    search: Callable[[str | bytes | None], _Found]
    if isinstance(place, bytes):
        pieces, malformed = _pieces(place, what)
        if kind in (None, PrivateKey):
            check_iterations(sum(map(iterations_of, pieces)), f"what is kept under {uri!r}")
        search = partial(_in_file, pieces, malformed, kind, what)
    else:
        search = partial(_in_store, partial(_opened, place), kind, what)
    known = None if callable(password) else password
    found = search(known)
    if found.asked and not found.things and callable(password):
        found = search(known := password())
    # Of a wrong PIN a token's provider says nothing: it finds nothing.
    if found.asked and (not found.things or (found.error and kind is None)):
        why = "needs a password" if known is None else "was not opened by this password"
        said = found.error or f"{what} failed"
        raise PasswordError(f"what is kept under {uri!r} {why}: {said}", found.error.failure if found.error else None)
    if found.error and (kind is None or (isinstance(place, bytes) and not found.things)):
        raise found.error
    if not found.things:
        raise DecodeError(f"{what} failed: there is no {kind.__name__ if kind else 'key, certificate or CRL'}")
    return found.things


class _Found(NamedTuple):
    """What a search came to, and the error where it met something that it could not read."""

    things: list[Stored | str]
    asked: bool
    error: Error | None


_NOTHING = _Found([], False, None)


def _place(uri: str) -> bytes | str:
    """What the file under a URI holds; or, where that is no file, the URI that OSSL_STORE_open(3) is to open.

    It would open a file, too: that of a folder ends with a slash, so that only a folder is meant by it.
    """
    c_string(uri, "a URI")
    paths = _paths(uri)
    path = next(filter(os.path.exists, paths), None)
    if path is None and (_SCHEME.match(uri) or not paths):
        return uri
    path = path or paths[-1]
    if os.path.isdir(path):
        return f"{uri}/"
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        number = error.errno or 0
        raise transport_error(number, f"{os.strerror(number)}: opening {uri!r} failed") from None
    if len(data) > _LARGEST_FILE:
        raise DecodeError(f"loading {uri!r} failed: the file has more than {_LARGEST_FILE} bytes")
    return data


def _paths(uri: str) -> list[str]:
    """The files that OpenSSL takes a URI for, the first that there is: it may be a path as it stands."""
    if uri[:5].lower() != "file:":
        return [uri]
    path = uri[5:]
    if not path.startswith("//"):
        return [uri, path] if path.startswith("/") else [uri]
    authority, slash, rest = path[2:].partition("/")
    return [slash + rest] if authority.lower() in ("", "localhost") and slash else []


_LARGEST_FILE = 1 << 28


# Files


def _pieces(data: bytes, what: str) -> tuple[list[Block], Error | None]:
    """The blocks or elements of a file, and what there is to say of one that is malformed, behind which none is read.

    The piece of label ``_OTHER`` is neither PEM nor DER.
    """
    if text := pem_text(data):
        return pem_blocks(text, what)
    pieces: list[Block] = []
    at = 0
    while at < len(data):
        end = element_end(data, at) if data[at] in _SEQUENCES else None
        if end is None:
            break
        pieces.append(Block("", b"", data[at:end]))
        at = end
    if not data:
        return [], DecodeError(f"{what} failed: it is empty")
    if pieces and at < len(data):
        return pieces, DecodeError(f"{what} failed: {len(data) - at} bytes stand behind what it holds")
    return pieces or [Block(_OTHER, b"", data)], None


_OTHER = "\n"
_SEQUENCES = (0x30, 0x3F)  # the second with its number, 16, in bytes of its own, which OpenSSL reads as well


def _in_file(
    pieces: list[Block], malformed: Error | None, kind: type[Any] | None, what: str, password: str | bytes | None
) -> _Found:
    things: list[Stored | str] = []
    asked, first_error = False, None
    for piece in pieces:
        try:
            found = _read(piece, password, kind, what, is_alone=len(pieces) == 1)
            error = found.error
            things += [thing for thing in found.things if kind is None or isinstance(thing, kind)]
        except PasswordError as refused:
            asked, error = True, refused
        except (DecodeError, UnsupportedError) as refused:
            error = refused
        first_error = first_error or error
    return _Found(things, asked, first_error or malformed)


def _read(piece: Block, password: str | bytes | None, kind: type[Any] | None, what: str, *, is_alone: bool) -> _Found:
    """What one piece of a file is; nothing where it says that it is of another kind than is wanted."""
    label = piece.label
    check_header(piece, what)
    if label.endswith("PARAMETERS"):
        return _NOTHING
    if iterations_of(piece) or (label and is_private(piece)):
        return _Found([] if kind not in (None, PrivateKey) else [_private_key(piece, password)], False, None)
    if label in _READERS:
        its_kind, read = _READERS[label]
        return _Found([] if kind not in (None, its_kind) else [read(piece)], False, None)
    if not label:
        for its_kind in (Certificate, CRL, PublicKey):
            with suppress(DecodeError):
                return _Found([its_kind._from_der(piece.der)], False, None)
    if _is_pkcs12(piece.der):
        if label or not is_alone:
            raise DecodeError(f"{what} failed: a PKCS#12 is a file of its own, in DER")
        bundle = PKCS12.load(piece.der, password)
        things = (bundle.private_key, bundle.certificate, *bundle.chain)
        return _Found([thing for thing in things if thing is not None], False, None)
    if not label and kind in (None, PrivateKey):
        try:
            return _Found([_private_key(piece, password)], False, None)
        except PasswordError:
            raise
        except DecodeError:
            take_records()
    return _by_decoders(piece, kind, what, password)


def _private_key(piece: Block, password: str | bytes | None) -> PrivateKey:
    return PrivateKey._of([piece], password, describe(piece.der), None)


def _trusted_certificate(piece: Block) -> Certificate:
    """With what OpenSSL notes of whom it is trusted for behind it.  PEM_read_bio_X509_AUX(3)"""
    bio = BIO.memory(piece.pem())
    take_records()
    pointer = lib.PEM_read_bio_X509_AUX(bio._bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL)
    return Certificate(own(check_ptr(pointer, "reading a trusted certificate", DecodeError), lib.X509_free))


_READERS: dict[str, tuple[type[Stored], Callable[[Block], Stored]]] = {
    "CERTIFICATE": (Certificate, lambda piece: Certificate._from_der(piece.der)),
    "X509 CERTIFICATE": (Certificate, lambda piece: Certificate._from_der(piece.der)),
    "TRUSTED CERTIFICATE": (Certificate, _trusted_certificate),
    "X509 CRL": (CRL, lambda piece: CRL._from_der(piece.der)),
    "PUBLIC KEY": (PublicKey, lambda piece: PublicKey._from_der(piece.der)),
}


def _is_pkcs12(der: bytes) -> bool:
    take_records()
    pointer = lib.d2i_PKCS12_bio(BIO.memory(der)._bio, ffi.NULL)
    take_records()
    return bool(own(pointer, lib.PKCS12_free) != ffi.NULL)


def _by_decoders(piece: Block, kind: type[Any] | None, what: str, password: str | bytes | None) -> _Found:
    """What OpenSSL's decoders, and those of its providers, make of a piece that is none of the usual ones.

    Of a password Microsoft's PVK has one digest, and no other format any that is left here.
    """
    data, type_name = piece.der, b"DER"
    if piece.label == _OTHER:
        type_name = ffi.NULL
    elif piece.label:
        data, type_name = piece.pem(), b"PEM"
    may_hide_more = piece.label == _OTHER and (b"-----BEGIN " in data or data[0] in _SEQUENCES)
    if not lib.HAVE_API_3_0 or may_hide_more:
        raise DecodeError(f"{what} failed: this is nothing that OpenSSL reads")
    bio = BIO.memory(data)

    def attached(method: Any, answer: Any) -> Any:
        return check_ptr(lib.pyossl_store_attach(bio._bio, type_name, method, answer), what, DecodeError)

    found = _in_store(attached, kind, what, password, most=1)
    if piece.label == _OTHER and found.things and len(contents(bio)):
        raise DecodeError(f"{what} failed: bytes stand behind what it holds")
    return found


# Stores


def _in_store(
    opened: Callable[[Any, Any], Any],
    kind: type[Any] | None,
    what: str,
    password: str | bytes | None,
    most: int | None = None,
) -> _Found:
    """What a store has, or the first ``most`` things; ``opened`` opens it with a way to ask and the answer."""
    secret = b"" if password is None else password_bytes(password)
    kept = ffi.from_buffer(secret)
    answer = ffi.new("pyossl_password *", {"bytes": kept, "length": -1 if password is None else len(secret)})
    take_records()
    wrapped = lib.UI_UTIL_wrap_read_pem_callback(lib.pyossl_password_callback, 0)
    method = own(check_ptr(wrapped, "UI_UTIL_wrap_read_pem_callback"), lib.UI_destroy_method)
    store = own(opened(method, answer), lib.OSSL_STORE_close, (method, answer, kept))
    if kind is not None and (expected := _EXPECTED.get(kind)) is not None:
        check(lib.OSSL_STORE_expect(store, expected), "OSSL_STORE_expect")
    things: list[Stored | str] = []
    in_vain = loaded = 0
    while in_vain < _MOST_IN_VAIN and loaded != most and not lib.OSSL_STORE_eof(store):
        info = lib.pyossl_store_load(store)
        loaded += 1
        in_vain = 0 if info != ffi.NULL else in_vain + 1
        # OSSL_STORE_error(3) is also that there is no more; and what is not of the kind that is expected is one, too.
        if info != ffi.NULL:
            take_records()
            thing = _taken(own(info, lib.OSSL_STORE_INFO_free))
            if thing is not None and (kind is None or isinstance(thing, kind)):
                things.append(thing)
        elif lib.ERR_peek_error() != 0 and kind is None:
            break
    error = failed(what, DecodeError) if lib.ERR_peek_error() != 0 else None
    return _Found(things, bool(answer.asked), error)


def _opened(uri: str, method: Any, answer: Any) -> Any:
    store = lib.pyossl_store_open(c_string(uri, "a URI"), method, answer)
    if store == ffi.NULL:
        raise _unopened(uri)
    return store


_MOST_IN_VAIN = 100_000
"""So many loads one after the other that come to nothing: a file that cannot be read, say, never comes to its end."""

_EXPECTED: dict[type[Stored], int] = {PrivateKey: lib.OSSL_STORE_INFO_PKEY, Certificate: lib.OSSL_STORE_INFO_CERT}
_EXPECTED[CRL] = lib.OSSL_STORE_INFO_CRL
_EXPECTED[PublicKey] = lib.OSSL_STORE_INFO_PUBKEY if lib.HAVE_API_3_0 else lib.OSSL_STORE_INFO_PKEY


def _taken(info: Any) -> Stored | str | None:
    """One thing of a store's; None for what there is no class for, such as parameters."""
    kind = lib.OSSL_STORE_INFO_get_type(info)
    if kind == lib.OSSL_STORE_INFO_PKEY:
        key = own(check_ptr(lib.OSSL_STORE_INFO_get1_PKEY(info), "OSSL_STORE_INFO_get1_PKEY"), lib.EVP_PKEY_free)
        return PrivateKey(key) if lib.pyossl_is_private(key) else PublicKey(key)
    if kind == lib.OSSL_STORE_INFO_PUBKEY:
        key = check_ptr(lib.OSSL_STORE_INFO_get1_PUBKEY(info), "OSSL_STORE_INFO_get1_PUBKEY")
        return PublicKey(own(key, lib.EVP_PKEY_free))
    if kind == lib.OSSL_STORE_INFO_CERT:
        certificate = check_ptr(lib.OSSL_STORE_INFO_get1_CERT(info), "OSSL_STORE_INFO_get1_CERT")
        return Certificate(own(certificate, lib.X509_free))
    if kind == lib.OSSL_STORE_INFO_CRL:
        crl = check_ptr(lib.OSSL_STORE_INFO_get1_CRL(info), "OSSL_STORE_INFO_get1_CRL")
        return CRL(own(crl, lib.X509_CRL_free))
    if kind == lib.OSSL_STORE_INFO_NAME:
        return text(lib.OSSL_STORE_INFO_get0_NAME(info))
    return None


_NOBODY_S = (lib.OSSL_STORE_R_UNREGISTERED_SCHEME, lib.ERR_R_UNSUPPORTED)
_SCHEME = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def _unopened(uri: str) -> Exception:
    error = failed(f"opening {uri!r}")
    if not _SCHEME.match(uri):
        return error
    for record in error.records:
        # A path is tried first, so that the queue begins with a file that there is not.
        if record.library_code == lib.ERR_LIB_OSSL_STORE and record.reason_code in _NOBODY_S:
            scheme = uri.partition(":")[0]
            unsupported = UnsupportedError(
                f"store for URIs that begin with {scheme!r}: openssl.cnf may load a provider"
            )
            unsupported.failure = error.failure
            return unsupported
    return error
