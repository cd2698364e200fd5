"""The ladder: every rung is as wide as the screen, and its arrow points to the receiver of the message."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from pyossl.cli.handshake_ladder import Ladder, Rung
from pyossl.cli.screen import Screen
from pyossl.tls.callbacks.message import Message

ALERT, HANDSHAKE, HEADER = 21, 22, 256
CLOSE_NOTIFY = bytes([1, 0])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Draws a ladder with these rungs on a screen with ``columns`` columns, and returns its lines."""

    def draw(*rungs: Rung, columns: int = 80) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        stream, ladder = io.StringIO(), Ladder()
        ladder.rungs += rungs
        ladder.draw(Screen(stream))
        return stream.getvalue().splitlines()

    return draw


@pytest.mark.parametrize("columns", [60, 61, 80, 99, 100])
def test_all_lines_end_in_the_same_column(drawn: Callable[..., list[str]], columns: int) -> None:
    lines = drawn(
        Rung(True, "ClientHello", 1, 0),
        Rung(False, "ServerHello", 16777215, 9999.99),
        Rung(True, "handshake message 123" * 9, 65536, 0.004),
        columns=columns,
    )
    assert {len(line) for line in lines} == {columns}


def test_a_narrower_terminal_gets_sixty_columns(drawn: Callable[..., list[str]]) -> None:
    assert {len(line) for line in drawn(Rung(True, "Finished", 52, 1), columns=20)} == {60}


def test_the_arrowhead_is_on_the_side_of_the_receiver(drawn: Callable[..., list[str]]) -> None:
    _, to_server, to_client = drawn(Rung(True, "ClientHello", 256, 0), Rung(False, "Finished", 1, 1.5))
    assert to_server.startswith("     0.00 ms │ ClientHello · 256 bytes ──")
    assert to_server.endswith("──►│")
    assert to_client.startswith("     1.50 ms │◄──")
    assert to_client.endswith("── Finished · 1 byte │")


def test_only_tls_messages_are_rungs_and_alerts_have_their_description() -> None:
    ladder = Ladder()
    ladder.add(Message(True, 0x303, HEADER, b"\x16\x03\x01\x00\x05"))
    ladder.add(Message(True, 0x303, HANDSHAKE, b"\x01\x00\x00\x00"))
    ladder.add(Message(False, 0x303, ALERT, CLOSE_NOTIFY))
    assert [(rung.outgoing, rung.name, rung.size) for rung in ladder.rungs] == [
        (True, "ClientHello", 4),
        (False, "Alert: close notify", 2),
    ]
    assert ladder.rungs[0].milliseconds == 0 <= ladder.rungs[1].milliseconds
