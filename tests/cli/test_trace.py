"""``python -m pyossl trace``: both handshakes, with sizes and times, as text, as SVG and as JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, Served, files, our_server, s_server

import pyossl
from pyossl.cli.handshake_ladder import Handshake, Ladder, Rung
from pyossl.cli.handshake_svg import svg
from pyossl.cli.screen import Screen
from pyossl.cli.trace import show
from pyossl.tls.callbacks.message import Message

assert files, "a fixture"

HEADER = 256
SVG = "{http://www.w3.org/2000/svg}"
NEWEST = "1.3" if pyossl.features.tls1_3 else "1.2"


@pytest.fixture(scope="module")
def server(files: Files) -> Iterator[Served]:
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        yield served


@pytest.mark.feature("trace")
@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_two_ladders_stand_side_by_side(server: Served, files: Files, version: str, columns: int) -> None:
    ran = in_a_pipe("trace", server.where, "--ca", files.ca, "--max", version, COLUMNS=str(columns))
    assert ran.status == 0, ran
    assert f"TLSv{version}" in ran.output
    rows = [line for line in ran.output.splitlines() if line.count("│") == 4]
    assert rows[0].count("ClientHello · ") == 2
    width = (columns - 2) // 2
    assert {len(row) for row in rows} == {2 * width + 2}
    assert all(re.match(r" *\d+\.\d\d │", half) for row in rows for half in (row[:width], row[width + 2 :]))
    assert ran.output.count("Certificate · ") == 1, "a resumed handshake shows no certificate"
    assert max(map(len, ran.output.splitlines())) <= columns


def test_they_stand_below_one_another_on_a_narrow_screen(server: Served, files: Files) -> None:
    ran = in_a_pipe("trace", server.where, "--ca", files.ca, COLUMNS="60")
    assert ran.status == 0
    first, _, resumed = ran.output.partition("resumed handshake  ")
    assert "Certificate · " in first
    assert "Finished · " in resumed
    assert "Certificate · " not in resumed
    assert re.search(r"first handshake  \d+\.\d\d ms, \d+ bytes sent, \d+ received", first)


def test_the_picture_has_every_message_of_both(server: Served, files: Files, tmp_path: Path) -> None:
    path = tmp_path / "handshake.svg"
    ran = in_a_pipe("trace", server.where, "--ca", files.ca, "--json", "--svg", str(path))
    assert ran.status == 0, ran
    first, resumed = json.loads(ran.output)
    assert (first["session"]["resumed"], resumed["session"]["resumed"]) == (False, True)
    root = ElementTree.parse(path).getroot()
    texts = [element.text for element in root.iter(f"{SVG}text")]
    for handshake in (first, resumed):
        assert handshake["title"].capitalize() in texts
    messages = [message for each in (first, resumed) for message in each["handshake"]["messages"]]
    assert len(list(root.iter(f"{SVG}path"))) == len(messages), "one head for each arrow"
    for message in messages:
        assert message["name"] in texts
        assert f"{message['milliseconds']:.2f} ms" in texts
        assert f"{message['size']} byte{'s' if message['size'] > 1 else ''}" in texts


def test_compare_draws_a_full_handshake_of_another_version(server: Served, files: Files, tmp_path: Path) -> None:
    path = tmp_path / "handshake.svg"
    options = (server.where, "--ca", files.ca, "--compare", "1.2", "--svg", str(path))
    ran = in_a_pipe("trace", *options, "--json")
    assert ran.status == 0, ran
    first, second = json.loads(ran.output)
    assert (first["version"], second["version"]) == (f"TLSv{NEWEST}", "TLSv1.2")
    assert not second["session"]["resumed"]
    assert "ServerHelloDone" in [message["name"] for message in second["handshake"]["messages"]]
    texts = [element.text or "" for element in ElementTree.parse(path).getroot().iter(f"{SVG}text")]
    for report in (first, second):
        assert report["title"].capitalize().replace("tls", "TLS") in texts
        assert any(text.startswith(f"{report['version']}, {report['cipher']}") for text in texts)


@pytest.mark.skipif(not pyossl.features.tls1_3, reason="this OpenSSL has one version to trace")
@pytest.mark.parametrize("columns", [60, 80])
def test_compare_prints_the_cipher_of_each_handshake(server: Served, files: Files, columns: int) -> None:
    ran = in_a_pipe("trace", server.where, "--ca", files.ca, "--compare", "1.2", COLUMNS=str(columns))
    assert ran.status == 0, ran
    assert ran.output.splitlines()[0].count(",") == 0, "the first line has what both handshakes have in common"
    assert ran.output.count("Certificate · ") == 2
    for expected in ("full handshake, TLSv1.3", "full handshake, TLSv1.2", "TLS_", "ECDHE-"):
        assert ran.output.count(expected) == 1
    assert max(len(line) for line in ran.output.splitlines() if "│" in line) <= columns


def test_the_summary_of_a_slow_handshake_fits_beside_another_one() -> None:
    ladder = Ladder()
    ladder.add(Message(True, 0x303, HEADER, b"\x16\x03\x01" + (1595).to_bytes(2, "big")))
    ladder.add(Message(False, 0x303, HEADER, b"\x16\x03\x03" + (12340).to_bytes(2, "big")))
    ladder.rungs += [Rung(True, "ClientHello", 1591, 0), Rung(False, "Finished", 12336, 1234.56)]
    known = {"servername": "localhost", "peer": "", "version": "TLSv1.3", "cipher": None, "group": None, "alpn": None}
    stream = io.StringIO()
    screen = Screen(stream)
    screen.width = 80
    show([Handshake("first handshake", ladder, known)] * 2, screen)
    assert stream.getvalue().count("1234.56 ms, 1600 B sent, 12345 received") == 2


def test_compare_says_that_the_versions_are_the_same(server: Served, files: Files) -> None:
    ran = in_a_pipe("trace", server.where, "--ca", files.ca, "--max", "1.2", "--compare", "1.2")
    assert ran.status == 0, ran
    assert "Both handshakes have TLSv1.2." in ran.output


def test_compare_with_a_version_that_the_server_refuses_is_status_1(files: Files) -> None:
    with our_server("--cert", files.certificate, "--key", files.key, "--min", NEWEST) as served:
        ran = in_a_pipe("trace", served.where, "--ca", files.ca, "--compare", "1.1", "--min", "1.1")
    assert ran.status == 1, ran
    assert "the handshake failed" in ran.errors


@pytest.mark.skipif(not pyossl.features.tls1_3, reason="before TLS 1.3 the alert ends the handshake")
def test_a_client_certificate_that_is_rejected_after_the_handshake_is_status_1(files: Files, tmp_path: Path) -> None:
    rejected = pyossl.Authority().issue("client.example")
    certificate, key = tmp_path / "client.pem", tmp_path / "client-key.pem"
    certificate.write_bytes(rejected.certificate_pem())
    key.write_bytes(rejected.private_key.to_pem())
    with our_server("--cert", files.certificate, "--key", files.key, "--ca", files.ca) as served:
        ran = in_a_pipe("trace", served.where, "--ca", files.ca, "--cert", str(certificate), "--key", str(key))
    assert ran.status == 1, ran
    assert "◄" in ran.output
    assert "The server ended the connection after the handshake: Alert: unknown CA" in ran.output
    assert "no session" not in ran.output


def test_a_server_without_sessions_has_one_ladder_and_a_message(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "one.svg"
    with s_server(files, "-no_ticket", "-no_cache", "-num_tickets", "0") as served:
        ran = in_a_pipe("trace", served.where, "--ca", files.ca, "--timeout", "2", "--svg", str(path))
    assert ran.status == 0, ran
    assert ran.output.count("ClientHello") == 1
    assert "The server sent no session that can be resumed." in ran.output
    assert path.read_text().count("ClientHello") == 1


def test_a_picture_escapes_names_from_the_peer_and_stays_within_its_frame() -> None:
    ladder = Ladder()
    ladder.rungs += [Rung(True, "ClientHello", 300, 0), Rung(False, '<b>&\x1b"', 16777215, 123456.78)]
    known = {"servername": "</svg>", "peer": "a&b", "version": "TLSv1.3", "cipher": "<c>", "group": None}
    drawn = svg([Handshake("first handshake", ladder, known)] * 2)
    root = ElementTree.fromstring(drawn)
    assert root.find(f"{SVG}text").text == "</svg>"  # type: ignore[union-attr]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(0 < float(element.attrib["x"]) < width for element in root.iter(f"{SVG}text"))
    assert all(0 < float(element.attrib["y"]) < height for element in root.iter(f"{SVG}text"))


def test_a_file_that_cannot_be_written_is_status_2(server: Served, files: Files) -> None:
    ran = in_a_pipe("trace", server.where, "--ca", files.ca, "--svg", "/no/such/folder/a.svg")
    assert ran.status == 2
    assert "/no/such/folder/a.svg" in ran.errors


def test_a_server_that_is_refused_is_status_1(server: Served) -> None:
    ran = in_a_pipe("trace", server.where)
    assert ran.status == 1
    assert ran.errors.startswith("CertificateError: ")


def test_the_newest_version_is_traced(server: Served, files: Files) -> None:
    ran = in_a_pipe("trace", server.where, "--ca", files.ca)
    assert f"TLSv{NEWEST}" in ran.output


def test_a_picture_has_colours_for_dark_mode_for_each_of_its_classes() -> None:
    ladder = Ladder()
    ladder.rungs.append(Rung(True, "ClientHello", 300, 0))
    known = {"servername": "localhost", "peer": "", "version": "TLSv1.3", "cipher": None, "group": None}
    style = ElementTree.fromstring(svg([Handshake("first handshake", ladder, known)])).findtext(f"{SVG}style") or ""
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    coloured = [rule for rule in re.findall(r"([^{}]+)\{([^}]*)\}", light) if re.search("(fill|stroke): #", rule[1])]
    names = {name for selectors, _ in coloured for name in re.findall(r"\.(\w+)", selectors)}
    assert {"paper", "panel", "client", "server", "alert"} <= names
    assert names <= set(re.findall(r"\.(\w+)", dark))


def test_the_text_of_a_picture_can_be_read_at_the_width_of_a_phone() -> None:
    ladder = Ladder()
    ladder.rungs.append(Rung(True, "ClientHello", 300, 0))
    known = {"servername": "localhost", "peer": "", "version": "TLSv1.3", "cipher": None, "group": None}
    root = ElementTree.fromstring(svg([Handshake("first handshake", ladder, known)] * 2))
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", root.findtext(f"{SVG}style") or "")]
    assert min(sizes) * 343 / float(root.attrib["width"]) >= 9


@pytest.mark.parametrize("length", [9, 60, 250])
def test_the_name_of_the_server_fits_into_a_picture(length: int) -> None:
    ladder = Ladder()
    ladder.rungs.append(Rung(True, "ClientHello", 300, 0))
    known = {"servername": "a" * length, "peer": "", "version": "TLSv1.3", "cipher": None, "group": None}
    root = ElementTree.fromstring(svg([Handshake("first handshake", ladder, known)]))
    sizes = re.findall(r"\.title \{ font-size: ([\d.]+)px", root.findtext(f"{SVG}style") or "")
    assert [float(size) * 0.7 * length < float(root.attrib["width"]) for size in sizes] == [True]
