"""Certificates and CRLs with a malformed part: only this part raises, and all other parts can be read."""

from __future__ import annotations

import copy
import inspect
import io
import json
import os
import pickle
import tempfile
from typing import Any

import pytest
from cryptography import x509
from hypothesis import example, given, settings, strategies as st
from served import SECONDS, Task, read_all
from x509.certificate_making import NOW, bare, common_name, make, name_der, raw, tlv

import pyossl
from pyossl import CRL, Authority, Certificate, Context, DecodeError, Extension, KeyUsage, Revoked
from pyossl.cli.commands import main
from pyossl.x509.peercert import peercert

SUBJECT_KEY, KEY_USAGE, SUBJECT_NAMES, ISSUER_NAMES = "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.18"
CONSTRAINTS, CRL_NUMBER, REASON, ENTRY_ISSUER = "2.5.29.19", "2.5.29.20", "2.5.29.21", "2.5.29.29"
NAME_CONSTRAINTS, CRL_POINTS, POLICIES = "2.5.29.30", "2.5.29.31", "2.5.29.32"
AUTHORITY_KEY, POLICY_CONSTRAINTS, EXTENDED_USAGE = "2.5.29.35", "2.5.29.36", "2.5.29.37"
NETSCAPE_TYPE, PROXY = "2.16.840.1.113730.1.1", "1.3.6.1.5.5.7.1.14"
UNKNOWN = "1.3.6.1.4.1.99999.1"

OWN = {
    SUBJECT_KEY: {"subject_key_identifier"},
    KEY_USAGE: {"key_usage", "is_ca"},
    SUBJECT_NAMES: {"subject_alt_names"},
    ISSUER_NAMES: {"issuer_alt_names"},
    CONSTRAINTS: {"is_ca", "path_length"},
    NETSCAPE_TYPE: {"is_ca"},
    AUTHORITY_KEY: {"authority_key_identifier"},
    EXTENDED_USAGE: {"extended_key_usage"},
    NAME_CONSTRAINTS: set(),
    CRL_POINTS: set(),
    POLICIES: set(),
    POLICY_CONSTRAINTS: set(),
    PROXY: set(),
    UNKNOWN: set(),
}
"""The extensions, and what of a certificate is read from each."""

