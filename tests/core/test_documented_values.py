"""The interactive interpreter completes the names of features, and ``help()`` describes each field and member."""

from __future__ import annotations

import pydoc
import rlcompleter
from typing import Any

import pytest

import pyossl
from pyossl.core.outcome import VerifyCode


def completions(text: str) -> list[str]:
    """The names that the interactive interpreter offers after a press of the tab key."""
    completer = rlcompleter.Completer({"pyossl": pyossl})
    found: list[str] = []
    while (name := completer.complete(text, len(found))) is not None:
        found.append(name)
    return found


def test_dir_of_features_has_every_feature() -> None:
    assert set(pyossl.features) <= set(dir(pyossl.features))
    assert {"describe", "require"} <= set(dir(pyossl.features))


def test_features_are_completed_by_the_interpreter() -> None:
    assert {f"pyossl.features.{name}" for name in pyossl.features} <= set(completions("pyossl.features."))
    assert "pyossl.features.quic_server" in completions("pyossl.features.qui")


@pytest.mark.parametrize("kind", [pyossl.Record, pyossl.Failure])
def test_help_describes_each_field(kind: Any) -> None:
    page = pydoc.plain(pydoc.render_doc(kind))
    for field in kind._fields:
        explanation = getattr(kind, field).__doc__
        assert not explanation.startswith("Alias for field"), field
        assert explanation in page


@pytest.mark.parametrize("kind", [pyossl.Want, VerifyCode, pyossl.InfoWhere])
def test_help_describes_each_member(kind: Any) -> None:
    page = pydoc.plain(pydoc.render_doc(kind))
    for member in kind:
        assert f"``{member.name}``" in page
