"""The exceptions: their types, which programs catch, their attributes and their texts."""

from __future__ import annotations

import copy
import datetime
import errno
import os
import pickle
from collections.abc import Callable

import pytest
from pairs import carry, shake_hands

import pyossl
from pyossl import BIO, Failure, Record, Want, ffi, lib
from pyossl.core import errors

Pair = tuple[pyossl.Connection, pyossl.Connection]


def ssl_failure(reason_code: int) -> Failure:
    record = Record(reason_code, lib.ERR_LIB_SSL, reason_code, "SSL routines", "", "", "", 0, "")
    return Failure("x", lib.SSL_ERROR_SSL, records=(record,))


# The types


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (pyossl.TLSError, OSError),
        (pyossl.TruncationError, EOFError),
        (pyossl.TruncationError, pyossl.TLSError),
        (pyossl.TransportError, OSError),
        (pyossl.WouldBlockError, BlockingIOError),
        (pyossl.UsageError, RuntimeError),
        (pyossl.UnsupportedError, NotImplementedError),
        (pyossl.DecodeError, ValueError),
        (pyossl.PasswordError, pyossl.DecodeError),
        (pyossl.CertificateError, pyossl.TLSError),
        (pyossl.AlertError, pyossl.TLSError),
        (pyossl.ClosedError, pyossl.TLSError),
        (pyossl.TransportError, pyossl.TLSError),
        (errors.NotDueError, pyossl.TLSError),
        (errors.NotDueError, pyossl.UsageError),
        (errors.ClosedSocketError, pyossl.UsageError),
        (errors.ClosedSocketError, OSError),
    ],
)
def test_every_exception_is_pyossls_and_what_python_calls_it(kind: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(kind, pyossl.Error)
    assert issubclass(kind, builtin)


@pytest.mark.parametrize("kind", [pyossl.UsageError, pyossl.UnsupportedError, pyossl.DecodeError, pyossl.PasswordError])
def test_an_error_that_no_peer_can_cause_is_not_an_oserror(kind: type[Exception]) -> None:
    """Otherwise ``except OSError`` would treat a mistake of the program as a lost connection."""
    assert not issubclass(kind, OSError)


@pytest.mark.parametrize(
    "kind", [pyossl.TruncationError, pyossl.CertificateError, pyossl.AlertError, pyossl.ClosedError, errors.NotDueError]
)
def test_only_an_error_of_the_system_is_a_connection_error(kind: type[Exception]) -> None:
    """Some programs treat a ConnectionError as the end of the data, which a truncation is not."""
    assert not issubclass(kind, (ConnectionError, TimeoutError, BlockingIOError))


def test_a_tls_error_has_its_message_and_no_errno() -> None:
    error = errors.exception_of(ssl_failure(lib.SSL_R_WRONG_VERSION_NUMBER))
    assert isinstance(error, OSError)
    assert error.args == (str(error),)
    assert (error.errno, error.strerror, error.filename) == (None, None, None)


def test_a_truncation_is_not_a_clean_close() -> None:
    """The issue: "truncation (EOF without close_notify) apart from a clean close" (docs/pitfalls.md, 6)"""
    assert not issubclass(pyossl.TruncationError, pyossl.ClosedError)
    assert not issubclass(pyossl.ClosedError, pyossl.TruncationError)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ssl_failure(lib.SSL_R_CERTIFICATE_VERIFY_FAILED), "CertificateError"),
        (ssl_failure(lib.SSL_AD_REASON_OFFSET + 40), "AlertError"),
        (Failure("x", lib.SSL_ERROR_SYSCALL), "TruncationError"),
        (Failure("x", lib.SSL_ERROR_SYSCALL, errno.ECONNRESET), "ConnectionResetError"),
        (Failure("x", lib.SSL_ERROR_ZERO_RETURN), "ClosedError"),
        (ssl_failure(lib.SSL_R_WRONG_VERSION_NUMBER), "TLSError"),
        (Failure("x", lib.SSL_ERROR_SSL), "TLSError"),
    ],
)
def test_a_failure_becomes_the_exception_of_its_facts(failure: Failure, kind: str) -> None:
    """DESIGN: "Facts once, faces many." """
    error = errors.exception_of(failure)
    assert type(error).__name__ == kind
    assert error.failure is failure
    assert error.records == failure.records
    assert errors.exception_of(failure) is not error, "an exception carries a traceback: each raise has its own"


