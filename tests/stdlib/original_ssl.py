"""Python's own ``_ssl``, which a Python may have been built without."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

original: Any
try:
    original = importlib.import_module("_ssl")
except ImportError:
    original = None

with_original = pytest.mark.skipif(original is None, reason="this Python has no _ssl")
