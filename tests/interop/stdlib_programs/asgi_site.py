"""An application for uvicorn: it says which implementation of ssl serves it, and reverses what it is sent."""

from __future__ import annotations

from typing import Any

from evidence import over


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body[::-1] if scope["method"] == "POST" else over().encode()})
