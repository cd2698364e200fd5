"""Common mistakes with contexts and connections are refused with a sentence that says what to pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import pyossl
from pyossl import Connection, Context, Version


@pytest.mark.parametrize("arguments", [(), ("server.pem",), ("server.pem", "key.pem"), (Version.TLSv1_2,)])
def test_a_context_of_no_side_names_the_two_functions_that_make_one(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match=r"Context\.client\(\) or Context\.server\(certificate, private_key\)"):
        Context(*arguments)


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    ("alpn", "advice"),
    [
        ([b"h2"], "a str, not bytes: pass its name, for example 'h2'"),
        (["h2", b"http/1.1"], "a str, not bytes: pass its name, for example 'http/1.1'"),
        ([2], "a str, not int: pass its name"),
        ("h2", r"not one str: pass a list, for example alpn=\['h2'\]"),
        (b"h2", r"not one bytes: pass a list, for example alpn=\['h2'\]"),
    ],
)
def test_protocols_of_the_wrong_type_are_refused_with_the_right_ones(
    side: str, alpn: Any, advice: str, credentials: pyossl.Credentials
) -> None:
    own = (credentials.certificate, credentials.private_key) if side == "server" else ()
    with pytest.raises(TypeError, match=advice):
        getattr(Context, side)(*own, alpn=alpn)


@pytest.mark.parametrize("make", [lambda: Context.server(), lambda: Context.server(None, None, alpn=["h2"])])
def test_a_server_without_a_certificate_is_shown_how_to_pass_one(make: Callable[[], Context]) -> None:
    with pytest.raises(TypeError, match=r'certificate and private key: Context\.server\("chain\.pem", "key\.pem"\)'):
        make()


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (lambda own: Context.client(certificate=own.certificate), "private_key is missing; if one PEM file holds both"),
        (lambda own: Context.client(private_key=own.private_key), "certificate is missing$"),
        (lambda own: Context.server(own.certificate), "private_key is missing; if one PEM file holds both"),
        (lambda own: Context.server(private_key=own.private_key), "certificate is missing$"),
    ],
    ids=["a client's certificate", "a client's key", "a server's certificate", "a server's key"],
)
def test_a_certificate_without_a_key_and_a_key_without_a_certificate_say_which_is_missing(
    make: Callable[[pyossl.Credentials], Context], missing: str, credentials: pyossl.Credentials
) -> None:
    with pytest.raises(ValueError, match=f"go together: .* {missing}"):
        make(credentials)


@pytest.mark.parametrize("verify", [True, "optional"])
def test_a_server_that_verifies_without_trust_is_told_what_trust_is(
    verify: Any, credentials: pyossl.Credentials
) -> None:
    with pytest.raises(ValueError, match=f"verify={verify!r} needs trust: .*for example trust="):
        Context.server(credentials.certificate, credentials.private_key, verify=verify)


@pytest.mark.parametrize("name", ["minimum_version", "maximum_version"])
@pytest.mark.parametrize("version", ["TLSv1.2", "1.2", 1.2, 12, "TLSv1_2"])
def test_a_version_that_is_none_is_refused_with_an_example(name: str, version: Any) -> None:
    with pytest.raises(ValueError, match=r"a member of pyossl\.Version, such as Version\.TLSv1_2"):
        Context.client(**{name: version})
    with pytest.raises(ValueError, match=r"a member of pyossl\.Version"):
        setattr(Context.client(), name, version)


@pytest.mark.parametrize("context", ["example.com", None, Context, ("example.com", 443)])
def test_a_connection_without_a_context_names_what_makes_one(context: Any) -> None:
    with pytest.raises(TypeError, match=r"not \w+: Context\.client and Context\.server make one"):
        Connection(context, "example.com")


def test_a_servers_connection_with_a_server_name_is_told_that_clients_have_one(
    server_context: pyossl.Context,
) -> None:
    with pytest.raises(ValueError, match=r"this context is a server's: Context\.client\(\) makes a client's"):
        Connection(server_context, "example.com")


def test_a_client_without_a_server_name_is_told_what_it_is_for(client_context: pyossl.Context) -> None:
    with pytest.raises(pyossl.UsageError, match=r"compares it with the server's certificate"):
        Connection(client_context)


def test_one_file_with_both_may_be_passed_for_both(tmp_path: Any, credentials: pyossl.Credentials) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(credentials.private_key.to_pem() + credentials.certificate.to_pem())
    assert Context.server(both, both).is_server