@pytest.mark.parametrize(
    ("number", "builtin"),
    [
        (errno.ECONNRESET, ConnectionResetError),
        (errno.EPIPE, BrokenPipeError),
        (errno.ECONNABORTED, ConnectionAbortedError),
        (errno.ETIMEDOUT, TimeoutError),
        (errno.ENOENT, FileNotFoundError),
        (errno.EHOSTUNREACH, OSError),
    ],
)
def test_a_transport_error_is_the_oserror_of_its_errno(number: int, builtin: type[OSError]) -> None:
    """The issue: "a transport's errno as the `OSError` subclass that it is"."""
    failure = Failure("reading", lib.SSL_ERROR_SYSCALL, number, peer="example.com")
    error = errors.exception_of(failure)
    assert isinstance(error, builtin)
    assert isinstance(error, pyossl.TransportError)
    assert error.errno == number
    assert error.filename is None
    assert os.strerror(number) in str(error)
    assert "reading failed, with 'example.com'" in str(error)


def test_a_would_block_error_has_the_want() -> None:
    error = pyossl.WouldBlockError(Want.WRITE)
    assert error.want is Want.WRITE
    assert error.errno == errno.EAGAIN
    assert "Want.WRITE" in str(error)
    assert error.records == ()


def test_an_unsupported_feature_is_named_with_the_openssl_that_lacks_it() -> None:
    with pytest.raises(pyossl.UnsupportedError, match=r"OpenSSL .* has no teleportation") as caught:
        errors.require(0, "teleportation")
    assert caught.value.feature == "teleportation"
    errors.require(1, "what there is")


# check


@pytest.mark.feature("all records of the error queue in the exception")
def test_check_raises_with_the_queue_and_empties_it() -> None:
    bio = BIO.memory(b"no PEM")
    pointer = lib.PEM_read_bio_X509(bio._bio, ffi.NULL, ffi.NULL, ffi.NULL)
    with pytest.raises(pyossl.DecodeError, match=r"^reading it failed: no start line") as caught:
        errors.check_ptr(pointer, "reading it", pyossl.DecodeError)
    assert [record.reason_code for record in caught.value.records] == [lib.PEM_R_NO_START_LINE]
    assert lib.ERR_peek_error() == 0


def test_check_returns_what_is_no_failure() -> None:
    assert errors.check(1, "x") == 1
    assert errors.check(7, "x") == 7
    pointer = ffi.new("int *")
    assert errors.check_ptr(pointer, "x") is pointer


@pytest.mark.parametrize("result", [0, -1, -2])
def test_check_without_a_record_still_says_something(result: int) -> None:
    """docs/pitfalls.md, 4: "An exception with an empty list of records tells the user nothing: say what happened." """
    with pytest.raises(pyossl.Error, match="the call failed: OpenSSL gave no reason"):
        errors.check(result, "the call")


def test_check_makes_an_oserror_of_a_systems_record() -> None:
    """docs/pitfalls.md, 3."""
    store = pyossl.Store.empty()
    result = lib.X509_STORE_load_locations(store._store, b"/no/such/file", ffi.NULL)
    with pytest.raises(FileNotFoundError) as caught:
        errors.check(result, "loading")
    assert isinstance(caught.value, pyossl.Error)
    assert caught.value.errno == errno.ENOENT


# Texts and attributes of real failures


def test_ssl_error_with_an_empty_queue_says_so() -> None:
    """docs/pitfalls.md, 4: an empty queue is allowed, and 4.0 has it."""
    error = errors.exception_of(Failure("reading", lib.SSL_ERROR_SSL, peer="example.com"))
    assert str(error) == "reading failed: OpenSSL gave no reason (its error queue is empty), with 'example.com'"


def test_a_refused_certificate_is_told_with_code_depth_name_and_itself() -> None:
    """The issue: `certificate verify failed: self-signed certificate (depth 0), for 'example.com'`"""
    own = pyossl.self_signed("example.com")
    server = pyossl.Connection(pyossl.Context.server(own.certificate, own.private_key))
    stranger = pyossl.Authority("somebody else").certificate
    client = pyossl.Connection(pyossl.Context.client(trust=stranger), "example.com")
    with pytest.raises(pyossl.CertificateError) as caught:
        shake_hands(client, server)
    error = caught.value
    assert error.code == lib.X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    assert error.depth == 0
    assert error.certificate == own.certificate
    assert error.reason.replace("-", " ") == "self signed certificate"
    assert str(error) == (
        f"certificate verify failed: {error.reason} (depth 0), for 'example.com'; the certificate is 'CN=example.com'"
    )
    assert any(record.reason_code == lib.SSL_R_CERTIFICATE_VERIFY_FAILED for record in error.records)
    carry(client, server)
    with pytest.raises(pyossl.AlertError):
        server.handshake()


