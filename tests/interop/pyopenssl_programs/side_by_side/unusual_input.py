"""Certificates, names, times and keys that no authority issues, made byte by byte; every method of each."""

from __future__ import annotations

import base64
import warnings
from typing import Any

from cases import attempt, case, certificate, key
from OpenSSL import crypto

SEQUENCE, SET, INTEGER, NULL = 0x30, 0x31, 0x02, 0x05
UTC, GENERALIZED = 0x17, 0x18
UTF8, PRINTABLE, T61, IA5, UNIVERSAL, BMP, OCTETS = 0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E, 0x04

COMMON_NAME, ORGANIZATION, UNKNOWN = "550403", "55040a", "2b0601040182e6610b"
DOMAIN = "0992268993f22c640119"

Attribute = tuple[str, int, bytes]


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])
    return bytes([tag]) + length + content


def name_of(*attributes: Attribute) -> bytes:
    return der(SEQUENCE, *(der(SET, _pair(each)) for each in attributes))


def _pair(attribute: Attribute) -> bytes:
    kind, tag, value = attribute
    return der(SEQUENCE, der(6, bytes.fromhex(kind)), der(tag, value))


PLAIN = name_of((COMMON_NAME, UTF8, b"odd"))
ALGORITHM = der(SEQUENCE, der(6, bytes.fromhex("2a864886f70d01010b")), der(NULL))
VALID = (der(UTC, b"200101000000Z"), der(GENERALIZED, b"20990101000000Z"))


def public_key() -> bytes:
    return crypto.dump_publickey(crypto.FILETYPE_ASN1, key("server"))


def made(
    name: bytes = PLAIN,
    times: tuple[bytes, bytes] = VALID,
    *,
    version: bytes = b"\2",
    serial: bytes = b"\5",
    algorithm: bytes = ALGORITHM,
    spki: bytes | None = None,
    extensions: bytes = b"",
) -> bytes:
    signed = der(
        SEQUENCE,
        der(0xA0, der(INTEGER, version)) if version else b"",
        der(INTEGER, serial),
        algorithm,
        name,
        der(SEQUENCE, *times),
        name,
        public_key() if spki is None else spki,
        der(0xA3, der(SEQUENCE, extensions)) if extensions else b"",
    )
    return der(SEQUENCE, signed, algorithm, der(3, b"\0" + bytes(256)))


def told_of_name(name: Any) -> Any:
    attributes = ("CN", "O", "OU", "commonName", "organizationName", "DC", "C", "emailAddress", "UID", "2.5.4.3")
    unknown = ("1.3.6.1.4.1.45921.11", "nothing", "é", "日本", "x y", "")
    return [
        [attempt(getattr, name, attribute) for attribute in (*attributes, *unknown)],
        attempt(name.get_components),
        attempt(repr, name),
        attempt(name.hash),
        attempt(lambda: name.der().hex()),
        attempt(lambda: name == name),
        attempt(lambda: name < certificate("server").get_subject()),
        attempt(lambda: crypto.X509Name(name).der().hex()),
    ]


