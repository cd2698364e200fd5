"""Generating keys.  EVP_PKEY_keygen(3)"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import c_string, integer
from pyossl.core.errors import Error, UnsupportedError, check, check_ptr
from pyossl.core.library_context import LibraryContext, fips_note, library_pointer
from pyossl.core.outcome import take_records

LARGEST_MODULUS = 16384
"""In bits.  OpenSSL does not use longer RSA or DSA keys, and would need very long to generate one."""


def generate_key(type: str, bits: int | None, group: str | None, library_context: LibraryContext | None) -> Any:
    """A new ``EVP_PKEY *``, owned; see ``PrivateKey.generate``."""
    take_records()
    c_string(type, "a key type")
    if bits is not None:
        integer(bits, "the number of bits", 1, LARGEST_MODULUS)
    if group is not None:
        c_string(group, "a group")
    options = _KEY_OPTIONS.get(type.upper(), _KeyOptions())
    context = _key_context(type, library_context)
    if options.has_parameters:
        check(lib.EVP_PKEY_paramgen_init(context), "EVP_PKEY_paramgen_init")
        _set_options(context, type, options, bits, group, library_context)
        parameters = _generated(lib.EVP_PKEY_paramgen, context, "EVP_PKEY_paramgen")
        context = _key_context_of(parameters, library_context)
    check(lib.EVP_PKEY_keygen_init(context), "EVP_PKEY_keygen_init")
    if not options.has_parameters:
        _set_options(context, type, options, bits, group, library_context)
    generate = lib.EVP_PKEY_keygen if options.bits else lib.pyossl_generate_quick_key
    try:
        return _generated(generate, context, f"EVP_PKEY_keygen{fips_note(library_context)}")
    except Error as error:
        if group is None:
            raise
        raise _no_such_group(type, group, library_context) from error


class _KeyOptions(NamedTuple):
    """The names of a key type's options in EVP_PKEY_CTX_ctrl_str(3).  Those in ``fixed`` are always set."""

    bits: str = ""
    group: str = ""
    default_group: str = ""
    fixed: tuple[tuple[str, str], ...] = ()
    has_parameters: bool = False


_KEY_OPTIONS = {
    "RSA": _KeyOptions(bits="rsa_keygen_bits"),
    "RSA-PSS": _KeyOptions(bits="rsa_keygen_bits"),
    "EC": _KeyOptions(group="ec_paramgen_curve", default_group="P-256", fixed=(("ec_param_enc", "named_curve"),)),
    "DH": _KeyOptions(group="dh_param", default_group="ffdhe2048"),
    "DSA": _KeyOptions(bits="dsa_paramgen_bits", has_parameters=True),
}


def _key_context(type: str, library_context: LibraryContext | None) -> Any:
    library = library_pointer(library_context)
    context = lib.EVP_PKEY_CTX_new_from_name(library, c_string(type, "a key type"), ffi.NULL)
    if context == ffi.NULL:
        take_records()
        raise UnsupportedError(f"key type {type!r}{fips_note(library_context)}")
    return own(context, lib.EVP_PKEY_CTX_free)


def _key_context_of(parameters: Any, library_context: LibraryContext | None) -> Any:
    context = lib.EVP_PKEY_CTX_new_from_pkey(library_pointer(library_context), parameters, ffi.NULL)
    return own(check_ptr(context, "EVP_PKEY_CTX_new_from_pkey"), lib.EVP_PKEY_CTX_free)


def _set_options(
    context: Any,
    type: str,
    options: _KeyOptions,
    bits: int | None,
    group: str | None,
    library_context: LibraryContext | None,
) -> None:
    if bits is not None:
        if not options.bits:
            raise ValueError(f"a key of type {type!r} has no bits to choose")
        what = f"setting {bits} bits for a key of type {type!r}{fips_note(library_context)}"
        check(lib.EVP_PKEY_CTX_ctrl_str(context, options.bits.encode(), str(bits).encode()), what)
    if group is not None and not options.group:
        raise ValueError(f"a key of type {type!r} has no group to choose")
    chosen = group or options.default_group
    if chosen and lib.EVP_PKEY_CTX_ctrl_str(context, options.group.encode(), c_string(chosen, "a group")) <= 0:
        take_records()
        raise _no_such_group(type, chosen, library_context)
    for option, value in options.fixed:
        check(lib.EVP_PKEY_CTX_ctrl_str(context, option.encode(), value.encode()), option)


def _no_such_group(type: str, group: str, library_context: LibraryContext | None) -> UnsupportedError:
    # OpenSSL 1.1.1 checks the group when it is set, newer versions when it is used.
    return UnsupportedError(f"group {group!r} for keys of type {type!r}{fips_note(library_context)}")


def _generated(generate: Any, context: Any, operation: str) -> Any:
    out = ffi.new("EVP_PKEY **")
    check(generate(context, out), operation)
    take_records()
    return own(out[0], lib.EVP_PKEY_free)