def test_an_alert_is_received_by_its_number(server_context: pyossl.Context) -> None:
    """docs/pitfalls.md, 26: the text of an alert differs between versions, its number does not."""
    stranger = pyossl.Authority("somebody else").certificate
    client = pyossl.Connection(pyossl.Context.client(trust=stranger), "example.com")
    server = pyossl.Connection(server_context)
    with pytest.raises(pyossl.CertificateError):
        shake_hands(client, server)
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as caught:
        server.handshake()
    assert caught.value.number == 48
    assert caught.value.description == "unknown CA"
    assert str(caught.value) == "the handshake failed: the peer sent alert 48 (unknown CA)"


@pytest.mark.parametrize(
    "spoken", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n"]
)
def test_a_server_that_does_not_speak_tls_is_told_so(spoken: bytes, client_context: pyossl.Context) -> None:
    client = pyossl.Connection(client_context, "example.com")
    assert client.handshake() is Want.READ
    client.receive_data(spoken)
    with pytest.raises(pyossl.Error, match=r"does not seem to speak TLS: .*, with 'example\.com'"):
        client.handshake()


def test_a_client_that_speaks_plain_http_is_told_so(server_context: pyossl.Context) -> None:
    server = pyossl.Connection(server_context)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
    with pytest.raises(pyossl.Error, match="does not seem to speak TLS: http request"):
        server.handshake()


def test_a_repeated_failure_is_a_new_exception_of_the_same_facts(new_pair: Callable[[], Pair]) -> None:
    """docs/pitfalls.md, 2."""
    client, _ = new_pair()
    client.receive_data(b"\x00" * 100)
    raised = []
    for _ in range(2):
        with pytest.raises(pyossl.Error) as caught:
            client.handshake()
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert raised[0].failure is raised[1].failure is client.failure


def refused(not_before: int, not_after: int, name: str, *names: str) -> pyossl.CertificateError:
    """The error of a client for a certificate with these names, which is valid between two days from now."""
    authority, now = pyossl.Authority(), datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    own = authority.issue(*names, not_before=now + not_before * day, not_after=now + not_after * day)
    client = pyossl.Connection(pyossl.Context.client(trust=authority.certificate), name)
    with pytest.raises(pyossl.CertificateError) as caught:
        shake_hands(client, pyossl.Connection(pyossl.Context.server(own.certificate, own.private_key)))
    return caught.value


def test_an_error_names_the_certificate_s_subject() -> None:
    assert str(refused(-1, 1, "x.example", "a.example", "127.0.0.1")).endswith(
        "; the certificate is 'CN=a.example', for 'a.example', '127.0.0.1'"
    )
    many = refused(-1, 1, "x.example", *(f"{n}.example" for n in range(500)))
    assert str(many).endswith("for '0.example', '1.example', '2.example' and 497 more")


def test_an_error_says_when_the_certificate_was_valid() -> None:
    expired = refused(-3, -2, "a.example", "a.example")
    assert expired.certificate is not None
    assert str(expired).endswith(f", valid until {expired.certificate.not_after:%Y-%m-%d %H:%M:%S} UTC")
    early = refused(2, 3, "a.example", "a.example")
    assert early.certificate is not None
    assert str(early).endswith(f", valid from {early.certificate.not_before:%Y-%m-%d %H:%M:%S} UTC")


def every_error() -> list[pyossl.Error]:
    alert = ssl_failure(lib.SSL_AD_REASON_OFFSET + 48)
    return [
        refused(-3, -2, "a.example", "a.example"),
        errors.exception_of(alert),
        errors.exception_of(Failure("reading", lib.SSL_ERROR_SYSCALL)),
        errors.exception_of(Failure("reading", lib.SSL_ERROR_SYSCALL, errno.ECONNRESET)),
        errors.exception_of(Failure("reading", lib.SSL_ERROR_ZERO_RETURN)),
        errors.exception_of(Failure("reading", lib.SSL_ERROR_SSL)),
        pyossl.WouldBlockError(Want.READ),
        pyossl.UsageError("used wrongly"),
        errors.NotDueError("not yet"),
        errors.ClosedSocketError("closed"),
        pyossl.UnsupportedError("quic"),
        pyossl.DecodeError("malformed"),
        pyossl.PasswordError("wrong"),
    ]


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_exception_can_be_pickled_and_copied(way: Callable[[pyossl.Error], pyossl.Error]) -> None:
    """A worker process passes its exceptions to its parent in this way."""
    for error in every_error():
        again = way(error)
        assert type(again) is type(error)
        assert (str(again), again.args) == (str(error), error.args)
        assert again.__dict__ == error.__dict__
        if isinstance(error, OSError):
            assert isinstance(again, OSError)
            assert (again.errno, again.strerror) == (error.errno, error.strerror)
