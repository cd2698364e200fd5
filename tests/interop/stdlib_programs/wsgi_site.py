"""An application for gunicorn: it says which implementation of ssl serves it, and reverses what it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evidence import over


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body[::-1] if environ["REQUEST_METHOD"] == "POST" else over().encode()]
