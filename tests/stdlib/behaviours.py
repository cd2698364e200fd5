"""Asks a module ``_ssl`` a long list of questions, and prints the answers as JSON: test_surface.py compares them.

    python tests/stdlib/behaviours.py original|ours FOLDER

An answer is the value, or the exception with its text, and the warnings.  Numbers of lines of C files are removed.  The
same questions are put to the original `_ssl` of the running Python and to pyossl's, so that every Python says itself
what is right.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Question = tuple[str, Callable[[], Any]]

ODD = [None, "x", b"x", "", -1, 0, 1, 2, 3, 771, 772, 2**31, 2**32, 2**63, 2**64, 2**70, 1.5, True, (), object]
PROTOCOLS = ("TLS", "TLS_CLIENT", "TLS_SERVER", "TLSv1_2")


def module(which: str) -> Any:
    if which == "ours":
        from pyossl.stdlib.module import make

        return make(None)
    import _ssl

    return _ssl


def shown(value: Any) -> Any:
    """A value as text that does not depend on the addresses of objects."""
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    if isinstance(value, dict):
        return {str(shown(key)): shown(each) for key, each in value.items()}
    return re.sub(r" at 0x[0-9a-f]+", " at 0x", repr(value))


def without_line(text: str) -> str:
    return re.sub(r"_ssl\.c:\d+", "_ssl.c", text)


def answer(question: Callable[[], Any]) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = shown(question())
        except BaseException as error:
            extra = {
                name: getattr(error, name)
                for name in ("library", "reason", "verify_code", "verify_message", "filename")
                if getattr(error, name, None) is not None
            }
            result = f"{type(error).__name__}: {without_line(str(error))} {error.args[:1] if extra else ''} {extra}"
    return [result, *(f"{each.category.__name__}: {each.message}" for each in caught)]


def key_files(folder: Path) -> dict[str, str]:
    """The files that test_surface.py has written, and one that is missing."""
    return {path.name: str(path) for path in [*sorted(folder.iterdir()), folder / "missing.pem"]}


def settings(m: Any, protocol: str) -> Iterator[Question]:
    number = getattr(m, f"PROTOCOL_{protocol}")

    def fresh() -> Any:
        return m._SSLContext(number)

    names = sorted(n for n, v in vars(m._SSLContext).items() if type(v).__name__ in ("getset_descriptor", "property"))
    for name in names:
        yield f"{protocol}.{name}", lambda name=name: getattr(fresh(), name)
        for value in ODD:

            def changed(name: str = name, value: Any = value) -> Any:
                context = fresh()
                setattr(context, name, value)
                return getattr(context, name)

            yield f"{protocol}.{name} = {value!r}", changed
        if sys.version_info >= (3, 14, 10):  # an older original, for example 3.14.7, crashes
            yield f"del {protocol}.{name}", lambda name=name: delattr(fresh(), name)
    yield f"{protocol}: names of ciphers", lambda: [each["name"] for each in fresh().get_ciphers()]


def after(m: Any, protocol: str, *steps: Callable[[Any], Any]) -> Callable[[], Any]:
    """The question that does the steps with a new context; the answer is the last step's."""

    def question() -> Any:
        context = m._SSLContext(getattr(m, f"PROTOCOL_{protocol}"))
        result = None
        for step in steps:
            result = step(context)
        return result

    return question


def put(name: str, value: Any) -> Callable[[Any], None]:
    return lambda context: setattr(context, name, value)


def state(context: Any) -> Any:
    return [context.verify_mode, context.check_hostname, context.verify_flags, context.options]


