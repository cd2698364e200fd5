"""The argument HOST[:PORT], and the messages for arguments that look like one and are wrong."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import NamedTuple

from pyossl.cli import starttls
from pyossl.x509.reference_name import reference_name

HTTPS = 443
_PORTS_OF_SCHEMES = {
    **{name: f" --starttls {name}" for name in starttls.PROTOCOLS},
    "pop": " --starttls pop3",
    "postgresql": " --starttls postgres",
    "ftps": ":990",
    "imaps": ":993",
    "ldaps": ":636",
    "pop3s": ":995",
    "pops": ":995",
    "smtps": ":465",
}
"""The text to write after the host of a URL with this scheme.  It is empty for the schemes of HTTPS."""


class HostAndPort(NamedTuple):
    """A host and a port.  The port is None if the argument does not give one."""

    host: str
    port: int | None

    @classmethod
    def parsed(cls, argument: str) -> HostAndPort:
        """Parses ``HOST``, ``HOST:PORT``, ``[IPv6]:PORT`` or an IPv6 address without a port.

        Raises ``argparse.ArgumentTypeError`` with a message that says what to write.
        """
        _refuse_url(argument)
        host, port = argument, ""
        if argument.startswith("["):
            host, closed, rest = argument[1:].partition("]")
            if not closed or (rest and not rest.startswith(":")):
                raise argparse.ArgumentTypeError(f"give HOST[:PORT] or [IPv6]:PORT, not {argument!r}")
            port = rest[1:] if rest else ""
        elif argument.count(":") == 1:
            host, _, port = argument.partition(":")
        try:
            reference_name(host)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        has_port = argument != host and argument != f"[{host}]"
        return cls(host, port_number(1)(port) if has_port else None)

    def address(self, protocol: str | None) -> tuple[str, int]:
        """The host and port to connect to, with the default port of a STARTTLS protocol, or 443 without one."""
        default = starttls.PROTOCOLS[protocol].port if protocol else HTTPS
        return self.host, self.port or default


def port_number(least: int) -> Callable[[str], int]:
    """A type for ``argparse``: a port number from ``least`` to 65535."""

    def parsed(argument: str) -> int:
        if not re.fullmatch("[0-9]{1,5}", argument) or not least <= int(argument) <= 0xFFFF:
            raise argparse.ArgumentTypeError(f"a port is a number from {least} to 65535, not {argument!r}")
        return int(argument)

    return parsed


def server_name(argument: str) -> str:
    """A type for ``argparse``: a host name or an IP address, without a port."""
    try:
        return reference_name(argument).text
    except ValueError as error:
        if (host := _host_in(argument)) is not None:
            raise argparse.ArgumentTypeError(f"a server name has no URL scheme, port or path; write {host}") from error
        raise argparse.ArgumentTypeError(str(error)) from error


def _refuse_url(argument: str) -> None:
    """Raises ``argparse.ArgumentTypeError`` for a URL, or for a host with a user name or a path."""
    before, is_url, after = argument.partition("://")
    scheme, rest = (before.lower(), after) if is_url else ("", argument.removeprefix("//"))
    authority, *path = re.split(r"[/?#]", rest, maxsplit=1)
    where = authority.rpartition("@")[2]
    if where == argument:
        return
    mistake = "be a URL" if is_url else "contain a path" if path or rest == where else "contain a user name"
    if not where:
        raise argparse.ArgumentTypeError(f"HOST[:PORT] cannot {mistake}; write, for example, example.com:443")
    if HostAndPort.parsed(where).port is None:
        where += _PORTS_OF_SCHEMES.get(scheme, "")
    raise argparse.ArgumentTypeError(f"HOST[:PORT] cannot {mistake}; write {where}")


def _host_in(argument: str) -> str | None:
    """The host in a URL or in ``HOST:PORT``, or None if there is no valid one."""
    authority = re.split(r"[/?#]", argument.partition("://")[2] or argument, maxsplit=1)[0].rpartition("@")[2]
    found = re.fullmatch(r"\[([^]]*)\](?::\d*)?|([^:]*)(?::\d*)?", authority)
    try:
        return reference_name(found[1] or found[2] or "").text if found else None
    except ValueError:
        return None