GOOD = {
    SUBJECT_KEY: tlv(0x04, b"subject"),
    KEY_USAGE: tlv(0x03, b"\x01\x06"),
    SUBJECT_NAMES: tlv(0x30, tlv(0x82, b"good.example")),
    ISSUER_NAMES: tlv(0x30, tlv(0x82, b"issuer.example")),
    CONSTRAINTS: tlv(0x30, b"\x01\x01\xff", b"\x02\x01\x03"),
    AUTHORITY_KEY: tlv(0x30, tlv(0x80, b"subject")),
    EXTENDED_USAGE: tlv(0x30, bytes.fromhex("06082b06010505070301")),
    CRL_POINTS: tlv(0x30, tlv(0x30, tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://crl.example/"))))),
}

MALFORMED = {
    "empty": b"",
    "wrong tag": b"\x05\x00",
    "cut": b"\x30\x84\x7f\xff\xff\xff",
    "no DER": b"\xff" * 40,
}

ODD = {
    **MALFORMED,
    "empty sequence": b"\x30\x00",
    "empty bit string": b"\x03\x01\x00",
    "no bits": b"\x03\x02\x07\x00",
    "empty octet string": b"\x04\x00",
    "indefinite length": b"\x30\x80\x00\x00",
    "trailing bytes": b"\x30\x00\x05\x00",
    "negative path length": tlv(0x30, b"\x01\x01\xff", b"\x02\x01\xff"),
    "path length of no authority": tlv(0x30, b"\x02\x01\x03"),
    "huge path length": tlv(0x30, b"\x01\x01\xff", tlv(0x02, b"\x7f" * 40)),
    "odd boolean": tlv(0x30, b"\x01\x01\x01"),
    "name of no type": tlv(0x30, tlv(0x9E, b"x")),
    "address of three bytes": tlv(0x30, tlv(0x87, b"abc")),
    "empty name": tlv(0x30, tlv(0x82)),
    "directory name that is none": tlv(0x30, tlv(0xA4, b"\x05\x00")),
    "other name without a value": tlv(0x30, tlv(0xA0, b"\x06\x01\x2a")),
    "name with control characters": tlv(0x30, tlv(0x82, b"\x1b[31m\0\x9b\r\n")),
    "identifier without arcs": tlv(0x30, b"\x06\x00"),
    "policy constraints without any": tlv(0x30, tlv(0x80, b"\xff")),
}

PROPERTIES = [name for name, member in inspect.getmembers(Certificate) if isinstance(member, property)]
NAMES = {oid: Extension(oid, b"").name for oid in OWN}


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """An extension in DER."""
    identifier = x509.ObjectIdentifier(oid)
    arcs = [int(arc) for arc in identifier.dotted_string.split(".")]
    body = bytearray([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        body += bytes(reversed(digits))
    return tlv(0x30, tlv(0x06, bytes(body)), b"\x01\x01\xff" if critical else b"", tlv(0x04, value))


def with_extensions(values: dict[str, bytes], *more: bytes) -> Certificate:
    return Certificate.load(bare(extensions=b"".join([*(extension(*each) for each in values.items()), *more])))


def told(thing: Any, names: list[str]) -> tuple[dict[str, Any], dict[str, DecodeError]]:
    """The value or the exception of each property.  The only exception is ``DecodeError``."""
    answers, errors = {}, {}
    for name in names:
        try:
            answers[name] = getattr(thing, name)
        except DecodeError as error:
            errors[name] = error
        assert pyossl.lib.ERR_peek_error() == 0, name
    return answers, errors


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("oid", OWN)
def test_only_what_is_read_from_the_malformed_extension_raises_and_names_it(oid: str, kind: str) -> None:
    """docs/pitfalls.md, 42."""
    whole, _ = told(with_extensions(GOOD), PROPERTIES)
    certificate = with_extensions({**GOOD, oid: MALFORMED[kind]})
    for _ in range(2):  # the second time OpenSSL uses its cache
        answers, errors = told(certificate, PROPERTIES)
        assert set(errors) == OWN[oid]
        for error in errors.values():
            assert NAMES[oid] in str(error)
        for name in set(answers) - {"text", "extensions", "malformed_extensions", "public_key"}:
            assert answers[name] == whole[name], name
    assert certificate.malformed_extensions == ((NAMES[oid],) if oid != UNKNOWN else ())


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("oid", OWN)
def test_whatever_an_extension_says_each_property_answers_or_raises_for_its_own(oid: str, kind: str) -> None:
    for critical in (False, True):
        others = [extension(*each) for each in GOOD.items() if each[0] != oid]
        made = bare(extensions=b"".join([*others, extension(oid, ODD[kind], critical=critical)]))
        certificate = Certificate.load(made)
        _, errors = told(certificate, PROPERTIES)
        assert set(errors) <= OWN[oid]
        assert not errors or NAMES[oid] in certificate.malformed_extensions
        assert certificate == Certificate.load(made)
        assert repr(certificate)
        for each in certificate.extensions:
            assert each.text is not None
        assert certificate.extensions[-1].value == ODD[kind]


@pytest.mark.parametrize("oid", [oid for oid in OWN if oid in GOOD])
def test_an_extension_that_is_there_twice_raises_for_what_it_says_alone(oid: str) -> None:
    certificate = with_extensions(GOOD, extension(oid, GOOD[oid]))
    _, errors = told(certificate, PROPERTIES)
    assert set(errors) == OWN[oid]
    assert certificate.malformed_extensions == (NAMES[oid],)


def test_an_unknown_critical_extension_is_none_that_is_malformed() -> None:
    certificate = with_extensions(GOOD, extension(UNKNOWN, b"\x00", critical=True))
    assert told(certificate, PROPERTIES)[1] == {}
    assert certificate.malformed_extensions == ()
    assert certificate.extensions[-1].critical


def test_a_malformed_extension_makes_no_authority_of_a_leaf() -> None:
    for oid in (CRL_POINTS, NAME_CONSTRAINTS, SUBJECT_NAMES, POLICIES):
        leaf = with_extensions({CONSTRAINTS: b"\x30\x00", oid: b"\xff"})
        assert not leaf.is_ca
        no_signer = with_extensions({CONSTRAINTS: GOOD[CONSTRAINTS], KEY_USAGE: tlv(0x03, b"\x07\x80"), oid: b"\xff"})
        assert not no_signer.is_ca
        assert no_signer.key_usage == KeyUsage.DIGITAL_SIGNATURE
        authority = with_extensions({CONSTRAINTS: GOOD[CONSTRAINTS], oid: b"\xff"})
        assert authority.is_ca
        assert authority.path_length == 3


def test_verification_stays_openssl_s_and_refuses_what_it_cannot_read() -> None:
    root = make("a root", ca=True)
    leaf = make("leaf.example", root, extensions=[(raw(CRL_POINTS, b"\xff"), False)])
    bad_root = make("a root", ca=True, key=root.key, extensions=[(raw(NAME_CONSTRAINTS, b"\xff"), True)])
    good_leaf = make("leaf.example", root)
    assert Certificate.load(bad_root.der).is_ca
    for trusted, shown in ((root, leaf), (bad_root, good_leaf)):
        with pytest.raises(pyossl.CertificateError):
            pyossl.Store.of(Certificate.load(trusted.der)).verify(Certificate.load(shown.der))


@pytest.mark.parametrize("which", ["not_before", "not_after"])
def test_a_malformed_time_raises_where_it_is_asked_for(which: str) -> None:
    for encoded in (b"\x17\x00", tlv(0x17, b"today"), tlv(0x18, b"20260231000000Z"), tlv(0x18, b"00000101000000Z")):
        field: Any = {which: encoded}
        try:
            certificate = Certificate.load(bare(**field))
        except DecodeError:
            assert pyossl.lib.HAVE_API_3_2, "1.1.1 and 3.0 read such a certificate"
            continue
        answers, errors = told(certificate, PROPERTIES)
        assert set(errors) == {which}
        assert answers["text"]


@pytest.mark.parametrize("serial_number", [b"\x80", b"\x81" * 30, b"\x7f" * 30, b"\x00", b"\x7f" * 3000])
def test_an_odd_serial_number_is_told(serial_number: bytes) -> None:
    certificate = Certificate.load(bare(serial_number=serial_number))
    answers, errors = told(certificate, PROPERTIES)
    assert errors == {}
    assert answers["serial_number"] == int.from_bytes(serial_number, "big", signed=True)


@pytest.mark.parametrize(
    "number", [b"\x02\x01\x00", b"\x02\x01\x01", b"\x02\x01\x7f", b"\x02\x01\xff", tlv(0x02, b"\x7f" * 12)]
)
def test_a_version_that_does_not_fit_the_extensions_hides_nothing_else(number: bytes) -> None:
    der = bare(extensions=extension(SUBJECT_NAMES, GOOD[SUBJECT_NAMES]) + extension(CONSTRAINTS, GOOD[CONSTRAINTS]))
    version = tlv(0xA0, b"\x02\x01\x02")
    assert der.count(version) == 1
    certificate = Certificate.load(_resized(der, version, tlv(0xA0, number)))
    _, errors = told(certificate, PROPERTIES)
    assert set(errors) <= {"version"}
    assert ("version" in errors) == (len(number) > 8)


def _resized(der: bytes, old: bytes, new: bytes) -> bytes:
    """A certificate whose first element in the signed part is replaced."""

    def content(data: bytes) -> tuple[bytes, bytes]:
        first = data[1]
        start = 2 if first < 0x80 else 2 + (first & 0x7F)
        length = first if first < 0x80 else int.from_bytes(data[2:start], "big")
        return data[start : start + length], data[start + length :]

    inside, _ = content(der)
    signed, rest = content(inside)
    assert signed.startswith(old)
    return tlv(0x30, tlv(0x30, new, signed[len(old) :]), rest)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(OWN)),
            st.one_of(st.sampled_from(sorted(ODD.values())), st.sampled_from(sorted(GOOD.values())), st.binary()),
            st.booleans(),
        ),
        max_size=5,
    )
)
@example([(SUBJECT_NAMES, ODD["name with control characters"], False)])
@example([(SUBJECT_NAMES, b"", False)])
def test_whatever_the_extensions_are_nothing_but_a_decode_error_is_raised(
    extensions: list[tuple[str, bytes, bool]],
) -> None:
    encoded = b"".join(extension(oid, value, critical=critical) for oid, value, critical in extensions)
    certificate = Certificate.load(bare(extensions=encoded))
    _, errors = told(certificate, PROPERTIES)
    allowed = set().union(*(OWN[oid] for oid, _, _ in extensions)) if extensions else set()
    assert set(errors) <= allowed
    reason = ""
    try:
        peercert(certificate)
    except DecodeError as error:
        reason = str(error)
    # A dictionary has text: the property shows a byte that is no UTF-8 with an escape.
    assert "subject_alt_names" in errors or reason in {"", "a text in the certificate is not UTF-8"}


