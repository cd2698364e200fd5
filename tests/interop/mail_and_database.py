"""Servers that start in plain text (STARTTLS): exim for SMTP, dovecot for IMAP, PostgreSQL.

Each runs in a folder of its own, as an ordinary user if it refuses to run as root.
"""

from __future__ import annotations

import abc
import contextlib
import getpass
import grp
import os
import pwd
import re
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from interop.authorities import Identity
from interop.free_ports import free_port
from interop.programs import Program, program

_HOST = "127.0.0.1"
_USER = "nobody" if os.getuid() == 0 else getpass.getuser()


class Started(NamedTuple):
    address: str
    program: Program


class StartTLSPeer(abc.ABC):
    protocol: str
    """Its name for ``--starttls``."""
    programs: tuple[str, ...]
    session: bytes
    """What the client sends over TLS, up to its last command."""
    answer: bytes
    """A regular expression for the answer of the server when it knows that the connection is TLS."""

    @contextlib.contextmanager
    def serving(self, identity: Identity) -> Iterator[Started]:
        with tempfile.TemporaryDirectory() as name:
            folder, port = Path(name), free_port(_HOST)
            # Only the user can read pytest's folders, and some servers change to another user.
            for source, target in zip(identity, ("certificate.pem", "private_key.pem"), strict=True):
                shutil.copyfile(source, folder / target)
            user = pwd.getpwnam(self.user)
            for path in (folder, *folder.iterdir()):
                path.chmod(0o700 if path is folder else 0o600)
                os.chown(path, user.pw_uid, user.pw_gid)
            with self.running(folder, port) as run:
                yield Started(f"{_HOST}:{port}", run)

    @property
    def user(self) -> str:
        """The user that must be able to read its folder."""
        return _USER

    @abc.abstractmethod
    def running(self, folder: Path, port: int) -> contextlib.AbstractContextManager[Program]:
        """The server, when it listens."""


class Exim(StartTLSPeer):
    """Debian's exim, which uses GnuTLS."""

    protocol, programs = "smtp", ("exim4",)
    session = b"EHLO client.example\r\nQUIT\r\n"
    answer = rb"^250-localhost Hello client\.example(?!.*STARTTLS).*\n221 localhost closing connection"

    @property
    def user(self) -> str:
        return "Debian-exim" if os.getuid() == 0 else _USER

    @contextlib.contextmanager
    def running(self, folder: Path, port: int) -> Iterator[Program]:
        (folder / "exim.conf").write_text(
            f"primary_hostname = localhost\n"
            f"keep_environment =\n"
            f"spool_directory = {folder}\n"
            f"log_file_path = {folder}/exim-%slog\n"
            f"tls_advertise_hosts = *\n"
            f"tls_certificate = {folder}/certificate.pem\n"
            f"tls_privatekey = {folder}/private_key.pem\n"
        )
        command = [program("exim4"), "-C", folder / "exim.conf", "-bdf", "-oX", f"{_HOST}.{port}", "-v"]
        with Program(*command) as run:
            run.wait_for(rb"listening for SMTP")
            yield run


class Dovecot(StartTLSPeer):
    protocol, programs = "imap", ("dovecot",)
    session = b"a CAPABILITY\r\nb LOGOUT\r\n"
    answer = rb"^\* CAPABILITY (?!.*STARTTLS)[^\n]*\n.*\* BYE Logging out"

    @contextlib.contextmanager
    def running(self, folder: Path, port: int) -> Iterator[Program]:
        group = grp.getgrgid(pwd.getpwnam(_USER).pw_gid).gr_name
        folder.chmod(0o755)  # all users must be able to reach dovecot's sockets
        (folder / "base").mkdir()
        (folder / "dovecot.conf").write_text(
            f"protocols = imap\n"
            f"listen = {_HOST}\n"
            f"base_dir = {folder}/base\n"
            f"state_dir = {folder}/base\n"
            f"log_path = /dev/stderr\n"
            f"ssl = required\n"
            f"ssl_cert = <{folder}/certificate.pem\n"
            f"ssl_key = <{folder}/private_key.pem\n"
            f"default_internal_user = {_USER}\n"
            f"default_internal_group = {group}\n"
            f"default_login_user = {_USER}\n"
            f"passdb {{\n  driver = static\n  args = nopassword=y\n}}\n"
            f"service anvil {{\n  chroot =\n}}\n"
            f"service imap-login {{\n  chroot =\n"
            f"  inet_listener imap {{\n    port = {port}\n  }}\n"
            f"  inet_listener imaps {{\n    port = 0\n  }}\n}}\n"
        )
        with Program(program("dovecot"), "-F", "-c", folder / "dovecot.conf") as run:
            run.wait_for(rb"starting up for imap")
            try:
                yield run
            finally:
                run.interrupt()  # its children end with it only after SIGINT


class PostgreSQL(StartTLSPeer):
    protocol, programs = "postgres", ("postgres",)
    # https://www.postgresql.org/docs/current/protocol-message-formats.html: StartupMessage, Query, Terminate.
    _QUESTION = b"select ssl, version from pg_stat_ssl where pid = pg_backend_pid()\0"
    _PARAMETERS = struct.pack("!I", 3 << 16) + b"user\0owner\0database\0postgres\0\0"
    session = (
        struct.pack("!I", 4 + len(_PARAMETERS))
        + _PARAMETERS
        + struct.pack("!cI", b"Q", 4 + len(_QUESTION))
        + _QUESTION
        + struct.pack("!cI", b"X", 4)
    )
    answer = re.escape(struct.pack("!HIcI", 2, 1, b"t", 7)) + rb"TLSv1\.[23]"

    def authentication(self, folder: Path) -> list[str | Path]:
        """The options of initdb(1) for the authentication of clients."""
        return ["-A", "trust"]

    @contextlib.contextmanager
    def running(self, folder: Path, port: int) -> Iterator[Program]:
        programs, user = Path(program("postgres")).resolve().parent, _USER if os.getuid() == 0 else None
        initialise = [programs / "initdb", "-D", folder / "data", "-U", "owner", "--no-sync"]
        initialise += self.authentication(folder)
        with Program(*initialise, "--no-locale", user=user, folder=folder) as run:
            assert run.finish().status == 0, str(run)
        settings = {
            "listen_addresses": _HOST,
            "unix_socket_directories": "",
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": folder / "certificate.pem",
            "ssl_key_file": folder / "private_key.pem",
        }
        command = [programs / "postgres", "-D", folder / "data", "-p", str(port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with Program(*command, user=user, folder=folder) as run:
            run.wait_for(rb"ready to accept connections")
            try:
                yield run
            finally:
                run.interrupt()


STARTTLS_PEERS: list[StartTLSPeer] = [Exim(), Dovecot(), PostgreSQL()]
