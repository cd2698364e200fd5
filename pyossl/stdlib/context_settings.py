"""The settings of ``_SSLContext`` that are numbers: versions, options, verification, tickets."""

from __future__ import annotations

import operator
from typing import Any

from pyossl.core import lib
from pyossl.core.errors import Error
from pyossl.core.outcome import take_records
from pyossl.stdlib import errors, python_versions
from pyossl.stdlib.c_numbers import c_int, c_long, cut
from pyossl.stdlib.constants import (
    CERT_NONE,
    CERT_OPTIONAL,
    CERT_REQUIRED,
    PROTO_MAXIMUM_SUPPORTED,
    PROTO_MINIMUM_SUPPORTED,
    PROTOCOL_TLS,
    PROTOCOL_TLS_CLIENT,
    PROTOCOL_TLS_SERVER,
    PROTO_SSLv3,
)
from pyossl.stdlib.deprecation import deprecated
from pyossl.tls.mutable.mutable_context import Method, MutableContext

_ANY_VERSION = (PROTOCOL_TLS, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER)
_MODES = {
    CERT_NONE: lib.SSL_VERIFY_NONE,
    CERT_OPTIONAL: lib.SSL_VERIFY_PEER,
    CERT_REQUIRED: lib.SSL_VERIFY_PEER | lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
}
_OLD_VERSIONS = {PROTO_SSLv3: "SSLv3", lib.TLS1_VERSION: "TLSv1", lib.TLS1_1_VERSION: "TLSv1_1"}
_VERSIONS = (
    PROTO_SSLv3,
    lib.TLS1_VERSION,
    lib.TLS1_1_VERSION,
    lib.TLS1_2_VERSION,
    lib.TLS1_3_VERSION,
    PROTO_MINIMUM_SUPPORTED,
    PROTO_MAXIMUM_SUPPORTED,
)
_WITHOUT_VERSIONS = (
    lib.SSL_OP_NO_SSLv3 | lib.SSL_OP_NO_TLSv1 | lib.SSL_OP_NO_TLSv1_1 | lib.SSL_OP_NO_TLSv1_2 | lib.SSL_OP_NO_TLSv1_3
)
_LARGEST_INT = 2**31 - 1


