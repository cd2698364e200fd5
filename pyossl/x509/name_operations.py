"""Operations on distinguished names that only the pyOpenSSL API needs.  X509_NAME(3)"""

from __future__ import annotations

from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import c_string
from pyossl.core.errors import check, check_ptr, failed
from pyossl.core.outcome import take_records
from pyossl.x509.names import Name

_LONGEST_LINE = 512


def attribute_number(name: str) -> int:
    """OpenSSL's number (NID) for the short name, long name or dotted form of an attribute.

    Raises ``ValueError`` for any other text.  OBJ_txt2nid(3)
    """
    take_records()
    number = lib.OBJ_txt2nid(c_string(name, "an attribute's name"))
    take_records()
    if number == lib.NID_undef:
        raise ValueError(f"OpenSSL has no attribute {name!r}")
    return int(number)


def name_with(name: Name, attribute: str, value: bytes) -> Name:
    """A copy of ``name`` in which ``attribute`` has this value, UTF-8 text.

    The first attribute of that type is removed, and the new one is added at the end.  X509_NAME_add_entry_by_NID(3)
    """
    number = attribute_number(attribute)
    pointer = own(check_ptr(lib.X509_NAME_dup(name._name), "X509_NAME_dup"), lib.X509_NAME_free)
    for location in range(lib.X509_NAME_entry_count(pointer)):
        entry = lib.X509_NAME_get_entry(pointer, location)
        if lib.OBJ_obj2nid(lib.X509_NAME_ENTRY_get_object(entry)) == number:
            lib.X509_NAME_ENTRY_free(lib.X509_NAME_delete_entry(pointer, location))
            break
    added = lib.X509_NAME_add_entry_by_NID(pointer, number, lib.MBSTRING_UTF8, value, len(value), -1, 0)
    check(added, f"setting the attribute {attribute!r}")
    return Name.copied(pointer)


def attribute_text(name: Name, number: int) -> str | None:
    """The text of the first attribute with this number (NID), or None if there is none.

    Raises ``Error`` if the value is not text.  X509_NAME_get_index_by_NID(3), ASN1_STRING_to_UTF8(3)
    """
    location = lib.X509_NAME_get_index_by_NID(name._name, number, -1)
    if location < 0:
        return None
    take_records()
    value = lib.X509_NAME_ENTRY_get_data(lib.X509_NAME_get_entry(name._name, location))
    place = ffi.new("unsigned char **")
    length = lib.ASN1_STRING_to_UTF8(place, value)
    if length < 0:
        raise failed("reading an attribute's text")
    return bytes(ffi.buffer(own(place[0], lib.OPENSSL_free), length)).decode()


def components(name: Name) -> list[tuple[str, bytes]]:
    """The short name and the encoded value of each attribute.

    The short name is ``UNDEF`` if OpenSSL has none.  OBJ_nid2sn(3)
    """
    return [(text(lib.OBJ_nid2sn(_known_number(each.oid))), each.data) for each in name]


def _known_number(oid: str) -> int:
    try:
        return attribute_number(oid)
    except ValueError:
        return int(lib.NID_undef)


def name_order(first: Name, second: Name) -> int:
    """A number below, equal to or above 0: the order of the two names in OpenSSL.  X509_NAME_cmp(3)"""
    return int(lib.X509_NAME_cmp(first._name, second._name))


def name_hash(name: Name) -> int:
    """The hash by which a directory of trusted certificates is searched.  X509_NAME_hash(3)"""
    return int(lib.X509_NAME_hash(name._name))


def name_line(name: Name) -> str:
    """The name as ``/CN=example.com``, cut after 511 characters.  X509_NAME_oneline(3)"""
    line = ffi.new("char[]", _LONGEST_LINE)
    check_ptr(lib.X509_NAME_oneline(name._name, line, _LONGEST_LINE), "X509_NAME_oneline")
    return text(line)
