"""The fields and the fingerprints of a ClientHello, compared with published ones and with what OpenSSL sends."""

from __future__ import annotations

import hashlib
import socket
import subprocess
from collections.abc import Iterable

import pytest
from pairs import shake_hands
from tls.callbacks.published_client_hellos import CHROME, FIREFOX, JA3, JA4, JA4_O

import pyossl
from pyossl import ClientHello, ClientHelloExtension, DecodeError
from pyossl.pyopenssl import SSL
from pyossl.tls.callbacks.client_hello import is_grease

TLS_1_2 = 0x0303


def vector(data: bytes, length_size: int) -> bytes:
    return len(data).to_bytes(length_size, "big") + data


def numbers(values: Iterable[int], length_size: int = 2, size: int = 2) -> bytes:
    return vector(b"".join(value.to_bytes(size, "big") for value in values), length_size)


def message(
    ciphers: Iterable[int], extensions: Iterable[tuple[int, bytes]] | None, version: int = TLS_1_2, end: bytes = b""
) -> bytes:
    """The handshake message of a ClientHello with these fields; without extensions if they are None."""
    body = version.to_bytes(2, "big") + bytes(32) + b"\0" + numbers(ciphers) + b"\1\0"
    if extensions is not None:
        body += vector(b"".join(type.to_bytes(2, "big") + vector(data, 2) for type, data in extensions), 2)
    return b"\1" + vector(body + end, 3)


def records(data: bytes, size: int) -> bytes:
    """The message, divided among records of this size."""
    return b"".join(b"\x16\3\1" + vector(data[at : at + size], 2) for at in range(0, len(data), size))


@pytest.mark.feature("JA3 and JA4 fingerprints of a ClientHello")
@pytest.mark.parametrize("which", JA3)
def test_the_ja3_is_the_published_one(which: str) -> None:
    record, published = JA3[which]
    hello = ClientHello.parse(record)
    assert hello.ja3() == published
    assert hashlib.md5(hello.ja3(raw=True).encode()).hexdigest() == published


@pytest.mark.feature("JA3 and JA4 fingerprints of a ClientHello")
@pytest.mark.parametrize("which", JA4)
def test_the_ja4_is_the_published_one(which: str) -> None:
    record, published = JA4[which]
    assert ClientHello.parse(record).ja4() == published


@pytest.mark.parametrize("which", JA4_O)
def test_the_ja4_in_the_original_order_is_the_published_one(which: str) -> None:
    record, published = JA4_O[which]
    assert ClientHello.parse(record).ja4(original_order=True) == published


