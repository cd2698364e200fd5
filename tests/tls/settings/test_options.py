"""Options, modes and verification flags by OpenSSL's names: all that this version has, and no others."""

from __future__ import annotations

import enum

import pytest
from pairs import meet

import pyossl
from pyossl import Context, InfoWhere, Modes, Options, VerifyFlags, Version, lib

LENT = {"IGNORE_UNEXPECTED_EOF"}
"""What older versions are given a name for, which does nothing there."""
NOT_A_FLAG = {"SSL_OP_BIT", "X509_V_FLAG_POLICY_MASK"}


@pytest.mark.feature("options")
@pytest.mark.parametrize(
    ("kind", "prefix"), [(Options, "SSL_OP_"), (Modes, "SSL_MODE_"), (VerifyFlags, "X509_V_FLAG_")]
)
def test_every_flag_of_this_openssl_has_its_name(kind: type[enum.IntFlag], prefix: str) -> None:
    """The declarations are held complete by ci/declarations; an old name for 0 is no flag."""
    named = {name: getattr(lib, name) for name in dir(lib) if name.startswith(prefix) and name not in NOT_A_FLAG}
    expected = {name.removeprefix(prefix): value for name, value in named.items() if value}
    members = {name: int(member) for name, member in kind.__members__.items() if name not in LENT or member}
    assert members == expected


@pytest.mark.feature("options")
@pytest.mark.parametrize("option", [option for option in Options.__members__.values() if option])
def test_an_option_is_set_and_taken_away(option: Options) -> None:
    context = Context.client(verify=False)
    context.options |= option
    assert context.options & option == option
    assert lib.SSL_CTX_get_options(context._ctx) & option == option
    context.options &= ~option
    assert not context.options & option


def test_options_are_set_to_exactly_what_is_given() -> None:
    context = Context.client(verify=False)
    context.options = Options.NO_TICKET
    assert context.options == Options.NO_TICKET


def test_a_version_is_refused_by_an_option(authority: pyossl.Authority, server_context: Context) -> None:
    context = Context.client(trust=authority.certificate)
    context.options |= Options.NO_TLSv1_3
    assert meet(context, server_context)[0].version == "TLSv1.2"


def test_the_servers_order_of_ciphers_decides_where_it_says_so(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    client_context = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    client_context.set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    agreed = []
    for options in Options(0), Options.CIPHER_SERVER_PREFERENCE:
        server_context = Context.server(credentials.certificate, credentials.private_key)
        server_context.set_cipher_list("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
        server_context.options = options
        agreed.append(meet(client_context, server_context)[0].cipher)
    assert agreed == ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]


@pytest.mark.feature("modes")
def test_a_mode_is_set_and_those_that_a_connection_needs_stay() -> None:
    """docs/pitfalls.md, 7: "`PARTIAL_WRITE` + `ACCEPT_MOVING_WRITE_BUFFER` are on"."""
    context = Context.client(verify=False)
    assert Modes.RELEASE_BUFFERS in context.modes
    for needed in Modes.ENABLE_PARTIAL_WRITE, Modes.ACCEPT_MOVING_WRITE_BUFFER, Modes.AUTO_RETRY:
        assert needed in context.modes
        with pytest.raises(ValueError, match="relies on"):
            context.modes &= ~needed
    context.modes &= ~Modes.RELEASE_BUFFERS
    assert Modes.RELEASE_BUFFERS not in context.modes
    context.modes |= Modes.RELEASE_BUFFERS
    assert Modes.RELEASE_BUFFERS in context.modes


@pytest.mark.feature("verification flags")
@pytest.mark.parametrize("flag", VerifyFlags.__members__.values())
def test_a_verify_flag_is_set_and_taken_away(flag: VerifyFlags) -> None:
    context = Context.client(verify=False)
    before = context.verify_flags
    context.verify_flags |= flag
    assert context.verify_flags & flag == flag
    context.verify_flags = before
    assert context.verify_flags == before


def test_what_an_info_callback_is_told_has_a_name() -> None:
    assert InfoWhere.READ | InfoWhere.ALERT == lib.SSL_CB_READ_ALERT


def test_the_maximum_version_can_be_taken_away(authority: pyossl.Authority, server_context: Context) -> None:
    context = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    context.maximum_version = None
    assert context.maximum_version is None
    assert meet(context, server_context)[0].version == "TLSv1.3"


def test_a_minimum_version_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a valid Version"):
        Context.client(verify=False).minimum_version = None  # type: ignore[assignment]


def test_nothing_changes_in_a_frozen_context(connected: object, client_context: Context) -> None:
    """docs/pitfalls.md, 14."""
    for name, value in {"options": 0, "modes": 0, "verify_flags": 0, "security_level": 1, "ca_names": ()}.items():
        with pytest.raises(pyossl.UsageError, match="frozen"):
            setattr(client_context, name, value)
    for change in client_context.set_cipher_list, client_context.set_ciphersuites, client_context.set_groups:
        with pytest.raises(pyossl.UsageError, match="frozen"):
            change("x")


@pytest.mark.parametrize("name", ["cipher_list", "verify", "minimum_verson"])
def test_a_setting_that_there_is_not_is_refused(client_context: pyossl.Context, name: str) -> None:
    """If a misspelt setting were ignored, the connection would be less secure than its author thinks."""
    with pytest.raises(AttributeError, match=name):
        setattr(client_context, name, "HIGH")
