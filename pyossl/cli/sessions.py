"""The file of ``--session``: a session in PEM, below a line that says which connections may resume it.

A resumed connection is not verified again.  A session is therefore offered only where the same server was meant, the
same certificates were trusted, and the client showed the same certificate of its own.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from pyossl import Context, DecodeError, Session
from pyossl.cli.options import told_as_usage, write_private
from pyossl.cli.usage import WrongArgumentError


class SessionFile:
    """Where the session of one command's connections is kept."""

    def __init__(self, arguments: argparse.Namespace, address: tuple[str, int], name: str) -> None:
        self._path = Path(arguments.session)
        self._name = name
        what = [f"{address[0]}:{address[1]}", name, f"verify={not arguments.no_verify}"]
        for file in (arguments.ca, arguments.cert):
            what.append("none" if file is None else f"{Path(file).resolve()} {_digest(file)}")
        self._line = f"pyossl session with {address[0]}:{address[1]} {hashlib.sha256(repr(what).encode()).hexdigest()}"

    def load(self, context: Context) -> Session | None:
        """The session, if there is one for a connection such as this; ``WrongArgumentError`` for any other file."""
        if not self._path.exists():
            return None
        with told_as_usage():
            data = self._path.read_bytes()
        if not data:
            return None
        try:
            session = Session.load(data, context, self._name)
        except DecodeError as error:
            raise WrongArgumentError(f"{self._path} holds no session, and is left as it is: {error}") from error
        return session if data.partition(b"\n")[0] == self._line.encode() else None

    def save(self, session: Session) -> None:
        """Keeps a session, in the place of an earlier one."""
        write_private(str(self._path), f"{self._line}\n".encode() + session.to_pem())


def _digest(file: str) -> str:
    path = Path(file)
    return "a directory" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
