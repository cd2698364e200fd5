"""What ``help()`` and ``repr()`` say about the public names of ``pyossl.pyopenssl``."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from pyopenssl.pyopenssl_pairs import CREDENTIALS, contexts, pair

import pyossl
from pyossl.pyopenssl import SSL, crypto

CONSTANTS = {SSL.X509VerificationCodes, crypto.X509StoreFlags}


def public_objects() -> Iterator[tuple[str, Any]]:
    for module in (SSL, crypto):
        for name in module.__all__:
            value = module._dump_privatekey_internal if name == "dump_privatekey" else getattr(module, name)
            if callable(value):
                yield f"{module.__name__.rpartition('.')[2]}.{name}", value


def public_members() -> Iterator[tuple[str, Any]]:
    """The methods and properties that a public class has, from its base classes too."""
    for name, value in public_objects():
        if inspect.isclass(value) and not issubclass(value, Exception):
            for member in (each for each in dir(value) if not each.startswith("_")):
                yield f"{name}.{member}", inspect.getattr_static(value, member)


DOCUMENTED = dict(public_objects()) | {name: member for name, member in public_members() if not isinstance(member, int)}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_public_name_has_a_docstring_of_whole_sentences(name: str) -> None:
    documented = DOCUMENTED[name]
    text = inspect.getdoc(getattr(documented, "__func__", documented))
    assert text, name
    first = text.splitlines()[0]
    assert first.endswith((".", ":", ")", ";")), first


@pytest.mark.parametrize("module", [SSL, crypto])
def test_a_module_says_what_it_has(module: ModuleType) -> None:
    assert module.__name__.rpartition(".")[2] in str(module.__doc__)


OBJECTS = {
    "a Context": (lambda: contexts()[0], "<Context object, not verifying the peer>"),
    "a Connection": (lambda: SSL.Connection(contexts()[0]), "<Connection object in memory, handshake not finished>"),
    "an X509": (lambda: crypto.X509._of(CREDENTIALS.certificate), "<X509 object '/"),
    "an empty X509": (crypto.X509, "<X509 object ''>"),
    "an empty PKey": (crypto.PKey, "<PKey object without a key>"),
    "an X509Store": (crypto.X509Store, "<X509Store object, 0 certificates in memory>"),
    "an X509StoreContext": (
        lambda: crypto.X509StoreContext(crypto.X509Store(), crypto.X509()),
        "<X509StoreContext object: <X509 object ''> with <X509Store object, 0 certificates in memory>>",
    ),
    "the sentinel of ALPN callbacks": (lambda: SSL.NO_OVERLAPPING_PROTOCOLS, "NO_OVERLAPPING_PROTOCOLS"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_repr_of_an_object_says_what_it_is(kind: str) -> None:
    make, expected = OBJECTS[kind]
    assert repr(make()).startswith(expected)


@pytest.mark.parametrize(
    "kind", [value for _, value in public_objects() if inspect.isclass(value)], ids=lambda kind: kind.__name__
)
def test_a_public_class_has_a_repr_of_its_own(kind: type) -> None:
    assert kind in CONSTANTS or kind.__repr__ is not object.__repr__


@pytest.mark.parametrize("kind", [SSL.Connection, SSL.Context, SSL.Session, crypto.X509, crypto.X509Store, crypto.PKey])
def test_an_object_that_is_not_initialised_has_a_repr(kind: type) -> None:
    """Programs make objects with ``__new__`` and set their pointers; a debugger shows them before that."""
    assert kind.__name__ in repr(kind.__new__(kind))


def test_the_repr_of_a_connection_says_what_was_negotiated() -> None:
    client, server = pair()
    for connection in (client, server):
        version, cipher = connection.get_protocol_version_name(), connection.get_cipher_name()
        assert repr(connection) == f"<Connection object in memory, {version} with {cipher}>"
    assert repr(client.get_context()) == "<Context object, not verifying the peer, used by a connection>"
    assert repr(client.get_session()).startswith("<Session of 20")


def test_the_repr_of_a_context_says_that_it_verifies() -> None:
    context = contexts()[0]
    context.set_verify(SSL.VERIFY_PEER)
    assert repr(context) == "<Context object, verifying the peer>"


def test_the_repr_of_a_key_says_its_type_and_not_its_numbers() -> None:
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, pyossl.PrivateKey.generate("EC").to_pem())
    assert repr(key).startswith("<PKey object: <PrivateKey EC 256 bits")
    assert len(repr(key)) < 60


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_repr_of_a_parents_connection_says_so() -> None:
    program = (
        "import os, sys; from pyossl.pyopenssl import SSL\n"
        "connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD)); connection.set_connect_state()\n"
        "try: connection.do_handshake()\n"
        "except SSL.WantReadError: pass\n"
        "child = os.fork()\n"
        "if not child: print(repr(connection), flush=True); os._exit(0)\n"
        "os.waitpid(child, 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "<Connection object in memory, of the parent process>"


def test_methods_have_the_originals_qualified_names_under_install() -> None:
    """A method of a base class that pyOpenSSL does not have too: a pickle of it names a class that there is."""
    program = (
        "import warnings; warnings.simplefilter('ignore'); import json, pickle\n"
        "import pyossl.pyopenssl; pyossl.pyopenssl.install(); from OpenSSL import SSL\n"
        "names = {name: getattr(kind, name) for kind in (SSL.Context, SSL.Connection) for name in dir(kind)"
        " if not name.startswith('_')}\n"
        "lost = [name for name, method in names.items() if pickle.loads(pickle.dumps(method)) is not method]\n"
        "print(json.dumps([lost, sorted({each.__qualname__.partition('.')[0] for each in names.values()})]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], ["Connection", "Context", "FaceMethods"]]  # the last for methods in C