def combinations(m: Any) -> Iterator[Question]:
    for first in (0, 1, 2, 3, -1):
        yield f"verify_mode {first} of a client", after(m, "TLS_CLIENT", put("verify_mode", first), state)
        yield (
            f"verify_mode {first} of a client that does not check names",
            after(m, "TLS_CLIENT", put("check_hostname", False), put("verify_mode", first), state),
        )
        yield (
            f"verify_mode {first}, then check_hostname",
            after(m, "TLS", put("verify_mode", first), put("check_hostname", True), state),
        )
    for flags in (0, 4, 8, 12, 0x80000, 0x80020, 0x8000, 0x100000):
        yield f"verify_flags {flags:#x}", after(m, "TLS_CLIENT", put("verify_flags", flags), state)
    for options in (0, 0x4000, 0x04000000, 0x10000000, 0x20000000, 0x3C000000, 1 << 31, 1 << 34):
        yield f"options {options:#x}", after(m, "TLS_CLIENT", put("options", options), state)
    for lowest in (-2, -1, 768, 769, 770, 771, 772, 773, 0):
        for which in ("minimum_version", "maximum_version"):
            yield (
                f"{which} {lowest}",
                after(
                    m,
                    "TLS_CLIENT",
                    put(which, lowest),
                    lambda context: (context.minimum_version, context.maximum_version),
                ),
            )
    for flags in (0, 1, 2, 4, 8, 16, 32, 36):
        yield f"_host_flags {flags}", after(m, "TLS", put("_host_flags", flags), lambda context: context._host_flags)
    for callback in (None, print, 1):
        for name in ("sni_callback", "_msg_callback"):
            for protocol in ("TLS_CLIENT", "TLS_SERVER"):
                yield (
                    f"{name} of {protocol}: {callback!r}",
                    after(m, protocol, put(name, callback), lambda context, name=name: getattr(context, name)),
                )
    for tickets in (0, 1, 5, 1000):
        yield (
            f"num_tickets {tickets}",
            after(m, "TLS_SERVER", put("num_tickets", tickets), lambda context: context.num_tickets),
        )


def methods(m: Any) -> Iterator[Question]:
    calls: dict[str, list[tuple[Any, ...]]] = {
        "set_ciphers": [
            (),
            ("ALL",),
            ("",),
            ("nope",),
            (b"ALL",),
            (1,),
            (None,),
            ("A\0B",),
            ("\ud800",),
            ("é",),
            ("ALL", 1),
            ("AES256-GCM-SHA384",),
            ("@SECLEVEL=0:ALL:COMPLEMENTOFALL",),
        ],
        "set_ciphersuites": [(), ("TLS_AES_128_GCM_SHA256",), ("",), ("nope",), (b"x",), (1,)],
        "set_groups": [(), ("P-256",), ("P-256:X25519",), ("",), ("nope",), (b"x",), (1,)],
        "get_groups": [(1,)],
        "set_client_sigalgs": [(), ("RSA-PSS+SHA256",), ("",), ("nope",), (1,)],
        "set_server_sigalgs": [(), ("RSA-PSS+SHA256",), ("",), ("nope",), (1,)],
        "set_ecdh_curve": [
            (),
            ("prime256v1",),
            (b"prime256v1",),
            ("secp384r1",),
            ("X25519",),
            ("nope",),
            ("",),
            (1,),
            (None,),
            ("a\0b",),
            (bytearray(b"prime256v1"),),
            (Path("prime256v1"),),
            ("rsaEncryption",),
        ],
        "_set_alpn_protocols": [
            (),
            (b"",),
            (b"\x02h2",),
            ("x",),
            (bytearray(b"\x02h2"),),
            (1,),
            (b"\x00",),
            (b"\x05h",),
        ],
        "load_dh_params": [(), (None,), (1.5,), ("/nowhere",), (b"/nowhere",), ("a\0b",), (os.devnull,), ("/",)],
        "set_default_verify_paths": [(), (1,)],
        "session_stats": [(), (1,)],
        "cert_store_stats": [(), (1,)],
        "get_ca_certs": [(), (True,), (1, 2), ("x",)],
        "get_ciphers": [(1,)],
        "_wrap_socket": [(), (1,), (1, False), (None, True)],
        "_wrap_bio": [(), (1, 2), (1, 2, False), (None, None, True)],
        "set_psk_client_callback": [(), (None,), (1,), (print,), (print, 1)],
        "set_psk_server_callback": [
            (),
            (None,),
            (1,),
            (print,),
            (print, "hint"),
            (print, None),
            (print, 1),
            (None, "h"),
        ],
        "load_cert_chain": [(), (None,), (1.5,), ("/nowhere",), (b"/nowhere",), ("a\0b",), ("/",), (os.devnull,)],
        "load_verify_locations": [
            (),
            (None,),
            (None, None, None),
            ("/nowhere",),
            (None, "/nowhere"),
            (1.5,),
            (None, 1.5),
            (None, None, 1.5),
            (None, None, ""),
            (None, None, b""),
            (None, None, "x"),
            (None, None, b"x"),
            (None, None, "é"),
            (None, None, memoryview(b"abcd")[::2]),
            ("a\0b",),
            ("/",),
            (os.devnull,),
            (None, os.devnull),
        ],
    }
    for name, arguments in calls.items():
        for protocol in ("TLS_CLIENT", "TLS_SERVER"):
            for each in arguments:
                yield (
                    re.sub(r" at 0x[0-9a-f]+", "", f"{protocol}.{name}{each!r}"),
                    after(m, protocol, lambda context, name=name, each=each: getattr(context, name)(*each)),
                )
    yield "keyword", after(m, "TLS", lambda context: context.set_ciphers(cipherlist="ALL"))
    yield "get_ca_certs by keyword", after(m, "TLS", lambda context: context.get_ca_certs(binary_form=True))
    yield "no cafile", after(m, "TLS", lambda context: context.load_verify_locations(cafile=None, cadata=None))
    yield "unknown keyword", after(m, "TLS", lambda context: context.load_cert_chain(certificate=1))