@pytest.mark.parametrize(
    ("ciphers", "groups", "raw", "digest"),
    [
        (
            [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            [23, 24, 25],
            "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
            "ada70206e40642a3e4461f35503241d5",
        ),
        (
            [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99],
            None,
            "769,4-5-10-9-100-98-3-6-19-18-99,,,",
            "de350869b8c85de67a350c8d186f11e6",
        ),
    ],
)
def test_the_examples_of_ja3_s_readme(ciphers: list[int], groups: list[int] | None, raw: str, digest: str) -> None:
    """salesforce/ja3, README.md: with extensions, and without."""
    name = vector(b"\0" + vector(b"a.example", 2), 2)
    extensions = None if groups is None else [(0, name), (10, numbers(groups)), (11, b"\1\0")]
    hello = ClientHello.parse(message(ciphers, extensions, 0x0301))
    assert (hello.ja3(raw=True), hello.ja3()) == (raw, digest)


def test_the_newest_version_counts_in_a_ja4_even_if_it_is_unknown() -> None:
    def shown(version: int, *supported: int) -> str:
        return ClientHello.parse(message([], [(43, numbers(supported, 1))], version)).ja4()[1:3]

    assert shown(TLS_1_2, 0x0303, 0x0304, 0x0302) == "13"
    assert shown(TLS_1_2, 0x0304, 0x7F1C) == "00"
    assert shown(TLS_1_2, 0x0A0A) == "00"


GREASE_EXAMPLE = (
    "002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9",
    "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
    "0005,000a,000b,000d,0012,0017,001b,0023,002b,002d,0033,44cd,ca34,fe0d,ff01",
    "fe0d,0010,0017,0033,44cd,ff01,000a,000d,0023,002b,000b,ca34,002d,0000,0005,001b,0012",
    "0904,0905,0906,0403,0804,0401,0503,0805,0501,0806,0601",
)


def test_the_values_of_ja4_s_own_tests() -> None:
    """FoxIO-LLC/ja4, python/test/testdata/sigalg-grease.pcapng.json: a Chrome with ML-DSA."""
    sorted_ciphers, ciphers, sorted_extensions, extensions, signatures = GREASE_EXAMPLE
    hello = described(ciphers, extensions, signatures)
    assert hello.ja4() == "t13d1517h2_8daaf6152771_cb7bf5808d99"
    assert hello.ja4(raw=True) == f"t13d1517h2_{sorted_ciphers}_{sorted_extensions}_{signatures}"
    assert hello.ja4(original_order=True) == "t13d1517h2_acb858a92679_88bf22a3e888"
    assert hello.ja4(raw=True, original_order=True) == f"t13d1517h2_{ciphers}_{extensions}_{signatures}"


SPECIFICATION_CIPHERS = "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
SPECIFICATION_EXTENSIONS = "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"
SPECIFICATION_SIGNATURES = "0403,0804,0401,0503,0805,0501,0806,0601"


def specification_example(*, with_signatures: bool = True) -> ClientHello:
    """The ClientHello that technical_details/JA4.md of FoxIO-LLC/ja4 describes."""
    extensions = SPECIFICATION_EXTENSIONS if with_signatures else SPECIFICATION_EXTENSIONS.replace(",000d", "")
    return described(SPECIFICATION_CIPHERS, extensions, SPECIFICATION_SIGNATURES)


def described(ciphers: str, types: str, signatures: str) -> ClientHello:
    """A ClientHello of TLS 1.3 with these lists, with GREASE everywhere."""

    def listed(text: str) -> list[int]:
        return [int(each, 16) for each in text.split(",")]

    data = {
        0: vector(b"\0" + vector(b"a.example", 2), 2),
        10: numbers([0x3A3A, 29]),
        11: b"\1\0",
        13: numbers([0x1A1A, *listed(signatures)]),
        16: vector(vector(b"h2", 1) + vector(b"http/1.1", 1), 2),
        43: numbers([0xFAFA, 0x0304, 0x0303], 1),
    }
    extensions = [(each, data.get(each, b"")) for each in (0x0A0A, *listed(types), 0xDADA)]
    return ClientHello.parse(message([0x7A7A, *listed(ciphers)], extensions))


def test_the_example_of_ja4_s_specification_in_its_four_forms() -> None:
    hello = specification_example()
    ciphers = "002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9"
    extensions = "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01"
    assert hello.ja4() == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert hello.ja4(raw=True) == f"t13d1516h2_{ciphers}_{extensions}_{SPECIFICATION_SIGNATURES}"
    assert hello.ja4(original_order=True) == "t13d1516h2_acb858a92679_18f69afefd3d"
    assert (
        hello.ja4(raw=True, original_order=True)
        == f"t13d1516h2_{SPECIFICATION_CIPHERS}_{SPECIFICATION_EXTENSIONS}_{SPECIFICATION_SIGNATURES}"
    )


def test_a_ja4_without_signature_algorithms_ends_with_the_extensions() -> None:
    """The specification: the text ends without an underscore."""
    hello = specification_example(with_signatures=False)
    assert hello.ja4(raw=True).endswith("_0005,000a,000b,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01")
    assert hello.ja4(raw=True).count("_") == 2


def test_a_ja4_of_a_hello_without_anything() -> None:
    hello = ClientHello.parse(message([], None))
    assert hello.ja4() == "t12i000000_000000000000_000000000000"
    assert hello.ja4(raw=True) == "t12i000000__"
    assert hello.ja3(raw=True) == "771,,,,"
    values = (hello.server_name, hello.groups, hello.point_formats, hello.signature_algorithms, hello.alpn)
    assert values == (None, (), (), (), ())
    assert hello.supported_versions == (TLS_1_2,)


@pytest.mark.parametrize(
    ("version", "shown"),
    [(0x0300, "s3"), (0x0301, "10"), (0x0302, "11"), (0x0303, "12"), (0x0304, "13"), (0x0399, "00")],
)
def test_the_version_in_a_ja4(version: int, shown: str) -> None:
    assert ClientHello.parse(message([], None, version)).ja4()[1:3] == shown
    extension = (43, numbers([0xFAFA, 0x0300, version], 1))
    assert ClientHello.parse(message([], [extension], TLS_1_2)).ja4()[1:3] == shown


def test_more_than_99_ciphers_and_extensions_are_99_in_a_ja4() -> None:
    hello = ClientHello.parse(message(range(120), [(1000 + n, b"") for n in range(120)]))
    assert hello.ja4().startswith("t12i999900_")


def test_quic_is_known_by_its_transport_parameters() -> None:
    """RFC 9001, 8.2"""
    hello = ClientHello.parse(message([0x1301], [(57, b"")]))
    assert (hello.protocol, hello.ja4()[0]) == ("q", "q")


def test_the_fields_are_those_on_the_wire_in_their_order() -> None:
    hello = ClientHello.parse(FIREFOX)
    assert (hello.protocol, hello.version, len(hello.random), len(hello.session_id)) == ("t", TLS_1_2, 32, 32)
    assert hello.random == FIREFOX[11:43]
    assert hello.ciphers[:4] == (0x1301, 0x1303, 0x1302, 0xC02B)
    assert hello.compression_methods == b"\0"
    assert [each.type for each in hello.extensions[:4]] == [0, 23, 65281, 10]
    assert hello.extensions[2] == ClientHelloExtension(65281, b"\0")
    assert hello.extension(28) == bytes.fromhex("4001")
    assert hello.extension(4711) is None
    assert hello.groups == (29, 23, 24, 25, 256, 257)
    assert hello.point_formats == (0,)
    assert hello.signature_algorithms[:3] == (0x0403, 0x0503, 0x0603)
    assert hello.alpn == (b"h2", b"http/1.1")
    assert hello.server_name == "contile.services.mozilla.com"
    assert hello.supported_versions == (0x0304, 0x0303)


def test_grease_is_in_the_fields_and_not_in_the_fingerprints() -> None:
    hello = ClientHello.parse(CHROME)
    assert is_grease(hello.ciphers[0])
    assert is_grease(hello.groups[0])
    assert is_grease(hello.extensions[0].type)
    assert "23130" not in hello.ja3(raw=True)
    assert sum(is_grease(value) for value in range(0x10000)) == 16
    assert not is_grease(0x1A2A)


@pytest.mark.parametrize("size", [1, 5, 100, 16384])
def test_a_message_may_be_divided_among_records(size: int) -> None:
    whole = ClientHello.parse(CHROME)
    assert ClientHello.parse(CHROME[5:]) == whole
    assert ClientHello.parse(records(CHROME[5:], size)) == whole


@pytest.mark.feature("JA3 and JA4 fingerprints of a ClientHello")
def test_a_message_callback_gets_it_on_both_sides(authority: pyossl.Authority, server_context: pyossl.Context) -> None:
    client_context = pyossl.Context.client(trust=authority.certificate, alpn=["h2", "http/1.1"])
    seen: list[ClientHello] = []

    def add(message: pyossl.Message) -> None:
        if message.name == "ClientHello":
            seen.append(ClientHello.parse(message.data))

    client = pyossl.Connection(client_context, "example.com", message_callback=add)
    server = pyossl.Connection(server_context, message_callback=add)
    shake_hands(client, server)
    sent, received = seen
    assert sent == received
    assert received.server_name == "example.com"
    assert received.alpn == (b"h2", b"http/1.1")
    assert received.ja4()[8:10] == "h2"


def test_it_is_the_first_record_that_the_openssl_program_sends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "b.example", "-alpn", "x"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            listener.settimeout(30)
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(30)
                header = sock.recv(5, socket.MSG_WAITALL)
                record = header + sock.recv(int.from_bytes(header[3:], "big"), socket.MSG_WAITALL)
            hello = ClientHello.parse(record)
        finally:
            process.communicate(timeout=30)
    assert (hello.server_name, hello.alpn, hello.protocol) == ("b.example", (b"x",), "t")
    assert hello.ja4()[:1] + hello.ja4()[3:4] + hello.ja4()[8:10] == "tdxx"


def dtls_record() -> bytes:
    client = SSL.Connection(SSL.Context(SSL.DTLS_CLIENT_METHOD), None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    return bytes(client.bio_read(65536))


def test_dtls_is_known_by_its_version() -> None:
    record = dtls_record()
    hello = ClientHello.parse(record)
    assert (hello.protocol, hello.version >> 8) == ("d", 0xFE)
    assert hello.ja4()[:3] == "dd2"
    assert ClientHello.parse(record[13:]) == hello


def test_a_fragment_of_dtls_is_refused() -> None:
    handshake = dtls_record()[13:]
    with pytest.raises(DecodeError, match="fragments"):
        ClientHello.parse(handshake[:9] + b"\0\0\1" + handshake[12:13])


FORMS = {
    "record": lambda: CHROME,
    "message": lambda: CHROME[5:],
    "records": lambda: records(CHROME[5:], 100),
    "record of DTLS": dtls_record,
    "message of DTLS": lambda: dtls_record()[13:],
}


@pytest.mark.parametrize("form", FORMS)
def test_one_that_is_cut_at_any_length_is_refused(form: str) -> None:
    data = FORMS[form]()
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            ClientHello.parse(data[:length])
    with pytest.raises(DecodeError):
        ClientHello.parse(data + b"\0")


@pytest.mark.parametrize("data", [CHROME, FIREFOX])
def test_one_with_any_byte_changed_is_read_or_refused(data: bytes) -> None:
    for at in range(len(data) - data[-16:].count(0)):
        for value in (0, 1, 0x7F, 0xFF):
            changed = data[:at] + bytes([value]) + data[at + 1 :]
            try:
                hello = ClientHello.parse(changed)
                hello.ja3()
                hello.ja4()
                assert hello.server_name is None or isinstance(hello.server_name, str)
            except DecodeError:
                pass


def test_other_data_is_refused() -> None:
    server_hello = b"\2" + vector(bytes(38), 3)
    request = b"GET / HTTP/1.0\r\n\r\n"
    alert = b"\x15\3\3\0\2\2\x28"
    inside = b"\x16\3\3" + vector(server_hello, 2)
    for data in (b"", request, alert, server_hello, inside, b"\x16\2\0\0\1\1", message([], None, end=b"\0")):
        with pytest.raises(DecodeError):
            ClientHello.parse(data)


@pytest.mark.parametrize("data", [None, "text", bytearray(CHROME), 1])
def test_what_is_not_bytes_is_refused(data: object) -> None:
    with pytest.raises(TypeError, match="ClientHello is bytes"):
        ClientHello.parse(data)  # type: ignore[arg-type]  # the wrong type


@pytest.mark.parametrize(
    ("type", "name", "data"),
    [
        (0, "server_name", b""),
        (0, "server_name", b"\0\0"),
        (0, "server_name", b"\0\3\0\0\4"),
        (10, "groups", b"\0\3\0\1\2"),
        (10, "groups", b"\0\2\0"),
        (10, "groups", b"\0\2\0\1\2"),
        (11, "point_formats", b""),
        (13, "signature_algorithms", b"\0\1\1"),
        (16, "alpn", b"\0\2\4a"),
        (43, "supported_versions", b"\3\3\4\3"),
    ],
)
def test_a_malformed_extension_is_refused_when_it_is_read(type: int, name: str, data: bytes) -> None:
    hello = ClientHello.parse(message([1], [(type, data)]))
    assert hello.extension(type) == data
    with pytest.raises(DecodeError, match="extension"):
        getattr(hello, name)


def test_a_name_that_is_not_ascii_is_escaped() -> None:
    name = vector(b"\0" + vector(b"a\xff\0", 2), 2)
    assert ClientHello.parse(message([], [(0, name)])).server_name == "a\\xff\0"
    other = vector(b"\7" + vector(b"other", 2) + b"\0" + vector(b"b", 2), 2)
    assert ClientHello.parse(message([], [(0, other)])).server_name == "b"
