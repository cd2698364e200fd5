"""Names in certificates, read from their structure and never from printed text.  X509_NAME(3), GENERAL_NAME(3)

A ``Name`` is the distinguished name of a subject or issuer: a sequence of attributes.  A ``GeneralName`` is an
alternative name, of one of nine types.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import instance, octets, pointer as checked_pointer, utf8
from pyossl.core.errors import DecodeError, check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import object_from, object_identifier, short_name, string_bytes, string_text
from pyossl.x509.pem_and_der import der_of, output_of


class Attribute(NamedTuple):
    """One attribute of a ``Name``.  X509_NAME_ENTRY_get_object(3)

    Attributes with the same ``rdn`` belong to the same relative distinguished name.
    """

    name: str
    value: str
    oid: str
    data: bytes
    rdn: int


Attribute.name.__doc__ = "OpenSSL's short name of the type, for example ``CN``; the dotted form if it has none."
Attribute.value.__doc__ = "The text, including NULs.  Bytes that are not text are written as backslash escapes."
Attribute.oid.__doc__ = "The type in dotted form, for example ``2.5.4.3``."
Attribute.data.__doc__ = "The value as it is encoded, without tag and length."
Attribute.rdn.__doc__ = "The number of the relative distinguished name that the attribute belongs to, from 0."


class Name(Sequence[Attribute]):
    """A distinguished name: a sequence of ``Attribute``.  X509_NAME_get_entry(3)

    ``str()`` gives the form of RFC 2253, the most specific attribute first.  Two names are equal if X509_NAME_cmp(3)
    says so, which ignores case and the number of spaces.
    """

    def __init__(self, der: bytes) -> None:
        """Decodes a name from ``der``, bytes.  Raises ``DecodeError`` if they are malformed.  d2i_X509_NAME(3)"""
        octets(der, "the DER of a name")
        take_records()
        data = ffi.from_buffer(der)
        place = ffi.new("unsigned char **", ffi.cast("unsigned char *", data))
        pointer = lib.d2i_X509_NAME(ffi.NULL, place, len(der))
        self._name = own(check_ptr(pointer, f"reading a name from {len(der)} bytes", DecodeError), lib.X509_NAME_free)
        if place[0] != data + len(der):
            raise DecodeError(f"the {len(der)} bytes hold more than a name")

    @classmethod
    def of(cls, *attributes: tuple[str, str], **named: str) -> Name:
        """Makes a name of its attributes, the most general one first.

        - ``attributes``: pairs of a type and a text, which may repeat a type: ``Name.of(("DC", "com"), ("DC", "a"))``.
        - ``named``: types and texts that follow: ``Name.of(C="AT", O="Example", CN="www.example.com")``.

        A type is one of OpenSSL's names, or the dotted form.  Raises ``ValueError`` for an unknown type, and for a text
        that its type does not allow, for example a country of three letters.  X509_NAME_add_entry_by_OBJ(3)
        """
        pointer = own(check_ptr(lib.X509_NAME_new(), "X509_NAME_new"), lib.X509_NAME_free)
        take_records()
        for attribute in (*attributes, *named.items()):
            if not isinstance(attribute, tuple) or len(attribute) != 2:
                raise TypeError(f"an attribute of a name is a tuple of a type and a text, not {attribute!r:.80}")
            kind, text = object_from(attribute[0]), utf8(attribute[1], "the text of an attribute")
            encoding = lib.MBSTRING_UTF8
            if lib.X509_NAME_add_entry_by_OBJ(pointer, kind, encoding, text, len(text), -1, 0) != 1:
                why = take_records()
                reason = f": {why[-1].reason}" if why else ""
                raise ValueError(f"the attribute {attribute[0]} cannot be {attribute[1][:80]!a}{reason}")
        return cls.copied(pointer)

    @classmethod
    def copied(cls, pointer: Any) -> Name:
        """A copy of ``pointer``, an ``X509_NAME *`` that belongs to OpenSSL."""
        checked_pointer(pointer, "X509_NAME *", "make a Name from its DER")
        return cls(der_of(lib.i2d_X509_NAME, pointer))

    def __reduce__(self) -> tuple[type[Name], tuple[bytes]]:
        return Name, (self.to_der(),)

    def to_der(self) -> bytes:
        """The name in DER.  i2d_X509_NAME(3)"""
        return der_of(lib.i2d_X509_NAME, self._name)

    def values(self, attribute: str) -> tuple[str, ...]:
        """The values of all attributes of one type, in order; empty if there is none.

        ``attribute`` is OpenSSL's short name of the type, for example ``CN``, or its dotted form.
        """
        instance(attribute, str, "the name of an attribute")
        return tuple(each.value for each in self if attribute in (each.name, each.oid))

    def _attribute(self, location: int) -> Attribute:
        entry = lib.X509_NAME_get_entry(self._name, location)
        kind, value = lib.X509_NAME_ENTRY_get_object(entry), lib.X509_NAME_ENTRY_get_data(entry)
        return Attribute(
            short_name(kind),
            string_text(value),
            object_identifier(kind),
            string_bytes(value),
            lib.X509_NAME_ENTRY_set(entry),
        )

    @overload
    def __getitem__(self, index: int) -> Attribute: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Attribute, ...]: ...

    def __getitem__(self, index: int | slice) -> Attribute | tuple[Attribute, ...]:
        if isinstance(index, slice):
            return tuple(self._attribute(n) for n in range(*index.indices(len(self))))
        return self._attribute(range(len(self))[index])

    def __iter__(self) -> Iterator[Attribute]:
        return (self._attribute(n) for n in range(len(self)))

    def __len__(self) -> int:
        return lib.X509_NAME_entry_count(self._name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Name):
            return NotImplemented
        return lib.X509_NAME_cmp(self._name, other._name) == 0

    def __hash__(self) -> int:
        # Two names that X509_NAME_cmp finds equal have the same types of attributes.
        return hash(tuple(sorted(each.oid for each in self)))

    def __str__(self) -> str:
        if len(self) == 0:
            return ""
        flags = lib.XN_FLAG_RFC2253 & ~lib.ASN1_STRFLGS_ESC_MSB
        return output_of(lib.X509_NAME_print_ex, self._name, 0, flags).decode("utf-8", "backslashreplace")

    def __repr__(self) -> str:
        return f"<Name {str(self)!r}>"


def names_in(stack: Any) -> tuple[Name, ...]:
    """Copies of the names in a ``STACK_OF(X509_NAME) *``; empty for NULL."""
    if stack == ffi.NULL:
        return ()
    return tuple(Name.copied(lib.sk_X509_NAME_value(stack, n)) for n in range(lib.sk_X509_NAME_num(stack)))


def stack_of_names(names: Iterable[Name]) -> Any:
    """A new ``STACK_OF(X509_NAME) *`` of copies, for a function of OpenSSL that takes ownership."""
    originals = tuple(names)
    for each in originals:
        if not isinstance(each, Name):
            raise TypeError(f"a Name is needed, not {type(each).__name__}")
    borrowing = own(check_ptr(lib.sk_X509_NAME_new_null(), "sk_X509_NAME_new_null"), lib.sk_X509_NAME_free)
    for each in originals:
        check(lib.sk_X509_NAME_push(borrowing, each._name), "sk_X509_NAME_push")
    return check_ptr(lib.SSL_dup_CA_list(borrowing), "SSL_dup_CA_list")


class GeneralNameType(enum.IntEnum):
    """The type of a ``GeneralName``.  GENERAL_NAME(3)

    - ``OTHERNAME``: a name whose type is an object identifier.
    - ``EMAIL``: an email address.
    - ``DNS``: a host name, perhaps with a wildcard.
    - ``X400``: an X.400 address.
    - ``DIRNAME``: a distinguished name.
    - ``EDIPARTY``: an EDI party name.
    - ``URI``: a URI.
    - ``IPADD``: an IP address.
    - ``RID``: a registered object identifier.
    """

    OTHERNAME = lib.GEN_OTHERNAME
    EMAIL = lib.GEN_EMAIL
    DNS = lib.GEN_DNS
    X400 = lib.GEN_X400
    DIRNAME = lib.GEN_DIRNAME
    EDIPARTY = lib.GEN_EDIPARTY
    URI = lib.GEN_URI
    IPADD = lib.GEN_IPADD
    RID = lib.GEN_RID


class OtherName(NamedTuple):
    """The value of a ``GeneralName`` of type ``OTHERNAME``.  GENERAL_NAME_get0_otherName(3)"""

    oid: str
    der: bytes


OtherName.oid.__doc__ = "The type of the name in dotted form, for example ``1.3.6.1.4.1.311.20.2.3``."
OtherName.der.__doc__ = "The value of the name in DER."


IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class GeneralName(NamedTuple):
    """One alternative name of a certificate.  GENERAL_NAME_get0_value(3)"""

    type: GeneralNameType
    value: str | IPAddress | Name | OtherName | bytes
    der: bytes

    @classmethod
    def copied(cls, pointer: Any) -> GeneralName:
        """The contents of ``pointer``, a ``GENERAL_NAME *`` that belongs to OpenSSL."""
        checked_pointer(pointer, "GENERAL_NAME *", "a GeneralName is read from a certificate")
        number, encoding = ffi.new("int *"), der_of(lib.i2d_GENERAL_NAME, pointer)
        value = lib.GENERAL_NAME_get0_value(pointer, number)
        return cls(kind := GeneralNameType(number[0]), _value(kind, pointer, value, encoding), encoding)

    def __str__(self) -> str:
        value = self.value
        if isinstance(value, OtherName):
            value = f"{value.oid}={value.der.hex()}"
        return f"{self.type.name}:{value.hex() if isinstance(value, bytes) else value}"


GeneralName.type.__doc__ = "The type of the name."
GeneralName.value.__doc__ = """The name itself, by its type.

