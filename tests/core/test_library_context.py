"""A ``LibraryContext`` has providers, properties and a configuration of its own; nothing of it reaches the process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from marks import needs, without

import pyossl
from pyossl import LibraryContext, UnsupportedError, UsageError, lib
from pyossl.core import library_context as module
from pyossl.tls import system_openssl


def names(library: LibraryContext) -> list[str]:
    return sorted(provider.name for provider in library.providers)


def written(folder: Path, text: str) -> Path:
    path = folder / "openssl.cnf"
    path.write_text(text)
    return path


@without("providers")
@pytest.mark.parametrize("arguments", [{}, {"fips": True}, {"providers": ["default"]}])
def test_an_openssl_without_library_contexts_says_so(arguments: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match="library contexts"):
        LibraryContext(**arguments)


@needs("providers")
@pytest.mark.feature("library contexts with providers and properties of their own")
def test_providers_are_loaded_listed_and_unloaded_without_the_process() -> None:
    before = system_openssl.providers()
    library = LibraryContext()
    assert names(library) == ["default"]
    library.load("base")
    library.load("base")
    assert names(library) == ["base", "default"]
    base = next(provider for provider in library.providers if provider.name == "base")
    assert base.active
    assert base.version
    assert "Base" in base.title
    library.unload("base")
    assert names(library) == ["default"]
    assert system_openssl.providers() == before


@needs("providers")
def test_providers_are_chosen_at_the_beginning() -> None:
    assert names(LibraryContext(providers=("base", "null"))) == ["base", "null"]


@needs("providers")
def test_a_provider_that_load_has_not_loaded_is_not_unloaded() -> None:
    library = LibraryContext(providers=["default"])
    with pytest.raises(ValueError, match="has not loaded the provider 'default'"):
        library.unload("default")
    assert names(library) == ["default"]


@needs("providers")
@pytest.mark.parametrize("name", ["no-such-provider", "/no/such/provider", ""])
def test_a_provider_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(pyossl.Error, match=f"loading the provider '{name}' failed: "):
        LibraryContext(providers=[name])
    library = LibraryContext()
    with pytest.raises(pyossl.Error, match=f"loading the provider '{name}' failed: "):
        library.load(name)
    assert names(library) == ["default"]


@needs("providers")
def test_a_module_is_looked_for_in_the_directory_of_modules(tmp_path: Path) -> None:
    (tmp_path / "broken.so").write_bytes(b"no module")
    (tmp_path / "broken.dylib").write_bytes(b"no module")
    with pytest.raises(pyossl.Error, match="loading the provider 'broken' failed: ") as caught:
        LibraryContext(modules=tmp_path, providers=["broken"])
    assert str(tmp_path) in str(caught.value)


@needs("providers")
@pytest.mark.parametrize("argument", ["modules", "configuration", "fips"])
def test_a_path_that_does_not_exist_is_an_os_error(argument: str, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {argument: tmp_path / "nothing"}
    with pytest.raises(FileNotFoundError, match="nothing"):
        LibraryContext(**arguments)


@needs("providers")
def test_a_file_is_no_directory_of_modules(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        LibraryContext(modules=written(tmp_path, ""))


@needs("providers")
def test_a_property_query_is_in_force_for_what_is_made() -> None:
    library = LibraryContext(properties="provider=no-such-provider")
    with pytest.raises(UnsupportedError, match="key type 'EC'"):
        pyossl.PrivateKey.generate(library_context=library)
    with pytest.raises(pyossl.Error, match="SSL_CTX_new"):
        pyossl.Context.client(verify=False, library_context=library)
    assert pyossl.PrivateKey.generate(library_context=LibraryContext(properties="provider=default")).type == "EC"


@needs("providers")
@pytest.mark.parametrize("properties", [",", "fips=", "=yes", "fips==yes"])
def test_what_is_no_property_query_is_refused(properties: str) -> None:
    with pytest.raises(ValueError, match=f"setting the property query '{properties}' failed"):
        LibraryContext(properties=properties)


WRONG_TYPES: list[tuple[dict[str, Any], str]] = [
    ({"fips": 1}, "fips is the path"),
    ({"fips": None}, "fips is the path"),
    ({"configuration": 3}, "configuration is the path"),
    ({"modules": 3}, "modules is the path"),
    ({"properties": b"fips=yes"}, "a property query is a str"),
    ({"providers": "default"}, "providers are several names"),
    ({"providers": [b"default"]}, "the name of a provider is a str"),
    ({"providers": 5}, "providers"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_TYPES, ids=str)
def test_an_argument_of_a_wrong_type_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        LibraryContext(**arguments)


@pytest.mark.parametrize("arguments", [{"properties": "a\0"}, {"providers": ["a\0"]}, {"modules": "a\0"}], ids=str)
def test_a_nul_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        LibraryContext(**arguments)


TWO_PROVIDERS = """\
openssl_conf = first
[first]
providers = list
[list]
default = on
base = on
[on]
activate = 1
"""


@needs("providers")
def test_a_configuration_file_is_applied(tmp_path: Path) -> None:
    assert names(LibraryContext(configuration=written(tmp_path, TWO_PROVIDERS))) == ["base", "default"]


@needs("providers")
def test_default_properties_of_a_configuration_file_are_in_force(tmp_path: Path) -> None:
    text = "openssl_conf = first\n[first]\nalg_section = algorithms\n[algorithms]\ndefault_properties = fips=yes\n"
    library = LibraryContext(configuration=written(tmp_path, text))
    assert library.is_fips_enabled
    assert not system_openssl.is_fips_enabled()
    with pytest.raises(UnsupportedError, match="only FIPS algorithms are allowed here"):
        pyossl.PrivateKey.generate(library_context=library)


MALFORMED = {
    "no section": ("", "configures nothing: its openssl_conf names no section"),
    "a section that is missing": ("openssl_conf = first\n", "configures nothing"),
    "no equal sign": ("openssl_conf\n", "missing equal sign.*line 1"),
    "a bracket that is missing": ("openssl_conf = first\n[first\n", "missing close square bracket.*line 2"),
    "a NUL": ("\0\0\0", "configures nothing|missing equal sign"),
}


@needs("providers")
@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_configuration_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        LibraryContext(configuration=path)
    assert str(path) in str(caught.value)


@needs("providers")
@pytest.mark.parametrize("line", ["absent = on", "default = nowhere"])
def test_a_provider_in_a_configuration_that_cannot_be_loaded_is_an_error(line: str, tmp_path: Path) -> None:
    path = written(tmp_path, TWO_PROVIDERS.replace("base = on", line))
    with pytest.raises(pyossl.Error, match=r"applying the configuration in .* failed"):
        LibraryContext(configuration=path)


@needs("providers")
def test_a_configuration_does_not_change_the_policy_of_the_process(tmp_path: Path) -> None:
    """OSSL_LIB_CTX_load_config(3) would: docs/pitfalls.md, 65."""
    text = TWO_PROVIDERS.replace("providers = list", "providers = list\nssl_conf = ssl\noid_section = oids")
    text += "[ssl]\nsystem_default = policy\n[policy]\nMinProtocol = TLSv1.3\nCipherString = DEFAULT@SECLEVEL=4\n"
    text += "[oids]\npyosslTestIdentifier = 1.3.6.1.4.1.55555.1\n"
    before = system_openssl.policy()
    LibraryContext(configuration=written(tmp_path, text))
    assert system_openssl.policy() == before
    assert lib.OBJ_txt2nid(b"pyosslTestIdentifier") == lib.NID_undef
    pyossl.outcome.take_records()


@needs("providers")
def test_the_policy_of_the_process_applies_to_it(tmp_path: Path) -> None:
    text = "openssl_conf = first\n[first]\nssl_conf = ssl\n[ssl]\nsystem_default = policy\n"
    text += "[policy]\nMinProtocol = TLSv1.3\nCipherString = DEFAULT:@SECLEVEL=3\n"
    program = """
