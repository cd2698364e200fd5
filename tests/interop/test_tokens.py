"""Keys, certificates and authorities in a PKCS#11 token.  Each case is a process: openssl.cnf loads the provider, and a
login holds until the process ends."""

from __future__ import annotations

import subprocess
import sys

import pytest
from interop.programs import Program, program
from interop.tokens import PIN, PROGRAM, Token, make_token, needs_a_token

import pyossl

pytestmark = needs_a_token

PINS = pytest.mark.parametrize("given", ["value", "source", "text", "bytes", "function"])
CERTIFICATE, KEY = "pkcs11:token=ours;object=server;type=cert", "pkcs11:token=ours;object=server;type=private"
REFUSED = "was not opened by this password"


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory, authority: pyossl.Authority) -> Token:
    return make_token(tmp_path_factory.mktemp("token"), authority)


def asked(given: str) -> list[str]:
    """What is printed if a function for the PIN is called."""
    return ["asked for the PIN"] if given == "function" else []


@pytest.mark.feature("PKCS#11 keys by URI")
@PINS
def test_a_server_signs_with_a_key_in_a_token(given: str, token: Token) -> None:
    """The certificate and the key are URIs; a function for the PIN is called once."""
    assert token.run("sign", GIVEN=given) == [*asked(given), "TLSv1.3", "TLSv1.3"]


def test_both_sides_have_keys_certificates_and_authorities_in_a_token(token: Token) -> None:
    assert token.run("sign_on_both_sides") == ["CN=alice.example"]


def test_a_library_context_has_the_provider_of_the_token(token: Token) -> None:
    without, elsewhere, *signed = token.run("sign_in_a_library_context", OPENSSL_CONF=str(token.folder / "none.cnf"))
    assert without.endswith("has no store for URIs that begin with 'pkcs11'")
    assert elsewhere.endswith("has no store for URIs that begin with 'pkcs11' in this library context")
    assert signed == ["TLSv1.3", "TLSv1.3"]


def test_a_callback_s_key_in_a_token_signs_also_in_a_child(token: Token) -> None:
    """docs/pitfalls.md, 82."""
    assert token.run("sign_with_the_key_of_a_callback") == ["TLSv1.3", "TLSv1.3"]


def test_the_key_stays_in_the_token(token: Token) -> None:
    assert [line.partition(":")[0] for line in token.run("stay_in_the_token")] == ["Error", "Error"]


def test_a_certificate_needs_no_pin(token: Token) -> None:
    assert token.run("load_a_certificate") == ["True"]


def test_a_wrong_pin_is_told_and_not_shown(token: Token) -> None:
    """It is also told if the PIN in the URI is wrong: pkcs11-provider then finds no object, and reports no error."""
    lines = token.run("refuse_wrong_pins")
    assert lines.count("asked for the PIN") == 1 or lines.count("function: asked for the PIN") == 1
    refusals = [line for line in lines if "PasswordError" in line]
    assert len(refusals) == 6
    assert all(REFUSED in line for line in refusals), refusals


def test_a_missing_pin_is_told(token: Token) -> None:
    for line in token.run("give_no_pin"):
        assert line.startswith("PasswordError: ")
        assert "needs a password" in line


