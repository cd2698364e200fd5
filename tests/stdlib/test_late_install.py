"""``install()`` in a process that has used ``ssl``: old objects go on over the original, new ones are over pyossl."""

from __future__ import annotations

import pytest
from stdlib.ssl_programs import Run, needs


@pytest.mark.feature("ssl of a whole process, also when it is in use already")
def test_live_connections_and_their_contexts_go_on(run: Run) -> None:
    run(
        """
        import ssl, threading
        import pyossl.stdlib
        from exchanges import *
        client, server = client_context(), server_context()
        pair = connected(client, server)
        waiting = in_thread(lambda: pair[1].recv(100))   # it is in recv() during the exchange
        pyossl.stdlib.install(strict=False)
        pair[0].sendall(b"hello")
        assert waiting() == b"hello"
        talk(pair)
        assert pair[0].version() and pair[0].getpeercert()["subject"] is not None
        client.minimum_version = ssl.TLSVersion.TLSv1_2
        client.verify_mode, client.options, client.verify_flags
        client.load_default_certs()
        exchange(client, server)
        new = client_context(), server_context()
        exchange(*new)
        exchange(client, new[1])
        exchange(new[0], server)
        assert [is_over_pyossl(each) for each in (client, server, *pair, *new)] == [False] * 4 + [True] * 2
        threading.Thread(target=pair[0].unwrap, daemon=True).start()
        pair[1].unwrap()
        """
    )


def test_an_old_listener_goes_on_accepting(run: Run) -> None:
    run(
        """
        import ssl, socket
        import pyossl.stdlib
        from exchanges import *
        listener = server_context().wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        pyossl.stdlib.install(strict=False)
        accepted = in_thread(lambda: listener.accept()[0])
        plain = socket.create_connection(listener.getsockname())
        first = client_context().wrap_socket(plain, server_hostname="localhost")
        second = accepted()
        talk((first, second))
        assert is_over_pyossl(first) and not is_over_pyossl(second)
        """
    )


