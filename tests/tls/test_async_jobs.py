"""Asynchronous jobs are refused: a paused call keeps its buffer, and callbacks run on a small stack."""

from __future__ import annotations

import pytest

from pyossl import Context, Modes
from pyossl.pyopenssl import SSL
from pyossl.tls.mutable_context import Method, MutableContext


def test_a_context_makes_no_jobs(client_context: Context) -> None:
    """docs/pitfalls.md, 75"""
    before = client_context.modes
    with pytest.raises(ValueError, match=r"Modes\.ASYNC"):
        client_context.modes |= Modes.ASYNC
    assert client_context.modes == before
    assert not before & Modes.ASYNC


def test_nor_does_a_context_that_may_change_later() -> None:
    with pytest.raises(ValueError, match=r"Modes\.ASYNC"):
        MutableContext(Method.TLS, live=True).add_modes(Modes.ASYNC)
    with pytest.raises(ValueError, match=r"Modes\.ASYNC"):
        SSL.Context(SSL.TLS_METHOD).set_mode(int(Modes.ASYNC))
