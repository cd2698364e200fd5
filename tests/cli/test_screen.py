"""What a peer says is shown, and never obeyed."""

from __future__ import annotations

import io

from cli.cli_runs import in_a_pipe
from served import serving_plain

from pyossl.cli.screen import Screen, printable

SAID = "a\x1b[2Jb\x07\u202ec\udce9d\r\u00e9"
SHOWN = r"a\x1b[2Jb\x07\u202ec\udce9d\ré"


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert printable(SAID) == SHOWN


def test_every_way_to_print_text_writes_it_out() -> None:
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


def test_an_error_that_quotes_a_peer_is_written_out() -> None:
    with serving_plain(lambda sock: (sock.sendall(b"-ERR \x1b[2J\r\n"), sock.recv(1))) as address:
        ran = in_a_pipe("client", f"localhost:{address[1]}", "--starttls", "pop3")
    assert ran.status == 1
    assert r"\x1b[2J" in ran.errors
    assert "\x1b[2J" not in ran.errors
