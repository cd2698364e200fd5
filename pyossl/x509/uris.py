"""The sources that are URIs, and the paths of those that name files.  ossl_store-file(7), RFC 7512"""

from __future__ import annotations

import os
import re
from typing import Any

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
_PIN = re.compile(r"(pin-value=)[^&;?]*", re.IGNORECASE)
_PIN_ATTRIBUTES = ("pin-value=", "pin-source=")


def is_uri(source: Any) -> bool:
    """Whether a source is a URI for ``load_uri``: a ``str`` that begins with a scheme, and is no path of a file.

    OpenSSL, too, first tries a URI as a path, whatever its scheme.
    """
    return isinstance(source, str) and _SCHEME.match(source) is not None and not os.path.exists(source)


def scheme_of(uri: str) -> str | None:
    """The scheme of a URI, for example ``pkcs11``; None for a path, and for the URI of a file."""
    found = _SCHEME.match(uri)
    scheme = found.group()[:-1] if found else "file"
    return None if scheme.lower() == "file" else scheme


def paths_of(uri: str) -> list[str]:
    """The paths that OpenSSL tries for a URI, in order: a URI may also be a path as it is written."""
    if uri[:5].lower() != "file:":
        return [uri]
    path = uri[5:]
    if not path.startswith("//"):
        return [uri, path] if path.startswith("/") else [uri]
    authority, slash, rest = path[2:].partition("/")
    return [slash + rest] if authority.lower() in ("", "localhost") and slash else []


def directory_of(uri: str) -> str | None:
    """The path of the directory that the URI of a file names; None if it names no directory."""
    return next(filter(os.path.isdir, paths_of(uri)), None)


def without_pin(message: str) -> str:
    """A message, or a URI for one, without the PIN that a URI in it has (``pin-value``)."""
    return _PIN.sub(r"\1…", message)


def has_pin(uri: str) -> bool:
    """Whether a URI contains a PIN, or says where it is: ``pin-value`` or ``pin-source``."""
    return without_pin_attributes(uri) != uri


def without_pin_attributes(uri: str) -> str:
    """A URI without its ``pin-value`` and ``pin-source``."""
    path, mark, query = uri.partition("?")
    others = "&".join(each for each in query.split("&") if not each.lower().startswith(_PIN_ATTRIBUTES))
    return path + mark + others if others else path
