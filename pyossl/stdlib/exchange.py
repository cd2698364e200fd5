"""Exchanges the ``_ssl`` under the module ``ssl``.

An exchange has two halves.  In the first one everything is prepared and checked, and nothing that a program can see
changes: ``ssl.py`` is executed over the other ``_ssl`` (pyossl/stdlib/ssl_namespace.py), a context is made with it, and
the references that other modules hold are found (pyossl/stdlib/references.py).  The second half changes: the methods of
the old classes keep the old names, the module gets the new ones in one step, and the references are replaced.  Each
change has its undoing, and if one fails, those before it are undone.

Other threads may use ``ssl`` meanwhile.  A function that is in the middle of its work, and has looked up some names
before the exchange and others after it, would mix the two; so the exchange waits until no thread is in one of the
functions that take a moment.  A thread that waits for the network, in a method of a connection, uses no names any more.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyossl.core.library_in_use import library_in_use
from pyossl.core.library_search import VARIABLE
from pyossl.core.methods_in_c import use_ssl_errors
from pyossl.stdlib import errors
from pyossl.stdlib.install_error import InstallError
from pyossl.stdlib.memory_bio_bridge import let_take
from pyossl.stdlib.old_objects import contexts_in_modules
from pyossl.stdlib.references import References
from pyossl.stdlib.ssl_namespace import Namespace, attached_now, executed, functions_of, is_class_of_ssl

_WAIT = 5.0
"""The most seconds to wait until no other thread is in the middle of a function of ``ssl.py``."""
_WAITS_FOR_THE_NETWORK = frozenset(
    {"read", "write", "do_handshake", "unwrap", "verify_client_post_handshake", "accept", "connect", "connect_ex"}
    | {"_real_connect", "recv", "recv_into", "send", "sendall", "recvfrom", "sendto", "sendfile", "shutdown", "close"}
)
_CONTEXTS_SHOWN = 5
_CONTAINERS = (dict, list, set, tuple)
_OF_PYOSSL = ("pyossl.core.methods_in_c", "pyossl.stdlib")
"""The modules besides those in pyossl.stdlib that know the types in C; they go on with both kinds."""


def exchange(
    new: types.ModuleType,
    strict: bool,
    finish: Callable[[dict[str, Any]], object] = lambda names: None,
    entering: Namespace | None = None,
) -> Namespace:
    """Puts ``ssl`` over ``new``; returns what it was before.

    ``entering`` is what it was over ``new``, if it was.  ``finish`` is called with what is made otherwise.
    """
    ssl = importlib.import_module("ssl")  # waits for a thread that is importing it
    if entering is None:
        entering = executed(ssl, new, finish)
    leaving = attached_now(ssl)
    if strict and (path := _library_of_python()):
        raise InstallError(
            f"pyossl uses {path}, which belongs to this Python and not to the system: it was loaded with ssl, before "
            f"pyossl; call pyossl.stdlib.install() before ssl is imported, or set {VARIABLE} to the system's libssl"
        )
    _refuse_what_others_replaced(leaving, entering, strict)
    if strict and (paths := contexts_in_modules(leaving.names)):
        raise InstallError(_too_late(paths))
    names = _names_after(leaving, entering)
    stale = [name for name in leaving.names if name in vars(leaving.ssl_c) and name not in names]
    changes = References(_replacements(leaving, names, new), _kept(ssl, leaving, entering)).find()

    undo: list[Callable[[], object]] = []

    def do(make: Callable[[], object], unmake: Callable[[], object]) -> None:
        undo.append(unmake)  # first: a change that fails half-way is undone too
        make()

    def put_names() -> None:
        vars(ssl).update(names)  # one step, for other threads
        for name in stale:
            vars(ssl).pop(name, None)

    def put_names_back() -> None:
        vars(ssl).update(leaving.names)
        for name in names.keys() - leaving.names.keys():
            vars(ssl).pop(name, None)

    try:
        _wait_until_nobody_is_inside(vars(ssl))
        do(leaving.detach, leaving.attach)
        do(entering.attach, entering.detach)
        do(lambda: sys.modules.update(_ssl=new), lambda: sys.modules.update(_ssl=leaving.ssl_c))
        do(lambda: _raise_the_classes_of(new, leaving), lambda: _raise_the_classes_of(leaving.ssl_c, leaving))
        do(put_names, put_names_back)
        for change in changes:
            do(change.make, change.undo)
        let_take(leaving.names["SSLContext"], leaving.ssl_c, new)
        let_take(names["SSLContext"], new, leaving.ssl_c)
    except BaseException:
        for unmake in reversed(undo):
            unmake()
        raise
    return leaving


def _raise_the_classes_of(ssl_c: types.ModuleType, leaving: Namespace) -> None:
    """Lets pyossl raise the exception classes that ``ssl`` has from now on.

    They are the same as before, but for the first ``uninstall`` in a process that had not loaded the original.
    """
    kinds = errors.use(ssl_c)
    use_ssl_errors(kinds.SSLError, kinds.SSLWantReadError, kinds.SSLWantWriteError)
    for space in (leaving.names, leaving.detached, vars(leaving.ssl_c)):
        space.update(kinds._asdict())


def _library_of_python() -> str:
    """The libssl that pyossl uses, if it belongs to a Python with an installation of its own; otherwise empty.

    A wheel gets it from the dynamic linker, if it was loaded before: there is one library of a name.
    """
    library = library_in_use()
    home = os.path.realpath(sys.base_prefix)
    is_chosen = bool(os.environ.get(VARIABLE)) and not sys.flags.ignore_environment
    if not library.is_late or is_chosen or home == "/usr":
        return ""
    return library.path if os.path.realpath(library.path).startswith(f"{home}/") else ""


def _too_late(paths: list[str]) -> str:
    shown = ", ".join(paths[:_CONTEXTS_SHOWN])
    if len(paths) > _CONTEXTS_SHOWN:
        shown += f" and {len(paths) - _CONTEXTS_SHOWN} more"
    return (
        f"contexts that were made before would go on using Python's own OpenSSL for new connections: {shown}; call "
        f"pyossl.stdlib.install() before they are made, or install(strict=False) and replace them"
    )


def _refuse_what_others_replaced(leaving: Namespace, entering: Namespace, strict: bool) -> None:
    """A class of ``ssl`` that another module has replaced, truststore or gevent for example, would be lost."""
    for name, ours in entering.names.items():
        theirs = leaving.names.get(name)
        if not is_class_of_ssl(ours) or theirs is None:
            continue
        if not is_class_of_ssl(theirs):
            raise InstallError(
                f"ssl.{name} has been replaced, by {_origin(theirs)}: replace it after pyossl.stdlib.install(), and "
                f"undo that before uninstall()"
            )
        for entry, thing in vars(theirs).items():
            at_home = {function.__module__ for function in functions_of(vars(ours).get(entry))}
            for function in functions_of(thing):
                if strict and function.__module__ not in {"ssl", __name__, let_take.__module__, *at_home}:
                    raise InstallError(
                        f"ssl.{name}.{entry} has been replaced, by {_origin(function)}, and install() would lose that: "
                        f"call it before, or install(strict=False)"
                    )


def _origin(thing: Any) -> str:
    module, name = getattr(thing, "__module__", type(thing).__module__), getattr(thing, "__qualname__", "")
    return f"{module}.{name or type(thing).__qualname__}"


def _names_after(leaving: Namespace, entering: Namespace) -> dict[str, Any]:
    """The names to put into ``ssl``.  A function that the program has replaced stays replaced.

    ``ssl._create_default_https_context`` is one that programs replace, by another function of ``ssl`` or by their own.
    """
    names = dict(entering.names)
    for name, present in leaving.names.items():
        if not _is_function_of_ssl(entering.names.get(name)):
            continue
        if not _is_function_of_ssl(present):
            names[name] = present
        elif _is_function_of_ssl(entering.names.get(present.__name__)):
            names[name] = entering.names[present.__name__]
    return names


def _is_function_of_ssl(value: object) -> bool:
    return isinstance(value, types.FunctionType) and value.__module__ == "ssl"


def _replacements(leaving: Namespace, names: dict[str, Any], new: types.ModuleType) -> Iterator[tuple[object, object]]:
    """Each old object, and the new one that takes its place."""
    seen = set[int]()
    for old_names, new_names in ((leaving.names, names), (vars(leaving.ssl_c), vars(new))):
        for name, old in old_names.items():
            other = new_names.get(name)
            if name.startswith("__") or other is None or other is old or id(old) in seen:
                continue
            if not _is_replaced(name, old, leaving.ssl_c) or getattr(old, "__name__", name) != name:
                continue
            seen.add(id(old))
            yield old, other
            if isinstance(old, type):
                yield from _members(old, other)
    if id(leaving.ssl_c) not in seen:
        yield leaving.ssl_c, new


def _is_replaced(name: str, old: object, ssl_c: types.ModuleType) -> bool:
    if name in vars(ssl_c):
        return isinstance(old, (type, types.FunctionType, types.BuiltinFunctionType))
    return is_class_of_ssl(old) or _is_function_of_ssl(old)


def _members(old: Any, new: Any) -> Iterator[tuple[object, object]]:
    """The members of an enumeration: ``Purpose.SERVER_AUTH`` is a default argument of programs."""
    members = getattr(new, "__members__", {})
    for name, member in getattr(old, "__members__", {}).items():
        if name == member.name and name in members:
            yield member, members[name]


def _kept(ssl: types.ModuleType, *sets: Namespace) -> Iterator[object]:
    """What refers to the old objects and stays as it is."""
    yield vars(ssl)
    yield sys.modules
    for each in sets:
        yield from (each, vars(each), each.names, each.detached, each.methods, vars(each.ssl_c), *each.methods)
        for value in (*each.names.values(), *each.detached.values(), *vars(each.ssl_c).values()):
            if isinstance(value, types.FunctionType):
                yield from _parts_of(value)
            elif isinstance(value, type) and (is_class_of_ssl(value) or value.__module__ == "_ssl"):
                yield value
                yield from _parts_of_class(value)
        for method in each.methods:
            for thing in (method.attached, method.detached):
                for function in functions_of(thing):
                    yield from _parts_of(function)
    for name, module in list(sys.modules.items()):
        if name in _OF_PYOSSL or name.startswith("pyossl.stdlib."):
            yield vars(module)
            for value in vars(module).values():
                if isinstance(value, _CONTAINERS):
                    yield value
                elif isinstance(value, types.FunctionType):
                    yield from _parts_of(value)
                elif isinstance(value, type) and value.__module__ == name:
                    yield from _parts_of_class(value)


def _parts_of_class(owner: type) -> Iterator[object]:
    for thing in vars(owner).values():
        if isinstance(thing, _CONTAINERS):
            yield thing
        for function in functions_of(thing):
            yield from _parts_of(function)
    if hasattr(owner, "__members__"):
        for member in owner.__members__.values():
            yield from (member, vars(member))


def _parts_of(function: types.FunctionType) -> Iterable[object]:
    yield function
    yield from (function.__defaults__, function.__kwdefaults__, function.__annotations__, vars(function))
    yield from function.__closure__ or ()


def _wait_until_nobody_is_inside(space: dict[str, Any]) -> None:
    """Waits until no other thread is in a function of ``ssl.py`` that takes a moment."""
    end = time.monotonic() + _WAIT
    while _is_somebody_inside(space) and time.monotonic() < end:
        time.sleep(0.0005)


def _is_somebody_inside(space: dict[str, Any]) -> bool:
    frames = sys._current_frames()
    # A variable with the own frame would be a cycle, which keeps everything that the callers have.
    frames.pop(threading.get_ident(), None)
    for top in frames.values():
        frame: types.FrameType | None = top
        while frame is not None and frame.f_globals is not space:
            frame = frame.f_back
        if frame is not None and frame.f_code.co_name not in _WAITS_FOR_THE_NETWORK:
            return True
    return False
