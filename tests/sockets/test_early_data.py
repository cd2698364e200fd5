"""Early data over blocking sockets: deadlines, threads, forks, and peers that stop."""

from __future__ import annotations

import os
import select
import socket

import pytest
from early_sessions import REQUEST, early_server, first_flight, session_for
from marks import needs
from served import SECONDS, Task, child_that_does

import pyossl
import pyossl.greenlets
from pyossl import Context

pytestmark = needs("tls1_3")


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> Context:
    return early_server(credentials)


def calling(
    listener: pyossl.Listener, context: Context, session: pyossl.Session, data: bytes = REQUEST
) -> Task[pyossl.Socket]:
    return Task(
        lambda: pyossl.connect(
            listener.address,
            context,
            server_hostname="example.com",
            session=session,
            early_data=data,
            timeout=SECONDS,
        )
    )


def accepted(listener: pyossl.Listener) -> pyossl.Socket:
    listener.settimeout(SECONDS)
    tls, _ = listener.accept()
    tls.settimeout(SECONDS)
    return tls


@pytest.mark.feature("early data, sent by a client and read apart by a server")
@pytest.mark.parametrize("size", [10, 500_000])
def test_a_request_is_answered_before_the_handshake_is_finished(
    size: int, client_context: Context, server_context: Context
) -> None:
    answer = os.urandom(size)
    session = session_for(client_context, server_context)
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        call = calling(listener, client_context, session)
        with accepted(listener) as tls:
            assert tls.read_early_data() == REQUEST
            assert not tls.connection.is_handshake_finished
            sending = Task(lambda: tls.sendall(answer))
            with call.result() as client:
                assert client.early_data_accepted is True
                got = b""
                while len(got) < size:
                    got += client.recv(100_000)
                assert got == answer
                sending.result()
                client.sendall(b"next")
                assert tls.read_early_data() == b""
                tls.handshake()
                assert tls.recv(100) == b"next"
                assert tls.early_data_accepted is True


def test_a_server_that_receives_at_once_refuses_early_data(client_context: Context, server_context: Context) -> None:
    session = session_for(client_context, server_context)
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        call = calling(listener, client_context, session)
        with accepted(listener) as tls:
            receiving = Task(lambda: tls.recv(100))
            with call.result() as client:
                assert client.early_data_accepted is False
                client.sendall(b"again")
                assert receiving.result() == b"again"


def test_wrapped_sockets_have_both_sides(client_context: Context, server_context: Context) -> None:
    session = session_for(client_context, server_context)
    ours, theirs = socket.socketpair()
    client = client_context.wrap_socket(ours, "example.com", handshake=False, session=session, early_data=REQUEST)
    server = server_context.wrap_socket(theirs, handshake=False)
    with client, server:
        finishing = Task(client.handshake)
        assert server.read_early_data(7) == REQUEST[:7]
        assert server.read_early_data() == REQUEST[7:]
        finishing.result()
        assert server.read_early_data() == b""
        server.handshake()


@pytest.mark.parametrize("part", [0, 100, -1, None])
def test_a_client_that_stops_meets_the_deadline(
    part: int | None, client_context: Context, server_context: Context
) -> None:
    """After nothing, half of the ClientHello, half of the early data, and all of it, without its end."""
    session = session_for(client_context, server_context)
    flight = first_flight(pyossl.Connection(client_context, "example.com", session=session, early_data=REQUEST))
    with (
        pyossl.listen(("127.0.0.1", 0), server_context) as listener,
        socket.create_connection(listener.address) as plain,
    ):
        plain.sendall(flight[:part])
        with accepted(listener) as tls:
            if part is None:
                assert tls.read_early_data() == REQUEST
            tls.settimeout(0.1)
            with pytest.raises(TimeoutError, match="reading early data timed out"):
                tls.read_early_data()
            tls.settimeout(0)
            with pytest.raises(BlockingIOError):
                tls.read_early_data()
            tls.settimeout(SECONDS)
            plain.close()
            with pytest.raises(OSError, match=r".") as failure:
                tls.read_early_data()
            assert not isinstance(failure.value, TimeoutError)