# CRLs


def crl_bytes(*entries: bytes, extensions: bytes = b"", next_update: bytes = b"") -> bytes:
    """The DER of a CRL with these parts, and no valid signature."""
    algorithm, who = tlv(0x30, bytes.fromhex("06082a8648ce3d040302")), name_der(tlv(0x0C, b"the issuer"))
    parts = [b"\x02\x01\x01", algorithm, who, b"\x17\x0d260101000000Z", next_update, tlv(0x30, *entries)]
    if extensions:
        parts.append(tlv(0xA0, tlv(0x30, extensions)))
    return tlv(0x30, tlv(0x30, *parts), algorithm, tlv(0x03, b"\0", tlv(0x30, b"\x02\x01\x01\x02\x01\x01")))


INDIRECT = extension("2.5.29.28", tlv(0x30, b"\x84\x01\xff"), critical=True)


def unless_refused(der: bytes) -> CRL:
    """A CRL with a malformed part.  The test ends here if OpenSSL refuses all of it (4.0 and some 3.6)."""
    try:
        return CRL.load(der)
    except DecodeError:
        assert pyossl.lib.HAVE_API_3_2, "1.1.1 and 3.0 read such a CRL"
        assert pyossl.lib.ERR_peek_error() == 0
        pytest.skip("this OpenSSL refuses a CRL with such a part")


