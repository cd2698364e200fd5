"""The outcomes of a call: each result of SSL_get_error(3) has its own value, and all entries of the queue are kept."""

from __future__ import annotations

import errno
import os
import threading

import pytest

import pyossl
from pyossl import BIO, Failure, Record, Want, ffi, lib
from pyossl.core.outcome import take_records

FATAL = {"SSL_ERROR_NONE", "SSL_ERROR_SSL", "SSL_ERROR_SYSCALL", "SSL_ERROR_ZERO_RETURN"}


def fail_pem() -> None:
    """Leaves one PEM error in this thread's queue."""
    assert lib.PEM_read_bio_X509(BIO.memory(b"no PEM")._bio, ffi.NULL, ffi.NULL, ffi.NULL) == ffi.NULL


def fail_ssl() -> None:
    """Leaves one error of libssl in the queue, of those that all libraries have (passed a null parameter)."""
    context = pyossl.Context.client()
    assert lib.SSL_CTX_use_certificate(context._ctx, ffi.NULL) == 0


# Want


def test_every_outcome_that_is_to_be_repeated_has_its_want() -> None:
    """DESIGN: "one member for every outcome of SSL_get_error(3), none lumped together"."""
    outcomes = {name for name in dir(lib) if name.startswith("SSL_ERROR_")} - FATAL
    assert {"SSL_ERROR_WANT_" + want.name.replace("CLIENT_HELLO", "CLIENT_HELLO_CB") for want in Want} == outcomes
    assert sorted(want.value for want in Want) == sorted(getattr(lib, name) for name in outcomes)
    assert len({want.value for want in Want}) == len(list(Want)) == 9


def test_a_want_is_no_number_and_is_true() -> None:
    """So that ``while (want := handshake()) is not None`` and ``if read():`` never use a Want as a number."""
    for want in Want:
        assert bool(want)
        assert not isinstance(want, int)
    assert repr(Want.READ) == "Want.READ"


# The queue


def test_records_come_oldest_first_and_leave_the_queue_empty() -> None:
    """docs/pitfalls.md, 1."""
    fail_ssl()
    fail_pem()
    libraries = [record.library_code for record in take_records()]
    assert libraries[0] == lib.ERR_LIB_SSL
    assert libraries[-1] == lib.ERR_LIB_PEM
    assert lib.ERR_peek_error() == 0
    assert take_records() == ()


def test_a_record_says_code_library_reason_function_file_and_line() -> None:
    """The issue: "Every record of the queue (code, library, reason, function, file, line, data) ..." """
    fail_pem()
    expected = lib.ERR_peek_last_error()
    record = take_records()[-1]
    assert record.code == expected
    assert record.library_code == lib.ERR_GET_LIB(expected)
    assert record.reason_code == lib.ERR_GET_REASON(expected) == lib.PEM_R_NO_START_LINE
    assert record.library == "PEM routines"
    assert record.reason == "no start line"
    assert record.file.endswith(".c")
    assert record.line > 0
    assert "CERTIFICATE" in record.data
    assert str(record) == f"no start line ({record.data})"
    assert record.function in ("get_name", "PEM_read_bio_ex", "pem_read_bio_ex", "")


def test_a_record_of_the_systems_has_the_errno_and_its_text() -> None:
    """docs/pitfalls.md, 3: "Queue entries of `ERR_LIB_SYS` are `OSError`s." """
    store = pyossl.Store.empty()
    assert lib.X509_STORE_load_locations(store._store, b"/no/such/file", ffi.NULL) == 0
    record = next(record for record in take_records() if record.library_code == lib.ERR_LIB_SYS)
    assert record.reason_code == errno.ENOENT
    assert record.reason == os.strerror(errno.ENOENT)
    assert "/no/such/file" in record.data


def test_a_reason_that_openssl_has_no_text_for_is_told_by_its_code() -> None:
    assert str(Record(0x0A0FFFFF, 20, 0xFFFFF, "", "", "", "", 0, "")) == "error 0x0a0fffff"


