"""Loading keys and certificates by URI: from files, PKCS#11 tokens and TPMs.  ossl_store(7)

A file is read once and split into pieces: PEM blocks or DER elements.  The work of hashing the password for all pieces
is known before any hashing begins.  Each piece goes to the reader for its type.  Only a piece that needs no hashing
goes to OpenSSL's decoders, which try every type.  OSSL_STORE_open(3) opens directories and the URIs of providers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar, overload

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import c_string
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
from pyossl.core.library_context import LibraryContext, library_in_use, library_pointer
from pyossl.core.outcome import take_records
from pyossl.x509.certificate import Certificate
from pyossl.x509.crl import CRL
from pyossl.x509.keys import PrivateKey, PublicKey, check_pem_headers, is_private_key, iterations_of, key_of_library
from pyossl.x509.passwords import Password, check_iterations, password_bytes
from pyossl.x509.pem_and_der import Block, bio_contents, describe, element_end, pem_blocks, pem_text
from pyossl.x509.pkcs12 import PKCS12
from pyossl.x509.uris import has_pin, paths_of, scheme_of, without_pin, without_pin_attributes

Stored = PrivateKey | PublicKey | Certificate | CRL
"""The types of the objects that ``load_uri`` returns, besides the URIs (``str``) in a directory."""


_S = TypeVar("_S", PrivateKey, PublicKey, Certificate, CRL)


@overload
def load_uri(
    uri: str, password: Password | None = None, *, library_context: LibraryContext | None = None
) -> list[Stored | str]: ...
@overload
def load_uri(
    uri: str, password: Password | None = None, *, kind: type[_S], library_context: LibraryContext | None = None
) -> list[_S]: ...
def load_uri(
    uri: str,
    password: Password | None = None,
    *,
    kind: type[Any] | None = None,
    library_context: LibraryContext | None = None,
) -> list[Any]:
    """Loads everything that is stored under a URI, in order, or only the objects of one ``kind``.

    - ``uri``: ``file:/etc/ssl/key.pem``, or a path, is a file in any format that OpenSSL reads, or a directory, whose
      files are returned as URIs (``str``).  With OpenSSL 3.0 or newer, providers add other URIs: pkcs11-provider, which
      openssl.cnf loads, adds ``pkcs11:token=mine;object=key``.  Such a key stays in the token: it can sign but cannot
      be written.
    - ``password``: a password or PIN as ``str`` or ``bytes``, or a function that returns one and is called only if it
      is needed.  pyossl never prompts on a terminal.  A private key in a token keeps it: a child process needs it to
      log in again, and calls the function again.
    - ``kind``: ``PrivateKey``, ``PublicKey``, ``Certificate`` or ``CRL``; None for all.
    - ``library_context``: the ``LibraryContext`` that keys and certificates belong to, and whose providers have the
      loaders; None for the default one.

    Raises

    - ``PasswordError`` if the password is missing or wrong;
    - ``FileNotFoundError`` or another ``OSError`` if the file cannot be read;
    - ``DecodeError`` if the contents cannot be decoded, if there is nothing, or if hashing the password would take
      seconds, as with ``PrivateKey.load``;
    - ``UnsupportedError`` if this OpenSSL, with its configuration, has no loader for such URIs.

    OSSL_STORE_open_ex(3), OSSL_STORE_load(3)
    """
    library_pointer(library_context)
    return _load(uri, password, kind, library_context)


def _load(
    uri: str, password: Password | None, kind: type[Any] | None, library_context: LibraryContext | None
) -> list[Any]:
    """As ``load_uri``, also if the library context is closed."""
    if kind not in (None, PrivateKey, PublicKey, Certificate, CRL):
        raise TypeError(f"kind is PrivateKey, PublicKey, Certificate, CRL or None, not {kind!r:.80}")
    place = _file_or_uri(uri)
    shown = without_pin(uri)
    what = f"loading {shown!r}"
    search: Callable[[str | bytes | None], _Found]
    if isinstance(place, bytes):
        pieces, malformed = _split(place, what)
        if kind in (None, PrivateKey):
            check_iterations(sum(map(iterations_of, pieces)), f"the file {shown!r}")
        search = partial(_search_file, pieces, malformed, kind, what, library_context)
    else:
        search = partial(_search_store, partial(_open_store, place, library_context), kind, what, library_context)
    known = None if callable(password) else password
    found = search(known)
    if found.asked and not found.objects and callable(password):
        found = search(known := password())
    if isinstance(place, str) and not found.objects and (found.asked or has_pin(place)):
        found = found._replace(asked=_asks_for_pin(place, kind, what, library_context))
    if found.asked and (not found.objects or (found.error and kind is None)):
        why = "needs a password" if known is None and not has_pin(uri) else "was not opened by this password"
        reason = found.error or f"{what} failed"
        raise PasswordError(f"{shown!r} {why}: {reason}", found.error.failure if found.error else None)
    if found.error and (kind is None or (isinstance(place, bytes) and not found.objects)):
        raise found.error
    if not found.objects:
        raise DecodeError(f"{what} failed: there is no {kind.__name__ if kind else 'key, certificate or CRL'}")
    if isinstance(place, str) and scheme_of(place):
        _remember_login(found.objects, uri, password, library_context)
    return found.objects


class _Found(NamedTuple):
    """The result of a search.

    - ``objects``: the objects that were found.
    - ``asked``: whether a password was needed.
    - ``error``: the first error of a piece that could not be read.
    """

    objects: list[Stored | str]
    asked: bool
    error: Error | None


_NOTHING = _Found([], False, None)


def _file_or_uri(uri: str) -> bytes | str:
    """The contents of the file that a URI names; or, if it names no file, the URI for OSSL_STORE_open(3).

    OSSL_STORE_open would open a file too.  The URI of a directory gets a slash at its end, so that it cannot open one.
    """
    c_string(uri, "a URI")
    paths = paths_of(uri)
    path = next(filter(os.path.exists, paths), None)
    if path is None and (scheme_of(uri) or not paths):
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


_LARGEST_FILE = 1 << 28


# Files


def _split(data: bytes, what: str) -> tuple[list[Block], Error | None]:
    """The blocks or elements of a file, and the error if one is malformed; nothing after it is read.

    A piece with the label ``_UNKNOWN_FORMAT`` is neither PEM nor DER.
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
        return pieces, DecodeError(f"{what} failed: {len(data) - at} bytes follow its contents")
    return pieces or [Block(_UNKNOWN_FORMAT, b"", data)], None