def test_a_client_of_a_server_that_stops_meets_the_deadline(client_context: Context, server_context: Context) -> None:
    session = session_for(client_context, server_context)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        pyossl.connect(
            silent.getsockname(),
            client_context,
            server_hostname="example.com",
            session=session,
            early_data=REQUEST,
            timeout=0.2,
        )


def test_another_thread_ends_the_wait_by_closing(server_context: Context) -> None:
    with (
        pyossl.listen(("127.0.0.1", 0), server_context) as listener,
        socket.create_connection(listener.address),
    ):
        tls = accepted(listener)
        reading = Task(tls.read_early_data)
        while not tls.connection.waiters:
            pass
        tls.close()
        with pytest.raises(pyossl.UsageError, match="closed"):
            reading.result()


def test_a_child_that_serves_a_connection_refuses_early_data_of_its_parents_sessions(
    client_context: Context, server_context: Context
) -> None:
    session = session_for(client_context, server_context)
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        call = calling(listener, client_context, session)
        tls = accepted(listener)

        def serve() -> None:
            assert tls.read_early_data() == b""
            assert tls.early_data_accepted is False
            assert tls.recv(100) == b"again"
            tls.sendall(b"done")

        child = child_that_does(serve)
        tls.close()
        with call.result() as client:
            assert client.early_data_accepted is False
            client.sendall(b"again")
            assert client.recv(100) == b"done"
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_connection_whose_early_data_was_read_stays_the_parents(
    client_context: Context, server_context: Context
) -> None:
    session = session_for(client_context, server_context)
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        call = calling(listener, client_context, session)
        with accepted(listener) as tls:
            assert tls.read_early_data() == REQUEST

            def use() -> None:
                for step in (tls.read_early_data, tls.handshake, lambda: tls.sendall(b"twice")):
                    with pytest.raises(pyossl.UsageError):
                        step()

            child = child_that_does(use)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            with call.result():
                assert tls.read_early_data() == b""
                tls.handshake()


def test_a_green_socket_waits_for_early_data_with_the_hub(client_context: Context, server_context: Context) -> None:
    session = session_for(client_context, server_context)
    waits: list[pyossl.Want] = []

    def wait(descriptor: int, want: pyossl.Want, seconds: float | None) -> None:
        waits.append(want)
        reads, writes = ([], [descriptor]) if want is pyossl.Want.WRITE else ([descriptor], [])
        select.select(reads, writes, [], seconds)

    pyossl.greenlets.wait_with(wait)
    try:
        with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
            call = calling(listener, client_context, session)
            with accepted(listener) as tls:
                assert tls.read_early_data() == REQUEST
                with call.result() as client:
                    assert client.early_data_accepted is True
                    assert tls.read_early_data() == b""
                    tls.handshake()
            with socket.create_connection(listener.address), accepted(listener) as stalled:
                waits.clear()
                stalled.settimeout(0.1)
                with pytest.raises(TimeoutError, match="reading early data timed out"):
                    stalled.read_early_data()
                assert pyossl.Want.READ in waits
    finally:
        pyossl.greenlets.wait_with(None)


def test_arguments_that_cannot_be_used_are_refused_before_anything_is_sent(
    client_context: Context, server_context: Context
) -> None:
    session = session_for(client_context, server_context)
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        for options, kind in (
            ({"early_data": REQUEST}, pyossl.UsageError),
            ({"early_data": "text", "session": session}, TypeError),
            ({"early_data": bytes(100_000), "session": session}, ValueError),
        ):
            with pytest.raises(kind):
                pyossl.connect(
                    listener.address,
                    client_context,
                    server_hostname="example.com",
                    timeout=SECONDS,
                    **options,  # type: ignore[arg-type]
                )
