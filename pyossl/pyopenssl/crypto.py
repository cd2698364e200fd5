"""The names of ``OpenSSL.crypto``: certificates, their names, keys and trust stores."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pyossl.pyopenssl._util import (  # noqa: F401 - for programs that call OpenSSL themselves
    StrOrBytesPath as StrOrBytesPath,
    byte_string as _byte_string,
    exception_from_error_queue as _exception_from_error_queue,
    make_assert as _make_assert,
    path_bytes as _path_bytes,
)
from pyossl.pyopenssl.certificates import (
    X509,
    X509Name,
    _X509NameInvalidator as _X509NameInvalidator,
    dump_certificate,
    load_certificate,
)
from pyossl.pyopenssl.cryptography_binding import interface as _ffi, library as _lib  # noqa: F401 - for those too
from pyossl.pyopenssl.keys import (
    FILETYPE_ASN1,
    FILETYPE_PEM,
    FILETYPE_TEXT,
    TYPE_DH as TYPE_DH,
    TYPE_DSA,
    TYPE_EC as TYPE_EC,
    TYPE_RSA,
    Error,
    PassphraseCallableT as PassphraseCallableT,
    PKey,
    _EllipticCurve as _EllipticCurve,
    _Key as _Key,
    _PrivateKey as _PrivateKey,
    _PublicKey as _PublicKey,
    dump_publickey,
    get_elliptic_curve,
    get_elliptic_curves,
    load_privatekey,
    load_publickey,
    write_private_key,
)
from pyossl.pyopenssl.private_functions import (  # noqa: F401
    _bio_to_string,
    _get_asn1_time,
    _new_asn1_time,
    _new_mem_buf,
    _PassphraseHelper,
    _set_asn1_time,
    crypto_assert as _openssl_assert,
    raise_current_error as _raise_current_error,
)
from pyossl.pyopenssl.removed_names import missing
from pyossl.pyopenssl.stores import X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags

__all__ = [
    "FILETYPE_ASN1",
    "FILETYPE_PEM",
    "FILETYPE_TEXT",
    "TYPE_DSA",
    "TYPE_RSA",
    "X509",
    "Error",
    "PKey",
    "X509Name",
    "X509Store",
    "X509StoreContext",
    "X509StoreContextError",
    "X509StoreFlags",
    "dump_certificate",
    "dump_privatekey",
    "dump_publickey",
    "get_elliptic_curve",
    "get_elliptic_curves",
    "load_certificate",
    "load_privatekey",
    "load_publickey",
]

_dump_privatekey_internal = write_private_key

if TYPE_CHECKING:
    dump_privatekey = write_private_key
else:

    def __getattr__(name: str) -> Any:
        # As in pyOpenSSL, the warning comes when a program looks the function up, not when it calls it.
        if name == "dump_privatekey":
            message = "dump_privatekey is deprecated. You should use the APIs in cryptography."
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            return write_private_key
        raise missing(__name__, name)