_UNKNOWN_FORMAT = "\n"
_SEQUENCES = (0x30, 0x3F)  # the second has its tag number, 16, in a byte of its own; OpenSSL accepts it


def _search_file(
    pieces: list[Block],
    malformed: Error | None,
    kind: type[Any] | None,
    what: str,
    library_context: LibraryContext | None,
    password: str | bytes | None,
) -> _Found:
    objects: list[Stored | str] = []
    asked, first_error = False, None
    for piece in pieces:
        try:
            found = _read(piece, password, kind, what, library_context, is_alone=len(pieces) == 1)
            error = found.error
            objects += [each for each in found.objects if kind is None or isinstance(each, kind)]
        except PasswordError as refused:
            asked, error = True, refused
        except (DecodeError, UnsupportedError) as refused:
            error = refused
        first_error = first_error or error
    return _Found(objects, asked, first_error or malformed)


def _read(
    piece: Block,
    password: str | bytes | None,
    kind: type[Any] | None,
    what: str,
    library_context: LibraryContext | None,
    *,
    is_alone: bool,
) -> _Found:
    """The objects in one piece of a file; none if the piece is labelled as another kind."""
    label = piece.label
    check_pem_headers(piece, what)
    if label.endswith("PARAMETERS"):
        return _NOTHING
    if iterations_of(piece) or (label and is_private_key(piece)):
        wanted = kind in (None, PrivateKey)
        return _Found([_private_key(piece, password, library_context)] if wanted else [], False, None)
    if label in _READERS:
        its_kind, read = _READERS[label]
        return _Found([] if kind not in (None, its_kind) else [read(piece, library_context)], False, None)
    if not label:
        for read in (_certificate, _crl, _public_key):
            with suppress(DecodeError):
                return _Found([read(piece, library_context)], False, None)
    if _is_pkcs12(piece.der):
        if label or not is_alone:
            raise DecodeError(f"{what} failed: a PKCS#12 must be the only contents of a file, in DER")
        bundle = PKCS12.load(piece.der, password, library_context=library_context)
        objects = (bundle.private_key, bundle.certificate, *bundle.chain)
        return _Found([each for each in objects if each is not None], False, None)
    if not label and kind in (None, PrivateKey):
        try:
            return _Found([_private_key(piece, password, library_context)], False, None)
        except PasswordError:
            raise
        except DecodeError:
            take_records()
    return _by_decoders(piece, kind, what, password, library_context)