def entry(number: int, *extensions: bytes, when: bytes = b"\x17\x0d260101000000Z") -> bytes:
    return tlv(0x30, tlv(0x02, bytes([number])), when, tlv(0x30, *extensions) if extensions else b"")


def issued_by(name: str) -> bytes:
    return extension(ENTRY_ISSUER, tlv(0x30, tlv(0xA4, name_der(tlv(0x0C, name.encode())))), critical=True)


CRL_PROPERTIES = [name for name, member in inspect.getmembers(CRL) if isinstance(member, property)]
ENTRY_PROPERTIES = ["serial_number", "revoked_at", "reason", "issuer_name", "issuer"]


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("oid", [CRL_NUMBER, AUTHORITY_KEY, "2.5.29.28", "2.5.29.27", ISSUER_NAMES, UNKNOWN])
def test_a_malformed_extension_of_a_crl_raises_for_itself_alone(oid: str, kind: str) -> None:
    crl = unless_refused(crl_bytes(entry(5), extensions=extension(oid, ODD[kind], critical=True)))
    _, errors = told(crl, CRL_PROPERTIES)
    assert set(errors) <= ({"number"} if oid == CRL_NUMBER else set())
    assert [each.serial_number for each in crl] == [5]
    assert crl.find(5) is not None


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize(
    ("oid", "own"),
    [(REASON, {"reason"}), (ENTRY_ISSUER, {"issuer_name", "issuer"}), ("2.5.29.24", set()), (UNKNOWN, set())],
)
def test_a_malformed_extension_of_an_entry_raises_for_itself_and_the_others_are_told(
    oid: str, own: set[str], kind: str
) -> None:
    entries = (entry(1), entry(2, extension(oid, ODD[kind])), entry(3, extension(REASON, b"\x0a\x01\x01")))
    crl = unless_refused(crl_bytes(*entries, extensions=INDIRECT))
    first, second, third = crl
    assert told(first, ENTRY_PROPERTIES)[1] == {}
    assert set(told(second, ENTRY_PROPERTIES)[1]) <= own
    assert (third.serial_number, third.reason) == (3, 1)
    assert [each.serial_number for each in crl] == [1, 2, 3]
    assert crl.find(1) == first
    if oid != ENTRY_ISSUER:
        found = crl.find(2)
        assert found is not None
        assert found.serial_number == 2
        assert crl.find(3) == third


