"""The options that several commands have, and the contexts that come of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyossl import Connection, Context, DecodeError
from pyossl.cli import starttls
from pyossl.cli.destination import Destination
from pyossl.cli.protocols import EVERY_VERSION
from pyossl.cli.usage import WrongArgumentError
from pyossl.x509.reference_name import reference_name

_PRIVATE = 0o600
_LONGEST = 1e9  # seconds: no clock of the system's counts many more


def add_destination(parser: argparse.ArgumentParser) -> None:
    """Whom to connect to, and how."""
    parser.add_argument(
        "destination",
        metavar="HOST[:PORT]",
        type=Destination.parsed,
        help="whom to connect to; port 443, or that of --starttls, unless given",
    )
    parser.add_argument(
        "--starttls", choices=starttls.PROTOCOLS, metavar="PROTOCOL", help=f"first speak {_listed(starttls.PROTOCOLS)}"
    )
    parser.add_argument("--timeout", type=seconds, default=10.0, metavar="SECONDS", help="for each step (10)")


def add_client(parser: argparse.ArgumentParser) -> None:
    """Who is trusted and meant, and what is offered."""
    parser.add_argument("--ca", metavar="FILE", help="trust these certificates (PEM, or a directory), not the system's")
    parser.add_argument("--servername", type=_name, metavar="NAME", help="whom the client means (HOST unless given)")
    parser.add_argument("--alpn", type=protocols, metavar="NAMES", default=(), help="protocols, commas between")
    add_credentials(parser, "certificate (PEM, with its chain) for a server that asks for one")
    add_algorithms(parser)


def add_credentials(parser: argparse.ArgumentParser, certificate: str) -> None:
    """A certificate and its key."""
    parser.add_argument("--cert", metavar="FILE", help=certificate)
    parser.add_argument("--key", metavar="FILE", help="its private key (PEM or DER; looked for in --cert unless given)")
    parser.add_argument("--password-file", metavar="FILE", help="the first line of this file opens the key")


def add_algorithms(parser: argparse.ArgumentParser) -> None:
    """Versions, groups and ciphers."""
    parser.add_argument("--min", choices=EVERY_VERSION, help="the oldest version of TLS")
    parser.add_argument("--max", choices=EVERY_VERSION, help="the newest version of TLS")
    parser.add_argument("--groups", metavar="LIST", help="groups for the key exchange, such as X25519:P-256")
    parser.add_argument(
        "--ciphers",
        metavar="LIST",
        help="OpenSSL's cipher list; names that begin with TLS_ are the ciphersuites of TLS 1.3",
    )


def client_context(arguments: argparse.Namespace, *, verify: bool = True) -> Context:
    """The context that a client's options describe; ``WrongArgumentError`` for what they cannot."""
    certificate, key, password = credentials(arguments)
    with told_as_usage():
        context = Context.client(
            trust=arguments.ca,
            certificate=certificate,
            private_key=key,
            password=password,
            alpn=arguments.alpn,
            minimum_version=EVERY_VERSION.get(arguments.min),
            maximum_version=EVERY_VERSION.get(arguments.max),
            verify=verify,
        )
        choose_algorithms(context, arguments)
    return context


def credentials(arguments: argparse.Namespace) -> tuple[str | None, str | None, Callable[[], bytes] | None]:
    """The files with the certificate and its key, and a function that reads the key's password."""
    if arguments.cert is None:
        if arguments.key is not None:
            raise WrongArgumentError("--key is given without --cert")
        return None, None, None
    password = None if arguments.password_file is None else lambda: _first_line(arguments.password_file)
    return arguments.cert, arguments.key or arguments.cert, password


def choose_algorithms(context: Context, arguments: argparse.Namespace) -> None:
    """Sets the groups and ciphers that are given; ``ValueError`` for what OpenSSL does not know."""
    if arguments.groups:
        context.set_groups(arguments.groups)
    if arguments.ciphers:
        names = arguments.ciphers.split(":")
        suites = [name for name in names if name.startswith("TLS_")]
        if suites:
            context.set_ciphersuites(":".join(suites))
        if len(suites) < len(names):
            context.set_cipher_list(":".join(name for name in names if name not in suites))


@contextmanager
def told_as_usage() -> Iterator[None]:
    """What goes wrong inside is the fault of an argument."""
    try:
        yield
    except (ValueError, DecodeError, OSError) as error:
        raise WrongArgumentError(str(error)) from error


def log_keys(context: Context, path: str) -> None:
    """Has the secrets of every connection appended to a file that nobody else can read.

    https://datatracker.ietf.org/doc/draft-ietf-tls-keylogfile/
    """
    with told_as_usage():
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _PRIVATE), "w", buffering=1)

    def write(_: Connection, line: str) -> None:
        file.write(f"{line}\n")

    context.keylog_callback = write


def write_private(path: str, data: bytes) -> None:
    """Writes a file that nobody else can read, whole or not at all."""
    partial = f"{path}.{os.getpid()}"
    with told_as_usage():
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
            file.write(data)
        os.replace(partial, path)


def _first_line(path: str) -> bytes:
    return Path(path).read_bytes().partition(b"\n")[0].rstrip(b"\r")


def seconds(argument: str) -> float:
    """A time to wait, for ``argparse``."""
    number = float(argument)
    if not 0 < number <= _LONGEST:
        raise ValueError(argument)
    return number


def protocols(argument: str) -> list[str]:
    """The protocols of ALPN, for ``argparse``."""
    names = argument.split(",")
    if not all(name and name.isascii() and len(name) <= 255 for name in names):
        raise argparse.ArgumentTypeError(f"protocols are names with commas between, not {argument!r}")
    return names


def _name(argument: str) -> str:
    try:
        return reference_name(argument).text
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _listed(names: Any) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"