def files(m: Any, paths: dict[str, str]) -> Iterator[Question]:
    def load(name: str, *rest: Any, **more: Any) -> Callable[[], Any]:
        return after(m, "TLS_SERVER", lambda context: context.load_cert_chain(paths[name], *rest, **more))

    for name in paths:
        yield f"load_cert_chain {name}", load(name, password="wrong")
        yield f"load_cert_chain {name} with another key", load(name, paths["key.pem"])
        yield (
            f"load_verify_locations {name}",
            after(
                m,
                "TLS_CLIENT",
                lambda context, name=name: context.load_verify_locations(paths[name]),
                lambda context: (context.cert_store_stats(), sorted(context.get_ca_certs(), key=str)),
            ),
        )
        for how in ("bytes", "text"):

            def data(name: str = name, how: str = how) -> Any:
                read = Path(paths[name]).read_bytes()
                return read if how == "bytes" else read.decode("latin-1")

            yield (
                f"cadata {name} as {how}",
                after(
                    m,
                    "TLS_CLIENT",
                    lambda context, data=data: context.load_verify_locations(cadata=data()),
                    lambda context: (context.cert_store_stats(), len(context.get_ca_certs(True))),
                ),
            )
        yield f"_test_decode_cert {name}", lambda name=name: m._test_decode_cert(paths[name])
        yield f"load_dh_params {name}", after(m, "TLS_SERVER", lambda c, name=name: c.load_dh_params(paths[name]))

    passwords: list[Any] = [
        "secret",
        b"secret",
        bytearray(b"secret"),
        lambda: "secret",
        lambda: b"secret",
        lambda: bytearray(b"secret"),
        "wrong",
        lambda: "wrong",
        "",
        lambda: None,
        lambda: 1,
        1,
        lambda: 1 / 0,
        "x" * 1025,
        lambda: "x" * 1025,
        lambda: "x" * 1024,
        memoryview(b"secret"),
        lambda x: x,
        "é",
        "\ud800",
        {"a": 1},
    ]
    for place, password in enumerate(passwords):
        yield f"password {place}", load("encrypted.pem", password=password)
        yield f"password {place} not needed", load("both.pem", password=password)
    yield (
        "twice",
        after(
            m,
            "TLS_CLIENT",
            lambda context: [context.load_verify_locations(paths["authority.pem"]) for _ in range(2)],
            lambda context: context.cert_store_stats(),
        ),
    )
    yield (
        "the same cadata twice",
        after(
            m,
            "TLS_CLIENT",
            lambda context: context.load_verify_locations(cadata=Path(paths["authority.pem"]).read_text() * 2),
            lambda context: context.cert_store_stats(),
        ),
    )


