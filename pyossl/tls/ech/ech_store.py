"""The keys and configurations of Encrypted Client Hello (ECH).  OSSL_ECHSTORE_new(3), RFC 9849

A server has a private key and publishes the configuration for it, in a DNS record of the type HTTPS.  A client gets a
list of configurations and encrypts its ClientHello for one of them.

OpenSSL refuses a whole list if it does not know the version of the first configuration, or no algorithm of one of them.
RFC 9849, 4, says that a client ignores such configurations.  So the list is taken apart here, and OpenSSL gets one
configuration at a time.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import integer, iterated
from pyossl.core.copying import Uncopied
from pyossl.core.errors import DecodeError, check, check_ptr, failed, require
from pyossl.core.outcome import take_records
from pyossl.x509.keys import PrivateKey
from pyossl.x509.pem_and_der import Block, Source, bio_contents, describe, pem_blocks, pem_text, source_bytes
from pyossl.x509.reference_name import reference_name

_LABEL = "ECHCONFIG"
_PRIVATE_KEY = "PRIVATE KEY"
_SIZE = 2  # bytes of a length, and of a version
_SUITE_NUMBERS = 3


class ECHConfig(NamedTuple):
    """One configuration of Encrypted Client Hello.  OSSL_ECHSTORE_get1_info(3)"""

    public_name: str
    description: str
    has_private_key: bool
    for_retry: bool


ECHConfig.public_name.__doc__ = "The server name that is sent without encryption."
ECHConfig.description.__doc__ = "OpenSSL's text: version, id, public name, algorithms, public key, longest name."
ECHConfig.has_private_key.__doc__ = "Whether the private key is there, as a server needs it."
ECHConfig.for_retry.__doc__ = "Whether a server sends it to clients that used another key."


class ECHStore(Uncopied):
    """The private keys of a server for Encrypted Client Hello, and their configurations.  OSSL_ECHSTORE_new(3)

    - ``sources``: PEM files, or their contents as ``bytes``, as ``openssl ech`` and ``to_pem`` write them: a private
      key and its configuration.  A client that used an older configuration gets these to try again.
    - ``retired``: PEM files of older keys, with which clients may still come.  Their configurations are not sent.

    It is immutable.  Raises ``DecodeError`` for a source without exactly one private key and its configuration,
    ``PasswordError`` for an encrypted key, ``OSError`` for a file that cannot be read, and ``UnsupportedError`` before
    OpenSSL 4.0.  OSSL_ECHSTORE_read_pem(3)
    """

    __slots__ = ("__weakref__", "_config_list", "_keys", "_store")

    _instead = "they contain private keys; store the result of to_pem()"

    def __init__(self, *sources: Source, retired: Iterable[Source] = ()) -> None:
        require(lib.HAVE_ECH, "Encrypted Client Hello")
        older = tuple(iterated(retired, "retired"))
        if not sources and not older:
            raise TypeError("an ECHStore is made from the PEM files of its keys; ECHStore.new() makes a key")
        self._store = new_store()
        current = [_read(self._store, source, lib.OSSL_ECH_FOR_RETRY) for source in sources]
        self._keys = (*current, *(_read(self._store, source, lib.OSSL_ECH_NO_RETRY) for source in older))
        self._config_list = _list_of(b"".join(config_list[_SIZE:] for _, config_list in current))

    @classmethod
    def new(cls, public_name: str, *, max_name_length: int = 0, suite: tuple[int, int, int] = (0x20, 1, 1)) -> ECHStore:
        """Makes a new key and its configuration.

        - ``public_name``: the DNS name that clients send without encryption.  The server needs a certificate for it:
          with that it tells clients that their configuration is out of date.
        - ``max_name_length``: the length of the longest name that is to be hidden, up to 255; shorter names are padded
          to it.  0 if it is not known.
        - ``suite``: the numbers of RFC 9180 for KEM, KDF and AEAD.  The default is X25519, HKDF-SHA256 and AES-128-GCM.

        Raises ``ValueError`` for an address, or for algorithms that OpenSSL does not have.  OSSL_ECHSTORE_new_config(3)
        """
        name = reference_name(public_name)
        if name.is_address:
            raise ValueError(f"a public name is a DNS name, not the address {public_name!r}")
        longest = integer(max_name_length, "max_name_length", 0, 255)
        numbers = tuple(iterated(suite, "suite"))
        if len(numbers) != _SUITE_NUMBERS:
            raise ValueError(f"a suite is three numbers: KEM, KDF and AEAD, not {len(numbers)}")
        kem, kdf, aead = (integer(number, "a number of a suite", 0, 0xFFFF) for number in numbers)
        require(lib.HAVE_ECH, "Encrypted Client Hello")
        store = new_store()
        algorithms = ffi.new("OSSL_HPKE_SUITE *", {"kem_id": kem, "kdf_id": kdf, "aead_id": aead})
        version = lib.OSSL_ECH_CURRENT_VERSION
        take_records()
        if lib.OSSL_ECHSTORE_new_config(store, version, longest, name.text.encode(), algorithms[0]) != 1:
            raise ValueError(f"OpenSSL makes no ECH key for the suite {numbers}") from failed(
                "OSSL_ECHSTORE_new_config"
            )
        # A server cannot decrypt with a key before it has been written and read (docs/pitfalls.md, 74).
        bio = BIO.memory()
        written = lib.OSSL_ECHSTORE_write_pem(store, lib.OSSL_ECHSTORE_LAST, bio._bio)
        check(written, "OSSL_ECHSTORE_write_pem")
        return cls(bio_contents(bio))

    @property
    def configs(self) -> tuple[ECHConfig, ...]:
        """The configurations.  OSSL_ECHSTORE_get1_info(3)"""
        return configs_of(self._store)

    @property
    def config_list(self) -> bytes:
        """The list of the configurations to publish, those of ``sources``: the value of ``ech=`` in a DNS record.

        The record has it in base64.  It is empty (two zero bytes) if all keys are retired.  RFC 9849, 4
        """
        return self._config_list

    def to_pem(self) -> bytes:
        """The private keys and their configurations in PEM, one after the other, as ``openssl ech`` writes them.

        A file for ``openssl s_server -ech_key`` or for ``ECHStore`` has one of them.  PEM_write_bio(3)
        """
        # Not OSSL_ECHSTORE_write_pem(3), which writes half of the list that was read (docs/pitfalls.md, 74).
        return b"".join(key.to_pem() + Block(_LABEL, b"", config_list).pem() for key, config_list in self._keys)

    def __repr__(self) -> str:
        return f"<ECHStore {', '.join(repr(config.public_name) for config in self.configs)}>"


def new_store() -> Any:
    """An empty ``OSSL_ECHSTORE *``, owned."""
    take_records()
    return own(check_ptr(lib.OSSL_ECHSTORE_new(ffi.NULL, ffi.NULL), "OSSL_ECHSTORE_new"), lib.OSSL_ECHSTORE_free)


def _count(store: Any) -> int:
    count = ffi.new("int *")
    check(lib.OSSL_ECHSTORE_num_entries(store, count), "OSSL_ECHSTORE_num_entries")
    return int(count[0])


def _count_keys(store: Any) -> int:
    count = ffi.new("int *")
    check(lib.OSSL_ECHSTORE_num_keys(store, count), "OSSL_ECHSTORE_num_keys")
    return int(count[0])


def configs_of(store: Any) -> tuple[ECHConfig, ...]:
    """The configurations in an ``OSSL_ECHSTORE *``.  OSSL_ECHSTORE_get1_info(3)"""
    return tuple(_info(store, index) for index in range(_count(store)))


def _info(store: Any, index: int) -> ECHConfig:
    loaded, texts, flags = ffi.new("time_t *"), ffi.new("char *[2]"), ffi.new("int[2]")
    take_records()
    result = lib.OSSL_ECHSTORE_get1_info(store, index, loaded, texts, texts + 1, flags, flags + 1)
    name, description = (own(each, lib.OPENSSL_free) for each in texts)
    check(result, "OSSL_ECHSTORE_get1_info")
    return ECHConfig(text(name), text(description), bool(flags[0]), bool(flags[1]))


def _read(store: Any, source: Source, for_retry: int) -> tuple[PrivateKey, bytes]:
    """Adds the key and the configuration of a PEM file to ``store``; returns it and its list of configurations."""
    what = f"reading an ECH key from {describe(source)}"
    data = source_bytes(source)
    blocks, malformed = pem_blocks(pem_text(data), what)
    if malformed is not None:
        raise malformed
    keys = [block for block in blocks if block.label.endswith(_PRIVATE_KEY)]
    configs = [block for block in blocks if block.label == _LABEL]
    if len(keys) != 1 or len(configs) != 1:
        raise DecodeError(
            f"{what} failed: it holds {len(keys)} private keys and {len(configs)} ECH configurations, not one of each"
        )
    # The key is not read by OSSL_ECHSTORE_read_pem(3), which asks for the password of an encrypted one on the terminal.
    key = PrivateKey.load(keys[0].pem())
    _checked(configs[0].der, what)
    known = _count_keys(store)
    take_records()
    bio = BIO.memory(configs[0].pem())
    if lib.OSSL_ECHSTORE_set1_key_and_read_pem(store, key._key, bio._bio, for_retry) != 1:
        why = f"{what} failed: OpenSSL cannot use the configuration, or the private key does not belong to it"
        raise DecodeError(why) from failed(what)
    if _count_keys(store) == known:
        raise DecodeError(f"{what} failed: the private key does not belong to the configuration")
    return key, configs[0].der


# Lists of configurations


def config_list_of(value: bytes | str) -> bytes:
    """A list of configurations in binary, made from binary, or from base64 as a DNS record has it.

    Raises ``TypeError`` for another type, and ``DecodeError`` for data that is no list of configurations.
    """
    what = "reading a list of ECH configurations"
    if not isinstance(value, (bytes, str)):
        raise TypeError(f"a list of ECH configurations is bytes, or base64 as str, not {type(value).__name__}")
    if isinstance(value, bytes) and value and len(value) == _SIZE + int.from_bytes(value[:_SIZE], "big"):
        return _checked(value, what)
    try:
        encoded = value.encode("ascii") if isinstance(value, str) else value
        decoded = binascii.a2b_base64(encoded)
    except (UnicodeEncodeError, binascii.Error):
        decoded, encoded = b"", b"-"
    if binascii.b2a_base64(decoded, newline=False) != encoded.strip():
        raise DecodeError(f"{what} failed: {len(value)} bytes are neither such a list nor base64")
    return _checked(decoded, what)


def single_configs(config_list: bytes) -> Iterator[bytes]:
    """A list of its own for each configuration of a version that OpenSSL knows.  ``config_list`` has been checked."""
    known = int(lib.OSSL_ECH_CURRENT_VERSION).to_bytes(_SIZE, "big")
    for config in _split(config_list):
        if config[:_SIZE] == known:
            yield _list_of(config)


def _list_of(configs: bytes) -> bytes:
    return len(configs).to_bytes(_SIZE, "big") + configs


def _split(config_list: bytes) -> list[bytes]:
    """The configurations of a list, each with its version and its length; IndexError if they are cut short."""
    configs, place = [], _SIZE
    while place < len(config_list):
        begin, place = place, place + 2 * _SIZE
        place += int.from_bytes(config_list[place - _SIZE : place], "big")
        if place > len(config_list):
            raise IndexError
        configs.append(config_list[begin:place])
    return configs


def _checked(config_list: bytes, what: str) -> bytes:
    """The list, if the lengths in it are right."""
    size = len(config_list)
    try:
        if size <= _SIZE or size != _SIZE + int.from_bytes(config_list[:_SIZE], "big") or not _split(config_list):
            raise IndexError
    except IndexError:
        raise DecodeError(f"{what} failed: {size} bytes are no such list, or it is cut short") from None
    return config_list


def read_config_list(store: Any, config_list: bytes) -> None:
    """Adds to ``store`` the configurations of a checked list that OpenSSL can use.

    Raises ``DecodeError`` if there is none: without one, the server's name would be sent without encryption.
    """
    take_records()
    refused = None
    for single in single_configs(config_list):
        bio = BIO.memory(single)
        if lib.OSSL_ECHSTORE_read_echconfiglist(store, bio._bio) != 1:
            refused = failed("reading an ECH configuration", DecodeError)
    if not _count(store):
        raise DecodeError("this OpenSSL can use no configuration of this ECH list") from refused
