"""How many bytes of malloc(3) a process uses, for programs that look for leaks."""

from __future__ import annotations

import ctypes
import gc
import os

import pytest

FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
HAS_MALLINFO2 = hasattr(ctypes.CDLL(None), "mallinfo2")
IS_REPLACED = hasattr(ctypes.CDLL(None), "__asan_init")
"""Whether AddressSanitizer's malloc is in use, which keeps freed memory for a while."""
needs_mallinfo2 = pytest.mark.skipif(
    not HAS_MALLINFO2 or IS_REPLACED,
    reason="needs mallinfo2 of glibc 2.33 or newer, and not the malloc of AddressSanitizer",
)
ENVIRONMENT = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""Blocks in malloc's thread cache would be counted as in use."""


class _Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS.split()]


def in_use() -> int:
    """The bytes of all blocks that are not freed.  mallinfo2(3)"""
    gc.collect()
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    found = mallinfo2()
    return int(found.uordblks + found.hblkhd)
