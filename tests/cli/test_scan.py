"""``python -m pyossl scan``: it finds what a server has, and says in one sentence why there is nothing to find."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cli.cli_runs import Ran, in_a_pipe, on_a_terminal
from cli.cli_servers import Files, Served, files, our_server, s_server
from cli.ocsp_making import ocsp_response
from marks import needs

import pyossl
from pyossl.cli.scan_rounds import picked_in_turn

assert files, "a fixture"

SVG = "{http://www.w3.org/2000/svg}"
needs_tls_1_3 = needs("tls1_3")
ECDHE = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"


def scanned(where: str, *arguments: str) -> dict[str, Any]:
    ran = in_a_pipe("scan", where, "--servername", "localhost", "--json", *arguments)
    assert ran.status == 0, ran
    report: dict[str, Any] = json.loads(ran.output)
    report["by_version"] = {each["version"]: each for each in report["versions"]}
    return report


def names(items: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in items]


# What a server has


@pytest.mark.feature("scan")
@needs_tls_1_3
def test_it_finds_exactly_what_the_server_was_given(files: Files) -> None:
    options = ["--ciphers", ":".join((*ECDHE, "TLS_AES_128_GCM_SHA256")), "--groups", "X25519:P-384:P-256"]
    with our_server("--cert", files.certificate, "--key", files.key, "--alpn", "echo,h2", *options) as served:
        report = scanned(served.where, "--alpn", "foo,echo")
    newest, older = report["by_version"]["TLSv1.3"], report["by_version"]["TLSv1.2"]
    assert names(newest["ciphers"]) == ["TLS_AES_128_GCM_SHA256"]
    assert sorted(names(older["ciphers"])) == sorted(ECDHE)
    for found in (newest, older):
        assert sorted(names(found["groups"])) == ["secp256r1", "secp384r1", "x25519"]
        assert found["client_certificate"]["asked"] is False
    assert names(newest["signature_algorithms"]) == ["ecdsa_secp256r1_sha256"]
    assert "ecdsa_secp256r1_sha256" in names(older["signature_algorithms"])
    assert older["cipher_order"] == "server", "python -m pyossl server decides by its own order"
    assert [report["by_version"][each]["accepted"] for each in ("TLSv1.1", "TLSv1.0")] in ([False] * 2, [None] * 2)
    assert report["alpn"] == ["echo", "h2"], "foo is not the server's"
    assert report["certificates"][0]["subject"] == "CN=example.com"
    assert report["handshakes"] > 20


def test_only_one_version_is_found_of_a_server_that_has_one(files: Files) -> None:
    with our_server("--cert", files.certificate, "--key", files.key, "--max", "1.2") as served:
        report = scanned(served.where)
    assert [name for name, found in report["by_version"].items() if found["accepted"]] == ["TLSv1.2"]
    if pyossl.features.tls1_3:
        assert report["by_version"]["TLSv1.3"]["why"] == "alert: protocol version"


def test_sessions_are_resumed_by_ticket_and_by_session_id(files: Files) -> None:
    with s_server(files, "-www") as served:
        report = scanned(served.where)
    older = report["by_version"]["TLSv1.2"]["resumption"]
    assert (older["ticket"], older["session_id"], older["ticket_count"]) == (True, True, 1)
    if pyossl.features.tls1_3:
        newest = report["by_version"]["TLSv1.3"]["resumption"]
        assert (newest["ticket"], newest["ticket_count"], newest["early_data"]) == (True, 2, 0)
        assert newest["lifetime"] > 0


def test_a_server_without_tickets_has_session_ids_alone(files: Files) -> None:
    with s_server(files, "-www", "-no_ticket") as served:
        older = scanned(served.where)["by_version"]["TLSv1.2"]["resumption"]
    assert (older["ticket"], older["session_id"]) == (False, True)


def test_a_server_without_a_cache_has_tickets_alone(files: Files) -> None:
    with s_server(files, "-www", "-no_cache") as served:
        older = scanned(served.where)["by_version"]["TLSv1.2"]["resumption"]
    assert (older["ticket"], older["session_id"]) == (True, False)


@pytest.mark.parametrize(("options", "decides"), [((), "client"), (("-serverpref",), "server")])
def test_whose_order_of_suites_decides_is_found(files: Files, options: tuple[str, ...], decides: str) -> None:
    with s_server(files, "-www", *options) as served:
        assert scanned(served.where)["by_version"]["TLSv1.2"]["cipher_order"] == decides


@needs_tls_1_3
def test_the_early_data_that_tickets_allow_is_found(files: Files) -> None:
    with s_server(files, "-early_data", "-max_early_data", "4321") as served:
        newest = scanned(served.where)["by_version"]["TLSv1.3"]["resumption"]
    assert newest["early_data"] == 4321


@pytest.mark.parametrize(("option", "required"), [("-verify", False), ("-Verify", True)])
def test_a_wish_for_a_client_certificate_is_found(files: Files, option: str, required: bool) -> None:
    with s_server(files, "-www", option, "3", "-verify_return_error") as served:
        report = scanned(served.where)
    for name, found in report["by_version"].items():
        if found["accepted"]:
            wish = found["client_certificate"]
            assert (wish["asked"], wish["required"], wish["authority_count"]) == (True, required, 1), name
            assert found["resumption"]["ticket"] is (None if required else True), name


@needs("ocsp")
def test_the_stapled_response_is_found(
    files: Files, authority: pyossl.Authority, credentials: pyossl.Credentials, tmp_path: Path
) -> None:
    response = tmp_path / "response.der"
    response.write_bytes(ocsp_response(credentials, authority))
    with s_server(files, "-www", "-status_file", str(response)) as served:
        report = scanned(served.where)
    assert (report["ocsp"]["status"], report["ocsp"]["is_for_certificate"]) == ("good", True)


def test_the_groups_beside_the_curve_of_the_certificate_are_found(files: Files) -> None:
    """Before TLS 1.3, a server with an EC key refuses offers without the curve of the key, here P-256."""
    with s_server(files, "-www", "-curves", "P-256:P-384:P-521") as served:
        found = names(scanned(served.where)["by_version"]["TLSv1.2"]["groups"])
    assert sorted(found) == ["secp256r1", "secp384r1", "secp521r1"]


def test_weak_suites_are_found_and_said_to_be_weak(files: Files) -> None:
    with s_server(files, "-www", "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0") as served:
        report = scanned(served.where)
    ciphers = report["by_version"]["TLSv1.2"]["ciphers"]
    found = {each["name"]: each["weakness"] for each in ciphers}
    assert "no authentication" in found["AECDH-AES128-SHA"]
    assert "no encryption" in found["ECDHE-ECDSA-NULL-SHA"]
    assert found["ECDHE-ECDSA-AES128-SHA"] == "CBC"
    assert found["ECDHE-ECDSA-AES256-GCM-SHA384"] == ""
    exchange = next(each["key_exchange"] for each in ciphers if each["name"] == "ADH-AES128-SHA")
    assert re.fullmatch(r"DH \d{4} bits", exchange)


def test_it_says_what_this_openssl_cannot_ask_for(files: Files) -> None:
    with s_server(files, "-www") as served:
        missing = scanned(served.where)["cannot_ask"]
    assert "suites with EXPORT" in missing["ciphers"]
    assert "suites with a pre-shared key or password (PSK, SRP)" in missing["ciphers"]
    assert ("X25519MLKEM768" in missing["groups"]) is not pyossl.features.post_quantum
    assert ("mldsa65" in missing["signature_algorithms"]) is not pyossl.features.post_quantum
    assert "x25519" not in missing["groups"]
    assert any("SSLv3" in each for each in missing["other"])


# Output


@pytest.fixture(scope="module")
def page(files: Files) -> Iterator[Served]:
    with s_server(files, "-www", "-alpn", "h2,http/1.1") as served:
        yield served


def test_the_table_has_versions_suites_and_what_was_not_asked(page: Served) -> None:
    ran = in_a_pipe("scan", page.where)
    assert (ran.status, ran.errors) == (0, ""), "no progress in a pipe"
    for part in ("Scan of localhost:", "✓ TLSv1.2   ", "ECDHE-ECDSA-AES256-GCM-SHA384    256 bits ", "  groups   "):
        assert part in ran.output
    for part in ("ALPN            h2, http/1.1", "by session id: yes", "Not asked for", "suites with EXPORT"):
        assert part in ran.output


def test_a_terminal_shows_progress_and_erases_it(page: Served) -> None:
    ran = on_a_terminal("scan", page.where, columns=80)
    assert ran.status == 0
    assert " handshakes, " in ran.output
    last = ran.output.rpartition(" handshakes, ")[2]
    before = last.partition("Scan of ")[0]
    assert "\r" + " " * 10 in before, "the line is overwritten"


def test_the_picture_shows_the_same_as_the_table(page: Served, tmp_path: Path) -> None:
    picture = tmp_path / "scan.svg"
    report = scanned(page.where, "--svg", str(picture))
    texts = [each.text or "" for each in ElementTree.parse(picture).iter(f"{SVG}text")]
    for found in report["versions"]:
        assert found["version"] in texts
        for cipher in found.get("ciphers", ()):
            assert cipher["name"] in texts
        for each in [*found.get("groups", ()), *found.get("signature_algorithms", ())]:
            assert each["name"] in texts
    assert {"h2", "http/1.1"} <= set(texts)


def test_the_picture_is_not_wider_than_it_says(page: Served, tmp_path: Path) -> None:
    picture = tmp_path / "scan.svg"
    scanned(page.where, "--svg", str(picture))
    root = ElementTree.parse(picture).getroot()
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for each in root.iter(f"{SVG}rect"):
        right = float(each.attrib.get("x", 0)) + float(each.attrib["width"])
        bottom = float(each.attrib.get("y", 0)) + float(each.attrib["height"])
        assert right <= width
        assert bottom <= height


def test_a_file_that_cannot_be_written_is_found_out_before_the_scan() -> None:
    ran = in_a_pipe("scan", "127.0.0.1:1", "--svg", "/no/such/folder/scan.svg")
    assert ran.status == 2
    assert "/no/such/folder/scan.svg" in ran.errors


def test_starttls_comes_before_each_handshake(server_context: pyossl.Context) -> None:
    dialogues: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"+OK\r\n")
        dialogues.append(sock.recv(100))
        sock.sendall(b"+OK\r\n")
        with contextlib.suppress(pyossl.Error, OSError), server_context.wrap_socket(sock) as tls:
            while tls.recv(100):
                pass

    with serving_all(serve) as where:
        report = scanned(where, "--starttls", "pop3")
    assert set(dialogues) == {b"STLS\r\n"}
    assert len(dialogues) >= report["handshakes"] > 20
    assert report["by_version"]["TLSv1.2"]["accepted"]


# Servers that give nothing to find


@contextlib.contextmanager
def serving_all(serve: Callable[[socket.socket], None], most: int | None = None) -> Iterator[str]:
    """A server that passes each connection to ``serve`` in a thread, and stops listening after ``most`` of them."""
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one(sock: socket.socket) -> None:
            with sock, contextlib.suppress(OSError):
                sock.settimeout(30)
                serve(sock)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while most is None or len(threads) < most:
                    sock, _ = listener.accept()
                    threads.append(threading.Thread(target=one, args=(sock,)))
                    threads[-1].start()
                listener.close()

        accepting = threading.Thread(target=accept)
        accepting.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        accepting.join(30)
    for thread in threads:
        thread.join(30)


def read_all(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def answering(data: bytes) -> Callable[[socket.socket], None]:
    def serve(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)

    return serve


def resetting(sock: socket.socket) -> None:
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def dripping(sock: socket.socket) -> None:
    sock.recv(65536)
    for byte in b"\x16\x03\x03\x40\x00" + bytes(10000):
        sock.sendall(bytes([byte]))
        time.sleep(0.02)


def one_sentence(ran: Ran, status: int = 1) -> str:
    """The error, which is on one line, without a traceback."""
    assert ran.status == status, ran
    assert ran.errors.count("\n") == 1, ran.errors
    return ran.errors.strip()


@pytest.mark.parametrize(
    ("serve", "sentence"),
    [
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "ScanError: the server does not speak TLS: "),
        (answering(b"SSH-2.0-OpenSSH_9.9\r\n"), "use --starttls"),
        (answering(bytes(range(256))), "ScanError: the server does not speak TLS: "),
        (answering(b""), "the server ended the connection without an alert"),
        (resetting, "the server ended the connection without an alert"),
        (answering(b"\x15\x03\x03\x00\x02\x02\x28"), "ScanError: the server accepted no handshake that OpenSSL"),
        (answering(b"\x16\x03\x03\x00\x0a\x02\x00\x00\x06\x03\x03AAAA"), "ScanError: the server accepted no handshake"),
    ],
)
def test_a_server_that_gives_nothing_is_one_sentence(serve: Callable[[socket.socket], None], sentence: str) -> None:
    with serving_all(serve) as where:
        assert sentence in one_sentence(in_a_pipe("scan", where))


@pytest.mark.parametrize("serve", [read_all, dripping])
def test_a_server_that_stalls_is_left_after_the_timeout(serve: Callable[[socket.socket], None]) -> None:
    with serving_all(serve) as where:
        assert one_sentence(in_a_pipe("scan", where, "--timeout", "0.3")).startswith(
            "TimeoutError: the handshake timed"
        )


def test_a_server_that_stops_answering_in_the_middle_ends_the_scan(server_context: pyossl.Context) -> None:
    served: list[int] = []

    def serve(sock: socket.socket) -> None:
        served.append(1)
        if len(served) > 5:
            read_all(sock)
        else:
            with contextlib.suppress(pyossl.Error, OSError), server_context.wrap_socket(sock) as tls:
                while tls.recv(100):
                    pass

    with serving_all(serve) as where:
        sentence = one_sentence(in_a_pipe("scan", where, "--timeout", "0.5"))
    assert sentence == "ScanError: the server stopped answering: 3 handshakes had no answer within 0.5 s"


def test_a_server_that_stops_listening_in_the_middle_ends_the_scan(server_context: pyossl.Context) -> None:
    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(pyossl.Error, OSError), server_context.wrap_socket(sock) as tls:
            while tls.recv(100):
                pass

    with serving_all(serve, most=5) as where:
        assert one_sentence(in_a_pipe("scan", where)).startswith("ConnectionRefusedError: ")


@pytest.mark.parametrize("where", ["127.0.0.1:1", "[::1]:1"])
def test_a_port_without_a_server_is_one_sentence_with_the_address(where: str) -> None:
    sentence = one_sentence(in_a_pipe("scan", where))
    assert where in sentence or "connecting to [::1]:1" in sentence


def test_a_host_that_does_not_answer_is_left_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as queue:
        address = full.getsockname()
        for _ in range(3):  # more than the backlog: the next connection gets no answer
            sock = queue.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(address)
        sentence = one_sentence(in_a_pipe("scan", f"127.0.0.1:{address[1]}", "--timeout", "0.5"))
    assert sentence == f"TimeoutError: connecting to 127.0.0.1:{address[1]} timed out after 0.5 s"


def test_a_failed_scan_is_json_too() -> None:
    with serving_all(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as where:
        ran = in_a_pipe("scan", where, "--json")
    assert ran.status == 1
    assert json.loads(ran.output)["error"]["type"] == "ScanError"


# The rounds


def test_everything_is_found_in_the_order_in_which_it_is_picked() -> None:
    order = "cadb"
    asked: list[str] = []

    def ask(left: list[str]) -> str | None:
        asked.append("".join(left))
        return next((each for each in order if each in left), None)

    assert list(picked_in_turn("abcdef", ask)) == list(order)
    assert asked == ["abcdef", "abdef", "bdef", "bef", "ef"]


def test_more_than_fit_into_one_offer_are_asked_in_parts() -> None:
    asked: list[str] = []

    def ask(left: list[str]) -> str | None:
        asked.append("".join(left))
        return "c" if "c" in left else None

    assert list(picked_in_turn("abcd", ask, most=2)) == ["c"]
    assert asked == ["ab", "cd", "d"]


def test_a_server_that_picks_what_was_not_offered_does_not_go_on_for_ever() -> None:
    assert list(picked_in_turn("ab", lambda left: "x")) == []