PLACES = {
    "a name": ("kept = SSLContext", "kept"),
    "a function": (
        "kept = ssl.create_default_context",
        "ssl.SSLContext if kept is ssl.create_default_context else kept",
    ),
    "a tuple": ("kept = (SSLContext, ssl.SSLError)", "kept[0]"),
    "a tuple in a tuple": ("kept = (1, (SSLContext, 2))", "kept[1][0]"),
    "a named tuple": ("import collections; kept = collections.namedtuple('T', 'a b')(SSLContext, 1)", "kept.a"),
    "a list": ("kept = [SSLContext]", "kept[0]"),
    "a set": ("kept = {SSLContext}", "next(iter(kept))"),
    "a frozen set": ("kept = frozenset([SSLContext])", "next(iter(kept))"),
    "a deque": ("import collections; kept = collections.deque([SSLContext])", "kept[0]"),
    "a value of a dict": ("kept = {1: SSLContext}", "kept[1]"),
    "a key of a dict": ("kept = {SSLContext: 1}", "next(iter(kept))"),
    "a list in a dict": ("kept = {1: [SSLContext]}", "kept[1][0]"),
    "a default": ("def kept(cls=SSLContext): return cls", "kept()"),
    "a default of a keyword": ("def kept(*, cls=SSLContext): return cls", "kept()"),
    "a default of a method": ("class kept:\n    def m(self, cls=SSLContext): return cls", "kept().m()"),
    "a closure": ("def outer(cls):\n    return lambda: cls\nkept = outer(SSLContext)", "kept()"),
    "a partial": ("import functools; kept = functools.partial(lambda cls: cls, SSLContext)", "kept()"),
    "an attribute of a class": ("class kept:\n    a = SSLContext", "kept.a"),
    "an attribute": ("class C: pass\nkept = C(); kept.a = SSLContext", "kept.a"),
    "a slot": ("class C:\n    __slots__ = ('a',)\nkept = C(); kept.a = SSLContext", "kept.a"),
    "a union of types": ("kept = SSLContext | str", "kept.__args__[0]"),
    "a super object": ("kept = super(SSLContext, SSLContext)", "kept.__thisclass__"),
    "a member of an enumeration": (
        "from ssl import Purpose\ndef kept(purpose=Purpose.CLIENT_AUTH): return purpose",
        "ssl.SSLContext if kept() is ssl.Purpose.CLIENT_AUTH else kept()",
    ),
    "the module _ssl": ("import _ssl as kept", "ssl.SSLContext if kept is ssl._ssl else kept"),
    "a type of _ssl": ("from _ssl import MemoryBIO as kept", "ssl.SSLContext if kept is ssl.MemoryBIO else kept"),
    "an exception": ("from ssl import SSLError as kept", "ssl.SSLContext if kept is ssl.SSLError else kept"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_another_module_keeps_is_replaced_and_put_back(place: str, run: Run) -> None:
    keep, kept = PLACES[place]
    run(f"""
import ssl, gc
from ssl import SSLContext
{keep}
import pyossl.stdlib
def check():
    assert SSLContext is ssl.SSLContext
    assert ({kept}) is ssl.SSLContext, {kept}
check()
before = [id(ssl.SSLContext)]
for _ in range(2):
    pyossl.stdlib.install()
    assert id(ssl.SSLContext) not in before
    check()
    pyossl.stdlib.uninstall()
    assert id(ssl.SSLContext) in before
    check()
gc.freeze()
pyossl.stdlib.install()
check()
""")


def test_the_search_runs_no_code_of_a_proxy(run: Run) -> None:
    run("""
import ssl
class Proxy:
    __slots__ = ("kept", "context")
    asked = []
    @property
    def __dict__(self):
        self.asked.append(self)
        return {}
proxy = Proxy()
proxy.kept, proxy.context = ssl.SSLContext, ssl.create_default_context()
import pyossl.stdlib
try:
    pyossl.stdlib.install()
except pyossl.stdlib.InstallError as error:
    assert "__main__.proxy.context" in str(error), error
else:
    raise AssertionError("a context was not found")
pyossl.stdlib.install(strict=False)
assert proxy.kept is ssl.SSLContext
assert not proxy.asked
""")


def test_exceptions_are_caught_by_the_names_that_a_program_took_before(run: Run) -> None:
    run(
        """
        from ssl import SSLError, SSLCertVerificationError, SSLWantReadError
        import ssl
        def handled(errors=(SSLCertVerificationError,)):
            try:
                exchange(ssl.create_default_context())
            except errors as error:
                return error
        import pyossl.stdlib
        from exchanges import *
        class Mine(SSLError): pass
        pyossl.stdlib.install()
        server = server_context()
        first, second = tcp_pair()
        refused = in_thread(lambda: server.wrap_socket(second, server_side=True))
        try:
            ssl.create_default_context().wrap_socket(first, server_hostname="localhost")
        except SSLCertVerificationError as error:
            assert error.verify_code
        try:
            refused()
        except SSLError:
            pass
        try:
            client_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="example.com").do_handshake()
        except SSLWantReadError:
            pass
        assert issubclass(Mine, ssl.SSLError)
        """
    )


def test_an_old_context_takes_a_new_memory_bio_and_a_new_context_an_old_one(run: Run) -> None:
    run(
        """
        import ssl, sys
        import pyossl.stdlib
        from exchanges import *
        def main():
            old_bio = [ssl.MemoryBIO]       # the list is replaced, this function's variable is not
            kind = ssl.MemoryBIO
            client, server = client_context(), server_context()
            pyossl.stdlib.install(strict=False)
            assert old_bio[0] is ssl.MemoryBIO is not kind
            new = client_context(), server_context()
            for contexts in ((client, server), new, (client, new[1]), (new[0], server)):
                in_memory(*contexts, kind=kind)
                in_memory(*contexts, kind=ssl.MemoryBIO)
        main()
        """
    )


def test_what_comes_after_the_end_of_tls_is_left_in_a_foreign_memory_bio(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import *
        def main():
            client, server = client_context(), server_context()
            pyossl.stdlib.install(strict=False)
            to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
            first, second = memory_pair(client, server, to_server, to_client)
            assert first.context is client and first.server_hostname == "localhost"
            first.context = client
            try:
                first.unwrap()
            except ssl.SSLWantReadError:
                pass
            to_server.write(b"plain")
            assert second.read(10) == b""
            second.unwrap()
            assert to_server.read() == b"plain"
            to_client.write_eof()
            first.unwrap()
        main()
        """
    )


def test_asyncio_serves_with_an_old_context(run: Run) -> None:
    run(
        """
        import asyncio, ssl
        import pyossl.stdlib
        from exchanges import *
        async def main():
            old = server_context()
            async def answer(reader, writer):
                writer.write((await reader.readline()).upper())
                await writer.drain()
                writer.close()
            async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=old) as server:
                address = server.sockets[0].getsockname()
                pyossl.stdlib.install(strict=False)
                new = client_context()
                reader, writer = await asyncio.open_connection(*address, ssl=new, server_hostname="localhost")
                assert is_over_pyossl(writer.get_extra_info("ssl_object"))
                writer.write(b"hello\\n")
                assert await reader.read() == b"HELLO\\n"
                writer.close()
                await writer.wait_closed()
        asyncio.run(main())
        """
    )


def test_a_class_that_was_derived_before_goes_on_over_the_original(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import *
        class Context(ssl.SSLContext):
            def wrap_socket(self, *arguments, **named):
                return super().wrap_socket(*arguments, **named)
        class Socket(ssl.SSLSocket):
            def recv(self, *arguments):
                return super().recv(*arguments)
        Context.sslsocket_class = Socket
        old = client_context(Context)
        del old
        pyossl.stdlib.install()
        context = client_context(Context)
        pair = connected(context)
        assert type(pair[0]) is Socket and not is_over_pyossl(pair[0]) and is_over_pyossl(pair[1])
        talk(pair)
        class Later(ssl.SSLContext): pass
        exchange(client_context(Later))
        assert is_over_pyossl(client_context(Later))
        """
    )


def test_a_function_that_the_program_put_into_ssl_stays(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        ssl._create_default_https_context = ssl._create_unverified_context
        ssl.get_server_certificate = lambda *arguments: "mine"
        ssl.of_mine = 1
        for change in (pyossl.stdlib.install, pyossl.stdlib.uninstall):
            change()
            assert ssl._create_default_https_context is ssl._create_unverified_context
            assert ssl._create_default_https_context().verify_mode is ssl.CERT_NONE
            assert ssl.get_server_certificate() == "mine" and ssl.of_mine == 1
        ssl._create_default_https_context = ssl.create_default_context
        pyossl.stdlib.install()
        assert ssl._create_default_https_context().verify_mode is ssl.CERT_REQUIRED
        """
    )


def test_a_method_of_ssl_that_another_module_replaced_is_not_lost_in_silence(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import refusal
        def load_default_certs(self, purpose=None): pass
        original, ssl.SSLContext.load_default_certs = ssl.SSLContext.load_default_certs, load_default_certs
        before = dict(vars(ssl))
        said = refusal(pyossl.stdlib.install)
        assert "ssl.SSLContext.load_default_certs has been replaced, by __main__.load_default_certs" in said
        assert vars(ssl) == before and not pyossl.stdlib.is_installed()
        ssl.SSLContext.load_default_certs = original
        pyossl.stdlib.install()
        """
    )


@needs("truststore")
def test_truststore_that_is_in_ssl_is_refused_and_goes_on(run: Run) -> None:
    run(
        """
        import ssl, truststore
        truststore.inject_into_ssl()
        import pyossl.stdlib
        from exchanges import *
        said = refusal(pyossl.stdlib.install)
        assert said.startswith("ssl.SSLContext has been replaced, by truststore._api.SSLContext: ")
        exchange()
        truststore.extract_from_ssl()
        pyossl.stdlib.install()
        exchange()
        truststore.inject_into_ssl()
        assert type(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)).__module__ == "truststore._api"
        exchange()
        said = refusal(pyossl.stdlib.uninstall)
        assert said.endswith("replace it after pyossl.stdlib.install(), and undo that before uninstall()")
        truststore.extract_from_ssl()
        pyossl.stdlib.uninstall()
        exchange()
        """
    )


@needs("truststore")
def test_truststore_that_is_imported_before_is_over_pyossl(run: Run) -> None:
    run(
        """
        import ssl, truststore
        import pyossl.stdlib
        from exchanges import *
        pyossl.stdlib.install()
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        assert is_over_pyossl(context._ctx)
        context.load_verify_locations("ca.pem")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        exchange(context)
        """
    )


@needs("gevent")
def test_gevent_that_is_in_ssl_is_refused(run: Run) -> None:
    run(
        """
        from gevent import monkey
        monkey.patch_all()
        import ssl
        import pyossl.stdlib
        from exchanges import refusal
        assert "has been replaced, by gevent." in refusal(pyossl.stdlib.install)
        """
    )


HTTP_CLIENTS = {
    "urllib.request": """
import urllib.request
def get(url):
    with urllib.request.urlopen(url, context=client_context()) as response:
        return response.read()
""",
    "requests": """
import requests
def get(url):
    return requests.get(url, verify="ca.pem").content
""",
    "urllib3": """
import urllib3
def get(url):
    return urllib3.PoolManager(ca_certs="ca.pem").request("GET", url).data
""",
    "httpx": """
import httpx
def get(url):
    return httpx.get(url, verify=client_context()).content
""",
    "aiohttp": """
import aiohttp, asyncio
async def work(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(url, ssl=client_context()) as response:
            return await response.read()
def get(url):
    return asyncio.run(work(url))
""",
    "trio": """
import trio
async def work(url):
    port = int(url.split(":")[2].strip("/"))
    stream = await trio.open_ssl_over_tcp_stream("localhost", port, ssl_context=client_context(), https_compatible=True)
    await stream.send_all(b"GET / HTTP/1.0\\r\\n\\r\\n")
    data = b""
    async for part in stream:
        data += part
    return data[-5:]
def get(url):
    return trio.run(work, url)
""",
    "uvloop": """
import uvloop, asyncio
async def work(url):
    port = int(url.split(":")[2].strip("/"))
    reader, writer = await asyncio.open_connection("localhost", port, ssl=client_context())
    writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
    data = await reader.read()
    writer.close()
    return data[-5:]
def get(url):
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(work(url))
    finally:
        loop.close()
""",
}


@pytest.mark.parametrize("client", [pytest.param(name, marks=needs(name.partition(".")[0])) for name in HTTP_CLIENTS])
def test_a_library_that_is_imported_before_is_over_pyossl(client: str, run: Run) -> None:
    run(f"""
import pyossl.stdlib
from exchanges import *
{HTTP_CLIENTS[client]}
import ssl
with https_server() as url:
    assert get(url) == b"hello"
    pyossl.stdlib.install(strict=False)
    contexts = []
    wrap = ssl.SSLContext.wrap_socket, ssl.SSLContext.wrap_bio
    def wrap_socket(self, *arguments, **named):
        contexts.append(self)
        return wrap[0](self, *arguments, **named)
    def wrap_bio(self, *arguments, **named):
        contexts.append(self)
        return wrap[1](self, *arguments, **named)
    ssl.SSLContext.wrap_socket, ssl.SSLContext.wrap_bio = wrap_socket, wrap_bio
    assert get(url) == b"hello"
assert contexts and all(is_over_pyossl(each) for each in contexts), contexts
""")
