"""The keys of ``--psk``: each is ``IDENTITY:KEY``, on the command line or in a file of such lines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pyossl import Connection, Context, LibraryContext, Version
from pyossl.cli.command_parser import WrongArgumentError
from pyossl.cli.options import errors_as_wrong_arguments

_LONGEST_IDENTITY, _LONGEST_KEY = 127, 256
"""What every OpenSSL takes, in bytes."""


def loaded(arguments: Sequence[str]) -> dict[bytes, bytes]:
    """The keys by their identities.  Raises ``WrongArgumentError``, which never quotes a key."""
    keys: dict[bytes, bytes] = {}
    for place, argument in enumerate(arguments, 1):
        if argument.startswith("@"):
            found = _in_file(argument[1:])
        else:
            found = [(f"--psk number {place}" if len(arguments) > 1 else "--psk", os.fsencode(argument))]
        for where, line in found:
            identity, key = _parsed(where, line)
            if keys.setdefault(identity, key) != key:
                raise WrongArgumentError(f"{where} has another key for the identity {identity_text(identity)!r}")
    return keys


def _in_file(path: str) -> list[tuple[str, bytes]]:
    """The lines of a file that are not empty, and where each is."""
    with errors_as_wrong_arguments():
        lines = Path(path).read_bytes().splitlines()
    found = [(f"line {number} of {path}", line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise WrongArgumentError(f"the file {path!r} of --psk has no line IDENTITY:KEY")
    return found


def _parsed(where: str, line: bytes) -> tuple[bytes, bytes]:
    identity, colon, digits = line.rpartition(b":")
    if not colon:
        raise WrongArgumentError(f"{where} is not IDENTITY:KEY, and not @FILE")
    try:
        key = bytes.fromhex(digits.decode("ascii"))
    except ValueError as error:
        raise WrongArgumentError(f"{where}: the key after the last colon has to be in hex") from error
    if not 1 <= len(key) <= _LONGEST_KEY:
        raise WrongArgumentError(f"{where}: a key has 1 to {_LONGEST_KEY} bytes, not {len(key)}")
    if not 1 <= len(identity) <= _LONGEST_IDENTITY or b"\0" in identity:
        raise WrongArgumentError(f"{where}: an identity has 1 to {_LONGEST_IDENTITY} bytes, without a NUL")
    return identity, key


def server_context(
    library_context: LibraryContext | None, alpn: Iterable[str], minimum: Version | None, maximum: Version | None
) -> Context:
    """The context of a server without a certificate.  It refuses clients that offer none of its protocols ``alpn``."""
    context = Context(is_server=True, library_context=library_context)
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
    protocols = list(alpn)

    def choose(connection: Connection, offered: Sequence[str]) -> str:
        for protocol in protocols:
            if protocol in offered:
                return protocol
        raise ConnectionAbortedError(f"the client offers none of the protocols {', '.join(protocols)}")

    if protocols:
        context.alpn_callback = choose
    return context


def use(context: Context, keys: Mapping[bytes, bytes], ciphers: str | None) -> None:
    """Makes a context use the keys.  ``ciphers`` is the list of ``--ciphers``.

    A client has one key.  It offers only cipher suites of TLS 1.3 with the hash of the key, unless ``ciphers`` has
    others: a server that chose another suite could not use the key.  Raises ``WrongArgumentError``.
    """
    with errors_as_wrong_arguments():
        if context.is_server:
            context.psk_server_callback = lambda connection, identity: keys.get(identity)
            return
        if len(keys) != 1:
            raise WrongArgumentError(f"a client has one key, and --psk gives {len(keys)}")
        (own,) = keys.items()
        context.psk_client_callback = lambda connection, hint: own
        if not any(name.startswith("TLS_") for name in (ciphers or "").split(":")):
            names = [suite.name for suite in context.cipher_suites if suite.name.startswith("TLS_")]
            if usable := [name for name in names if name.endswith("_SHA256")]:
                context.set_ciphersuites(":".join(usable))


def identity_text(identity: bytes) -> str:
    """An identity as text."""
    return identity.decode("utf-8", "backslashreplace")