@pytest.mark.parametrize("kind", MALFORMED)
def test_the_issuer_of_an_entry_after_a_malformed_issuer_is_unknown(kind: str) -> None:
    """docs/pitfalls.md, 42."""
    entries = (entry(1), entry(2, extension(ENTRY_ISSUER, MALFORMED[kind])), entry(3), entry(4, issued_by("other")))
    crl = unless_refused(crl_bytes(*entries, extensions=INDIRECT))
    for number in (2, 3):
        with pytest.raises(DecodeError, match="certificateIssuer"):
            crl.find(number)
        with pytest.raises(DecodeError, match="certificateIssuer"):
            _ = list(crl)[number - 1].issuer_name
    assert crl.find(1) is not None
    assert crl.find(4) is None
    assert crl.find(9) is None
    assert list(crl)[3].issuer == "CN=other"
    theirs = Certificate.load(bare(serial_number=b"\x04", name=name_der(tlv(0x0C, b"other"))))
    assert crl.find(theirs) == list(crl)[3]


def test_entries_behind_a_malformed_reason_are_still_their_own_issuer_s() -> None:
    entries = (entry(1, issued_by("one")), entry(2, extension(REASON, b"\xff")), entry(3, issued_by("two")))
    crl = unless_refused(crl_bytes(*entries, extensions=INDIRECT))
    for number, name in ((1, "one"), (2, "one"), (3, "two")):
        theirs = Certificate.load(bare(serial_number=bytes([number]), name=name_der(tlv(0x0C, name.encode()))))
        found = crl.find(theirs)
        assert found is not None
        assert (found.serial_number, found.issuer) == (number, f"CN={name}")
        assert crl.find(number) is None


@pytest.mark.parametrize("odd", [None, True, "5", 5.0, b"5"])
def test_what_is_no_serial_number_is_refused_and_not_unrevoked_where_an_entry_is_malformed(odd: Any) -> None:
    for reason in (b"\x0a\x01\x01", b"\x05\x00"):
        crl = unless_refused(crl_bytes(entry(5, extension(REASON, reason))))
        with pytest.raises(TypeError, match="a serial number is an int"):
            crl.find(odd)


def test_entries_of_an_indirect_crl_say_their_issuer() -> None:
    entries = (entry(1), entry(2, issued_by("one")), entry(3), entry(4, issued_by("the issuer")), entry(5))
    crl = CRL.load(crl_bytes(*entries, extensions=INDIRECT))
    assert [each.issuer for each in crl] == [None, "CN=one", "CN=one", None, None]
    name = list(crl)[1].issuer_name
    assert name is not None
    assert name.to_der() == common_name("one").public_bytes()
    theirs = Certificate.load(bare(serial_number=b"\x03", name=name_der(tlv(0x0C, b"one"))))
    assert crl.find(theirs) == list(crl)[2]


def test_an_issuer_of_an_entry_that_is_no_directory_name_is_malformed() -> None:
    nameless = entry(1, extension(ENTRY_ISSUER, tlv(0x30, tlv(0x82, b"a.example"))))
    crl = unless_refused(crl_bytes(nameless, extensions=INDIRECT))
    with pytest.raises(DecodeError, match="directory name"):
        _ = next(iter(crl)).issuer


def test_a_time_of_an_entry_that_is_malformed_raises_for_itself() -> None:
    crl = unless_refused(crl_bytes(entry(1, when=tlv(0x17, b"never")), entry(2)))
    first, second = crl
    assert first.serial_number == 1
    with pytest.raises(DecodeError, match="time"):
        _ = first.revoked_at
    with pytest.raises(DecodeError, match="time"):
        _, _, _ = first
    with pytest.raises(DecodeError, match="time"):
        _ = first[1]
    assert second.revoked_at.year == 2026
    assert repr(first)
    assert pickle.loads(pickle.dumps(first)).serial_number == copy.deepcopy(first).serial_number == 1


