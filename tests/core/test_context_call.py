"""Functions of libssl without a method of their own are called on a context, until it is frozen."""

from __future__ import annotations

from typing import Any

import pytest
from pairs import shake_hands

import pyossl
from pyossl import Connection, Context, UsageError, ffi, lib
from pyossl.tls.context import context_call
from pyossl.tls.mutable.mutable_context import Method, MutableContext


@pytest.mark.feature("any function of libssl on a context")
def test_a_function_of_openssl_s_is_called_on_a_context(
    client_context: Context, server_context: Context, connected: Any
) -> None:
    """SSL_CTX_set_max_send_fragment(3): the records that the client sends become as short as the setting says."""
    context = Context.client(verify=False)
    assert context.call(lib.SSL_CTX_set_max_send_fragment, 512) == 1
    client, server = Connection(context), Connection(server_context)
    shake_hands(client, server)
    client.write(bytes(5120))
    sent, records = client.data_to_send(), 0
    while sent:
        assert sent[:3] == b"\x17\x03\x03"
        sent, records = sent[5 + int.from_bytes(sent[3:5], "big") :], records + 1
    assert records == 10


def test_the_result_and_the_arguments_are_those_of_the_function() -> None:
    context = Context.client(verify=False)
    assert context.call(lambda ctx, *arguments: (ctx == context._ctx, arguments), 1, "two") == (True, (1, "two"))


def test_an_exception_of_the_function_is_raised() -> None:
    def fail(ctx: Any) -> None:
        raise KeyError("on purpose")

    with pytest.raises(KeyError, match="on purpose"):
        Context.client(verify=False).call(fail)


@pytest.mark.parametrize("function", [None, 1, "SSL_CTX_get_options"])
def test_what_is_no_function_is_refused(function: Any) -> None:
    with pytest.raises(TypeError):
        Context.client(verify=False).call(function)


def test_the_queue_is_emptied_before_the_call_and_keeps_the_function_s_entries() -> None:
    """docs/pitfalls.md, 1."""
    context = Context.client(verify=False)
    assert lib.SSL_CTX_set_cipher_list(context._ctx, b"NO-SUCH-CIPHER") == 0
    assert lib.ERR_peek_error() != 0
    assert context.call(lambda ctx: lib.ERR_peek_error()) == 0
    result = context.call(lib.SSL_CTX_use_PrivateKey, ffi.NULL)
    with pytest.raises(pyossl.Error, match="null parameter"):
        pyossl.errors.check(result, "SSL_CTX_use_PrivateKey")


@pytest.mark.parametrize("name", sorted(context_call._REFUSED_FUNCTIONS))
def test_functions_that_would_replace_what_pyossl_relies_on_are_refused(name: str) -> None:
    """The name is one of OpenSSL's, so that none is misspelt."""
    if not hasattr(lib, name):
        assert name in OPTIONAL
        return
    with pytest.raises(UsageError, match=f"{name} cannot be called in this way"):
        Context.client(verify=False).call(getattr(lib, name))


OPTIONAL = ("SSL_CTX_set_psk_client_callback", "SSL_CTX_set_psk_server_callback")
"""Builds of OpenSSL can leave these out."""


def test_a_frozen_context_can_only_be_asked(connected: Any) -> None:
    """docs/pitfalls.md, 14."""
    client, _ = connected
    context = client.context
    for function, *arguments in (
        (lib.SSL_CTX_set_max_send_fragment, 512),
        (lib.SSL_CTX_set_options, 0),
        (lib.SSL_CTX_sess_set_cache_size, 1),
        (lib.SSL_CTX_set_timeout, 1),
        (lambda ctx: None,),
    ):
        with pytest.raises(UsageError, match="frozen"):
            context.call(function, *arguments)
    assert context.call(lib.SSL_CTX_get_options) == lib.SSL_CTX_get_options(context._ctx)
    assert context.call(lib.SSL_CTX_sess_connect_good) == 1
    assert context.call(lib.SSL_CTX_get_verify_mode) == lib.SSL_VERIFY_PEER


def test_a_live_context_has_no_call() -> None:
    with pytest.raises(UsageError, match="live"):
        MutableContext(Method.TLS, live=True).call(lib.SSL_CTX_get_options)
    assert MutableContext(Method.TLS).call(lib.SSL_CTX_get_options)
