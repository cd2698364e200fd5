"""A PKCS#11 token in files (SoftHSM), and the programs that use it: openssl.cnf loads pkcs11-provider into them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import pyossl

PIN = "1234"
WRONG_PIN = "4321"
PACKAGES = {"pkcs11-provider", "softhsm2", "opensc"}
IN_ROW = set(os.environ.get("PYOSSL_ROW_PACKAGES", "").split()) >= PACKAGES

MODULES = [*Path("/usr/lib").glob("*/softhsm/libsofthsm2.so"), *Path("/usr/lib").glob("softhsm/libsofthsm2.so")]
PROVIDERS = list(Path("/usr/lib").glob("*/ossl-modules/pkcs11.so"))
PROGRAM = Path(__file__).with_name("token_program.py")

CONFIGURATION = """\
openssl_conf = all
[all]
providers = both
[both]
default = its_own
pkcs11 = the_token_s
[its_own]
activate = 1
[the_token_s]
module = {provider}
pkcs11-module-path = {module}
activate = 1
"""

needs_a_token = pytest.mark.skipif(
    not (MODULES and PROVIDERS) and not IN_ROW,
    reason="needs pkcs11-provider, softhsm2 and opensc, Debian's from trixie on: the rows 3.5 and 3.6 have them",
)


class Token(NamedTuple):
    """A token with these objects, and the environment of a program that uses it.

    - ``server`` and ``client``: a private key and its certificate, each
    - ``authority``: the certificate that both were issued with
    - ``twin``: two private keys and two certificates
    """

    folder: Path
    environment: dict[str, str]

    def run(self, case: str, **options: str) -> list[str]:
        """The lines that a case of token_program.py prints.  It must not write to standard error, where prompts go."""
        done = subprocess.run(
            [sys.executable, str(PROGRAM), case],
            env={**self.environment, **options},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout.splitlines()


def make_token(folder: Path, authority: pyossl.Authority) -> Token:
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    (folder / "none.cnf").write_text("")
    (folder / "openssl.cnf").write_text(CONFIGURATION.format(provider=PROVIDERS[0], module=MODULES[0]))
    (folder / "pin").write_text(PIN)
    (folder / "wrong-pin").write_text(WRONG_PIN)
    (folder / "trust.pem").write_bytes(authority.certificate.to_pem())
    (folder / "authority.der").write_bytes(authority.certificate.to_der())
    environment = {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf"), "TOKEN_FOLDER": str(folder)}

    def run(*command: str) -> None:
        subprocess.run(command, env=environment, check=True, capture_output=True)

    def add(label: str, identifier: str, name: str) -> None:
        made = authority.issue(name)
        (folder / f"{label}.key").write_bytes(made.private_key.to_pem())
        (folder / f"{label}.pem").write_bytes(made.certificate.to_pem())
        (folder / f"{label}.der").write_bytes(made.certificate.to_der())
        key, names = str(folder / f"{label}.key"), ("--label", label, "--id", identifier)
        run("softhsm2-util", "--import", key, "--token", "ours", *names, "--pin", PIN)
        add_certificate(label, *names)

    def add_certificate(file: str, *names: str) -> None:
        what = ("--write-object", str(folder / f"{file}.der"), "--type", "cert", *names)
        run("pkcs11-tool", "--module", str(MODULES[0]), "--token-label", "ours", "--login", "--pin", PIN, *what)

    run("softhsm2-util", "--init-token", "--free", "--label", "ours", "--pin", PIN, "--so-pin", "5678")
    add("server", "01", "localhost")
    add("client", "02", "alice.example")
    add("twin", "03", "twin.example")
    add("twin", "04", "twin.example")
    add_certificate("authority", "--label", "authority", "--id", "05")
    return Token(folder, {**environment, "OPENSSL_CONF": str(folder / "openssl.cnf")})