def _private_key(piece: Block, password: str | bytes | None, library_context: LibraryContext | None) -> PrivateKey:
    return PrivateKey._from_blocks([piece], password, describe(piece.der), None, library_context)


def _public_key(piece: Block, library_context: LibraryContext | None) -> PublicKey:
    return PublicKey._from_der(piece.der, library_context)


def _certificate(piece: Block, library_context: LibraryContext | None) -> Certificate:
    return Certificate._from_der(piece.der, library_context)


def _trusted_certificate(piece: Block, library_context: LibraryContext | None) -> Certificate:
    """A certificate with its trusted and rejected uses.  PEM_read_bio_X509_AUX(3)"""
    bio = BIO.memory(piece.pem())
    take_records()
    pointer = lib.PEM_read_bio_X509_AUX(bio._bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL)
    read = Certificate(own(check_ptr(pointer, "reading a trusted certificate", DecodeError), lib.X509_free))
    return read._in(library_context)


def _crl(piece: Block, library_context: LibraryContext | None) -> CRL:
    return CRL._from_der(piece.der)  # a store reads it again, in its own library context


_READERS: dict[str, tuple[type[Stored], Callable[[Block, LibraryContext | None], Stored]]] = {
    "CERTIFICATE": (Certificate, _certificate),
    "X509 CERTIFICATE": (Certificate, _certificate),
    "TRUSTED CERTIFICATE": (Certificate, _trusted_certificate),
    "X509 CRL": (CRL, _crl),
    "PUBLIC KEY": (PublicKey, _public_key),
}


def _is_pkcs12(der: bytes) -> bool:
    take_records()
    pointer = lib.d2i_PKCS12_bio(BIO.memory(der)._bio, ffi.NULL)
    take_records()
    return bool(own(pointer, lib.PKCS12_free) != ffi.NULL)


def _by_decoders(
    piece: Block,
    kind: type[Any] | None,
    what: str,
    password: str | bytes | None,
    library_context: LibraryContext | None,
) -> _Found:
    """The objects that OpenSSL's decoders, including those of providers, read from a piece of another type.

    Of the formats left here only Microsoft's PVK uses a password, and hashes it once.
    """
    data, type_name = piece.der, b"DER"
    if piece.label == _UNKNOWN_FORMAT:
        type_name = ffi.NULL
    elif piece.label:
        data, type_name = piece.pem(), b"PEM"
    may_hide_more = piece.label == _UNKNOWN_FORMAT and (b"-----BEGIN " in data or data[0] in _SEQUENCES)
    if not lib.HAVE_API_3_0 or may_hide_more:
        raise DecodeError(f"{what} failed: OpenSSL does not support this format")
    bio = BIO.memory(data)

    def attached(method: Any, answer: Any) -> Any:
        library = library_in_use(library_context)
        return check_ptr(lib.pyossl_store_attach(bio._bio, type_name, library, method, answer), what, DecodeError)

    found = _search_store(attached, kind, what, library_context, password, most=1)
    if piece.label == _UNKNOWN_FORMAT and found.objects and len(bio_contents(bio)):
        raise DecodeError(f"{what} failed: bytes follow its contents")
    return found