class Settings:
    """The numbers that a context is set to."""

    tls: MutableContext
    """The context of pyossl's core; it may be changed while connections use it."""
    protocol: int
    """The constant PROTOCOL_x that the context was made with."""
    _checks_hostname: bool
    _host_flags_set: int

    def _begin(self, protocol: int) -> None:
        self.protocol = protocol
        try:
            self.tls = MutableContext(Method.TLS, live=True)
        except Error as error:  # for example, openssl.cnf names a provider that is not there
            raise errors.of_code(error.records[-1].code if error.records else 0) from None

    def _parameters(self) -> Any:
        return lib.SSL_CTX_get0_param(self.tls._ctx)

    # Versions

    def _check_any_version(self) -> None:
        if self.protocol not in _ANY_VERSION:
            raise ValueError("The context's protocol doesn't support modification of highest and lowest version.")

    @property
    def minimum_version(self) -> int:
        """The oldest version; PROTO_MINIMUM_SUPPORTED for OpenSSL's oldest.  SSL_CTX_set_min_proto_version(3)"""
        if self.protocol not in _ANY_VERSION:
            return PROTO_MINIMUM_SUPPORTED
        return lib.SSL_CTX_get_min_proto_version(self.tls._ctx) or PROTO_MINIMUM_SUPPORTED

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        special = {PROTO_MINIMUM_SUPPORTED: 0, PROTO_MAXIMUM_SUPPORTED: lib.TLS1_3_VERSION}
        self._set_version(value, lib.SSL_CTX_set_min_proto_version, special)

    @property
    def maximum_version(self) -> int:
        """The newest version; PROTO_MAXIMUM_SUPPORTED for OpenSSL's newest.  SSL_CTX_set_max_proto_version(3)"""
        if self.protocol not in _ANY_VERSION:
            return PROTO_MAXIMUM_SUPPORTED
        return lib.SSL_CTX_get_max_proto_version(self.tls._ctx) or PROTO_MAXIMUM_SUPPORTED

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        special = {PROTO_MAXIMUM_SUPPORTED: 0, PROTO_MINIMUM_SUPPORTED: lib.TLS1_VERSION}
        self._set_version(value, lib.SSL_CTX_set_max_proto_version, special)

    def _set_version(self, value: Any, change: Any, special: dict[int, int]) -> None:
        number = c_long(value)
        if not -_LARGEST_INT - 1 <= number <= _LARGEST_INT:
            raise OverflowError("Option is too long")
        self._check_any_version()
        if number in _OLD_VERSIONS:
            deprecated(f"ssl.TLSVersion.{_OLD_VERSIONS[number]} is deprecated")
        elif number not in _VERSIONS:
            raise ValueError(f"Unsupported TLS/SSL version 0x{number & 0xFFFFFFFF:x}")
        version = special.get(number, number)
        if not change(self.tls._ctx, version):
            take_records()
            raise ValueError(f"Unsupported protocol version 0x{version:x}")

    # Options

    @property
    def options(self) -> int:
        """The options of the protocol, a combination of OP_x.  SSL_CTX_set_options(3)"""
        options = int(lib.SSL_CTX_get_options(self.tls._ctx))
        if python_versions.OPTIONS_ARE_SIGNED and options >> 63:
            options -= 1 << 64
        return options

    @options.setter
    def options(self, value: int) -> None:
        wanted = _options(value)
        now = lib.SSL_CTX_get_options(self.tls._ctx)
        clear, add = now & ~wanted, wanted & ~now
        if add & _WITHOUT_VERSIONS:
            deprecated("ssl.OP_NO_SSL*/ssl.OP_NO_TLS* options are deprecated")
        if clear:
            lib.SSL_CTX_clear_options(self.tls._ctx, clear)
        if add:
            lib.SSL_CTX_set_options(self.tls._ctx, add)

    # Verification

    def _verify(self, mode: int) -> None:
        if mode not in _MODES:
            raise ValueError("invalid value for verify_mode")
        lib.pyossl_verify_without_distrusted_keys(self.tls._ctx, _MODES[mode])

    @property
    def verify_mode(self) -> int:
        """CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED.  SSL_CTX_set_verify(3)"""
        mode = lib.SSL_CTX_get_verify_mode(self.tls._ctx)
        if not mode & lib.SSL_VERIFY_PEER:
            return CERT_NONE
        return CERT_REQUIRED if mode & lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT else CERT_OPTIONAL

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        mode = c_int(value)
        if mode == CERT_NONE and self._checks_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        self._verify(mode)

    @property
    def check_hostname(self) -> bool:
        """Whether a client compares the server's name with its certificate.  SSL_set1_host(3)"""
        return self._checks_hostname

    @check_hostname.setter
    def check_hostname(self, value: object) -> None:
        checks = bool(value)
        if checks and self.verify_mode == CERT_NONE:
            self._verify(CERT_REQUIRED)
        self._checks_hostname = checks

    @property
    def verify_flags(self) -> int:
        """The flags of verification, a combination of VERIFY_x.  X509_VERIFY_PARAM_set_flags(3)"""
        return int(lib.X509_VERIFY_PARAM_get_flags(self._parameters()))

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        wanted, now = cut(value, 64), self.verify_flags
        clear, add = now & ~wanted, wanted & ~now
        if clear and not lib.X509_VERIFY_PARAM_clear_flags(self._parameters(), clear):
            raise errors.of_queue()
        if add and not lib.X509_VERIFY_PARAM_set_flags(self._parameters(), add):
            raise errors.of_queue()

    @property
    def _host_flags(self) -> int:
        """How names are compared with certificates, a combination of HOSTFLAG_x.  X509_check_host(3)"""
        return self._host_flags_set

    @_host_flags.setter
    def _host_flags(self, value: int) -> None:
        self._host_flags_set = cut(value, 32)
        lib.X509_VERIFY_PARAM_set_hostflags(self._parameters(), self._host_flags_set)

    # Tickets and the security level

    @property
    def num_tickets(self) -> int:
        """How many tickets a TLS 1.3 server sends.  SSL_CTX_set_num_tickets(3)"""
        return int(lib.SSL_CTX_get_num_tickets(self.tls._ctx))

    @num_tickets.setter
    def num_tickets(self, value: int) -> None:
        number = c_long(value)
        if number < 0:
            raise ValueError("value must be non-negative")
        if self.protocol != PROTOCOL_TLS_SERVER:
            raise ValueError("SSLContext is not a server context.")
        if lib.SSL_CTX_set_num_tickets(self.tls._ctx, number) != 1:
            take_records()
            raise ValueError("failed to set num tickets.")

    @property
    def security_level(self) -> int:
        """OpenSSL's security level.  SSL_CTX_get_security_level(3)"""
        return int(lib.SSL_CTX_get_security_level(self.tls._ctx))


def _options(value: Any) -> int:
    """A value for ``options``, as this Python takes it."""
    if python_versions.OPTIONS_ARE_SIGNED:
        return c_long(value) & (1 << 64) - 1
    number = operator.index(value)
    if number < 0:
        if python_versions.NEGATIVE_OPTIONS_ARE_VALUE_ERRORS:
            raise ValueError("Cannot convert negative int")
        raise OverflowError("can't convert negative int to unsigned")
    if number >> 64:
        raise OverflowError("int too big to convert")
    return number
