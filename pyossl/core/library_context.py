"""Library contexts: several configurations of OpenSSL side by side in one process.  OSSL_LIB_CTX(3)

The life of an OSSL_LIB_CTX
---------------------------
A program that uses no ``LibraryContext`` uses the default library context, which openssl.cnf configures and which lives
as long as the process.  ``None`` and NULL stand for it everywhere.

An OSSL_LIB_CTX that a ``LibraryContext`` has made is never freed.  OpenSSL cannot free it safely: each thread that has
used it, for example for one random number, has a state of its own for it.  When the thread ends, OpenSSL uses this
state together with the library context.  If that was freed before, the process crashes (docs/pitfalls.md, 66).
Certificates, sessions and keys refer to it too, and do not count their references.

So that a program may make as many as it likes, an OSSL_LIB_CTX is used again after the last reference to its
``LibraryContext`` is gone: by the next ``LibraryContext`` with the same arguments, if its files say the same as then,
and if the same providers are loaded.  A ``Context``, a ``Store``, a ``PrivateKey`` and the certificates of a peer have
a reference to their ``LibraryContext``.
"""

from __future__ import annotations

import os
from contextlib import suppress

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import c_string, iterated, path
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, check, check_ptr, failed, require
from pyossl.core.outcome import take_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Any

    from pyossl.core.provider import Provider

    Path = str | os.PathLike[str]


class _Idle:
    """The OSSL_LIB_CTXs that were made with the same arguments and are not used now, and their providers."""

    __slots__ = ("libraries", "providers")

    def __init__(self) -> None:
        self.libraries: list[Any] = []
        self.providers: tuple[str, ...] = ()


_idle: dict[object, _Idle] = {}


