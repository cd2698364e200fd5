"""The ASN.1 values in certificates: object identifiers, strings, integers and times.

A string is as long as its ASN.1 length says, and a NUL does not end it: ``good.example\\0.evil.example`` is never read
as ``good.example``.
"""

from __future__ import annotations

import datetime
from typing import Any

from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import c_string, number as whole_number
from pyossl.core.errors import DecodeError, check, check_ptr
from pyossl.core.outcome import take_records


def object_identifier(pointer: Any) -> str:
    """The dotted form of an ``ASN1_OBJECT *``, for example ``2.5.29.17``.  OBJ_obj2txt(3)"""
    size = 128
    while True:
        buffer = ffi.new("char[]", size)
        length = check(lib.OBJ_obj2txt(buffer, size, pointer, 1), "OBJ_obj2txt")
        if length < size:
            return text(buffer)
        size = length + 1


def object_from(name: str) -> Any:
    """The ``ASN1_OBJECT *``, owned, for a dotted form or one of OpenSSL's names.

    Raises ``ValueError`` for any other text.  OBJ_txt2obj(3)
    """
    pointer = lib.OBJ_txt2obj(c_string(name, "an object identifier"), 0)
    if pointer == ffi.NULL:
        take_records()
        raise ValueError(f"{name!r} is neither an object identifier nor one of OpenSSL's names")
    return own(pointer, lib.ASN1_OBJECT_free)


def short_name(pointer: Any) -> str:
    """OpenSSL's short name of an ``ASN1_OBJECT *``, for example ``CN``, or its dotted form if it has no name.

    Newer versions of OpenSSL have more names.  OBJ_nid2sn(3)
    """
    nid = lib.OBJ_obj2nid(pointer)
    return object_identifier(pointer) if nid == lib.NID_undef else text(lib.OBJ_nid2sn(nid))


def long_name(pointer: Any) -> str:
    """OpenSSL's long name of an ``ASN1_OBJECT *``, which its programs print, or its dotted form if it has no name.

    OBJ_nid2ln(3)
    """
    nid = lib.OBJ_obj2nid(pointer)
    return object_identifier(pointer) if nid == lib.NID_undef else text(lib.OBJ_nid2ln(nid))


def string_bytes(pointer: Any) -> bytes:
    """The contents of an ``ASN1_STRING *``, or of a type derived from it.  ASN1_STRING_get0_data(3)"""
    string = ffi.cast("ASN1_STRING *", pointer)
    length = lib.ASN1_STRING_length(string)
    return bytes(ffi.buffer(lib.ASN1_STRING_get0_data(string), length)) if length > 0 else b""


def string_text(pointer: Any) -> str:
    """The text of an ``ASN1_STRING *`` of any character set, including NULs.

    Bytes that are not text are written as backslash escapes.  ASN1_STRING_to_UTF8(3)
    """
    out = ffi.new("unsigned char **")
    length = lib.ASN1_STRING_to_UTF8(out, ffi.cast("ASN1_STRING *", pointer))
    if length < 0:
        take_records()
        return string_bytes(pointer).decode("utf-8", "backslashreplace")
    return bytes(ffi.buffer(own(out[0], lib.OPENSSL_free), length)).decode("utf-8", "backslashreplace")


def integer(pointer: Any) -> int:
    """The value of an ``ASN1_INTEGER *``.  ASN1_INTEGER_to_BN(3)"""
    number = own(check_ptr(lib.ASN1_INTEGER_to_BN(pointer, ffi.NULL), "ASN1_INTEGER_to_BN"), lib.BN_free)
    return int(text(own(check_ptr(lib.BN_bn2hex(number), "BN_bn2hex"), lib.OPENSSL_free)), 16)


def asn1_integer(value: int) -> Any:
    """An ``ASN1_INTEGER *``, owned, with this value.  BN_to_ASN1_INTEGER(3)"""
    whole_number(value, "a serial number")
    encoded = abs(value).to_bytes((value.bit_length() + 7) // 8, "big")
    number = own(check_ptr(lib.BN_bin2bn(encoded, len(encoded), ffi.NULL), "BN_bin2bn"), lib.BN_free)
    lib.BN_set_negative(number, value < 0)
    return own(check_ptr(lib.BN_to_ASN1_INTEGER(number, ffi.NULL), "BN_to_ASN1_INTEGER"), lib.ASN1_INTEGER_free)


def time(pointer: Any) -> datetime.datetime:
    """The time in an ``ASN1_TIME *``, in UTC.

    Raises ``DecodeError`` if it is malformed, or if ``datetime`` does not support the year.  ASN1_TIME_to_tm(3)
    """
    parts = ffi.new("struct tm *")
    if lib.ASN1_TIME_to_tm(pointer, parts) != 1:
        take_records()
        raise DecodeError(f"not a time that a certificate can hold: {string_bytes(pointer)!r}")
    try:
        return datetime.datetime(
            parts.tm_year + 1900,
            parts.tm_mon + 1,
            parts.tm_mday,
            parts.tm_hour,
            parts.tm_min,
            parts.tm_sec,
            tzinfo=datetime.timezone.utc,
        )
    except ValueError as error:
        raise DecodeError(f"a time that Python's datetime cannot hold: {string_bytes(pointer)!r} ({error})") from error


def asn1_time(moment: datetime.datetime) -> Any:
    """An ``ASN1_TIME *``, owned, in the form that RFC 5280 requires.

    Raises ``ValueError`` if ``moment`` has no time zone or is out of range.  ASN1_TIME_set_string_X509(3)
    """
    if not isinstance(moment, datetime.datetime):
        raise TypeError(f"a certificate's times are aware datetimes, not {type(moment).__name__}")
    if moment.tzinfo is None:
        raise ValueError(f"a certificate's times are aware datetimes, but {moment} has no time zone")
    try:
        utc = moment.astimezone(datetime.timezone.utc)
    except OverflowError as error:
        raise ValueError(f"a time that no certificate can hold: {moment}") from error
    pointer = own(check_ptr(lib.ASN1_TIME_new(), "ASN1_TIME_new"), lib.ASN1_TIME_free)
    # strftime's %Y does not pad years below 1000 on every system.
    written = f"{utc.year:04}{utc:%m%d%H%M%S}Z"
    check(lib.ASN1_TIME_set_string_X509(pointer, written.encode()), "ASN1_TIME_set_string_X509")
    return pointer
