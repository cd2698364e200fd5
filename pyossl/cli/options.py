"""The options that several commands have, and the contexts that they describe."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyossl import (
    Certificate,
    Context,
    DecodeError,
    Error,
    LibraryContext,
    Options,
    PasswordError,
    UnsupportedError,
    features,
)
from pyossl.cli import starttls
from pyossl.cli.command_parser import WrongArgumentError
from pyossl.cli.host_and_port import HostAndPort, server_name
from pyossl.cli.tls_versions import ALL_VERSIONS
from pyossl.x509.uris import has_pin, is_uri

_PRIVATE = 0o600
_MOST_SECONDS = 1e9  # the system's clocks do not count many more


def add_destination(parser: argparse.ArgumentParser) -> None:
    """Adds the server's address, and how to connect to it."""
    parser.add_argument(
        "destination",
        metavar="HOST[:PORT]",
        type=HostAndPort.parsed,
        help="the server; the default port is 443, or the port of the --starttls protocol",
    )
    parser.add_argument(
        "--starttls",
        choices=starttls.PROTOCOLS,
        metavar="PROTOCOL",
        help=f"begin with the plain-text dialogue of {_alternatives(starttls.PROTOCOLS)}",
    )
    parser.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="SECONDS", help="limit for each step (default: 10)"
    )


def add_client(parser: argparse.ArgumentParser) -> None:
    """Adds the options for trust, the server's name, the client's certificate and the protocol."""
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="trust the certificates in this file (PEM), directory or URI instead of the system's",
    )
    parser.add_argument(
        "--servername", type=server_name, metavar="NAME", help="the name of the server if it is not HOST"
    )
    parser.add_argument(
        "--alpn", type=protocols, metavar="NAMES", default=(), help="ALPN protocols, separated by commas"
    )
    add_credentials(parser, "the client's certificate with its chain (PEM)")
    add_algorithms(parser)


def add_credentials(parser: argparse.ArgumentParser, certificate: str) -> None:
    """Adds the options for a certificate and its key.  ``certificate`` is the help text of ``--cert``."""
    parser.add_argument("--cert", metavar="FILE", help=f"{certificate}, or its URI")
    parser.add_argument(
        "--key",
        metavar="FILE",
        help="its private key (PEM or DER; default: in the file of --cert), or its URI, for example pkcs11:object=key",
    )
    parser.add_argument(
        "--password-file", metavar="FILE", help="the first line of this file is the password of the key, or the PIN"
    )


def add_algorithms(parser: argparse.ArgumentParser) -> None:
    """Adds the options for TLS versions, groups, ciphers and signature algorithms."""
    parser.add_argument("--min", choices=ALL_VERSIONS, help="the oldest TLS version")
    parser.add_argument("--max", choices=ALL_VERSIONS, help="the newest TLS version")
    parser.add_argument("--groups", metavar="LIST", help="groups for the key exchange, for example X25519:P-256")
    parser.add_argument(
        "--ciphers", metavar="LIST", help="OpenSSL's cipher list; names that begin with TLS_ are for TLS 1.3"
    )
    parser.add_argument(
        "--sigalgs", metavar="LIST", help="signature algorithms, for example ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256"
    )
    parser.add_argument("--fips", action="store_true", help="use algorithms of OpenSSL's FIPS provider only")


def client_context(arguments: argparse.Namespace, *, verify: bool = True) -> Context:
    """The context that a client's options describe.  Raises ``WrongArgumentError`` if they are wrong."""
    certificate, key, password = credentials(arguments)
    with errors_as_wrong_arguments(arguments):
        context = Context.client(
            trust=arguments.ca,
            certificate=certificate,
            private_key=key,
            password=password,
            alpn=arguments.alpn,
            minimum_version=ALL_VERSIONS.get(arguments.min),
            maximum_version=ALL_VERSIONS.get(arguments.max),
            verify=verify,
            library_context=library_context(arguments),
        )
        set_algorithms(context, arguments)
    return context


def library_context(arguments: argparse.Namespace) -> LibraryContext | None:
    """The library context of ``--fips``; None without it.

    Raises ``WrongArgumentError`` if there is no FIPS provider, or if it does not start.
    """
    if not arguments.fips:
        return None
    try:
        return LibraryContext(fips=True)
    except Error as error:
        raise WrongArgumentError(f"--fips cannot be used: {error}") from error


def ask_for_certificate_status(context: Context, *, scts: bool = True) -> None:
    """Makes a client ask for an OCSP response and certificate timestamps, in a form that the commands can read.

    ``scts`` is False if the context asks for timestamps already.
    """
    if features.ocsp:
        context.request_ocsp()
    if scts:
        context.request_scts()
    if features.api_3_2:  # no compressed certificates: the timestamps are in the same message
        context.options |= Options.NO_RX_CERTIFICATE_COMPRESSION


