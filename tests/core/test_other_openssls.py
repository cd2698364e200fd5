"""pyossl beside other OpenSSLs in the process: that of Python's ``ssl``, and the one in ``cryptography``'s wheel.

They may be of other versions than pyossl's.  Neither takes functions from another, in whatever order they are loaded.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from core.other_openssls import PAIR

from pyossl import lib

MODULES = [name for name in ("pyossl", "ssl", "cryptography") if importlib.util.find_spec(name)]
ORDERS = list(itertools.permutations(MODULES))
late = pytest.mark.skipif(not lib.PYOSSL_LATE, reason="a linked build has the symbols that the dynamic linker gives it")


def run(code: str, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
        cwd=Path(__file__).parent,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def in_order(order: tuple[str, ...]) -> str:
    """The imports in this order, and then the functions of PAIR."""
    loads = {
        "cryptography": "import cryptography.hazmat.bindings._rust",
        "ssl": "import ssl",
        "pyossl": "import pyossl",
    }
    return "\n".join([*(loads[name] for name in order), PAIR])


JOBS = "with_ssl, with_cryptography" if "cryptography" in MODULES else "with_ssl"


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_handshakes_with_ssl_beside_cryptography_succeed_in_threads(order: tuple[str, ...]) -> None:
    run(f"{in_order(order)}\nin_threads({JOBS}, with_ssl)")


@pytest.mark.parametrize("order", [ORDERS[0], ORDERS[-1]], ids=" ".join)
def test_a_forked_child_and_its_parent_go_on_with_all_of_them(order: tuple[str, ...]) -> None:
    code = """
with_ssl()
child = os.fork()
in_threads(with_ssl)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    run(in_order(order) + code)


@pytest.mark.parametrize("order", [ORDERS[0], ORDERS[-1]], ids=" ".join)
def test_daemon_threads_that_still_use_them_do_not_disturb_the_exit(order: tuple[str, ...]) -> None:
    code = f"""
began = threading.Barrier(3)
def forever(job):
    job()
    began.wait()
    while True:
        job()
for job in ({JOBS}, with_ssl)[:2]:
    threading.Thread(target=forever, args=(job,), daemon=True).start()
began.wait()
"""
    run(in_order(order) + code)


STRANGER = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define STRANGER(name) void name(void) { write(2, #name "\n", strlen(#name) + 1); abort(); }
STRANGER(EVP_CIPHER_CTX_new)
STRANGER(EVP_DigestInit_ex)
STRANGER(X509_free)
STRANGER(SSL_new)
STRANGER(OPENSSL_init_crypto)
"""

HANDSHAKE = """
from pairs import shake_hands
import pyossl
authority = pyossl.Authority("pyossl test CA")
credentials = authority.issue("example.com")
chain = (credentials.certificate, *credentials.chain)
client = pyossl.Connection(pyossl.Context.client(trust=authority.certificate), "example.com")
server = pyossl.Connection(pyossl.Context.server(chain, credentials.private_key))
shake_hands(client, server)
"""


def preloaded(folder: Path, code: str) -> Path:
    """The path of a library, which is compiled from this C code."""
    source, library = folder / "preloaded.c", folder / "libpreloaded.so"
    source.write_text(code)
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", str(library), str(source), "-ldl"], check=True)
    return library


deepbind = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or "LD_PRELOAD" in os.environ,
    reason="only glibc has RTLD_DEEPBIND, and a sanitizer forbids it",
)


@late
@deepbind
def test_functions_of_a_preloaded_library_are_not_called(tmp_path: Path) -> None:
    """It defines functions of OpenSSL's, without versions, so that they come first for every library of the process."""
    run(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n{HANDSHAKE}",
        LD_PRELOAD=str(preloaded(tmp_path, STRANGER)),
    )


@late
@deepbind
def test_functions_of_a_library_with_global_symbols_are_not_called(tmp_path: Path) -> None:
    load = f"import ctypes; ctypes.CDLL({str(preloaded(tmp_path, STRANGER))!r}, ctypes.RTLD_GLOBAL)"
    run(f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n{load}\n{HANDSHAKE}")


# OpenSSL asks one or the other for the time, depending on its release.
CLOCK = """
#include <sys/time.h>
#include <time.h>
time_t time(time_t *now) { if (now) *now = 1000; return 1000; }
int gettimeofday(struct timeval *now, void *zone) { now->tv_sec = 1000; now->tv_usec = 0; return 0; }
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or "LD_PRELOAD" in os.environ,
    reason="needs LD_PRELOAD for a library of its own",
)
def test_a_preloaded_library_replaces_functions_of_the_c_library_for_openssl_too(tmp_path: Path) -> None:
    """As libfaketime, torsocks and other implementations of malloc do."""
    code = "from pyossl import lib; assert lib.SSL_SESSION_get_time_ex(lib.SSL_SESSION_new()) == 1000"
    run(code, LD_PRELOAD=str(preloaded(tmp_path, CLOCK)))


# What a sanitizer of gcc or clang does with RTLD_DEEPBIND.  SHA256_Init, which is not called, is one of a stranger.
SANITIZER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
void SHA256_Init(void) { abort(); }
void __sanitizer_set_death_callback(void (*callback)(void)) { (void)callback; }
void *dlopen(const char *file, int flags)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    if (flags & RTLD_DEEPBIND)
        abort();
    return next(file, flags);
}
"""


@deepbind
def test_a_sanitizer_which_forbids_rtld_deepbind_does_not_end_the_process(tmp_path: Path) -> None:
    run("import pyossl", LD_PRELOAD=str(preloaded(tmp_path, SANITIZER)))


@late
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the symbols are looked up with Linux's dynamic linker"
)
def test_pyossl_gives_its_symbols_to_nobody() -> None:
    run("import ctypes, pyossl\nassert not hasattr(ctypes.CDLL(None), 'SSL_new')")
