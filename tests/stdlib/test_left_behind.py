"""What ``left_behind()`` lists, and which contexts ``install()`` refuses to leave behind."""

from __future__ import annotations

import pytest
from stdlib.ssl_programs import Run, needs


def test_contexts_connections_and_classes_are_listed_with_what_they_are(run: Run) -> None:
    run(
        """
        import ssl, socket
        import pyossl.stdlib
        from exchanges import *
        class Mine(ssl.SSLContext): pass
        class MineToo(Mine): pass
        def main():
            client, mine = client_context(), client_context(Mine)
            pair = connected(client)
            listener = server_context().wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
            in_memory = client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="example.com")
            assert pyossl.stdlib.left_behind() == []
            pyossl.stdlib.install()
            left = pyossl.stdlib.left_behind()
            what = {id(each.thing): each.what for each in left}
            assert what[id(client)] == "a context (SSLContext), made before install()"
            assert what[id(mine)] == "a context (Mine), made before install()"
            assert what[id(pair[0])] == what[id(pair[1])] == "a connection (SSLSocket), made before install()"
            assert what[id(listener)] == "a listening socket (SSLSocket), made before install()"
            assert what[id(in_memory)] == "a connection (SSLObject), made before install()"
            assert what[id(Mine)] == "the class __main__.Mine, derived from the original SSLContext"
            assert what[id(MineToo)] == "the class __main__.MineToo, derived from the original SSLContext"
            new = client_context(), *connected()
            class Later(ssl.SSLContext): pass
            again = {id(each.thing) for each in pyossl.stdlib.left_behind()}
            assert again == set(what) and not again & {id(each) for each in (*new, Later)}
        main()
        """
    )


def test_what_is_dropped_is_listed_no_more(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import *
        def main():
            context = client_context()
            pyossl.stdlib.install()
            assert len(pyossl.stdlib.left_behind()) == 1
            del context
            assert pyossl.stdlib.left_behind() == []
        main()
        """
    )


HELD = {
    "module.context": "module.context = context",
    "module.pool.options['ssl']": "module.pool = Holder(); module.pool.options = {'ssl': context}",
    "module.pool[0][1]": "module.pool = [(1, context)]",
    "module.session.adapters['https://'].manager.arguments['ssl_context']": (
        "module.session = Holder(); module.session.adapters = {'https://': Holder()}; "
        "module.session.adapters['https://'].manager = Holder(); "
        "module.session.adapters['https://'].manager.arguments = {'ssl_context': context}"
    ),
    "module.Client.context": "Holder.context = context; Holder.__module__ = 'module'; Holder.__qualname__ = 'Client'",
    "module.slots.context": "module.slots = Slots(); module.slots.context = context",
    "module.make()": "module.make = lambda c=context: c",
    "ssl._create_default_https_context()": "ssl._create_default_https_context = lambda c=context: c",
}


@pytest.mark.parametrize("path", HELD)
def test_a_context_that_a_module_holds_is_refused_by_the_path_that_leads_to_it(path: str, run: Run) -> None:
    printed = run(f"""
import ssl, sys, types
module = types.ModuleType("module")
sys.modules["module"] = module
class Holder: pass
class Slots:
    __slots__ = ("context",)
def hold():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    {HELD[path]}
hold()
import pyossl.stdlib
from exchanges import refusal
def refused():
    before = dict(vars(ssl))
    print(refusal(pyossl.stdlib.install))
    assert vars(ssl) == before and not pyossl.stdlib.is_installed()
refused()
pyossl.stdlib.install(strict=False)
assert len([each for each in pyossl.stdlib.left_behind() if "context" in each.what]) == 1
""")
    assert f"for new connections: {path}; call" in printed


def test_a_context_that_gc_freeze_has_put_aside_is_refused_by_name_too(run: Run) -> None:
    printed = run(
        """
        import gc, ssl
        context = ssl.create_default_context()
        import pyossl.stdlib
        from exchanges import refusal
        gc.freeze()
        frozen = gc.get_freeze_count()
        print(refusal(pyossl.stdlib.install))
        assert gc.get_freeze_count() >= frozen  # 0 in a free-threaded Python, which does not count them
        """
    )
    assert "for new connections: __main__.context; call" in printed


def test_a_program_that_has_frozen_nothing_is_not_frozen_by_a_search(run: Run) -> None:
    run(
        """
        import gc, ssl
        import pyossl.stdlib
        before = gc.get_freeze_count()
        pyossl.stdlib.install()
        assert gc.get_freeze_count() <= before
        class Cycle: pass
        cycle = Cycle()
        cycle.itself = cycle
        pyossl.stdlib.left_behind()
        pyossl.stdlib.uninstall()
        assert gc.get_freeze_count() <= before
        assert any(each is cycle for each in gc.get_objects())
        """
    )


def test_a_context_of_a_running_function_or_of_a_connection_is_none_of_a_modules(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import *
        pair = connected()
        def main():
            context = client_context()
            def later():
                yield context
            held = later()
            next(held)
            pyossl.stdlib.install()
            exchange(context)
        main()
        talk(pair)
        """
    )


def test_a_listening_socket_that_a_module_holds_is_refused(run: Run) -> None:
    printed = run(
        """
        import ssl, socket
        import pyossl.stdlib
        from exchanges import *
        listener = server_context().wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        print(refusal(pyossl.stdlib.install))
        """
    )
    assert "for new connections: __main__.listener._context; call" in printed


def test_the_openers_of_urllib_are_looked_into(run: Run) -> None:
    printed = run(
        """
        import ssl, urllib.request
        import pyossl.stdlib
        from exchanges import refusal
        handler = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        urllib.request.install_opener(urllib.request.build_opener(handler))
        del handler
        print(refusal(pyossl.stdlib.install))
        """
    )
    assert "urllib.request._opener." in printed


@needs("urllib3")
def test_a_pool_manager_of_urllib3_that_a_module_holds_is_refused(run: Run) -> None:
    printed = run(
        """
        import ssl, urllib3
        import pyossl.stdlib
        from exchanges import *
        pools = urllib3.PoolManager(ssl_context=client_context())
        with https_server() as url:
            pools.request("GET", url)
        print(refusal(pyossl.stdlib.install))
        """
    )
    assert "__main__.pools.connection_pool_kw['ssl_context']" in printed


@needs("requests")
def test_a_session_of_requests_makes_its_contexts_anew_and_is_not_refused(run: Run) -> None:
    run(
        """
        import requests, ssl
        import pyossl.stdlib
        from exchanges import *
        session = requests.Session()
        with https_server() as url:
            session.get(url, verify="ca.pem")
        pyossl.stdlib.install()
        with https_server() as url:
            session.get(url, verify="ca.pem")
        """
    )


@needs("aiohttp")
def test_the_contexts_that_aiohttp_makes_when_it_is_imported_are_refused(run: Run) -> None:
    printed = run(
        """
        import aiohttp
        import pyossl.stdlib
        from exchanges import refusal
        print(refusal(pyossl.stdlib.install))
        """
    )
    assert "aiohttp.connector._SSL_CONTEXT_UNVERIFIED, aiohttp.connector._SSL_CONTEXT_VERIFIED;" in printed


@pytest.mark.feature("contexts that would go on over the other OpenSSL are found")
def test_each_context_of_a_module_is_named(run: Run) -> None:
    printed = run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import refusal
        one, other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        print(refusal(pyossl.stdlib.install))
        """
    )
    assert "for new connections: __main__.one, __main__.other; call" in printed