def credentials(arguments: argparse.Namespace) -> tuple[str | None, str | None, Callable[[], bytes] | None]:
    """The file of the certificate, the file of its key, and a function that reads the key's password."""
    if arguments.cert is None:
        for option, value in {"--key": arguments.key, "--password-file": arguments.password_file}.items():
            if value is not None:
                raise WrongArgumentError(f"{option} is given without --cert; give the certificate's file with --cert")
        return None, None, None
    return arguments.cert, arguments.key or arguments.cert, password_of(arguments)


def password_of(arguments: argparse.Namespace) -> Callable[[], bytes] | None:
    """A function that reads the key's password from the file of ``--password-file``."""
    return None if arguments.password_file is None else lambda: _first_line(arguments.password_file)


def set_algorithms(context: Context, arguments: argparse.Namespace) -> None:
    """Sets the algorithms of the options.  Raises ``ValueError`` if OpenSSL does not have them."""
    if arguments.groups:
        context.set_groups(arguments.groups)
    if arguments.sigalgs:
        context.set_sigalgs(arguments.sigalgs)
    if arguments.ciphers:
        names = arguments.ciphers.split(":")
        suites = [name for name in names if name.startswith("TLS_")]
        if suites:
            context.set_ciphersuites(":".join(suites))
        if len(suites) < len(names):
            context.set_cipher_list(":".join(name for name in names if name not in suites))


def check_anonymous_ciphers(context: Context) -> None:
    """Raises ``WrongArgumentError`` if a peer can come in without a certificate and without a key.

    OpenSSL uses such ciphers only at the security level 0.
    """
    names = [suite.name for suite in context.cipher_suites if "_anon_" in suite.standard_name]
    if names and context.security_level == 0:
        raise WrongArgumentError(
            f"these ciphers let in clients without a certificate or key: {', '.join(names)}; add :!aNULL to --ciphers"
        )


@contextmanager
def errors_as_wrong_arguments(arguments: argparse.Namespace | None = None) -> Iterator[None]:
    """Raises ``WrongArgumentError`` instead of the errors that a wrong argument causes inside the ``with`` block.

    If ``arguments`` are given, the block reads the files of ``--cert`` and ``--key``.
    """
    try:
        yield
    except OSError as error:
        raise WrongArgumentError(str(error)) from error
    except (ValueError, DecodeError, UnsupportedError) as error:
        raise WrongArgumentError((arguments and _option_to_add(arguments, error)) or str(error)) from error


def _pin_to_add(arguments: argparse.Namespace, key: str) -> str | None:
    if arguments.password_file is not None or has_pin(key):
        return None
    return f"the token of {key!r} needs its PIN; give the file of the PIN with --password-file"


def _option_to_add(arguments: argparse.Namespace, error: Exception) -> str | None:
    """A message that says which option for the key is missing, or None if none is."""
    certificate, key = arguments.cert, arguments.key or arguments.cert
    if key is None:
        return None
    if is_uri(key):
        return _pin_to_add(arguments, key) if isinstance(error, PasswordError) else None
    try:
        if not Path(key).is_file():
            return None
        data = Path(key).read_bytes()
        if arguments.key is None and b"PRIVATE KEY-----" not in data:
            Certificate.load(Path(certificate))
            return f"the file {certificate!r} of --cert contains no private key; give the key's file with --key"
    except (OSError, ValueError, DecodeError):
        return None
    if arguments.password_file is None and b"ENCRYPTED" in data:
        return f"the private key in {key!r} is encrypted; give the file of its password with --password-file"
    return None


def log_keys(context: Context, path: str) -> None:
    """Makes a context append the secrets of its connections to a file that only the user can read.

    https://datatracker.ietf.org/doc/draft-ietf-tls-keylogfile/
    """

    def append(line: str) -> None:
        # Opened for each line: nobody would close a file that the context's callback keeps.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _PRIVATE), "w") as file:
            file.write(line)

    with errors_as_wrong_arguments():
        append("")
    context.keylog_callback = lambda _, line: append(f"{line}\n")


def write_private(path: str, data: bytes) -> None:
    """Writes a file that only the user can read.  If that fails, the earlier file stays as it is."""
    partial = f"{path}.{os.getpid()}"
    with errors_as_wrong_arguments():
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
            file.write(data)
        os.replace(partial, path)


def check_writable(path: str) -> None:
    """Raises ``WrongArgumentError`` if a file cannot be written, before a command does work for it."""
    with errors_as_wrong_arguments(), open(path, "a", encoding="utf-8"):
        pass


def _first_line(path: str) -> bytes:
    return Path(path).read_bytes().partition(b"\n")[0].rstrip(b"\r")


def seconds(argument: str) -> float:
    """A type for ``argparse``: a time limit in seconds."""
    try:
        number = float(argument)
    except ValueError:
        number = 0.0
    if not 0 < number <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"a time is a number of seconds above 0, for example 2.5, not {argument!r}")
    return number


def protocols(argument: str) -> list[str]:
    """A type for ``argparse``: the names of ALPN protocols."""
    names = argument.split(",")
    if not all(name and name.isascii() and len(name) <= 255 for name in names):
        raise argparse.ArgumentTypeError(
            f"ALPN protocols are names separated by commas, for example h2,http/1.1, not {argument!r}"
        )
    return names


def _alternatives(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"