# Stores


def _search_store(
    opened: Callable[[Any, Any], Any],
    kind: type[Any] | None,
    what: str,
    library_context: LibraryContext | None,
    password: str | bytes | None,
    most: int | None = None,
) -> _Found:
    """The objects in a store, or the first ``most``.  ``opened`` opens it with a password method and its data."""
    secret = b"" if password is None else password_bytes(password)
    kept = ffi.from_buffer(secret)
    answer = ffi.new("pyossl_password *", {"bytes": kept, "length": -1 if password is None else len(secret)})
    take_records()
    wrapped = lib.UI_UTIL_wrap_read_pem_callback(lib.pyossl_password_callback, 0)
    method = own(check_ptr(wrapped, "UI_UTIL_wrap_read_pem_callback"), lib.UI_destroy_method)
    store = own(opened(method, answer), lib.OSSL_STORE_close, (method, answer, kept))
    if kind is not None and (expected := _STORE_TYPES.get(kind)) is not None:
        check(lib.OSSL_STORE_expect(store, expected), "OSSL_STORE_expect")
    objects: list[Stored | str] = []
    empty_loads = loaded = 0
    while empty_loads < _MOST_EMPTY_LOADS and loaded != most and not lib.OSSL_STORE_eof(store):
        info = lib.pyossl_store_load(store)
        loaded += 1
        empty_loads = 0 if info != ffi.NULL else empty_loads + 1
        # OSSL_STORE_error(3) is true also at the end, and for an object that is not of the expected kind.
        if info != ffi.NULL:
            take_records()
            found = _object_in(own(info, lib.OSSL_STORE_INFO_free), library_context)
            if found is not None and (kind is None or isinstance(found, kind)):
                objects.append(found)
        elif lib.ERR_peek_error() != 0 and kind is None:
            break
    error = _failed(what, DecodeError) if lib.ERR_peek_error() != 0 else None
    return _Found(objects, bool(answer.asked), error)


def _asks_for_pin(uri: str, kind: type[Any] | None, what: str, library_context: LibraryContext | None) -> bool:
    """Whether a token still asks for its PIN: then the one that it was given was wrong.

    A token's provider reports no error for a wrong PIN: it finds no object.  No PIN is tried here, because tokens count
    the wrong ones.
    """
    opened = partial(_open_store, without_pin_attributes(uri), library_context)
    return _search_store(opened, kind, what, library_context, None).asked


def _remember_login(
    objects: list[Any], uri: str, password: Password | None, library_context: LibraryContext | None
) -> None:
    """Keeps what a child process needs to use the private keys of a token, and ends all prompts for its PIN.

    A child process is not logged in.  If it uses a key nevertheless, pkcs11-provider prompts on the terminal, in the
    middle of a handshake (docs/pitfalls.md, 82).
    """
    keys = [each for each in objects if isinstance(each, PrivateKey)]
    if keys:
        lib.pyossl_silence_stays()
    log_in = _TokenLogin(uri, password, library_context)
    for key in keys:
        key._log_in = log_in


class _TokenLogin:
    """Logs in to a token again, once in each process that was forked since."""

    def __init__(self, uri: str, password: Password | None, library_context: LibraryContext | None) -> None:
        self._uri, self._password, self._library_context = uri, password, library_context
        self._process = os.getpid()
        self._refusal: PasswordError | None = None

    def __call__(self) -> None:
        """Raises the exceptions of ``load_uri``, and that of the function that returns the PIN.

        A PIN that was refused is not tried again: a token locks itself after a few wrong ones.
        """
        process = os.getpid()
        if process == self._process:
            if self._refusal is not None:
                raise self._refusal
            return
        try:
            _load(self._uri, self._password, PrivateKey, self._library_context)
        except PasswordError as error:
            self._refusal = error
            raise
        else:
            self._refusal = None
        finally:
            self._process = process


