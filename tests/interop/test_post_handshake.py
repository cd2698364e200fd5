"""Key updates and renegotiations with the openssl program and with GnuTLS, begun by either side."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from interop.authorities import Authority, Identity
from interop.gnutls_peers import PRIORITIES
from interop.programs import DEADLINE, Program, program, where_installed
from interop.server_peers import Service, SServer, s_version
from marks import VERSIONS
from served import until

import pyossl
from pyossl import Context, Version, lib

KEY_UPDATES = pytest.mark.feature("key updates (TLS 1.3)", "openssl s_server and s_client")
RENEGOTIATION = pytest.mark.feature("renegotiation that is allowed and limited (TLS 1.2)", "GnuTLS")
Work = Callable[[pyossl.Socket], None]


class TypingSServer(SServer):
    """s_server(1) that sends what is typed, and obeys the command characters."""

    def command(self, service: Service) -> list[str | Path]:
        return [each for each in super().command(service) if each != "-WWW"]


@contextlib.contextmanager
def serving(identity: Identity, version: Version, work: Work, renegotiations: int = 0) -> Iterator[str]:
    """A server of pyossl for one client; yields its port."""
    context = Context.server(*identity, minimum_version=version, maximum_version=version)
    if renegotiations:
        context.allow_renegotiation(renegotiations, by_peer=True)
    failures: list[BaseException] = []
    with pyossl.listen(("127.0.0.1", 0), context) as listener:
        listener.settimeout(DEADLINE)

        def serve() -> None:
            try:
                tls, _ = listener.accept()
                with tls:
                    tls.settimeout(DEADLINE)
                    work(tls)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield str(listener.address[1])
        finally:
            thread.join(DEADLINE)
    assert not failures, failures


def echo_lines(tls: pyossl.Socket) -> None:
    with contextlib.suppress(pyossl.TruncationError, pyossl.AlertError):
        while data := tls.recv(1000):
            tls.sendall(data)


def s_client(port: str, version: Version, trust: Path) -> Program:
    arguments = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost"]
    return Program(*arguments, "-CAfile", trust, "-verify_return_error", s_version(version))


def gnutls_client(port: str, version: Version, trust: Path) -> Program:
    arguments = [program("gnutls-cli"), "--port", port, "--x509cafile", trust, "--verify-hostname", "localhost"]
    return Program(*arguments, "--inline-commands", "--verbose", "--priority", PRIORITIES[version], "127.0.0.1")


def command(run: Program, typed: bytes, announced: bytes, times: int) -> None:
    """Types a command, and waits until it has been announced so many times.

    The openssl program takes all that it reads at once for one command.
    """
    run.type(typed + b"\n")
    run.wait_for(b"(?s)(?:%s.*?){%d}" % (announced, times))


def dialogue(run: Program, announced: bytes, *commands: bytes) -> None:
    """Before each command and after the last one, a line is echoed."""
    for number, typed in enumerate(commands, 1):
        run.type(b"line %d of text\n" % number)
        run.wait_for(rb"line %d of text" % number)
        command(run, typed, announced, number)
    run.type(b"the last line\n")
    run.wait_for(rb"the last line")


@KEY_UPDATES
def test_s_client_updates_keys_while_we_read_and_write(identity: Identity, trustme_authority: Authority) -> None:
    with (
        serving(identity, Version.TLSv1_3, echo_lines) as port,
        s_client(port, Version.TLSv1_3, trustme_authority.trust) as run,
    ):
        run.wait_for(rb"Verify return code: 0|SSL handshake has read")
        dialogue(run, b"KEYUPDATE", b"k", b"K", b"K", b"k")


@RENEGOTIATION
def test_s_client_renegotiates_as_often_as_we_allow(identity: Identity, trustme_authority: Authority) -> None:
    with (
        serving(identity, Version.TLSv1_2, echo_lines, 3) as port,
        s_client(port, Version.TLSv1_2, trustme_authority.trust) as run,
    ):
        run.wait_for(rb"SSL handshake has read")
        dialogue(run, b"RENEGOTIATING", b"R", b"R", b"R")
        run.type(b"R\n")
        run.wait_for(rb"no renegotiation")


@KEY_UPDATES
def test_we_update_keys_of_an_s_client(identity: Identity, trustme_authority: Authority) -> None:
    def work(tls: pyossl.Socket) -> None:
        for number in range(4):
            assert tls.recv(100)
            tls.update_keys(request_peer=number % 2 == 1)
            tls.sendall(b"updated %d\n" % number)

    with (
        serving(identity, Version.TLSv1_3, work) as port,
        s_client(port, Version.TLSv1_3, trustme_authority.trust) as run,
    ):
        for number in range(4):
            run.type(b"text\n")
            run.wait_for(b"updated %d" % number)


@contextlib.contextmanager
def talking_to(server: TypingSServer, service: Service, context: Context) -> Iterator[tuple[Program, pyossl.Socket]]:
    with (
        server.serving(service) as running,
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=DEADLINE) as tls,
    ):
        yield running.program, tls


def obeyed(program: Program, tls: pyossl.Socket, typed: bytes, line: bytes, has_come: Callable[[], object]) -> None:
    """Types a command, waits until it ``has_come``, and then types a line, which we read.

    s_server takes all that it reads at once for one command.
    """
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(tls.recv, 100)
        program.type(typed + b"\n")
        until(has_come)
        program.type(line)
        assert reading.result(DEADLINE) == line


@pytest.mark.parametrize("typed", [b"K", b"k"])
@KEY_UPDATES
def test_s_server_updates_keys_and_so_do_we(
    identity: Identity, trustme_authority: Authority, folder: Path, typed: bytes
) -> None:
    seen: list[pyossl.Message] = []

    def note(message: pyossl.Message) -> None:
        if message.content_type == lib.SSL3_RT_HANDSHAKE and message.data[0] == lib.SSL3_MT_KEY_UPDATE:
            seen.append(message)

    context = Context.client(trust=trustme_authority.trust)
    service = Service(identity, folder, version=Version.TLSv1_3)
    with (
        TypingSServer().serving(service) as running,
        pyossl.connect(
            running.address, context, server_hostname="localhost", timeout=DEADLINE, message_callback=note
        ) as tls,
    ):
        for number in range(3):
            seen.clear()
            obeyed(running.program, tls, typed, b"from the server %d\n" % number, lambda: seen)
            tls.update_keys(request_peer=True)
            tls.sendall(b"from the client %d\n" % number)
            running.program.wait_for(b"from the client %d" % number)


@RENEGOTIATION
def test_s_server_asks_for_a_renegotiation_and_so_do_we(
    identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    class Renegotiating(TypingSServer):
        def command(self, service: Service) -> list[str | Path]:
            may = ["-client_renegotiation"] if lib.HAVE_API_3_0 else []
            return [*super().command(service), *may]

    context = Context.client(trust=trustme_authority.trust)
    context.allow_renegotiation(10, by_peer=True)
    with talking_to(Renegotiating(), Service(identity, folder, version=Version.TLSv1_2), context) as (run, tls):
        finished = tls.connection.finished

        def is_done() -> bool:
            return tls.connection.finished != finished and tls.connection.is_handshake_finished

        obeyed(run, tls, b"r", b"from the server\n", is_done)
        tls.sendall(b"from the client\n")
        run.wait_for(b"from the client")
        finished = tls.connection.finished
        tls.renegotiate()
        assert is_done()
        tls.sendall(b"after that\n")
        run.wait_for(b"after that")


@where_installed("gnutls-cli")
@KEY_UPDATES
def test_gnutls_updates_keys(identity: Identity, trustme_authority: Authority) -> None:
    with (
        serving(identity, Version.TLSv1_3, echo_lines) as port,
        gnutls_client(port, Version.TLSv1_3, trustme_authority.trust) as run,
    ):
        run.wait_for(rb"Simple Client Mode")
        dialogue(run, b"", b"^rekey^", b"^rekey1^", b"^rekey^")


@where_installed("gnutls-cli")
@RENEGOTIATION
def test_gnutls_renegotiates(identity: Identity, trustme_authority: Authority) -> None:
    with (
        serving(identity, Version.TLSv1_2, echo_lines, 3) as port,
        gnutls_client(port, Version.TLSv1_2, trustme_authority.trust) as run,
    ):
        run.wait_for(rb"Simple Client Mode")
        dialogue(run, b"", b"^renegotiate^", b"^renegotiate^")


@where_installed("gnutls-cli")
@pytest.mark.feature("channel bindings tls-exporter, tls-server-end-point, tls-unique", "GnuTLS")
@VERSIONS
def test_gnutls_has_our_channel_bindings(identity: Identity, trustme_authority: Authority, version: Version) -> None:
    ours: dict[str, str] = {}
    kinds: list[Any] = ["tls-exporter", "tls-server-end-point"]
    if version is Version.TLSv1_2:
        kinds.append("tls-unique")

    def work(tls: pyossl.Socket) -> None:
        assert tls.recv(100)
        ours.update({kind: tls.channel_binding(kind).hex() for kind in kinds})
        tls.sendall(b"finished\n")

    with (
        serving(identity, version, work) as port,
        gnutls_client(port, version, trustme_authority.trust) as run,
    ):
        if b"'tls-exporter'" not in run.wait_for(rb"(?s)^.*Simple Client Mode")[0]:
            run.type(b"text\n")
            pytest.skip("this gnutls-cli prints no channel bindings")
        theirs = {kind: run.wait_for(rb"'%s': ([0-9a-f]+)\s" % kind.encode())[1].decode() for kind in kinds}
        run.type(b"text\n")
        run.wait_for(b"finished")
    assert ours == theirs