def functions(m: Any) -> Iterator[Question]:
    calls: dict[str, list[tuple[Any, ...]]] = {
        "txt2obj": [
            (),
            ("1.2.3",),
            ("serverAuth",),
            ("serverAuth", True),
            ("1.3.6.1.5.5.7.3.1",),
            ("1.3.6.1.5.5.7.3.1", True),
            ("",),
            ("x",),
            ("a\0b",),
            (1,),
            (None,),
            (b"1.2.3",),
            ("\ud800",),
            ("1.2.3", True),
            ("x" * 200,),
            ("TLS Web Server Authentication", True),
            ("DES-EDE3", True),
            ("2.5.29.17", False),
        ],
        "nid2obj": [(), (129,), (33,), (0,), (-1,), (99999,), ("x",), (1.5,), (2**40,), (None,)],
        "RAND_bytes": [(), (0,), (-1,), ("x",), (1.5,), (None,), (2**40,)],
        "RAND_add": [(), ("x",), ("x", 0), (b"x", 1.5), (1, 1), (bytearray(b"x"), 0.0), ("\ud800", 0.0), (b"", 0)],
        "RAND_status": [(), (1,)],
        "RAND_pseudo_bytes": [(), (0,), (-1,), ("x",)],
        "get_default_verify_paths": [(), (1,)],
        "_test_decode_cert": [(), ("/nowhere",), (None,), (1.5,), ("/",), (os.devnull,), ("a\0b",)],
        "_SSLContext": [(), ("x",), (1.5,), (None,), (99,), (-1,), (2**40,), (2, 2), (1,), (0,), (3,), (6,), (True,)],
        "MemoryBIO": [(1,)],
        "_SSLSocket": [()],
        "SSLSession": [()],
        "Certificate": [()],
        "get_sigalgs": [()],
    }
    for name, arguments in calls.items():
        for each in arguments:
            yield f"{name}{each!r}", lambda name=name, each=each: getattr(m, name)(*each)
    yield "length of RAND_bytes", lambda: len(m.RAND_bytes(33))
    yield "_SSLContext by keyword", lambda: m._SSLContext(protocol=2)
    yield "txt2obj by keyword", lambda: m.txt2obj(txt="serverAuth", name=True)


def objects(m: Any) -> Iterator[Question]:
    def context() -> Any:
        return m._SSLContext(m.PROTOCOL_TLS_CLIENT)

    yield "copy of a context", lambda: copy.copy(context())
    yield "deep copy of a context", lambda: copy.deepcopy(context())
    yield "pickled context", lambda: pickle.dumps(context())
    yield "equal contexts", lambda: context() == context()
    yield "an attribute of a context", lambda: setattr(context(), "x", 1)
    yield "an attribute of the class", lambda: setattr(m._SSLContext, "x", 1)
    yield "repr", lambda: repr(context()).partition(" at ")[0]
    for name in ("SSLError", "SSLCertVerificationError", "SSLWantReadError", "SSLEOFError"):
        kind = getattr(m, name)
        yield f"{name}: bases", lambda kind=kind: [each.__name__ for each in kind.__mro__]
        yield f"{name}: text", lambda kind=kind: [str(kind()), str(kind("x")), str(kind(1, "x")), repr(kind(1, "x"))]
        yield f"{name}: module", lambda kind=kind: [kind.__module__, kind.__qualname__]


def questions(m: Any, folder: Path) -> dict[str, list[Question]]:
    return {
        "settings": [each for protocol in PROTOCOLS for each in settings(m, protocol)],
        "combinations": list(combinations(m)),
        "methods": list(methods(m)),
        "files": list(files(m, key_files(folder))),
        "functions": list(functions(m)),
        "objects": list(objects(m)),
    }


def main(which: str, folder: Path) -> None:
    m = module(which)
    answers = {
        area: {text: answer(question) for text, question in asked} for area, asked in questions(m, folder).items()
    }
    print(json.dumps(answers).replace(str(folder), ""))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
