"""Operations on distinguished names that only the pyOpenSSL API needs.  X509_NAME(3)"""

from __future__ import annotations

from pyossl.core.arguments import c_string
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.errors import check, check_ptr, failed
from pyossl.core.outcome import take_records
from pyossl.x509.names import Name

_LONGEST_LINE = 512


def attribute_number(name: str) -> int:
    """OpenSSL's number of an attribute's short name, long name or dotted form; ``ValueError`` for none of these.

    OBJ_txt2nid(3)
    """
    take_records()
    number = lib.OBJ_txt2nid(c_string(name, "an attribute's name"))
    take_records()
    if number == lib.NID_undef:
        raise ValueError(f"OpenSSL knows no attribute {name!r}")
    return int(number)


def name_with(name: Name, attribute: str, value: bytes) -> Name:
    """``name`` with the first attribute of that kind replaced by one of this UTF-8 text, which comes last.

    X509_NAME_add_entry_by_NID(3)
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
    """The text of the first attribute of that kind, None without one; ``Error`` where it is no text.

    X509_NAME_get_index_by_NID(3), ASN1_STRING_to_UTF8(3)
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
    """Each attribute's short name, ``UNDEF`` where OpenSSL has none, and what it is encoded as.  OBJ_nid2sn(3)"""
    return [(text(lib.OBJ_nid2sn(_known_number(each.oid))), each.data) for each in name]


def _known_number(oid: str) -> int:
    try:
        return attribute_number(oid)
    except ValueError:
        return int(lib.NID_undef)


def name_order(first: Name, second: Name) -> int:
    """Below, at or above 0, as OpenSSL orders the two.  X509_NAME_cmp(3)"""
    return int(lib.X509_NAME_cmp(first._name, second._name))


def name_hash(name: Name) -> int:
    """By what a directory of trusted certificates is looked up.  X509_NAME_hash(3)"""
    return int(lib.X509_NAME_hash(name._name))


def name_line(name: Name) -> str:
    """The name as ``/CN=example.com``, cut after 511 characters.  X509_NAME_oneline(3)"""
    line = ffi.new("char[]", _LONGEST_LINE)
    check_ptr(lib.X509_NAME_oneline(name._name, line, _LONGEST_LINE), "X509_NAME_oneline")
    return text(line)