class LibraryContext(Uncopied):
    """Providers, properties and configuration of OpenSSL that are separate from the rest of the process.

    It is passed as ``library_context`` to ``Context.client``, ``Context.server``, ``PrivateKey.load``, ``Store.of`` and
    others.  Everything that they make takes its algorithms from there.  Any number of library contexts can be used
    side by side, for example one with FIPS and one without.  It is also a context manager, which closes it.

    OpenSSL 3.0 or newer; with older ones the constructor raises ``UnsupportedError``.  OSSL_LIB_CTX(3)
    """

    __slots__ = ("__weakref__", "_closed", "_library", "_loaded")

    _instead = "make another one with the same arguments"

    def __init__(
        self,
        *,
        fips: bool | Path = False,
        configuration: Path | None = None,
        providers: Iterable[str] = (),
        properties: str | None = None,
        modules: Path | None = None,
    ) -> None:
        """Makes a library context.  Without arguments it has the provider ``default``.

        - ``fips``: True allows algorithms of the FIPS provider only.  Its configuration is the file ``fipsmodule.cnf``
          beside the system's openssl.cnf, if there is one; a path names the file that ``openssl fipsinstall`` wrote.
        - ``configuration``: the path of a configuration file like openssl.cnf.  Its providers, default properties and
          random number generator apply to this library context.  Everything else in it is ignored, because it would
          apply to the whole process.  The system's openssl.cnf is not read.
        - ``providers``: the names of the providers to load, for example ``("default", "legacy")``.  A library context
          with providers has ``default`` only if it is one of them.
        - ``properties``: a property query that every algorithm must match, for example ``provider=default``.
        - ``modules``: the directory of the modules of providers; None for OpenSSL's own.

        The system's policy for TLS (security level, oldest version) applies to all library contexts.

        Raises ``UnsupportedError`` if this OpenSSL has no library contexts, or if its FIPS provider is not installed;
        ``OSError`` if a file or directory cannot be read; ``ValueError`` for a malformed configuration or property
        query; and ``Error`` if a provider cannot be loaded.  OSSL_LIB_CTX_new(3), OSSL_PROVIDER_load(3),
        EVP_set_default_properties(3)
        """
        if hasattr(self, "_library"):
            raise UsageError("this library context has been initialised already: make another one")
        settings = _Settings(fips, configuration, providers, properties, modules)
        require(lib.HAVE_PROVIDERS, "library contexts")
        settings.read()
        idle = _idle.setdefault(settings.key, _Idle())
        library = _used_again(idle)
        self._library = _made(settings, idle) if library is None else library
        self._loaded: dict[str, Any] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The loaded providers.  OSSL_PROVIDER_do_all(3)"""
        from pyossl.core.provider import providers_of

        return providers_of(self._open())

    @property
    def is_fips_enabled(self) -> bool:
        """Whether algorithms are taken from a FIPS provider only.  EVP_default_properties_is_fips_enabled(3)"""
        return bool(lib.pyossl_fips(self._open()))

    def load(self, name: str) -> None:
        """Loads a provider; does nothing if ``load`` has loaded it already.

        ``name`` is ``default``, ``legacy``, ``base``, ``null``, or the name of a module.  Raises ``Error`` if there is
        no such provider, and ``UsageError`` if the library context is closed.  OSSL_PROVIDER_load(3)
        """
        library = self._open()
        wanted = c_string(name, "the name of a provider")
        if name not in self._loaded:
            self._loaded[name] = _load(library, wanted)

    def unload(self, name: str) -> None:
        """Unloads the provider ``name``, which ``load`` has loaded.

        Connections that have their keys already go on.  OpenSSL may also use other algorithms of the provider that it
        has looked up before; what needs a new one fails.  Raises ``ValueError`` if ``load`` has not loaded it, and
        ``UsageError`` if the library context is closed.  OSSL_PROVIDER_unload(3)
        """
        self._open()
        c_string(name, "the name of a provider")
        provider = self._loaded.pop(name, None)
        if provider is None:
            raise ValueError(f"load() has not loaded the provider {name!r}; it has loaded {sorted(self._loaded)}")
        take_records()
        check(lib.OSSL_PROVIDER_unload(provider), f"unloading the provider {name!r}")

    def close(self) -> None:
        """Ends the use of the library context: nothing new can be made with it.

        Contexts, keys and connections that were made with it can still be used.  Closing it twice does nothing.
        """
        self._closed = True

    def _open(self) -> Any:
        """The ``OSSL_LIB_CTX *``.  Raises ``UsageError`` if the library context is closed."""
        if self._closed:
            raise UsageError("this library context is closed")
        return self._library

    def __enter__(self) -> LibraryContext:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return "<LibraryContext closed>"
        fips = " FIPS" if self.is_fips_enabled else ""
        return f"<LibraryContext{fips} providers={','.join(provider.name for provider in self.providers)}>"


def library_pointer(library_context: LibraryContext | None) -> Any:
    """The ``OSSL_LIB_CTX *`` of an argument ``library_context``; NULL for None, the default library context.

    Raises ``TypeError`` for another object, and ``UsageError`` if the library context is closed.
    """
    if library_context is None:
        return ffi.NULL
    if not isinstance(library_context, LibraryContext):
        raise TypeError(f"library_context is a LibraryContext or None, not {type(library_context).__name__}")
    return library_context._open()


def library_in_use(library_context: LibraryContext | None) -> Any:
    """As ``library_pointer``, for an object that was made with the library context: it may be closed since."""
    return ffi.NULL if library_context is None else library_context._library


def fips_note(library_context: LibraryContext | None) -> str:
    """The end of a message about an algorithm that was refused: whether only FIPS algorithms are allowed."""
    return " (only FIPS algorithms are allowed here)" if lib.pyossl_fips(library_in_use(library_context)) else ""


class _Settings:
    """The arguments of a library context, checked, and the contents of their files."""

    __slots__ = ("configuration", "fips", "fips_file", "key", "modules", "properties", "providers", "texts")

    def __init__(
        self,
        fips: bool | Path,
        configuration: Path | None,
        providers: Iterable[str],
        properties: str | None,
        modules: Path | None,
    ) -> None:
        self.fips = fips is not False
        self.fips_file = None if isinstance(fips, bool) else _path(fips, "fips")
        self.configuration = None if configuration is None else _path(configuration, "configuration")
        if isinstance(providers, str):
            raise TypeError(f"providers are several names, for example ({providers!r},), not a str")
        self.providers = [c_string(name, "the name of a provider") for name in iterated(providers, "providers")]
        self.properties = None if properties is None else c_string(properties, "a property query")
        self.modules = None if modules is None else _path(modules, "modules")

    def read(self) -> None:
        """Reads the files.  Raises ``OSError`` if one cannot be read, or if the directory does not exist."""
        if self.modules is not None:
            os.listdir(self.modules)
        if self.fips and self.fips_file is None:
            from pyossl.core.fips_module import default_fips_configuration

            default = default_fips_configuration()
            self.fips_file = default if os.path.exists(default) else None
        policy = None
        if lib.HAVE_API_4_0:
            from pyossl.core.library_configuration import configuration_file

            policy = configuration_file() if os.path.exists(configuration_file()) else None
        files = policy, self.fips_file, self.configuration
        self.texts = [None if file is None else _contents(file) for file in files]
        chosen = self.fips, tuple(self.providers), self.properties, self.modules, os.environ.get("OPENSSL_MODULES")
        self.key = (*map(_resolved, self.texts), *chosen)


def _path(value: object, what: str) -> str:
    return os.fsdecode(path(value, what))


def _contents(file: str) -> bytes:
    with open(file, "rb") as opened:
        return opened.read()


def _resolved(configuration: bytes | None) -> bytes | None:
    """What tells a configuration from others: the files that it includes may have changed."""
    if configuration is None:
        return None
    from pyossl.core.library_configuration import resolved_configuration

    return resolved_configuration(configuration)


def _made(settings: _Settings, idle: _Idle) -> Any:
    """A new OSSL_LIB_CTX with these settings, which goes to ``idle`` with its last reference."""
    take_records()
    library = check_ptr(lib.OSSL_LIB_CTX_new(), "OSSL_LIB_CTX_new")
    try:
        _set_up(library, settings)
        idle.providers = _provider_names(library)
    except BaseException:  # of any kind: nobody else would free it; no other thread has used it
        lib.OSSL_LIB_CTX_free(library)
        raise
    return own(library, idle.libraries.append)


def _set_up(library: Any, settings: _Settings) -> None:
    policy, fips_configuration, configuration = settings.texts
    if policy is not None:
        from pyossl.core.library_configuration import apply_policy

        apply_policy(library, policy)
    if settings.modules is not None:
        what = f"setting the directory of modules to {settings.modules!r}"
        check(lib.OSSL_PROVIDER_set_default_search_path(library, os.fsencode(settings.modules)), what)
    if configuration is not None:
        from pyossl.core.library_configuration import apply_configuration

        apply_configuration(library, configuration, repr(settings.configuration))
    for name in settings.providers:
        _load(library, name)
    if settings.properties is not None and lib.EVP_set_default_properties(library, settings.properties) != 1:
        error = failed(f"setting the property query {settings.properties.decode()!r}")
        raise ValueError(str(error)) from error
    if settings.fips:
        from pyossl.core.fips_module import load_fips

        load_fips(library, fips_configuration, repr(settings.fips_file), settings.modules)
    take_records()


def _load(library: Any, name: bytes) -> Any:
    take_records()
    provider = check_ptr(lib.OSSL_PROVIDER_load(library, name), f"loading the provider {name.decode()!r}")
    take_records()
    return provider


def _used_again(idle: _Idle) -> Any:
    """An OSSL_LIB_CTX of a ``LibraryContext`` with the same arguments that is gone; None if there is none."""
    with suppress(IndexError):
        while True:
            library = idle.libraries.pop()
            if _provider_names(library) == idle.providers:  # else a program has loaded or unloaded some
                return own(library, idle.libraries.append)
    return None


def _provider_names(library: Any) -> tuple[str, ...]:
    from pyossl.core.provider import providers_of

    return tuple(provider.name for provider in providers_of(library))
