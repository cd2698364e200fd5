"""The info and the key log callbacks: their arguments, and that an exception in them ends the connection."""

from __future__ import annotations

import pytest
from marks import VERSIONS
from pairs import meet

import pyossl
from pyossl import Context, InfoWhere


@pytest.mark.feature("info callback")
def test_each_step_of_the_handshake_is_told(client_context: Context, server_context: Context) -> None:
    told: list[InfoWhere] = []
    client_context.info_callback = lambda connection, where, value: told.append(where)
    meet(client_context, server_context)
    assert told[0] == InfoWhere.HANDSHAKE_START
    assert InfoWhere.HANDSHAKE_DONE in told
    assert any(where & InfoWhere.LOOP for where in told)


def test_an_alert_is_told(server_context: Context) -> None:
    told: list[int] = []
    context = Context.client(trust=pyossl.Authority().certificate)
    context.info_callback = lambda connection, where, value: told.append(value) if where & InfoWhere.ALERT else None
    with pytest.raises(pyossl.CertificateError):
        meet(context, server_context)
    assert [value & 0xFF for value in told] == [48]


@pytest.mark.feature("key log callback")
@VERSIONS
def test_both_sides_log_the_same_secrets(
    version: pyossl.Version, client_context: Context, server_context: Context
) -> None:
    """SSL_CTX_set_keylog_callback(3)"""
    lines: dict[str, list[str]] = {"client": [], "server": []}
    client_context.maximum_version = version
    client_context.keylog_callback = lambda connection, line: lines["client"].append(line)
    server_context.keylog_callback = lambda connection, line: lines["server"].append(line)
    meet(client_context, server_context)
    assert sorted(lines["client"]) == sorted(lines["server"])
    labels = {line.split()[0] for line in lines["client"]}
    assert ("CLIENT_RANDOM" if version is pyossl.Version.TLSv1_2 else "CLIENT_TRAFFIC_SECRET_0") in labels


@pytest.mark.parametrize("name", ["info_callback", "keylog_callback"])
def test_what_a_callback_raises_ends_the_connection(
    name: str, client_context: Context, server_context: Context
) -> None:
    """docs/pitfalls.md, 16, the table: pyOpenSSL prints it, and the handshake goes on."""
    error = LookupError()

    def callback(*arguments: object) -> None:
        raise error

    setattr(client_context, name, callback)
    with pytest.raises(LookupError) as caught:
        meet(client_context, server_context)
    assert caught.value is error