def _open_store(uri: str, library_context: LibraryContext | None, method: Any, answer: Any) -> Any:
    store = lib.pyossl_store_open(c_string(uri, "a URI"), library_in_use(library_context), method, answer)
    if store == ffi.NULL:
        raise _open_error(uri, library_context)
    return store


_MOST_EMPTY_LOADS = 100_000
"""The search ends after so many loads in a row without a result: an unreadable file may never reach its end."""

_STORE_TYPES: dict[type[Stored], int] = {PrivateKey: lib.OSSL_STORE_INFO_PKEY, Certificate: lib.OSSL_STORE_INFO_CERT}
_STORE_TYPES[CRL] = lib.OSSL_STORE_INFO_CRL
_STORE_TYPES[PublicKey] = lib.OSSL_STORE_INFO_PUBKEY if lib.HAVE_API_3_0 else lib.OSSL_STORE_INFO_PKEY


def _object_in(info: Any, library_context: LibraryContext | None) -> Stored | str | None:
    """The object in an OSSL_STORE_INFO; None for a type that pyossl has no class for, such as parameters."""
    kind = lib.OSSL_STORE_INFO_get_type(info)
    if kind == lib.OSSL_STORE_INFO_PKEY:
        key = own(check_ptr(lib.OSSL_STORE_INFO_get1_PKEY(info), "OSSL_STORE_INFO_get1_PKEY"), lib.EVP_PKEY_free)
        stored = PrivateKey(key) if lib.pyossl_is_private(key) else PublicKey(key)
        return key_of_library(stored, library_context)
    if kind == lib.OSSL_STORE_INFO_PUBKEY:
        key = check_ptr(lib.OSSL_STORE_INFO_get1_PUBKEY(info), "OSSL_STORE_INFO_get1_PUBKEY")
        return key_of_library(PublicKey(own(key, lib.EVP_PKEY_free)), library_context)
    if kind == lib.OSSL_STORE_INFO_CERT:
        certificate = check_ptr(lib.OSSL_STORE_INFO_get1_CERT(info), "OSSL_STORE_INFO_get1_CERT")
        return Certificate(own(certificate, lib.X509_free))._in(library_context)
    if kind == lib.OSSL_STORE_INFO_CRL:
        crl = check_ptr(lib.OSSL_STORE_INFO_get1_CRL(info), "OSSL_STORE_INFO_get1_CRL")
        return CRL(own(crl, lib.X509_CRL_free))
    if kind == lib.OSSL_STORE_INFO_NAME:
        return text(lib.OSSL_STORE_INFO_get0_NAME(info))
    return None


_NO_SUCH_STORE = (lib.OSSL_STORE_R_UNREGISTERED_SCHEME, lib.ERR_R_UNSUPPORTED)


def _open_error(uri: str, library_context: LibraryContext | None) -> Exception:
    error = _failed(f"opening {without_pin(uri)!r}")
    scheme = scheme_of(uri)
    if scheme is None:
        return error
    for record in error.records:
        # OpenSSL tries the URI as a path first, so the queue begins with the error of a missing file.
        if record.library_code == lib.ERR_LIB_OSSL_STORE and record.reason_code in _NO_SUCH_STORE:
            store, file = f"store for URIs that begin with {scheme!r}", "openssl.cnf"
            if library_context is not None:
                store, file = f"{store} in this library context", "its configuration"
            unsupported = UnsupportedError(f"{store}: {file} may load a provider")
            unsupported.failure = error.failure
            return unsupported
    return error


def _failed(operation: str, kind: type[Error] = Error) -> Error:
    """As ``failed``.  OpenSSL quotes URIs in its entries: they do not keep the PIN of one."""
    records = tuple(each._replace(data=without_pin(each.data)) for each in take_records())
    return failed(operation, kind, records)