from pyossl import Context, LibraryContext
for library in (None, LibraryContext(), LibraryContext(properties="provider=default")):
    context = Context.client(verify=False, library_context=library)
    print(context.minimum_version.name, context.security_level)
"""
    env = {**os.environ, "OPENSSL_CONF": str(written(tmp_path, text))}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["TLSv1_3 3"] * 3, done.stderr


CLOSED: dict[str, Callable[[LibraryContext], object]] = {
    "providers": lambda library: library.providers,
    "is_fips_enabled": lambda library: library.is_fips_enabled,
    "load": lambda library: library.load("base"),
    "unload": lambda library: library.unload("base"),
    "with": lambda library: library.__enter__(),
    "a context": lambda library: pyossl.Context.client(library_context=library),
    "a key": lambda library: pyossl.PrivateKey.generate(library_context=library),
    "a key from PEM": lambda library: pyossl.PrivateKey.load(b"", library_context=library),
    "a public key": lambda library: pyossl.PublicKey.load(b"", library_context=library),
    "a store": lambda library: pyossl.Store.empty(library_context=library),
    "a certificate": lambda library: pyossl.Certificate.load(b"", library_context=library),
}


@needs("providers")
@pytest.mark.parametrize("use", CLOSED.values(), ids=CLOSED)
def test_a_closed_one_says_so(use: Callable[[LibraryContext], object]) -> None:
    with LibraryContext() as library:
        assert not library.closed
    assert library.closed
    library.close()
    assert repr(library) == "<LibraryContext closed>"
    with pytest.raises(UsageError, match="this library context is closed"):
        use(library)


@pytest.mark.parametrize("wrong", ["default", 1, pyossl], ids=["text", "number", "module"])
def test_what_is_no_library_context_is_named(wrong: Any) -> None:
    with pytest.raises(TypeError, match="library_context is a LibraryContext or None, not"):
        pyossl.Context.client(verify=False, library_context=wrong)
    with pytest.raises(TypeError, match="library_context is a LibraryContext or None, not"):
        pyossl.Store.of(None, library_context=wrong)


@needs("providers")
def test_it_is_not_initialised_twice() -> None:
    library = LibraryContext()
    with pytest.raises(UsageError, match="has been initialised already"):
        library.__init__()  # type: ignore[misc]


@needs("providers")
def test_the_repr_shows_the_providers() -> None:
    assert repr(LibraryContext(providers=["base"])) == "<LibraryContext providers=base>"


@needs("providers")
def test_one_that_nobody_uses_any_more_is_used_again() -> None:
    """OpenSSL cannot free it safely: docs/pitfalls.md, 66."""
    settings: dict[str, Any] = {"providers": ["default", "base"], "properties": "provider=default"}
    first = LibraryContext(**settings)
    pointer = first._library
    assert LibraryContext(**settings)._library != pointer
    address = int(pyossl.ffi.cast("intptr_t", pointer))
    key = pyossl.PrivateKey.generate(library_context=first)
    first.close()
    del first, pointer
    taken = [LibraryContext(**settings) for _ in range(3)]
    assert address not in {int(pyossl.ffi.cast("intptr_t", each._library)) for each in taken}  # the key uses it
    del key
    assert int(pyossl.ffi.cast("intptr_t", LibraryContext(**settings)._library)) == address


@needs("providers")
def test_one_whose_configuration_includes_a_file_that_has_changed_is_not_used_again(tmp_path: Path) -> None:
    path = written(tmp_path, f".include {tmp_path}/$ENV::PYOSSL_TEST_INCLUDED\n")
    environment = {"PYOSSL_TEST_INCLUDED": "included.cnf"}
    text = "openssl_conf = first\n[first]\nalg_section = algorithms\n[algorithms]\ndefault_properties = "
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for properties in ("?provider=default", "fips=yes"):
            (tmp_path / "included.cnf").write_text(f"{text}{properties}\n")
            library = LibraryContext(configuration=path)
            assert library.is_fips_enabled == (properties == "fips=yes")
            pointer = library._library
            address = int(pyossl.ffi.cast("intptr_t", pointer))
            del library, pointer
            again = LibraryContext(configuration=path)
            assert int(pyossl.ffi.cast("intptr_t", again._library)) == address
            del again


@needs("providers")
def test_one_with_other_providers_than_at_the_beginning_is_not_used_again() -> None:
    settings: dict[str, Any] = {"properties": "?provider=default"}
    first = LibraryContext(**settings)
    first.load("legacy" if os.environ.get("PYOSSL_LEGACY") else "base")
    address = int(pyossl.ffi.cast("intptr_t", first._library))
    del first
    second = LibraryContext(**settings)
    assert int(pyossl.ffi.cast("intptr_t", second._library)) != address
    assert names(second) == ["default"]


@needs("providers")
def test_a_thread_may_end_after_the_library_context_is_gone() -> None:
    """A freed OSSL_LIB_CTX would be used at the end of the thread: docs/pitfalls.md, 66."""
    libraries = [LibraryContext(properties="?provider=base")]
    made, gone = threading.Event(), threading.Event()

    def use() -> None:
        pyossl.PrivateKey.generate(library_context=libraries[0])
        made.set()
        gone.wait(20)

    thread = threading.Thread(target=use)
    thread.start()
    assert made.wait(20)
    libraries.clear()
    gone.set()
    thread.join(20)
    assert not thread.is_alive()


@needs("providers")
def test_threads_make_load_and_unload_at_the_same_time() -> None:
    shared = LibraryContext()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                with LibraryContext(providers=["default"]) as own:
                    own.load("base")
                    pyossl.PrivateKey.generate(library_context=own)
                    own.unload("base")
                pyossl.PrivateKey.generate(library_context=shared)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert names(shared) == ["default"]


@needs("providers")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_process_uses_the_library_context_of_its_parent() -> None:
    library = LibraryContext()
    pyossl.PrivateKey.generate(library_context=library)
    child = os.fork()
    if child == 0:
        try:
            pyossl.PrivateKey.generate(library_context=library)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@needs("providers")
def test_the_interpreter_ends_with_library_contexts_in_use() -> None:
    program = (
        "import pyossl; library = pyossl.LibraryContext(); key = pyossl.PrivateKey.generate(library_context=library)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_nothing_is_made_before_the_first_one() -> None:
    assert isinstance(module._idle, dict)
    program = "import pyossl; pyossl.Context.client; from pyossl.core import library_context as l; print(len(l._idle))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n"
