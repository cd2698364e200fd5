"""An OpenSSL whose ECDSA signatures pause asynchronous jobs, as a slow device would: pausing_provider.c."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pyossl
from pyossl import lib

SOURCE = Path(__file__).parent / "pausing_provider.c"


class HeadersError(Exception):
    """There is no compiler, or there are no headers of the OpenSSL in use."""


def build(folder: Path) -> Path:
    """Compiles the provider with the headers of the OpenSSL in use."""
    libcrypto = Path(pyossl.ffi.string(lib.pyossl_crypto_library()).decode()).resolve()
    prefix = Path(os.path.abspath(pyossl.features.library.path)).parent.parent
    built = folder / "pausing.so"
    number = lib.OpenSSL_version_num()
    check = f"-DPYOSSL_EXPECTS={number >> 28}"
    command = ["cc", "-shared", "-fPIC", check, "-o", built, SOURCE, f"-I{prefix / 'include'}", libcrypto]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise HeadersError("there is no C compiler") from error
    if done.returncode:
        raise HeadersError(f"the provider of this test cannot be compiled: {done.stderr[:500]}")
    return built


class Pausing:
    """The compiled provider, loaded into this process."""

    def __init__(self, built: Path) -> None:
        self._module = ctypes.CDLL(str(built))
        self._folder = built.parent
        self._library: pyossl.LibraryContext | None = None

    @property
    def pauses(self) -> int:
        """How often a job was paused."""
        return int(self._module.pausing_pauses())

    @property
    def ends(self) -> int:
        """How many waits for the device have ended."""
        return int(self._module.pausing_ends())

    def pause_derivations(self, count: int) -> None:
        """The next ``count`` derivations of keys for TLS 1.3 pause too.  From OpenSSL 3.0 on."""
        self._module.pausing_derivations(count)

    def server(self, credentials: pyossl.Credentials, alpn: Sequence[str] = ()) -> pyossl.Context:
        """The context of a server whose signatures pause, in jobs."""
        chain, key = credentials.certificate_pem(), credentials.private_key.to_pem()
        if lib.HAVE_PROVIDERS:
            if self._library is None:
                self._library = pyossl.LibraryContext(
                    providers=("pausing", "default"), properties="?provider=pausing", modules=self._folder
                )
            context = pyossl.Context.server(chain, key, alpn=alpn, library_context=self._library)
        else:
            self._module.pausing_begin()
            try:
                context = pyossl.Context.server(chain, key, alpn=alpn)
            finally:
                self._module.pausing_end()
        context.modes |= pyossl.Modes.ASYNC
        return context


def device_answers(server: pyossl.Connection) -> None:
    """Lets a paused server go on."""
    (fd,) = server.async_fds
    os.eventfd_write(fd, 1)