def test_a_queue_is_one_threads_own() -> None:
    seen = []
    fail_pem()
    other = threading.Thread(target=lambda: seen.append(take_records()))
    other.start()
    other.join()
    assert seen == [()]
    assert len(take_records()) == 1


def test_a_queue_that_overflows_gives_the_entries_that_openssl_kept() -> None:
    for _ in range(50):
        fail_pem()
    records = take_records()
    assert 10 <= len(records) <= 32
    assert take_records() == ()


# Failure


def ssl_record(reason_code: int) -> Record:
    return Record(reason_code, lib.ERR_LIB_SSL, reason_code, "SSL routines", "", "", "", 0, "")


def test_a_failure_is_immutable() -> None:
    failure = Failure("reading")
    with pytest.raises(AttributeError):
        failure.operation = "writing"  # type: ignore[misc]


def test_a_reason_is_compared_by_code_and_by_library() -> None:
    """docs/pitfalls.md, 26: the texts differ between versions, and a number means something else in each library."""
    code = lib.SSL_R_WRONG_VERSION_NUMBER
    elsewhere = ssl_record(code)._replace(library_code=lib.ERR_LIB_PEM)
    assert Failure("x", records=(ssl_record(code),)).has_reason(code)
    assert not Failure("x", records=(elsewhere,)).has_reason(code)


@pytest.mark.parametrize("number", [0, 40, 48, 120, 255])
def test_an_alert_is_told_by_its_number(number: int) -> None:
    assert Failure("x", records=(ssl_record(lib.SSL_AD_REASON_OFFSET + number),)).alert == number


def test_a_reason_that_is_not_an_alert_has_no_alert_number() -> None:
    """docs/pitfalls.md, 26: from 3.0 the reasons that all libraries share have flags above the alerts' numbers."""
    fail_ssl()
    shared = take_records()
    assert shared[0].library_code == lib.ERR_LIB_SSL
    assert Failure("x", records=shared).alert is None
    assert Failure("x", records=(ssl_record(lib.SSL_R_WRONG_VERSION_NUMBER),)).alert is None
    assert Failure("x", records=(ssl_record(lib.SSL_AD_REASON_OFFSET + 256),)).alert is None


def test_both_ways_of_saying_that_the_transport_ended_are_truncation() -> None:
    """docs/pitfalls.md, 3: 1.1.1 leaves the error queue empty."""
    assert Failure("x", lib.SSL_ERROR_SYSCALL).is_truncation
    assert Failure("x", lib.SSL_ERROR_SSL, records=(ssl_record(lib.SSL_R_UNEXPECTED_EOF_WHILE_READING),)).is_truncation
    assert not Failure("x", lib.SSL_ERROR_SYSCALL, errno.ECONNRESET).is_truncation
    assert not Failure("x", lib.SSL_ERROR_SSL).is_truncation
    assert not Failure("x", lib.SSL_ERROR_ZERO_RETURN).is_truncation


def test_the_transports_errno_counts_only_where_the_transport_failed() -> None:
    """OpenSSL's own search for a file leaves an errno behind too."""
    assert Failure("x", lib.SSL_ERROR_SYSCALL, errno.ECONNRESET).system_errno == errno.ECONNRESET
    assert Failure("x", lib.SSL_ERROR_SSL, errno.ENOENT).system_errno == 0
    system = ssl_record(errno.EPIPE)._replace(library_code=lib.ERR_LIB_SYS)
    assert Failure("x", lib.SSL_ERROR_SSL, records=(system,)).system_errno == errno.EPIPE


def test_two_failures_of_the_same_facts_are_equal() -> None:
    assert Failure("x", 1, 2, peer="y") == Failure("x", 1, 2, peer="y")
    assert Failure("x", 1, 2, peer="y") != Failure("x", 1, 3, peer="y")
