"""The file of ``--session``: a line that says which connections may resume the session, and the session in PEM.

A resumed connection does not verify the server again.  Therefore the client offers a session only to the same server
and name, with the same client certificate, and if the server was verified in the same way.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from pyossl import Certificate, Context, DecodeError, Session, load_uri
from pyossl.cli.command_parser import WrongArgumentError
from pyossl.cli.options import errors_as_wrong_arguments, write_private
from pyossl.x509.uris import directory_of, is_uri


class SessionFile:
    """The file that stores the session of one server."""

    def __init__(self, arguments: argparse.Namespace, address: tuple[str, int], name: str) -> None:
        self._path = Path(arguments.session)
        self._name = name
        made_for = [f"{address[0]}:{address[1]}", name, f"verify={not arguments.no_verify}"]
        made_for += [f"ocsp={arguments.require_ocsp}", f"fips={arguments.fips}"]
        for file in (arguments.ca, arguments.cert, arguments.sct_logs):
            made_for.append("none" if file is None else f"{Path(file).resolve()} {_digest(file)}")
        made_for += sorted(_digest(file) for file in arguments.public_key or ())
        if arguments.dane is not None:
            made_for.append(repr(sorted(arguments.dane)))
        self._line = (
            f"pyossl session with {address[0]}:{address[1]} {hashlib.sha256(repr(made_for).encode()).hexdigest()}"
        )

    def load(self, context: Context) -> Session | None:
        """The session in the file, or None if there is none or if it was made for a different connection.

        Raises ``WrongArgumentError`` if the file contains something else.
        """
        if not self._path.exists():
            return None
        with errors_as_wrong_arguments():
            data = self._path.read_bytes()
        if not data:
            return None
        try:
            session = Session.load(data, context, self._name)
        except DecodeError as error:
            raise WrongArgumentError(f"{self._path} holds no session and is not changed: {error}") from error
        return session if data.partition(b"\n")[0] == self._line.encode() else None

    def save(self, session: Session) -> None:
        """Stores a session.  It replaces an earlier one."""
        write_private(str(self._path), f"{self._line}\n".encode() + session.to_pem())


def _digest(file: str) -> str:
    if is_uri(file) and directory_of(file) is None:
        certificates = load_uri(file, kind=Certificate)
        return hashlib.sha256(b"".join(each.to_der() for each in certificates)).hexdigest()
    path = Path(directory_of(file) or file)
    return "a directory" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
