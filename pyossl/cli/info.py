"""``python -m pyossl info`` shows which OpenSSL pyossl uses, with its configuration, policy and features.

The text and ``--json`` show the same information.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyossl
from pyossl import stdlib
from pyossl.cli.command_parser import EXIT_STATUS, Commands, add_command
from pyossl.cli.package_version import package_version
from pyossl.cli.screen import Screen, counted
from pyossl.cli.tls_versions import version_name
from pyossl.core.library_search import VARIABLE
from pyossl.stdlib import startup_file
from pyossl.tls import system_openssl

if TYPE_CHECKING:
    from pyossl.tls.settings.versions import Version

_BITS = (0, 80, 112, 128, 192, 256)
"""The bits of security that each level demands.  SSL_CTX_set_security_level(3)"""


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "info",
        "show which OpenSSL is used, with its features, policy and trust store",
        "Shows which OpenSSL pyossl uses, and why: its files, its features and the features it lacks, its "
        "configuration file, the system's policy, the trust store, and Python. "
        + EXIT_STATUS.format(fine="0 on success", failed="if OpenSSL fails"),
        """
        python -m pyossl info
        python -m pyossl info --json
        """,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    everything = report()
    if arguments.json:
        screen.data(json.dumps(everything, indent=2))
    else:
        show(everything, screen)
    return 0


def report() -> dict[str, Any]:
    """Information about the OpenSSL in use, as JSON values."""
    policy, trust = system_openssl.policy(), system_openssl.trust_store()
    configuration, library = system_openssl.configuration_file(), pyossl.features.library
    return {
        "pyossl": {"version": package_version("pyossl"), "directory": str(Path(pyossl.__file__).parent)},
        "openssl": {
            "version": pyossl.openssl_version,
            "headers": library.headers,
            "newer_than_headers": library.is_newer,
            "libssl": library.path,
            "found_by": library.found_by,
            "passed_over": [each._asdict() for each in library.passed_over],
            "late": library.is_late,
            "libcrypto": system_openssl.crypto_library(),
            "configuration": {"path": configuration, "exists": Path(configuration).is_file()},
            "providers": [provider._asdict() for provider in system_openssl.providers()],
            "fips": system_openssl.is_fips_enabled(),
            "fips_provider": _fips_provider(),
        },
        "policy": {
            "security_level": policy.security_level,
            "minimum_version": _version_or_none(policy.minimum_version),
            "maximum_version": _version_or_none(policy.maximum_version),
        },
        "trust": {
            "file": trust.file._asdict(),
            "directories": [each._asdict() for each in trust.directories],
        },
        "features": dict(pyossl.features),
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
            "cffi": package_version("cffi"),
            "platform": platform.platform(),
            "ssl": _python_ssl(),
        },
    }


def show(everything: dict[str, Any], screen: Screen) -> None:
    """Prints the result of ``report``."""
    ours, openssl, policy, trust, python = (
        everything[part] for part in ("pyossl", "openssl", "policy", "trust", "python")
    )
    screen.title(openssl["version"], f"with pyossl {ours['version']}")

    screen.heading("OpenSSL")
    screen.field("libssl", openssl["libssl"])
    screen.field("why", openssl["found_by"] + _variable_note(openssl))
    for each in openssl["passed_over"]:
        screen.field("passed over", f"{each['name']}: {each['reason']}")
    screen.field("libcrypto", openssl["libcrypto"])
    screen.field("headers", openssl["headers"] + _headers_note(openssl))
    configuration = openssl["configuration"]
    screen.field("configuration", configuration["path"] + ("" if configuration["exists"] else " (does not exist)"))
    for provider in openssl["providers"]:
        screen.field("provider", _provider_text(provider))
    if not pyossl.features.providers:
        screen.field("providers", "none: this OpenSSL has no providers")
    screen.field("FIPS", "yes: algorithms come from a FIPS module" if openssl["fips"] else "no")
    provider = openssl["fips_provider"]
    in_programs = f"{provider['version']}, for LibraryContext(fips=True) and --fips"
    screen.field("FIPS provider", in_programs if provider["version"] else provider["reason"])

    screen.heading("System policy", "defaults before a program changes them")
    level = policy["security_level"]
    bits = f" (at least {_BITS[level]} bits)" if 0 < level < len(_BITS) else ""
    screen.field("security level", f"{level}{bits}")
    screen.field("oldest version", policy["minimum_version"] or f"no limit; pyossl's default is {_default_minimum()}")
    screen.field("newest version", policy["maximum_version"] or "no limit")

    screen.heading("Trust store")
    screen.field("file", _store_text(trust["file"]))
    for directory in trust["directories"]:
        screen.field("directory", _store_text(directory))

    screen.heading("Features")
    have: dict[bool, list[str]] = {True: [], False: []}
    for name, is_there in everything["features"].items():
        have[is_there].append(pyossl.features.describe(name))
    screen.field("has", ", ".join(sorted(have[True], key=str.casefold)), "green")
    screen.field("lacks", ", ".join(sorted(have[False], key=str.casefold)) or "nothing", "yellow")

    screen.heading("Python")
    screen.field("version", f"{python['implementation']} {python['version']}, cffi {python['cffi']}")
    screen.field("executable", python["executable"])
    screen.field("pyossl", ours["directory"])
    screen.field("platform", python["platform"])
    screen.field("ssl", _ssl_text(python["ssl"]))


def _fips_provider() -> dict[str, str | None]:
    """The version of the FIPS provider that a program can use, or why it can use none."""
    try:
        with pyossl.LibraryContext(fips=True) as library:
            versions = {provider.name: provider.version for provider in library.providers}
    except (pyossl.Error, OSError, ValueError) as error:
        return {"version": None, "reason": str(error)}
    return {"version": versions["fips"], "reason": None}


def _python_ssl() -> dict[str, Any]:
    """Over which OpenSSL Python's own module ``ssl`` is in this process."""
    try:
        import ssl
    except ImportError:
        version = None
    else:
        version = ssl.OPENSSL_VERSION
    return {
        "over_pyossl": stdlib.is_installed(),
        "openssl": version,
        "startup_file": str(startup_file.path()) if startup_file.is_enabled() else None,
    }


