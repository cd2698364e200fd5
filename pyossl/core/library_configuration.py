"""OpenSSL's configuration file, for the process and for a library context.  config(5)"""

from __future__ import annotations

from pyossl.core import ffi, lib, own, text
from pyossl.core.errors import check_ptr, failed
from pyossl.core.outcome import take_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def configuration_file() -> str:
    """The path of the configuration file that OpenSSL reads at start, also if there is no such file.

    The environment variable ``OPENSSL_CONF`` may set it.

    CONF_get1_default_config_file(3)
    """
    what = "CONF_get1_default_config_file"
    return text(own(check_ptr(lib.CONF_get1_default_config_file(), what), lib.OPENSSL_free))


def apply_configuration(library: Any, configuration: bytes, where: str) -> None:
    """Applies the text of a configuration file to an ``OSSL_LIB_CTX *``.

    Only what belongs to a library context is applied: its providers, its default properties and its random numbers.
    ``where`` names the file in messages.  Raises ``ValueError`` if the text is malformed or configures nothing, and
    ``Error`` if it is refused, for example because a provider cannot be loaded.  CONF_modules_load(3)
    """
    result = lib.pyossl_configure_library(library, ffi.from_buffer(configuration), len(configuration), False)
    if result == lib.PYOSSL_CONFIGURATION_APPLIED:
        take_records()
        return
    if result == lib.PYOSSL_CONFIGURATION_WITHOUT_MODULES:
        take_records()
        raise ValueError(f"the configuration in {where} configures nothing: its openssl_conf names no section")
    error = failed(f"applying the configuration in {where}")
    if result == lib.PYOSSL_CONFIGURATION_MALFORMED:
        raise ValueError(str(error)) from error
    raise error


def resolved_configuration(configuration: bytes) -> bytes:
    """What a configuration says, with the files that it includes and the variables of the environment in it.

    The configuration itself if it is malformed.  NCONF_dump_bio(3)
    """
    written = lib.pyossl_resolved_configuration(ffi.from_buffer(configuration), len(configuration))
    return configuration if written == ffi.NULL else ffi.string(own(written, lib.OPENSSL_free))


def apply_policy(library: Any, configuration: bytes) -> None:
    """Applies the policy for TLS in the system's configuration file to an ``OSSL_LIB_CTX *``.

    Before OpenSSL 4.0 the policy of the process applies anyway.  Raises ``Error`` if it is refused.  config(5)
    """
    result = lib.pyossl_configure_library(library, ffi.from_buffer(configuration), len(configuration), True)
    if result not in (lib.PYOSSL_CONFIGURATION_APPLIED, lib.PYOSSL_CONFIGURATION_WITHOUT_MODULES):
        raise failed(f"applying the policy in {configuration_file()}")
    take_records()