@pytest.mark.parametrize("case", ["give_no_pin", "refuse_wrong_pins", "fork_within_a_connection"])
def test_nothing_asks_a_terminal_for_the_pin(case: str, token: Token) -> None:
    """docs/pitfalls.md, 82: not even in the middle of a handshake in a child process."""
    on_a_terminal = f"import pty, sys; pty.spawn([sys.executable, {str(PROGRAM)!r}, {case!r}])"
    done = subprocess.run(
        [sys.executable, "-c", on_a_terminal],
        env=token.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Error: " in done.stdout
    assert "Enter" not in done.stdout, done.stdout


def test_a_uri_has_to_name_one_key_and_one_certificate(token: Token) -> None:
    nothing_1, nothing_2, no_token, two_certificates, two_keys, other, no_trust, trusted = token.run(
        "find_nothing_or_several"
    )
    for line in (nothing_1, nothing_2, no_token, no_trust):
        assert line.startswith("DecodeError: loading ")
    assert "names 2 certificates, and one is needed" in two_certificates
    assert "names 2 private keys, and one is needed" in two_keys
    assert other.startswith("Error")  # this key is another certificate's
    assert trusted == "5"


@pytest.mark.feature("a child process logs in to the token of its keys")
@PINS
def test_a_prefork_server_signs_in_its_children(given: str, token: Token) -> None:
    """docs/pitfalls.md, 82: a child is not logged in.  pyossl logs in there once, and asks a function again."""
    child = ["child", *asked(given), "TLSv1.3", "TLSv1.3"]
    assert token.run("fork_and_serve", GIVEN=given) == [*asked(given), "TLSv1.3", *child, *child, "parent", "TLSv1.3"]


def test_a_wrong_pin_is_tried_once_in_a_child(token: Token) -> None:
    """A token locks itself after a few wrong ones; the parent goes on."""
    in_parent, in_child, *refusals, last = token.run("fork_without_the_pin")
    assert in_parent == in_child == "asked for the PIN"
    assert len(refusals) == 3
    assert all(line.startswith("PasswordError: ") for line in refusals), refusals
    assert last.startswith("<Connection server")


def test_a_connection_that_was_made_before_the_fork_fails_in_the_child(token: Token) -> None:
    assert token.run("fork_within_a_connection") == ["TLSError: the handshake failed"]


def test_s_client_connects_to_the_command_line_s_server_with_a_key_in_a_token(token: Token) -> None:
    own = ["--cert", CERTIFICATE, "--key", KEY, "--password-file", str(token.folder / "pin")]
    trust = str(token.folder / "trust.pem")
    command = [sys.executable, "-m", "pyossl", "server", "--port", "0", *own, "--ca", trust]
    with Program(*command, environment=token.environment) as serving:
        port = serving.wait_for(rb"Listening on \S+:(\d+)")[1].decode()
        check = ["-CAfile", trust, "-verify_return_error", "-verify_hostname", "localhost"]
        mine = ["-cert", str(token.folder / "client.pem"), "-key", str(token.folder / "client.key")]
        peer = [program("openssl"), "s_client", "-connect", f"localhost:{port}", *check, *mine]
        with Program(*peer) as client:
            client.wait_for(rb"Verification: OK")
            client.type(b"hello\n")
            client.wait_for(rb"hello\n")


def test_the_command_line_s_client_shows_s_server_a_certificate_from_a_token(token: Token) -> None:
    trust = str(token.folder / "trust.pem")
    own = ["-cert", str(token.folder / "server.pem"), "-key", str(token.folder / "server.key")]
    peer = [program("openssl"), "s_server", "-accept", "127.0.0.1:0", *own, "-CAfile", trust, "-Verify", "1"]
    with Program(*peer) as serving:
        port = serving.wait_for(rb"ACCEPT [^\n]*:(\d+)")[1].decode()
        names = [CERTIFICATE.replace("server", "client"), f"{KEY.replace('server', 'client')}?pin-value={PIN}"]
        given = ["--cert", names[0], "--key", names[1], "--ca", trust]
        command = [sys.executable, "-m", "pyossl", "client", f"localhost:{port}", *given]
        with Program(*command, environment=token.environment) as client:
            serving.wait_for(rb"subject=[^\n]*alice\.example")
            serving.type(b"welcome\n")
            client.wait_for(rb"welcome")


def test_the_command_line_says_how_to_give_the_pin(token: Token) -> None:
    command = [sys.executable, "-m", "pyossl", "server", "--port", "0", "--cert", CERTIFICATE, "--key", KEY]
    with Program(*command, environment=token.environment) as run:
        done = run.finish()
    assert done.status == 2
    assert "--password-file" in done.complaints
