"""``python -m pyossl info``: the OpenSSL in use, and what surrounds it.

``facts`` gathers; the text and ``--json`` show the same facts.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyossl
from pyossl.cli.installed import version_of
from pyossl.cli.protocols import spelled
from pyossl.cli.screen import Screen, counted
from pyossl.cli.usage import EXIT_STATUS, Commands, command
from pyossl.tls import system

if TYPE_CHECKING:
    from pyossl.tls.versions import Version

_BITS = (0, 80, 112, 128, 192, 256)
"""What each security level demands.  SSL_CTX_set_security_level(3)"""


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "info",
        "the OpenSSL in use, what it has and lacks, its policy and trust store",
        "Shows the OpenSSL in use: the file it lies in, what it has and lacks, its configuration, the policy of this "
        "system, the trust store, and Python. " + EXIT_STATUS.format(fine="0", failed="for a failure of OpenSSL"),
        """
        python -m pyossl info
        python -m pyossl info --json
        """,
    )
    parser.add_argument("--json", action="store_true", help="the same facts as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    everything = facts()
    if arguments.json:
        screen.data(json.dumps(everything, indent=2))
    else:
        show(everything, screen)
    return 0


def facts() -> dict[str, Any]:
    """What is known of the OpenSSL in use, as JSON can say it."""
    policy, trust = system.policy(), system.trust_store()
    configuration = system.configuration_file()
    return {
        "pyossl": {"version": version_of("pyossl"), "directory": str(Path(pyossl.__file__).parent)},
        "openssl": {
            "version": pyossl.openssl_version,
            "headers": system.headers(),
            "libssl": system.ssl_library(),
            "libcrypto": system.crypto_library(),
            "configuration": {"path": configuration, "exists": Path(configuration).is_file()},
            "providers": [provider._asdict() for provider in system.providers()],
            "fips": system.is_fips_enabled(),
        },
        "policy": {
            "security_level": policy.security_level,
            "minimum_version": _named(policy.minimum_version),
            "maximum_version": _named(policy.maximum_version),
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
            "cffi": version_of("cffi"),
            "platform": platform.platform(),
        },
    }


def show(everything: dict[str, Any], screen: Screen) -> None:
    """Prints the facts."""
    ours, openssl, policy, trust, python = (
        everything[part] for part in ("pyossl", "openssl", "policy", "trust", "python")
    )
    screen.title(openssl["version"], f"with pyossl {ours['version']}")

    screen.heading("OpenSSL")
    screen.field("libssl", openssl["libssl"])
    screen.field("libcrypto", openssl["libcrypto"])
    screen.field("headers", openssl["headers"] + _agreement(openssl))
    configuration = openssl["configuration"]
    screen.field("configuration", configuration["path"] + ("" if configuration["exists"] else " (there is none)"))
    for provider in openssl["providers"]:
        screen.field("provider", _described(provider))
    if not pyossl.features.providers:
        screen.field("providers", "none: this OpenSSL has no such thing")
    screen.field("FIPS", "yes: algorithms are taken from a FIPS module" if openssl["fips"] else "no")

    screen.heading("Policy of this system", "before a program says anything")
    level = policy["security_level"]
    bits = f" (at least {_BITS[level]} bits)" if 0 < level < len(_BITS) else ""
    screen.field("security level", f"{level}{bits}")
    screen.field("oldest version", policy["minimum_version"] or f"no limit; pyossl's own is {_floor()}")
    screen.field("newest version", policy["maximum_version"] or "no limit")

    screen.heading("Trust store")
    screen.field("file", _counted(trust["file"]))
    for directory in trust["directories"]:
        screen.field("directory", _counted(directory))

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


def _named(version: Version | None) -> str | None:
    return None if version is None else spelled(version)


def _floor() -> str:
    return spelled(pyossl.Context.client(verify=False).minimum_version)


def _agreement(openssl: dict[str, Any]) -> str:
    return "" if openssl["headers"] == openssl["version"] else " (what pyossl was compiled with)"


def _described(provider: dict[str, Any]) -> str:
    state = "" if provider["active"] else ", which does not work"
    return f"{provider['name']} {provider['version']} ({provider['title']}){state}"


def _counted(where: dict[str, Any]) -> str:
    if where["certificates"] is None:
        return f"{where['path']} (there is none)"
    return f"{where['path']}, {counted(where['certificates'], 'certificate')}"
