"""``uninstall()`` puts the original back; what was made over pyossl goes on over pyossl."""

from __future__ import annotations

import pytest
from stdlib.ssl_programs import Run


def test_live_connections_go_on_over_pyossl(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import *
        pyossl.stdlib.install()
        client, server = client_context(), server_context()
        pair = connected(client, server)
        waiting = in_thread(lambda: pair[1].recv(100))
        pyossl.stdlib.uninstall()
        pair[0].sendall(b"hello")
        assert waiting() == b"hello"
        talk(pair)
        assert is_over_pyossl(pair[0]) and is_over_pyossl(client)
        client.minimum_version = ssl.TLSVersion.TLSv1_2
        client.verify_mode, client.options, client.verify_flags
        client.load_default_certs()
        exchange(client, server)
        assert not is_over_pyossl(client_context())
        exchange()
        exchange(client, server_context())
        """
    )


@pytest.mark.feature("back to the original ssl")
def test_twice_there_and_back(run: Run) -> None:
    run(
        """
        import ssl, _ssl
        import pyossl.stdlib
        from exchanges import *
        original, names = [ssl.SSLContext, ssl.create_default_context], sorted(vars(ssl))
        methods = dict(vars(ssl.SSLContext))
        kept = []
        for _ in range(2):
            kept.append(connected())
            pyossl.stdlib.install(strict=False)
            kept.append(connected())
            for pair in kept:
                talk(pair)
            pyossl.stdlib.uninstall()
            assert sorted(vars(ssl)) == names and ssl._ssl is _ssl
            for pair in kept:
                talk(pair)
        assert [is_over_pyossl(pair[0]) for pair in kept] == [False, True] * 2
        for name in ("wrap_socket", "verify_mode", "load_default_certs"):
            assert vars(ssl.SSLContext)[name] is methods[name]
        """
    )


def test_what_is_not_installed_needs_no_uninstall(run: Run) -> None:
    run(
        """
        import sys
        import pyossl.stdlib
        pyossl.stdlib.uninstall()
        assert "ssl" not in sys.modules
        pyossl.stdlib.install()
        pyossl.stdlib.uninstall()
        pyossl.stdlib.uninstall()
        """
    )


def test_the_original_is_loaded_if_it_had_not_been(run: Run) -> None:
    run(
        """
        import pyossl.stdlib
        pyossl.stdlib.install()
        import ssl
        from ssl import SSLContext, SSLError, SSLWantReadError
        from exchanges import *
        pair, client = connected(), client_context()
        pyossl.stdlib.uninstall()
        assert SSLContext is ssl.SSLContext and SSLError is ssl.SSLError
        assert not is_over_pyossl(client_context())
        exchange()
        talk(pair)
        # What goes on over pyossl raises the classes that ssl has now.
        for context in (client, client_context()):
            try:
                context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="example.com").do_handshake()
            except SSLWantReadError:
                pass
            else:
                raise AssertionError
        pyossl.stdlib.install(strict=False)
        exchange()
        talk(pair)
        """
    )


def test_what_the_program_put_into_ssl_meanwhile_stays(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        pyossl.stdlib.install()
        ssl._create_default_https_context = ssl._create_unverified_context
        ssl.mine = 1
        pyossl.stdlib.uninstall()
        assert ssl._create_default_https_context is ssl._create_unverified_context and ssl.mine == 1
        """
    )


def test_a_class_derived_over_pyossl_goes_on_over_pyossl(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import *
        pyossl.stdlib.install()
        class Context(ssl.SSLContext): pass
        pyossl.stdlib.uninstall()
        context = client_context(Context)
        assert is_over_pyossl(context)
        exchange(context)
        """
    )


def test_an_exchange_leaves_nothing_to_the_garbage_collector(run: Run) -> None:
    run(
        """
        import gc, ssl, sysconfig
        import pyossl.stdlib
        def exchange():
            pyossl.stdlib.install()
            pyossl.stdlib.uninstall()
        exchange()  # imports, and makes what is kept
        gc.collect()
        gc.disable()
        before = len(gc.get_objects())
        exchange()  # once: the remains would double each time
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            gc.collect()  # a free-threaded Python frees functions nowhere else
        more = len(gc.get_objects()) - before
        assert more < 500, more
        """
    )
