"""Text from a peer is shown, and its control characters have no effect on the terminal."""

from __future__ import annotations

import io

from cli.cli_runs import in_a_pipe
from served import serving_plain

from pyossl.cli.screen import Screen, printable

SAID = "a\x1b[2Jb\x07\u202ec\udce9d\r\u00e9"
SHOWN = r"a\x1b[2Jb\x07\u202ec\udce9d\ré"


def test_control_characters_become_escape_sequences() -> None:
    assert printable(SAID) == SHOWN


def test_every_method_that_prints_text_escapes_it() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.title(SAID, SAID)
    screen.field(SAID, SAID)
    screen.text(SAID)
    screen.verdict(False, SAID)
    screen.branch(0, "", SAID, SAID)
    screen.log(SAID, SAID)
    assert stream.getvalue().count(SHOWN) == 10
    assert all(character.isprintable() or character == "\n" for character in stream.getvalue())


def test_an_error_that_quotes_a_peer_is_escaped() -> None:
    with serving_plain(lambda sock: (sock.sendall(b"-ERR \x1b[2J\r\n"), sock.recv(1))) as address:
        ran = in_a_pipe("client", f"localhost:{address[1]}", "--starttls", "pop3")
    assert ran.status == 1
    assert r"\x1b[2J" in ran.errors
    assert "\x1b[2J" not in ran.errors