def told_of(data: bytes) -> Any:
    """All that the certificate in ``data`` returns; results that depend on the time are the same for years."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded: list[Any] = []
        refused = attempt(lambda: loaded.append(crypto.load_certificate(crypto.FILETYPE_ASN1, data)))
        if not loaded:
            return refused
        shown = loaded[0]
        pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(data) + b"-----END CERTIFICATE-----\n"
        return {
            "subject": told_of_name(shown.get_subject()),
            "not before": attempt(shown.get_notBefore),
            "not after": attempt(shown.get_notAfter),
            "expired": attempt(shown.has_expired),
            "version": attempt(shown.get_version),
            "serial": attempt(shown.get_serial_number),
            "algorithm": attempt(shown.get_signature_algorithm),
            "digest": attempt(shown.digest, "sha256"),
            "hash": attempt(shown.subject_name_hash),
            "extensions": attempt(shown.get_extension_count),
            "key": attempt(lambda: [shown.get_pubkey().type(), shown.get_pubkey().bits()]),
            "der": attempt(lambda: crypto.dump_certificate(crypto.FILETYPE_ASN1, shown).hex()),
            "pem": attempt(lambda: crypto.load_certificate(crypto.FILETYPE_PEM, pem).digest("sha1")),
            "text": attempt(lambda: len(crypto.dump_certificate(crypto.FILETYPE_TEXT, shown)) > 100),
            "a store": attempt(lambda: crypto.X509Store().add_cert(shown)),
            "changed": attempt(lambda: changed(crypto.load_certificate(crypto.FILETYPE_ASN1, data))),
        }


def changed(shown: Any) -> Any:
    said = [attempt(setattr, shown.get_subject(), "CN", "changed"), attempt(setattr, shown.get_issuer(), "O", "new")]
    said.append(attempt(shown.set_notAfter, b"20300101000000Z"))
    said.append(attempt(shown.set_issuer, shown.get_subject()))
    said.append(attempt(shown.set_serial_number, 77))
    said.append(attempt(lambda: crypto.dump_certificate(crypto.FILETYPE_ASN1, shown).hex()))
    return [*said, attempt(shown.sign, key("server"), "sha256")]


NAMES: dict[str, bytes] = {
    "empty": name_of(),
    "an unknown attribute first": name_of((UNKNOWN, UTF8, b"x"), (COMMON_NAME, UTF8, b"behind")),
    "an unknown attribute alone": name_of((UNKNOWN, UTF8, b"x")),
    "two common names": name_of((COMMON_NAME, UTF8, b"first"), (COMMON_NAME, UTF8, b"second")),
    "an empty value": name_of((COMMON_NAME, UTF8, b"")),
    "a NUL": name_of((COMMON_NAME, UTF8, b"good.example\0.evil.example")),
    "no UTF-8": name_of((COMMON_NAME, UTF8, b"\xff\xfe")),
    "a surrogate": name_of((COMMON_NAME, UTF8, b"\xed\xa0\x80")),
    "BMP": name_of((COMMON_NAME, BMP, "日本".encode("utf-16-be"))),
    "BMP of odd length": name_of((COMMON_NAME, BMP, b"\0a\0")),
    "a BMP surrogate": name_of((COMMON_NAME, BMP, b"\xd8\0\xdc\0")),
    "UNIVERSAL": name_of((COMMON_NAME, UNIVERSAL, "日".encode("utf-32-be"))),
    "UNIVERSAL beyond Unicode": name_of((COMMON_NAME, UNIVERSAL, b"\x7f\xff\xff\xff")),
    "T61": name_of((COMMON_NAME, T61, b"caf\xe9")),
    "an octet string": name_of((COMMON_NAME, OCTETS, b"octets")),
    "IA5 with high bits": name_of((DOMAIN, IA5, b"\xe9xample")),
    "one of several values": der(
        SEQUENCE, der(SET, _pair((COMMON_NAME, UTF8, b"a")), _pair((ORGANIZATION, PRINTABLE, b"b")))
    ),
    "long": name_of((COMMON_NAME, UTF8, b"x" * 600)),
    "a number": name_of((COMMON_NAME, INTEGER, b"\1")),
}

TIMES: dict[str, bytes] = {
    "UTC of 1999": der(UTC, b"990101000000Z"),
    "UTC of 2049": der(UTC, b"491231235959Z"),
    "UTC of 1950": der(UTC, b"500101000000Z"),
    "UTC without seconds": der(UTC, b"4901010000Z"),
    "UTC with an offset": der(UTC, b"490101000000+0100"),
    "UTC with a negative offset": der(UTC, b"490101000000-0530"),
    "UTC without seconds, with an offset": der(UTC, b"4901010000+0100"),
    "UTC without a zone": der(UTC, b"490101000000"),
    "UTC in a month that is none": der(UTC, b"491301000000Z"),
    "UTC with letters": der(UTC, b"tomorrow at 5"),
    "UTC that is empty": der(UTC),
    "UTC on 30 February": der(UTC, b"490230000000Z"),
    "UTC with a second of 60": der(UTC, b"490101000060Z"),
    "generalized": der(GENERALIZED, b"20500101000000Z"),
    "generalized without seconds": der(GENERALIZED, b"205001010000Z"),
    "generalized with an offset": der(GENERALIZED, b"20500101000000+0100"),
    "generalized with a fraction": der(GENERALIZED, b"20500101000000.5Z"),
    "generalized without a zone": der(GENERALIZED, b"20500101000000"),
    "generalized of year 0": der(GENERALIZED, b"00000101000000Z"),
    "generalized of 9999": der(GENERALIZED, b"99991231235959Z"),
    "generalized with letters": der(GENERALIZED, b"tomorrow"),
    "generalized that is no ASCII": der(GENERALIZED, b"\xff\xfe"),
    "generalized that is empty": der(GENERALIZED),
    "generalized long ago": der(GENERALIZED, b"19500101000000Z"),
}

TIMES_WITH_A_NUL: dict[str, bytes] = {
    "UTC": der(UTC, b"490101000000Z\0"),
    "generalized": der(GENERALIZED, b"20500101000000Z\0x"),
}

UNKNOWN_KEY = der(SEQUENCE, der(SEQUENCE, der(6, bytes.fromhex(UNKNOWN))), der(3, b"\0x"))
BROKEN_KEY = der(SEQUENCE, der(SEQUENCE, der(6, bytes.fromhex("2a864886f70d010101")), der(NULL)), der(3, b"\0x"))
UNKNOWN_ALGORITHM = der(SEQUENCE, der(6, bytes.fromhex(UNKNOWN)))


@case
def odd_names() -> Any:
    return {name: told_of(made(data)) for name, data in NAMES.items()}


@case
def odd_times() -> Any:
    return {name: told_of(made(times=(data, data))) for name, data in TIMES.items()}


@case
def odd_times_with_a_nul() -> Any:
    said: dict[str, Any] = {}
    for name, data in TIMES_WITH_A_NUL.items():
        told = told_of(made(times=(data, data)))
        said[name] = {part: told[part] for part in ("not before", "not after", "expired")}
        shown = crypto.X509()
        said[name]["set"] = [attempt(shown.set_notAfter, data[2:]), attempt(shown.get_notAfter)]
    return said


@case
def odd_certificates() -> Any:
    good = made()
    forms = {
        "good": good,
        "bytes behind it": good + b"behind",
        "zeros behind it": good + bytes(10),
        "another behind it": good + made(name_of((COMMON_NAME, UTF8, b"second"))),
        "cut": good[:-1],
        "its head": good[:2],
        "empty": b"",
        "one byte": b"\x30",
        "an indefinite length": b"\x30\x80" + good[4:] + b"\0\0",
        "an indefinite length and more": b"\x30\x80" + good[4:] + b"\0\0more",
        "a length with zeros before it": b"\x30\x84\0\0" + good[2:],
        "a length beyond all": b"\x30\x88" + b"\xff" * 8 + good[4:],
        "no version": made(version=b""),
        "version 1 said": made(version=b"\0"),
        "version 8": made(version=b"\7"),
        "a negative version": made(version=b"\xff"),
        "a huge version": made(version=b"\x7f" * 9),
        "serial number 0": made(serial=b"\0"),
        "a negative serial number": made(serial=b"\x80"),
        "a serial number of 40 bytes": made(serial=b"\x7f" * 40),
        "a serial number with a zero before it": made(serial=b"\0\5"),
        "an empty serial number": made(serial=b""),
        "an unknown algorithm": made(algorithm=UNKNOWN_ALGORITHM),
        "an unknown kind of key": made(spki=UNKNOWN_KEY),
        "a broken key": made(spki=BROKEN_KEY),
        "a key that is empty": made(spki=der(SEQUENCE)),
        "an unknown extension twice": made(
            extensions=2 * der(SEQUENCE, der(6, bytes.fromhex(UNKNOWN)), der(OCTETS, b"\5\0"))
        ),
        "basic constraints that are broken": made(
            extensions=der(SEQUENCE, der(6, bytes.fromhex("551d13")), der(OCTETS, b"\x30\x7f"))
        ),
        "a text": b"text",
        "PEM": crypto.dump_certificate(crypto.FILETYPE_PEM, certificate("server")),
    }
    return {name: told_of(data) for name, data in forms.items()}


@case
def odd_keys() -> Any:
    """With bytes behind them, and truncated."""
    public = public_key()
    private = crypto.dump_privatekey(crypto.FILETYPE_ASN1, key("server"))
    loads = {"public": (crypto.load_publickey, public), "private": (crypto.load_privatekey, private)}
    said: dict[str, Any] = {}
    for kind, (load, data) in loads.items():
        for form, odd in {
            "as it is": data,
            "bytes behind it": data + b"behind",
            "zeros behind it": data + bytes(8),
            "cut": data[:-1],
            "empty": b"",
            "its head": data[:3],
            "another behind it": data + data,
        }.items():
            said[f"{kind} {form}"] = attempt(lambda load=load, odd=odd: load(crypto.FILETYPE_ASN1, odd).bits())
    return said


@case
def odd_seconds() -> Any:
    """``gmtime_adj`` with seconds that lead beyond any calendar: it raises nothing and changes nothing."""
    said = []
    for amount in (10**11, 10**12, 2**63 - 1, 2**63, -(10**11), -(10**13), -(2**63), -(2**63) - 1, 10**30, True):
        shown = crypto.X509()
        shown.set_notAfter(b"20300101000000Z")
        shown.set_notBefore(b"20200101000000Z")
        said.append([attempt(shown.gmtime_adj_notAfter, amount), attempt(shown.gmtime_adj_notBefore, amount)])
        near = amount in (10**11, True)
        said.append([near or shown.get_notAfter().decode(), near or shown.get_notBefore().decode()])
    shown = crypto.X509()
    for wrong in ("1", 1.5, None, b"1"):
        said.append([attempt(shown.gmtime_adj_notAfter, wrong), attempt(shown.gmtime_adj_notBefore, wrong)])
    return said


@case
def odd_times_that_are_set() -> Any:
    said = []
    forms = [data[2:] for data in TIMES.values()]
    for when in (*forms, b"2030", b"+1", "20300101000000Z", None, 5, bytearray(b"20300101000000Z")):
        shown = crypto.X509()
        said.append([attempt(shown.set_notAfter, when), attempt(shown.get_notAfter), attempt(shown.has_expired)])
        said.append([attempt(shown.set_notBefore, when), attempt(shown.get_notBefore)])
    return said


@case
def odd_attributes_that_are_set() -> Any:
    said = []
    for attribute in ("CN", "C", "emailAddress", "1.2.3", "nothing", "é", "日", "serialNumber", "2.5.4.6"):
        for value in ("x", "日本", "", b"bytes", b"\xff", "x" * 70, "x\0y", None, 5, bytearray(b"x"), "\ud800"):
            shown = crypto.X509().get_subject()
            said.append(
                [attribute, attempt(setattr, shown, attribute, value), attempt(lambda shown=shown: shown.der().hex())]
            )
    return said
