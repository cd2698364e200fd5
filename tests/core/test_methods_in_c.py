"""The methods in C are used like methods in Python: signatures, documentation, subclasses, unusual arguments."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import pickle
import pydoc
import re
import socket
import subprocess
import sys
import tracemalloc
import weakref
from typing import Any
from unittest import mock

import pytest
from marks import FREE_THREADED
from methods_in_c import CLASSES, METHODS, PUBLIC, each
from pairs import meet, shake_hands
from pyopenssl.pyopenssl_pairs import pair as face_pair
from served import SocketPair, Task, tls_pair
from stub_signatures import STUB

import pyossl
from pyossl import Connection, Context, _fast

each_method, each_public = each(METHODS), each(PUBLIC)


def test_every_type_with_methods_has_its_class() -> None:
    assert set(CLASSES) == {name for name in dir(_fast) if name.endswith("Methods")} - {"Methods"}
    assert all(issubclass(CLASSES[name], getattr(_fast, name)) for name in CLASSES)


# Introspection


@each_method
def test_the_signature_is_that_of_the_stub(kind: str, name: str) -> None:
    parameters = [
        (parameter.name, None if parameter.default is parameter.empty else repr(parameter.default))
        for parameter in inspect.signature(getattr(_fast, kind).__dict__[name]).parameters.values()
    ]
    stub = STUB[kind, name].args
    defaults = [None] * (len(stub.args) - len(stub.defaults)) + [ast.unparse(each) for each in stub.defaults]
    assert parameters == [(argument.arg, default) for argument, default in zip(stub.args, defaults, strict=True)]


@each_public
def test_help_shows_the_signature_and_the_manual_page(kind: str, name: str) -> None:
    shown = pydoc.plain(pydoc.render_doc(getattr(CLASSES[kind], name)))
    assert f"{name}(self" in shown
    assert re.search(r"\b(SSL_|BIO_)\w+\(3\)\s*$", shown)


@each_public
def test_a_call_with_wrong_arguments_names_the_method_and_the_argument(kind: str, name: str) -> None:
    method = getattr(CLASSES[kind], name)
    subject = CLASSES[kind].__new__(CLASSES[kind])
    parameters = list(inspect.signature(method).parameters.values())[1:]
    many, unknown = (
        (
            rf"{name}\(\) takes at most {len(parameters)} arguments \(9 given\)",
            "got an unexpected keyword argument 'nothing'",
        )
        if parameters
        else (rf"{name}\(\) takes no arguments \(9 given\)", "takes no keyword arguments")  # the words of Python
    )
    with pytest.raises(TypeError, match=many):
        method(subject, *range(9))
    with pytest.raises(TypeError, match=rf"{name}\(\) {unknown}"):
        method(subject, nothing=1)
    if parameters:
        with pytest.raises(TypeError, match=rf"{name}\(\) got multiple values for argument '{parameters[0].name}'"):
            method(subject, b"", **{parameters[0].name: b""})
        if parameters[0].default is inspect.Parameter.empty:
            with pytest.raises(TypeError, match=rf"{name}\(\) missing required argument '{parameters[0].name}'"):
                method(subject)


def test_arguments_can_be_named(client_context: Context, server_context: Context) -> None:
    client, server = meet(client_context, server_context)
    assert client.write(data=b"one") == 3
    server.receive_data(data=client.data_to_send(size=-1))
    assert server.peek(size=2) == b"on"
    buffer = bytearray(5)
    assert server.read_into(buffer=buffer, size=1) == 1
    assert server.read(size=9) == b"ne"
    assert server.decrypt(data=client.encrypt(data=b"two")) == b"two"  # type: ignore[arg-type]  # no Want here


# Objects


@each_public
def test_an_object_without_init_has_no_connection(kind: str, name: str) -> None:
    subject = CLASSES[kind].__new__(CLASSES[kind])
    arguments = [b"x", bytearray(1)][: len(inspect.signature(getattr(subject, name)).parameters)][:1]
    if name in ("read", "peek", "recv", "bio_read", "data_to_send"):
        arguments = [1]
    if name in ("read_into", "recv_into", "read_some_into"):
        arguments = [bytearray(1)]
    with pytest.raises(AttributeError, match="__init__ was not called"):
        getattr(subject, name)(*arguments)


def test_subclasses_call_and_replace_the_methods(client_context: Context, server_context: Context) -> None:
    class Shouting(Connection):
        def read(self, size: int = 16384) -> Any:
            data = super().read(size)
            return data.upper() if isinstance(data, bytes) else data

    shouting, other = Shouting(client_context, "example.com"), Connection(server_context)
    shake_hands(shouting, other)
    shouting.receive_data(other.encrypt(b"quiet"))  # type: ignore[arg-type]  # no Want here
    assert shouting.read() == b"QUIET"


def test_mocks_are_made_of_the_classes() -> None:
    fake = mock.create_autospec(pyossl.Socket, instance=True)
    fake.recv.return_value = b"x"
    assert fake.recv(10) == b"x"
    fake.recv.assert_called_once_with(10)
    with mock.patch.object(pyossl.Socket, "recv", return_value=b"patched"):
        assert pyossl.Socket.recv(None, 1) == b"patched"  # type: ignore[arg-type]  # a mock takes anything


def test_weak_references_and_attributes_work_and_copies_are_refused(sockets: SocketPair) -> None:
    for subject in (sockets[0], sockets[0].connection):
        assert weakref.ref(subject)() is subject
        subject.of_this_test = 1  # type: ignore[attr-defined]  # any attribute
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            pickle.dumps(subject)
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            copy.copy(subject)


# Buffers


def test_a_subclass_cannot_make_a_read_write_beyond_the_buffer(
    client_context: Context, server_context: Context
) -> None:
    class Generous(Connection):
        @staticmethod
        def _size_in_buffer(size: Any, room: int) -> int:
            return int(size)

    generous, server = Generous(client_context, "example.com"), Connection(server_context)
    shake_hands(generous, server)
    generous.receive_data(server.encrypt(b"x" * 100))  # type: ignore[arg-type]  # no Want here
    buffer = bytearray(10)
    with pytest.raises(ValueError, match="larger than the buffer"):
        generous.read_into(buffer, 100)
    assert generous.read() == b"x" * 100


def allocated_while_waiting(size: int, client_context: Context, server_context: Context) -> int:
    """The bytes that 20 threads allocate until they wait in ``recv(size)``."""
    pairs = [tls_pair(client_context, server_context) for _ in range(20)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        waiting = [Task(functools.partial(tls.recv, size)) for tls, _ in pairs]
        while not all(tls.connection.waiters for tls, _ in pairs):
            pass
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        for _, peer in pairs:
            peer.sendall(b"x")
    assert [each.result() for each in waiting] == [b"x"] * 20
    for pair in pairs:
        for tls in pair:
            tls.close()
    return after - before


def test_nothing_is_allocated_while_a_read_waits(client_context: Context, server_context: Context) -> None:
    """A free-threaded Python allocates much for each thread, whatever the thread does."""
    little, much = (allocated_while_waiting(size, client_context, server_context) for size in (1, 1 << 20))
    assert much - little < 20 * 16 * 1024


def test_the_types_alone_do_not_crash() -> None:
    """They can be imported before pyossl has given them its functions."""
    program = "import pyossl._fast as f\nfor t in (f.ConnectionMethods, f.SocketMethods):\n    try: t()." + "{}"
    for call in ("read(1)", "recv(1)", "encrypt(b'x')", "write(b'x')", "data_to_send()"):
        done = subprocess.run(
            [sys.executable, "-c", program.format(call) + "\n    except AttributeError: pass"], timeout=60, check=False
        )
        assert done.returncode == 0, call


def test_a_peek_into_a_buffer_without_a_size_fills_it(sockets: SocketPair) -> None:
    tls, peer = sockets
    peer.sendall(b"data")
    buffer = bytearray(3)
    assert tls.recv_into(buffer, flags=socket.MSG_PEEK) == 3
    assert buffer == b"dat"
    assert tls.recv_into(bytearray(10), None, socket.MSG_PEEK) == 4  # type: ignore[arg-type]  # None is all, as 0
    assert tls.recv(10) == b"data"


@pytest.mark.parametrize("shape", [("I", None), ("B", [2, 3])], ids=["items of four bytes", "two dimensions"])
def test_a_face_reads_into_any_memoryview(shape: tuple[str, Any]) -> None:
    """As many bytes as the memoryview has items in its first dimension."""
    client, server = face_pair()
    server.send(b"0123456789")
    client.bio_write(server.bio_read(1 << 16))
    room = bytearray(12 if shape[1] is None else 6)
    view = memoryview(room).cast(*shape) if shape[1] else memoryview(room).cast(shape[0])
    assert client.recv_into(view) == len(view)
    assert room.startswith(b"012"[: len(view)])
    assert client.recv(10) == b"0123456789"[len(view) :]


@pytest.mark.parametrize("name", ["send", "bio_write"])
def test_an_exception_of_a_signals_handler_in_a_length_is_passed_on(name: str) -> None:
    class Interrupted(bytearray):
        def __len__(self) -> int:
            raise KeyboardInterrupt

    client, _ = face_pair()
    with pytest.raises(KeyboardInterrupt):
        getattr(client, name)(Interrupted(b"data"))


def test_a_face_reads_no_more_than_it_is_asked_for() -> None:
    client, server = face_pair()
    server.send(bytes(range(20)))
    client.bio_write(server.bio_read(1 << 16))
    buffer = bytearray(10)
    assert client.recv_into(memoryview(buffer), 4) == 4
    assert client.recv_into(buffer, 0) == 0
    assert client.recv_into(buffer, 100) == 10
    assert bytes(buffer) == bytes(range(4, 14))


def test_a_second_init_changes_nothing(client_context: Context, server_context: Context, sockets: SocketPair) -> None:
    connection, peer = meet(client_context, server_context)
    face, _ = face_pair()
    tls, _ = sockets
    spare, spare_peer = socket.socketpair()
    mutable = face._tls
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        (connection, (Context.client(check_hostname=False),)),
        (tls.connection, (client_context, "example.com", spare)),
        (tls, (spare, client_context, "example.com", None, None, None)),
        (mutable, (mutable._context,)),
        (face, (face.get_context(),)),
    ]
    for subject, arguments in calls:
        before = dict(vars(subject))
        with pytest.raises(TypeError, match="__init__ was called twice"):
            subject.__init__(*arguments)
        assert dict(vars(subject)) == before, type(subject)
    spare.close()
    spare_peer.close()
    peer.receive_data(connection.encrypt(b"x"))
    assert peer.read() == b"x"


IN_SUBINTERPRETER = """
import sys
sys.path[:0] = {path}
import pyossl
from pairs import shake_hands
authority = pyossl.Authority()
mine = authority.issue("example.com")
server = pyossl.Connection(pyossl.Context.server(mine.certificate, mine.private_key))
messages = []
trusting = pyossl.Context.client(trust=authority.certificate)
client = pyossl.Connection(trusting, "example.com", message_callback=messages.append)
shake_hands(client, server)
client.write(b"to be open")
messages.clear()
client.write(b"x")
assert messages
print("written", flush=True)
"""


@pytest.mark.skipif(
    FREE_THREADED,
    reason="a free-threaded Python loads cffi's modules in no subinterpreter",
)
def test_a_short_call_in_a_subinterpreter_does_not_wait_for_its_own_gil() -> None:
    pytest.importorskip("_testcapi", reason="this Python has no _testcapi, which makes subinterpreters")
    inner = IN_SUBINTERPRETER.format(path=sys.path)
    program = f"import _testcapi, pyossl.tls.connection.connection; _testcapi.run_in_subinterp({inner!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "written\n", done.stderr


def test_an_exception_of_a_callback_in_the_rest_of_a_long_decrypt_is_raised(
    client_context: Context, server_context: Context
) -> None:
    """C returns 256 KiB at most, and a method in Python reads the rest."""
    records = 0

    def message(_: pyossl.Message) -> None:
        nonlocal records
        records += 1
        if records > 40:
            raise KeyError("mine")

    client, server = Connection(client_context, "example.com", message_callback=message), Connection(server_context)
    shake_hands(client, server)
    data = server.encrypt(bytes(1 << 20))
    records = 0
    with pytest.raises(KeyError, match="mine"):
        client.decrypt(data)  # type: ignore[arg-type]  # no Want here
