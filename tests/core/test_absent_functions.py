"""A late-bound build calls a function that the library lacks: the call fails, with an error in the queue."""

from __future__ import annotations

from typing import Any

import pytest

import build_late
from pyossl import ffi, lib

pytestmark = pytest.mark.skipif(not lib.PYOSSL_LATE, reason="a linked build has no function that its library lacks")


def absent() -> list[str]:
    """The functions of OpenSSL that the library in use lacks, and that nothing stands in for."""
    if not lib.PYOSSL_LATE:
        return []
    substitutes = build_late.stand_ins() | set(build_late.renamed())
    return [
        name
        for name in build_late.pointers()
        if lib.pyossl_lacks(name.encode()) != ffi.NULL and name not in substitutes
    ]


def empty(kind: Any) -> Any:
    """An argument of this C type: NULL, a struct of zeros, or 0."""
    if kind.kind in ("pointer", "function"):
        return ffi.NULL
    return ffi.new(f"{kind.cname} *")[0] if kind.kind == "struct" else ffi.cast(kind, 0)


def test_there_are_such_functions() -> None:
    """No OpenSSL of ci/matrix has DTLS over SCTP."""
    assert "BIO_s_datagram_sctp" in absent()


@pytest.mark.parametrize("name", absent())
def test_a_call_of_an_absent_function_fails_with_an_error_and_no_crash(name: str) -> None:
    from pyossl._openssl import lib as compiled

    function = getattr(compiled, name)
    arguments = [empty(kind) for kind in ffi.typeof(function).args]
    lib.ERR_clear_error()
    result = function(*arguments)
    assert result in (None, 0, ffi.NULL)
    code = lib.ERR_get_error()
    assert lib.ERR_GET_LIB(code) == lib.ERR_LIB_USER
    assert lib.ERR_GET_REASON(code) == lib.ERR_GET_REASON(lib.ERR_PACK(0, 0, lib.ERR_R_UNSUPPORTED))
    assert lib.ERR_get_error() == 0