- ``DNS``, ``EMAIL``, ``URI``: ``str``, including NULs.  Bytes outside ASCII are written as backslash escapes.
- ``IPADD``: an ``ipaddress`` object, or ``bytes`` if their number is not that of an address.
- ``DIRNAME``: a ``Name``.
- ``RID``: ``str``, the dotted form.
- ``OTHERNAME``: an ``OtherName``.
- ``X400``, ``EDIPARTY``: ``bytes``, the same as ``der``.
"""
GeneralName.der.__doc__ = "The whole general name in DER."


def _value(
    kind: GeneralNameType, pointer: Any, value: Any, encoding: bytes
) -> str | IPAddress | Name | OtherName | bytes:
    if kind in (GeneralNameType.DNS, GeneralNameType.EMAIL, GeneralNameType.URI):
        return string_bytes(value).decode("ascii", "backslashreplace")
    if kind is GeneralNameType.IPADD:
        packed = string_bytes(value)
        return ipaddress.ip_address(packed) if len(packed) in (4, 16) else packed
    if kind is GeneralNameType.DIRNAME:
        return Name.copied(ffi.cast("X509_NAME *", value))
    if kind is GeneralNameType.RID:
        return object_identifier(ffi.cast("ASN1_OBJECT *", value))
    if kind is GeneralNameType.OTHERNAME:
        oid, other = ffi.new("ASN1_OBJECT **"), ffi.new("ASN1_TYPE **")
        lib.GENERAL_NAME_get0_otherName(pointer, oid, other)
        return OtherName(object_identifier(oid[0]), der_of(lib.i2d_ASN1_TYPE, other[0]))
    return encoding


def general_names(names: Any) -> tuple[GeneralName, ...]:
    """All names in a ``GENERAL_NAMES *``."""
    return tuple(GeneralName.copied(lib.sk_GENERAL_NAME_value(names, n)) for n in range(lib.sk_GENERAL_NAME_num(names)))