def _ssl_text(python_ssl: dict[str, Any]) -> str:
    if python_ssl["over_pyossl"]:
        text = "over pyossl, in this process"
    elif python_ssl["openssl"] is None:
        text = "this Python has none"
    else:
        text = f"Python's own, with {python_ssl['openssl']}"
    if python_ssl["startup_file"] is not None:
        text += f"; over pyossl in processes with {startup_file.VARIABLE}=1"
    return text


def _version_or_none(version: Version | None) -> str | None:
    return None if version is None else version_name(version)


def _default_minimum() -> str:
    return version_name(pyossl.Context.client(verify=False).minimum_version)


def _variable_note(openssl: dict[str, Any]) -> str:
    is_set = bool(os.environ.get(VARIABLE))
    return f" ({VARIABLE} has no effect)" if is_set and not openssl["late"] else ""


def _headers_note(openssl: dict[str, Any]) -> str:
    if openssl["newer_than_headers"]:
        return " (pyossl was compiled with these; a newer pyossl may know more of this OpenSSL)"
    return "" if openssl["headers"] == openssl["version"] else " (pyossl was compiled with these)"


def _provider_text(provider: dict[str, Any]) -> str:
    state = "" if provider["active"] else ", not active"
    return f"{provider['name']} {provider['version']} ({provider['title']}){state}"


def _store_text(where: dict[str, Any]) -> str:
    if where["certificates"] is None:
        return f"{where['path']} (does not exist)"
    return f"{where['path']}, {counted(where['certificates'], 'certificate')}"