def test_an_entry_is_a_tuple_of_three_still() -> None:
    made = Revoked(7, NOW, 1)
    assert tuple(made) == (7, NOW, 1) == made
    assert len(made) == 3
    assert made._replace(reason=None) == Revoked(7, NOW, None)
    number, when, reason = made
    assert (number, when, reason) == (7, NOW, 1)
    assert made[:2] == (7, NOW)
    assert made._asdict() == {"serial_number": 7, "revoked_at": NOW, "reason": 1}
    assert Revoked._make((7, NOW, 1)) == made


def test_entries_of_several_issuers_are_tuples_of_three_that_differ() -> None:
    one, two = (pyossl.Name(common_name(name).public_bytes()) for name in ("one", "two"))
    ours, theirs = Revoked(7, NOW, 1, one), Revoked(7, NOW, 1, issuer_name=two)
    assert ours != theirs
    assert not ours == theirs  # noqa: SIM201 - the other operator
    assert len({ours, theirs, Revoked(7, NOW, 1), Revoked(7, NOW, 1, one)}) == 3
    assert "CN=one" in repr(ours)
    assert "issuer" not in repr(Revoked(7, NOW, 1))
    assert ours._replace(reason=None) == Revoked(7, NOW, None, one)
    assert ours._replace(issuer_name=two) == theirs
    for copied in (pickle.loads(pickle.dumps(ours)), copy.copy(ours), copy.deepcopy(ours)):
        assert copied == ours
        assert copied.issuer == "CN=one"
    crl = CRL.load(crl_bytes(entry(2, issued_by("one")), extensions=INDIRECT))
    for number, when, reason in crl:
        assert (number, when.year, reason) == (2, 2026, None)


def test_a_malformed_time_of_a_crl_raises_for_itself() -> None:
    crl = unless_refused(crl_bytes(entry(5), next_update=tlv(0x17, b"soon")))
    answers, errors = told(crl, CRL_PROPERTIES)
    assert set(errors) == {"next_update"}
    assert answers["text"]


# The command line


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Root")


HOSTILE = b"\x1b]0;owned\x07\x9b31m\r\n\0"


@pytest.fixture(scope="module")
def hostile() -> tuple[Certificate, pyossl.PrivateKey]:
    """A certificate with many malformed parts and terminal escape codes in its names, and its key."""
    made = make(
        "x\x1b[2J\x9b31my",
        extensions=[
            (raw(CRL_POINTS, b"\xff"), False),
            (raw(KEY_USAGE, b""), True),
            (raw(SUBJECT_NAMES, tlv(0x30, tlv(0x82, HOSTILE), tlv(0x82, b"localhost"))), False),
            (raw(UNKNOWN, b"\x1b[31m"), True),
        ],
    )
    return Certificate.load(made.der), pyossl.PrivateKey.load(made.key_pem)


def run(command: str, served: tuple[Certificate, pyossl.PrivateKey], *arguments: str) -> tuple[int, str]:
    stream = io.StringIO()
    with pyossl.listen(("127.0.0.1", 0), Context.server([served[0]], served[1])) as listener:
        listener.settimeout(SECONDS)

        def serve() -> None:
            for _ in range(2 if command == "trace" else 1):
                tls, _ = listener.accept()
                with tls:
                    read_all(tls)

        serving = Task(serve)
        where = f"127.0.0.1:{listener.address[1]}"
        status = main([command, where, "--servername", "localhost", *arguments], stream)
        serving.result()
    return status, stream.getvalue()


def test_the_command_line_shows_a_certificate_of_which_much_is_malformed(
    hostile: tuple[Certificate, pyossl.PrivateKey],
) -> None:
    status, output = run("certs", hostile)
    assert status == 1
    assert "malformed: CN=x" in output
    assert "crlDistributionPoints, keyUsage" in output
    assert "DNS:localhost" in output
    assert all(character.isprintable() or character == "\n" for character in output)
    _, pem = run("certs", hostile, "--pem")
    assert Certificate.load(pem.encode()) == hostile[0]
    _, said = run("certs", hostile, "--json")
    assert said.isascii()
    assert json.loads(said)["chain"][0]["malformed"] == ["crlDistributionPoints", "keyUsage"]
    assert "malformed" in {finding["kind"] for finding in json.loads(said)["findings"]}


