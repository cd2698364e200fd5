"""The algorithms that a context allows: cipher list, ciphersuites, groups, signature algorithms, security level.

SSL_CTX_set_cipher_list(3)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import flag, security_level, utf8
from pyossl.core.errors import check, check_ptr, failed, require
from pyossl.core.library_context import fips_note
from pyossl.core.outcome import take_records
from pyossl.tls.settings.cipher_suite import CipherSuite, cipher_suite
from pyossl.tls.settings.context_state import ContextState


class AlgorithmSettings(ContextState):
    """The ciphers, groups and signature algorithms of a context, and its security level."""

    __slots__ = ()

    @property
    def security_level(self) -> int:
        """The security level, 0 to 5: OpenSSL refuses algorithms and keys that are weaker than it demands.

        The system's policy sets the default.  SSL_CTX_set_security_level(3)
        """
        return lib.SSL_CTX_get_security_level(self._ctx)

    @security_level.setter
    def security_level(self, level: int) -> None:
        self._change()
        lib.SSL_CTX_set_security_level(self._ctx, security_level(level))

    @property
    def ciphers(self) -> tuple[str, ...]:
        """The names of all ciphers that may be used, the ciphersuites of TLS 1.3 included.  SSL_CTX_get_ciphers(3)"""
        return tuple(text(lib.SSL_CIPHER_get_name(cipher)) for cipher in self._ciphers())

    @property
    def cipher_suites(self) -> tuple[CipherSuite, ...]:
        """The ciphers that may be used, with their numbers and standard names.  SSL_CTX_get_ciphers(3)"""
        return tuple(cipher_suite(cipher) for cipher in self._ciphers())

    def _ciphers(self) -> Iterator[Any]:
        # A copy: another thread may replace the context's own list.
        stack = own(lib.pyossl_context_ciphers(self._ctx), lib.sk_SSL_CIPHER_free)
        for n in range(0 if stack == ffi.NULL else lib.sk_SSL_CIPHER_num(stack)):
            yield lib.sk_SSL_CIPHER_value(stack, n)

    def _anonymous_ciphers(self) -> tuple[str, ...]:
        """The names of the ciphers with which neither side shows a certificate.  SSL_CIPHER_get_auth_nid(3)"""
        anonymous = (each for each in self._ciphers() if lib.SSL_CIPHER_get_auth_nid(each) == lib.NID_auth_null)
        return tuple(text(lib.SSL_CIPHER_get_name(cipher)) for cipher in anonymous)

    def set_cipher_list(self, ciphers: str) -> None:
        """Sets the ciphers of TLS 1.2 and earlier.

        ``ciphers`` is text in the format of ciphers(1), for example ``ECDHE+AESGCM``.  Raises ``ValueError`` if no
        cipher remains.  SSL_CTX_set_cipher_list(3)
        """
        self._choose("cipher list", lib.SSL_CTX_set_cipher_list, ciphers)

    def set_ciphersuites(self, ciphersuites: str) -> None:
        """Sets the ciphersuites of TLS 1.3.

        ``ciphersuites`` is their names, separated by colons, for example ``TLS_AES_256_GCM_SHA384``.  Raises
        ``ValueError`` for a name that this OpenSSL does not have.  SSL_CTX_set_ciphersuites(3)
        """
        self._choose("ciphersuites", lib.SSL_CTX_set_ciphersuites, ciphersuites)
        # OpenSSL 1.1.1 refuses an unknown name; later versions leave it out silently.
        if unknown := set(filter(None, ciphersuites.split(":"))) - set(self.ciphers):
            note = fips_note(self._library_context)
            raise ValueError(f"this OpenSSL does not know these ciphersuites{note}: {', '.join(sorted(unknown))}")

    def set_groups(self, groups: str) -> None:
        """Sets the groups of the key exchange.

        ``groups`` is their names in order of preference, for example ``X25519MLKEM768:X25519``.  OpenSSL 3.5 or newer
        also takes its tuple syntax.  Raises ``ValueError`` for a list that this OpenSSL refuses.
        SSL_CTX_set1_groups_list(3)
        """
        self._choose("groups", lib.SSL_CTX_set1_groups_list, groups)
        self._groups = groups

    def implemented_groups(self, *, with_aliases: bool = False) -> tuple[str, ...]:
        """The names of the groups that this context can use, by its versions.

        - ``with_aliases``: True for all names of each group.

        OpenSSL 3.5 or newer; with older ones it raises ``UnsupportedError``.  SSL_CTX_get0_implemented_groups(3)
        """
        require(lib.HAVE_API_3_5, "the names of all groups")
        names = own(check_ptr(lib.sk_OPENSSL_CSTRING_new_null(), "a stack"), lib.sk_OPENSSL_CSTRING_free)
        done = lib.SSL_CTX_get0_implemented_groups(self._ctx, flag(with_aliases, "with_aliases"), names)
        check(done, "SSL_CTX_get0_implemented_groups")
        return tuple(text(lib.sk_OPENSSL_CSTRING_value(names, n)) for n in range(lib.sk_OPENSSL_CSTRING_num(names)))

    def set_sigalgs(self, algorithms: str) -> None:
        """Sets the signature algorithms.

        ``algorithms`` is their names in order of preference, for example ``ECDSA+SHA256:ed25519``.  Raises
        ``ValueError`` for a list that this OpenSSL refuses.  SSL_CTX_set1_sigalgs_list(3)
        """
        self._choose("signature algorithms", lib.SSL_CTX_set1_sigalgs_list, algorithms)
        self._configured.append(("SignatureAlgorithms", algorithms))

    def set_client_sigalgs(self, algorithms: str) -> None:
        """Sets the signature algorithms for the certificates of clients.

        ``algorithms`` has the format of ``set_sigalgs``.  Raises ``ValueError`` for a list that this OpenSSL refuses.
        SSL_CTX_set1_client_sigalgs_list(3)
        """
        self._choose("client signature algorithms", lib.SSL_CTX_set1_client_sigalgs_list, algorithms)
        self._configured.append(("ClientSignatureAlgorithms", algorithms))

    def _choose(self, what: str, function: Callable[[Any, bytes], int], value: str) -> None:
        self._change()
        # OpenSSL 4.0 takes an empty list of groups, and offers its default groups then.
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError(f"the {what} are text without a NUL, not {value!r:.80}")
        encoded = utf8(value, f"the {what}")
        take_records()
        if function(self._ctx, encoded) != 1:
            error = failed(f"setting the {what} to {value!r}{fips_note(self._library_context)}")
            raise ValueError(str(error)) from error


def builtin_sigalgs() -> tuple[str, ...]:
    """The names of the signature algorithms that this OpenSSL has for TLS.

    OpenSSL 3.4 or newer; with older ones it raises ``UnsupportedError``.  SSL_get1_builtin_sigalgs(3)
    """
    require(lib.HAVE_API_3_4, "the names of all signature algorithms")
    names = own(check_ptr(lib.SSL_get1_builtin_sigalgs(ffi.NULL), "SSL_get1_builtin_sigalgs"), lib.OPENSSL_free)
    return tuple(text(names).split(":"))
