"""OpenSSL's FIPS provider: where its module is, and how it is loaded into a library context.

The provider is a module, a shared library beside the other providers.  It does not start without the checksum of its
own file.  After its self-tests, openssl-fipsinstall(1) writes the checksum to a configuration file, ``fipsmodule.cnf``,
into the section ``fips_sect``.  Some distributions, for example Red Hat's, build the checksum into the module, in its
section ``.rodata1``.  They need no such file.

If the module does not start, it stays in an error state until the process ends (docs/pitfalls.md, 67).  So it is not
loaded without its checksum.

The provider has algorithms and no encoders and decoders, which the provider ``base`` has.

OSSL_PROVIDER-FIPS(7)
"""

from __future__ import annotations

import os
import sys

from pyossl.core import lib, text
from pyossl.core.errors import Error, UnsupportedError, check_ptr, failed
from pyossl.core.library_configuration import apply_configuration, configuration_file
from pyossl.core.outcome import take_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BEFORE = b"""\
openssl_conf = pyossl_fips
[pyossl_fips]
providers = pyossl_fips_providers
[pyossl_fips_providers]
fips = fips_sect
[pyossl_fips_end]
"""


def modules_directory() -> str:
    """The directory in which OpenSSL looks for the modules of providers.

    The environment variable ``OPENSSL_MODULES`` may set it.  OpenSSL_version(3)
    """
    said = text(lib.OpenSSL_version(lib.OPENSSL_MODULES_DIR))
    return os.environ.get("OPENSSL_MODULES") or said.partition('"')[2].partition('"')[0]


def default_fips_configuration() -> str:
    """The path of ``fipsmodule.cnf`` beside the system's openssl.cnf, also if there is no such file."""
    return os.path.join(os.path.dirname(configuration_file()), "fipsmodule.cnf")


def load_fips(library: Any, configuration: bytes | None, where: str, modules: str | None) -> None:
    """Loads the providers ``fips`` and ``base`` into an ``OSSL_LIB_CTX *``, which fetches only FIPS algorithms then.

    - ``configuration``: the text that ``openssl fipsinstall`` wrote; None for none.
    - ``where``: the file of ``configuration``, for messages.
    - ``modules``: the directory of the modules; None for OpenSSL's own.

    Raises ``UnsupportedError`` if the module is not installed, and ``Error`` if it does not start.
    EVP_default_properties_enable_fips(3)
    """
    directory = modules or modules_directory()
    module = os.path.join(directory, "fips.dylib" if sys.platform == "darwin" else "fips.so")
    # First: without any provider, the next call would load "default".
    check_ptr(lib.OSSL_PROVIDER_load(library, b"base"), "loading the provider 'base'")
    if lib.OSSL_PROVIDER_available(library, b"fips") != 1:
        take_records()
        _load_module(library, module, configuration, where)
    check_ptr(lib.OSSL_PROVIDER_load(library, b"fips"), f"starting the FIPS provider {module}")
    take_records()
    done = lib.EVP_default_properties_enable_fips(library, 1)
    if done != 1 or not lib.pyossl_fips(library) or lib.OSSL_PROVIDER_available(library, b"fips") != 1:
        raise failed(f"restricting a library context to the FIPS provider {module}")


def _load_module(library: Any, module: str, configuration: bytes | None, where: str) -> None:
    if not os.path.exists(module):
        raise UnsupportedError(f"FIPS provider: there is no {module}")
    if configuration is not None:
        if b"fips_sect" not in configuration:
            raise ValueError(f"{where} is not the file that openssl fipsinstall writes: it has no section fips_sect")
        apply_configuration(library, _BEFORE + configuration, where)
    elif not _has_checksum(module):
        default = default_fips_configuration()
        raise Error(
            f"the FIPS provider {module} is not configured: there is no {default}. "
            f"Make it with: openssl fipsinstall -module {module} -out {default}"
        )


def _has_checksum(module: str) -> bool:
    with open(module, "rb") as file:
        return b"\0.rodata1\0" in file.read()