@pytest.mark.parametrize("command", ["client", "trace"])
def test_client_and_trace_tell_what_is_malformed(hostile: tuple[Certificate, pyossl.PrivateKey], command: str) -> None:
    status, said = run(command, hostile, "--no-verify", "--json")
    assert status == 0
    assert said.isascii()
    known = json.loads(said)
    chain = (known if command == "client" else known[0])["chain"]
    assert chain[0]["malformed"] == ["crlDistributionPoints", "keyUsage"]


def test_the_client_prints_what_is_malformed_and_nothing_that_a_terminal_obeys(
    hostile: tuple[Certificate, pyossl.PrivateKey], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        run("client", hostile, "--no-verify")
    shown = capfd.readouterr().err
    assert "malformed: crlDistributionPoints, keyUsage" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)


@pytest.mark.parametrize("field", ["not_before", "not_after"])
def test_a_malformed_time_is_shown_as_such(field: str) -> None:
    from pyossl.cli.certificate_findings import diagnose
    from pyossl.cli.certificate_report import certificate_report

    encoded: Any = {field: tlv(0x18, b"00000101000000Z")}  # OpenSSL can read it, but Python does not support the year
    certificate = Certificate.load(bare(**encoded))
    said = certificate_report(certificate)
    assert said[field] is None
    name = {"not_before": "notBefore", "not_after": "notAfter"}[field]
    assert said["malformed"] == [name]
    (finding,) = diagnose("x", (certificate,), (certificate,), []).findings
    assert finding.kind == "malformed"
    assert name in finding.why


def sent_with(oid: str, value: bytes, where: str) -> tuple[int, dict[str, Any]]:
    """The output of ``certs --json`` for a server that sends a chain and an unneeded certificate.

    The certificate at ``where`` has a malformed extension."""

    def extensions(name: str) -> list[tuple[x509.ExtensionType, bool]]:
        return [(raw(oid, value), False)] if name == where else []

    root = make("Root", ca=True)
    between = make("Between", root, ca=oid != CONSTRAINTS or where != "between", extensions=extensions("between"))
    leaf = make("leaf", between, extensions=[(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)])
    besides = make("Besides", root, extensions=extensions("besides"))
    stream = io.StringIO()
    sent = [Certificate.load(each.der) for each in (leaf, between, besides)]
    server = Context.server(sent, pyossl.PrivateKey.load(leaf.key_pem))
    with tempfile.NamedTemporaryFile(suffix=".pem") as trusted, pyossl.listen(("127.0.0.1", 0), server) as listener:
        trusted.write(root.pem)
        trusted.flush()
        listener.settimeout(SECONDS)

        def serve() -> None:
            tls, _ = listener.accept()
            with tls:
                read_all(tls)

        serving = Task(serve)
        place = f"127.0.0.1:{listener.address[1]}"
        status = main(["certs", place, "--servername", "localhost", "--ca", trusted.name, "--json"], stream)
        serving.result()
    return status, json.loads(stream.getvalue())


@pytest.mark.parametrize("oid", [CONSTRAINTS, KEY_USAGE, SUBJECT_KEY, AUTHORITY_KEY, SUBJECT_NAMES, EXTENDED_USAGE])
def test_a_malformed_intermediate_that_was_sent_is_not_called_missing(oid: str) -> None:
    status, said = sent_with(oid, b"", "between")
    assert status == 1
    told = [finding["why"] for finding in said["findings"]] + said["notes"]
    assert not any("was not sent" in each for each in told), told
    assert not said["trusted"]
    assert any("CN=Between" in each and "malformed" in each and NAMES[oid] in each for each in told), told


def test_a_malformed_certificate_that_is_sent_and_not_needed_is_noted() -> None:
    status, said = sent_with(KEY_USAGE, b"\xff", "besides")
    assert status == 0
    assert said["trusted"]
    assert "sent, but malformed in keyUsage: CN=Besides" in said["notes"]
