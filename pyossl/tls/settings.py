"""Which versions and algorithms connections may come to, and how they speak.  SSL_CTX_set_min_proto_version(3)"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pyossl.core.arguments import LARGEST_INT, c_string, integer, security_level, utf8
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, check, check_ptr, failed
from pyossl.core.flags import Modes, Options
from pyossl.core.outcome import take_records

_ALL_OPTIONS = 2**64 - 1 if lib.HAVE_OPTIONS_UINT64 else 2**32 - 1
_COMMANDS_FOR_GROUPS = ("groups", "curves")

NEEDED_MODES = Modes.ENABLE_PARTIAL_WRITE | Modes.ACCEPT_MOVING_WRITE_BUFFER | Modes.AUTO_RETRY
"""What a ``Connection`` relies on."""
DEFAULT_MODES = NEEDED_MODES | Modes.RELEASE_BUFFERS
"""Most connections are idle, and each would keep 34 KB for its next record."""


class Version(enum.IntEnum):
    """A version of the protocol, by its number on the wire.  SSL_CTX_set_min_proto_version(3)"""

    TLSv1 = lib.TLS1_VERSION
    TLSv1_1 = lib.TLS1_1_VERSION
    TLSv1_2 = lib.TLS1_2_VERSION
    TLSv1_3 = lib.TLS1_3_VERSION


def _version(value: Any) -> Version:
    if not isinstance(value, int) or isinstance(value, bool):  # another number may be equal to one, or to nothing
        raise ValueError(f"{value!r:.80} is not a valid Version")
    return Version(value)


class Settings(Uncopied):
    """What a ``Context`` has of versions, algorithms, options and OpenSSL's configuration language."""

    __slots__ = ("_groups",)

    _instead = "make another one with the same arguments"
    _ctx: Any
    _frozen: bool
    _configured: list[tuple[str, str]]
    _groups: str | None
    if TYPE_CHECKING:

        @property
        def is_server(self) -> bool: ...

    def _change(self) -> None:
        if self._frozen:
            raise UsageError("this context is frozen: a connection has been made from it")

    def _set_versions(self, minimum: int | None, maximum: int | None) -> None:
        minimum = None if minimum is None else _version(minimum)
        maximum = None if maximum is None else _version(maximum)
        if minimum is not None and maximum is not None and minimum > maximum:
            raise ValueError(f"the minimum version {minimum.name} is above the maximum version {maximum.name}")
        if minimum is not None:
            check(
                lib.SSL_CTX_set_min_proto_version(self._ctx, minimum),
                f"setting the minimum version {minimum.name}",
            )
        if maximum is not None:
            if minimum is None and maximum < lib.SSL_CTX_get_min_proto_version(self._ctx):
                raise ValueError(
                    f"the maximum version {maximum.name} is below the minimum {self.minimum_version.name}: "
                    "say that it is lower, too"
                )
            check(
                lib.SSL_CTX_set_max_proto_version(self._ctx, maximum),
                f"setting the maximum version {maximum.name}",
            )

    @property
    def minimum_version(self) -> Version:
        """The oldest version that connections may come to.  SSL_CTX_get_min_proto_version(3)"""
        return Version(lib.SSL_CTX_get_min_proto_version(self._ctx) or Version.TLSv1)

    @minimum_version.setter
    def minimum_version(self, version: Version) -> None:
        self._change()
        self._set_versions(_version(version), self.maximum_version)

    @property
    def maximum_version(self) -> Version | None:
        """The newest version that connections may come to, None for the newest there is.

        SSL_CTX_get_max_proto_version(3)
        """
        version = lib.SSL_CTX_get_max_proto_version(self._ctx)
        return Version(version) if version else None

    @maximum_version.setter
    def maximum_version(self, version: Version | None) -> None:
        self._change()
        if version is None:
            check(lib.SSL_CTX_set_max_proto_version(self._ctx, 0), "taking away the maximum version")
        self._set_versions(None, version)

    # Algorithms

    @property
    def security_level(self) -> int:
        """The level below which algorithms and keys are refused, 0 to 5; the system's policy sets it.

        SSL_CTX_set_security_level(3)
        """
        return lib.SSL_CTX_get_security_level(self._ctx)

    @security_level.setter
    def security_level(self, level: int) -> None:
        self._change()
        lib.SSL_CTX_set_security_level(self._ctx, security_level(level))

    @property
    def ciphers(self) -> tuple[str, ...]:
        """The names of all ciphers that may be used, TLS 1.3's ciphersuites among them.  SSL_CTX_get_ciphers(3)"""
        return tuple(text(lib.SSL_CIPHER_get_name(cipher)) for cipher in self._ciphers())

    def _ciphers(self) -> Iterator[Any]:
        stack = lib.SSL_CTX_get_ciphers(self._ctx)
        for n in range(0 if stack == ffi.NULL else lib.sk_SSL_CIPHER_num(stack)):
            yield lib.sk_SSL_CIPHER_value(stack, n)

    def _anonymous_ciphers(self) -> tuple[str, ...]:
        """Those by which neither side shows anything of itself.  SSL_CIPHER_get_auth_nid(3)"""
        anonymous = (each for each in self._ciphers() if lib.SSL_CIPHER_get_auth_nid(each) == lib.NID_auth_null)
        return tuple(text(lib.SSL_CIPHER_get_name(cipher)) for cipher in anonymous)

    def set_cipher_list(self, ciphers: str) -> None:
        """The ciphers of TLS 1.2 and before, such as ``ECDHE+AESGCM``; ``ValueError`` where none remains.

        SSL_CTX_set_cipher_list(3)
        """
        self._choose("cipher list", lib.SSL_CTX_set_cipher_list, ciphers)

    def set_ciphersuites(self, ciphersuites: str) -> None:
        """The ciphersuites of TLS 1.3, colons between; ``ValueError`` for a name that this OpenSSL does not know.

        SSL_CTX_set_ciphersuites(3)
        """
        self._choose("ciphersuites", lib.SSL_CTX_set_ciphersuites, ciphersuites)
        # 1.1.1 refuses an unknown name, later versions leave it out in silence.
        if unknown := set(filter(None, ciphersuites.split(":"))) - set(self.ciphers):
            raise ValueError(f"this OpenSSL does not know these ciphersuites: {', '.join(sorted(unknown))}")

    def set_groups(self, groups: str) -> None:
        """The groups for the key exchange, such as ``X25519MLKEM768:X25519``, in order of preference.

        From OpenSSL 3.5 in the tuple syntax too.  ``ValueError`` for what this OpenSSL cannot.
        SSL_CTX_set1_groups_list(3)
        """
        self._choose("groups", lib.SSL_CTX_set1_groups_list, groups)
        self._groups = groups

    def set_sigalgs(self, algorithms: str) -> None:
        """The signature algorithms, such as ``ECDSA+SHA256:ed25519``.  SSL_CTX_set1_sigalgs_list(3)"""
        self._choose("signature algorithms", lib.SSL_CTX_set1_sigalgs_list, algorithms)
        self._configured.append(("SignatureAlgorithms", algorithms))

    def set_client_sigalgs(self, algorithms: str) -> None:
        """The signature algorithms for client certificates.  SSL_CTX_set1_client_sigalgs_list(3)"""
        self._choose("client signature algorithms", lib.SSL_CTX_set1_client_sigalgs_list, algorithms)
        self._configured.append(("ClientSignatureAlgorithms", algorithms))

    def _choose(self, what: str, function: Callable[[Any, bytes], int], value: str) -> None:
        self._change()
        # An empty list of groups is no error to 4.0, which then offers its own.
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError(f"the {what} are text without a NUL, not {value!r:.80}")
        encoded = utf8(value, f"the {what}")
        take_records()
        if function(self._ctx, encoded) != 1:
            error = failed(f"setting the {what} to {value!r}")
            raise ValueError(str(error)) from error

    @property
    def max_certificate_list(self) -> int:
        """How many bytes the certificates that a peer shows may take together; a peer that sends more is refused.

        OpenSSL's 100 KiB if nothing is said, of which a connection, and the session that is kept of it, may need
        thirty times as much.  SSL_CTX_set_max_cert_list(3)
        """
        return int(lib.SSL_CTX_get_max_cert_list(self._ctx))

    @max_certificate_list.setter
    def max_certificate_list(self, size: int) -> None:
        self._change()
        lib.SSL_CTX_set_max_cert_list(self._ctx, integer(size, "the size of a certificate list", 1, LARGEST_INT))

    # Options and policy

    @property
    def options(self) -> Options:
        """How the protocol is spoken.  SSL_CTX_get_options(3)"""
        return Options(lib.SSL_CTX_get_options(self._ctx))

    @options.setter
    def options(self, options: Options) -> None:
        self._change()
        integer(options, "options", 0, _ALL_OPTIONS)
        lib.SSL_CTX_clear_options(self._ctx, lib.SSL_CTX_get_options(self._ctx) & ~options)
        lib.SSL_CTX_set_options(self._ctx, options)

    @property
    def modes(self) -> Modes:
        """How calls behave.  SSL_CTX_get_mode(3)"""
        return Modes(lib.SSL_CTX_get_mode(self._ctx))

    @modes.setter
    def modes(self, modes: Modes) -> None:
        self._change()
        integer(modes, "modes", 0, LARGEST_INT)
        if missing := NEEDED_MODES & ~modes:
            raise ValueError(f"a Connection relies on {missing!r}")
        lib.SSL_CTX_clear_mode(self._ctx, lib.SSL_CTX_get_mode(self._ctx) & ~modes)
        lib.SSL_CTX_set_mode(self._ctx, modes)

    def configure(self, command: str, value: str) -> None:
        """One command of OpenSSL's configuration language, as in openssl.cnf: ``("MinProtocol", "TLSv1.3")``.

        What it changes of verification ``verifies`` and ``checks_hostname`` tell.  An encrypted key file is refused:
        nothing prompts.  Raises ``ValueError`` for a command that there is not, or a value that it refuses.
        SSL_CONF_cmd(3)
        """
        self._change()
        pair = c_string(command, "a configuration command"), c_string(value, "a configuration value")
        what = f"the configuration command {command!r} with the value {value!r}"
        configuration = own(check_ptr(lib.SSL_CONF_CTX_new(), "SSL_CONF_CTX_new"), lib.SSL_CONF_CTX_free)
        side = lib.SSL_CONF_FLAG_SERVER if self.is_server else lib.SSL_CONF_FLAG_CLIENT
        flags = lib.SSL_CONF_FLAG_FILE | lib.SSL_CONF_FLAG_CERTIFICATE | lib.SSL_CONF_FLAG_SHOW_ERRORS | side
        lib.SSL_CONF_CTX_set_flags(configuration, flags)
        lib.SSL_CONF_CTX_set_ssl_ctx(configuration, self._ctx)
        take_records()
        self._configured.append((command, value))
        if lib.SSL_CONF_cmd(configuration, *pair) <= 0 or lib.SSL_CONF_CTX_finish(configuration) != 1:
            error = failed(what)
            raise ValueError(str(error)) from error
        if command.lower() in _COMMANDS_FOR_GROUPS:
            self._groups = value
        take_records()

    def configure_section(self, name: str) -> None:
        """A section of the SSL module of the system's openssl.cnf; ``ValueError`` where there is none.

        What it changes of verification ``verifies`` and ``checks_hostname`` tell.  SSL_CTX_config(3)
        """
        self._change()
        section = c_string(name, "the name of a section")
        take_records()
        self._configured.append(("section", name))
        if lib.SSL_CTX_config(self._ctx, section) != 1:
            error = failed(f"the section {name!r} of the configuration")
            raise ValueError(str(error)) from error
        take_records()
