"""Trust stores, and verifying a certificate against one.  X509_STORE(3), X509_verify_cert(3)"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import (
    LARGEST_INT,
    c_string,
    c_text,
    email_address,
    flag,
    instance,
    instances,
    integer,
    iterated,
    path as checked_path,
    pointer as checked_pointer,
    security_level as check_level,
)
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, certificate_error, check, check_ptr
from pyossl.core.flags import VerifyFlags
from pyossl.core.library_context import LibraryContext, library_pointer
from pyossl.core.outcome import Failure, take_records
from pyossl.x509.certificate import (
    HOST_FLAGS,
    Certificate,
    borrowed,
    chain_of,
    chain_of_owned,
    encoded_uses,
    load_certificates,
    stack_of_certificates,
)
from pyossl.x509.crl import CRL, crls_of_owned, load_crls, stack_of_crls
from pyossl.x509.load_uri import load_uri
from pyossl.x509.pem_and_der import Source, pem_file
from pyossl.x509.reference_name import reference_name
from pyossl.x509.uris import directory_of, is_uri

Trust = None | Source | Certificate | Iterable[Source | Certificate]
"""The certificates to trust.

None for the system's trust store; the path of a file or directory; a URI; PEM or DER as ``bytes``; a ``Certificate``;
or several of these.
"""


class StoreCounts(NamedTuple):
    """The numbers of objects in a trust store.  X509_STORE_get0_objects(3)"""

    certificates: int
    authorities: int
    crls: int


StoreCounts.certificates.__doc__ = "The number of certificates."
StoreCounts.authorities.__doc__ = "How many of these are of authorities."
StoreCounts.crls.__doc__ = "The number of CRLs."


class Store(Uncopied):
    """A set of trusted certificates.  X509_STORE(3)

    A ``Context`` freezes its store at its first connection: from then on nothing can be added.
    """

    _instead = "make another store with Store.of(store.certificates)"

    _library_context: LibraryContext | None = None

    def __init__(self, pointer: Any) -> None:
        """Makes a store of ``pointer``, an ``X509_STORE *``, which is freed with its last reference, as by ``ffi.gc``.

        ``Store.of`` takes certificates.
        """
        self._store = checked_pointer(pointer, "X509_STORE *", "make a Store with Store.of")
        self._is_shared = False
        self._frozen = False
        self._directories: tuple[str, ...] = ()
        self._distinct = b""

    @property
    def directories(self) -> tuple[str, ...]:
        """The directories of trusted certificates, which OpenSSL searches by the hash of a name."""
        return self._directories

    @property
    def library_context(self) -> LibraryContext | None:
        """The ``LibraryContext`` whose algorithms verify certificates; None for the default one."""
        return self._library_context

    @classmethod
    def empty(cls, *, library_context: LibraryContext | None = None) -> Store:
        """A store without certificates, which trusts nothing.

        - ``library_context``: the ``LibraryContext`` whose algorithms verify certificates; None for the default one.

        X509_STORE_new(3)
        """
        library_pointer(library_context)
        store = cls(own(check_ptr(lib.X509_STORE_new(), "X509_STORE_new"), lib.X509_STORE_free))
        if library_context is not None:
            store._library_context = library_context
        return store

    @classmethod
    def system(cls, *, library_context: LibraryContext | None = None) -> Store:
        """The system's trust store.

        - ``library_context``: the ``LibraryContext`` whose algorithms verify certificates; None for the default one.

        All callers share one object for the default library context, and nothing can be added to it.  It is loaded at
        the first call, and again when its file has changed.  The environment variables ``SSL_CERT_FILE`` and
        ``SSL_CERT_DIR`` apply, as in every program that uses this OpenSSL.  X509_STORE_set_default_paths_ex(3)
        """
        if library_context is not None:
            return cls._system_of(library_context)
        key = (
            default_certificate_file(),
            default_certificate_directory(),
            _modification_time(default_certificate_file()),
        )
        store = _system_stores.get(key)
        if store is None:
            store = cls.empty()
            check(lib.X509_STORE_set_default_paths(store._store), "X509_STORE_set_default_paths")
            take_records()
            store._make_distinct()
            store._is_shared = True
            _system_stores.clear()
            _system_stores[key] = store
        return store

    @classmethod
    def _system_of(cls, library_context: LibraryContext) -> Store:
        store = cls.empty(library_context=library_context)
        store.trust_system()
        store._is_shared = True
        return store

    def trust_system(self) -> None:
        """Adds the certificates that the system trusts now to this store.

        Raises ``UsageError`` if the store is frozen or is the system's.  X509_STORE_set_default_paths(3)
        """
        self._check_not_frozen()
        take_records()
        if self._library_context is None:
            done = lib.pyossl_trust_system(self._store, default_file()._store)
        else:
            library = library_pointer(self._library_context)
            done = lib.X509_STORE_set_default_paths_ex(self._store, library, ffi.NULL)
        check(done, "X509_STORE_set_default_paths")
        take_records()
        self._make_distinct()

    @classmethod
    def of(cls, trust: Trust, *, library_context: LibraryContext | None = None) -> Store:
        """A store for ``trust``.

        - None: the system's trust store, ``Store.system()``.
        - A path, a URI, ``bytes`` or a ``Certificate``: a new store with these certificates, as ``add`` accepts them.
        - An iterable of these: a new store with all of them.

        ``library_context`` is the ``LibraryContext`` whose algorithms verify certificates; None for the default one.

        Raises ``ValueError`` for an empty iterable, and ``DecodeError`` if a file or bytes hold no certificate.
        """
        if trust is None:
            return cls.system(library_context=library_context)
        store = cls.empty(library_context=library_context)
        if isinstance(trust, (str, bytes, os.PathLike, Certificate)):
            trust = [trust]
        is_empty = True
        for source in iterated(trust, "trust"):
            store.add(source)
            is_empty = False
        if is_empty:
            raise ValueError("trust is empty: it names no certificate")
        return store

    def add(self, source: Source | Certificate) -> None:
        """Trusts one or more certificates.

        ``source`` is a ``Certificate``; the path of a file, or PEM or DER as ``bytes``, with one or more certificates;
        the path of a directory, which OpenSSL searches by the hash of a name (``openssl rehash``); or a URI of these or
        of a store, for example ``pkcs11:token=authorities``, all of whose certificates are trusted.

        A ``TRUSTED CERTIFICATE`` is trusted only for its ``trusted_uses`` and never for its ``rejected_uses``, as by
        ``openssl verify``.

        Raises ``UsageError`` if the store is frozen or is the system's, and ``ValueError`` if the store has the same
        certificate with other uses: OpenSSL would ignore the new ones.  X509_STORE_add_cert(3),
        X509_STORE_load_locations(3), X509_check_trust(3)
        """
        self._check_not_frozen()
        if isinstance(source, Certificate):
            if encoded_uses(source) and any(
                each == source and encoded_uses(each) != encoded_uses(source) for each in self.certificates
            ):
                raise ValueError(f"the store has {source!r} already, with other trusted or rejected uses")
            x509 = source._x509_in(self._library_context)
            check(lib.X509_STORE_add_cert(self._store, x509), "X509_STORE_add_cert")
        elif not isinstance(source, (str, bytes, os.PathLike)):  # os.path accepts a file descriptor too
            raise TypeError(f"a trusted certificate is a Certificate, a path or bytes, not {type(source).__name__}")
        elif isinstance(source, str) and is_uri(source):
            directory = directory_of(source)
            if directory is not None:
                self.add(directory)
                return
            for each in load_uri(source, kind=Certificate, library_context=self._library_context):
                self.add(each)
        elif not isinstance(source, bytes) and os.path.isdir(source):
            path = os.fsencode(checked_path(source, "a directory"))
            check(
                lib.X509_STORE_load_locations(self._store, ffi.NULL, path),
                f"trusting the directory {source!r}",
            )
            self._directories += (os.fspath(source),)
            self._make_distinct()
        else:
            for certificate in load_certificates(source, library_context=self._library_context):
                self.add(certificate)

    def add_crl(self, source: Source | CRL) -> None:
        """Adds CRLs.  They are used if the verification flags include ``VerifyFlags.CRL_CHECK``.

        ``source`` is a ``CRL``, the path of a file, or PEM or DER as ``bytes``.  Raises ``UsageError`` if the store is
        frozen or is the system's.  X509_STORE_add_crl(3)
        """
        self._check_not_frozen()
        for crl in [source] if isinstance(source, CRL) else load_crls(source):
            copy = crl._searchable_copy_in(self._library_context)
            check(lib.X509_STORE_add_crl(self._store, copy), "X509_STORE_add_crl")
        self._make_distinct()

    def add_locations(self, file: bytes | None, directory: bytes | None) -> None:
        """Trusts the certificates and CRLs in a PEM file, and those in a directory, searched by hash.

        ``file`` and ``directory`` are paths; None for none, and ``Error`` if both are None.  Raises ``UsageError`` if
        the store is frozen or is the system's.  X509_STORE_load_locations(3)
        """
        self._check_not_frozen()
        take_records()
        if file is not None:
            file = pem_file(c_text(file, "a path"))
        paths = (ffi.NULL if path is None else c_text(path, "a path") for path in (file, directory))
        given = [*paths, library_pointer(self._library_context), ffi.NULL]
        check(lib.X509_STORE_load_locations_ex(self._store, *given), "X509_STORE_load_locations")
        self._make_distinct()

    def add_flags(self, flags: int) -> None:
        """Adds ``flags``, a combination of ``VerifyFlags``, for verification.  Flags that are set stay set.

        Raises ``UsageError`` if the store is frozen or is the system's.  X509_STORE_set_flags(3)
        """
        self._check_not_frozen()
        integer(flags, "verify flags", 0, LARGEST_INT)
        check(lib.X509_STORE_set_flags(self._store, flags), "X509_STORE_set_flags")
        self._make_distinct()

    def set_time(self, moment: datetime.datetime) -> None:
        """Sets the time at which certificates are verified, an aware datetime, in place of the current time.

        A later call replaces it.  Raises ``ValueError`` if ``moment`` has no time zone, and ``UsageError`` if the store
        is frozen or is the system's.  X509_VERIFY_PARAM_set_time(3)
        """
        self._check_not_frozen()
        # X509_STORE_set1_param(3) would not overwrite a time that is set.
        lib.X509_VERIFY_PARAM_set_time(lib.X509_STORE_get0_param(self._store), seconds_of(moment))
        self._make_distinct()

    def _make_distinct(self) -> None:
        self._distinct = os.urandom(16)

    @property
    def identity(self) -> bytes:
        """Bytes that are equal for two stores that have the same certificates with the same uses, and nothing else.

        A store with a directory, a CRL, a flag or a time is equal to no other store.
        """
        return self._distinct + b"".join(sorted(each.to_der() + encoded_uses(each) for each in self.certificates))

    def _check_not_frozen(self) -> None:
        if self._is_shared:
            raise UsageError("the system's store is shared: make your own with Store.of or Store.empty")
        if self._frozen:
            raise UsageError("this store is frozen: a context that uses it has made a connection")

    def _freeze(self) -> None:
        self._frozen = True

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates in memory.  Those in directories are not included.

        X509_STORE_get1_all_certs(3)
        """
        return chain_of_owned(lib.X509_STORE_get1_all_certs(self._store))

    @property
    def crls(self) -> tuple[CRL, ...]:
        """Copies of the CRLs in memory.  Those in directories are not included.  X509_STORE_get0_objects(3)"""
        return crls_of_owned(check_ptr(lib.pyossl_store_crls(self._store), "copying CRLs"))

    @property
    def counts(self) -> StoreCounts:
        """How many certificates, authorities and CRLs are in memory.

        OpenSSL also keeps here what it has found in directories.  X509_STORE_get0_objects(3), X509_check_ca(3)
        """
        counts = ffi.new("pyossl_store_counts *")
        check(lib.pyossl_count_store(self._store, counts), "X509_STORE_lock")
        return StoreCounts(counts.certificates, counts.authorities, counts.crls)

    def verify(
        self,
        certificate: Certificate,
        untrusted: Iterable[Certificate] = (),
        *,
        purpose: str | None = None,
        name: str | None = None,
        email: str | None = None,
        moment: datetime.datetime | None = None,
        depth: int | None = None,
        partial_chain: bool = False,
        crls: Iterable[CRL] | None = None,
        flags: VerifyFlags = VerifyFlags(0),  # noqa: B008 - an immutable enum
        security_level: int | None = None,
    ) -> tuple[Certificate, ...]:
        """Verifies a certificate, and returns the chain from it to a trusted certificate, both included.

        - ``untrusted``: certificates that may be between the two.
        - ``purpose``: OpenSSL's short name of a purpose: ``sslserver``, ``sslclient``, ``any`` and others; None to skip
          the check.
        - ``name``: a DNS name or an IP address that the certificate must be valid for.
        - ``email``: an email address that the certificate must be valid for.
        - ``moment``: the time of the verification, an aware datetime; None for now.
        - ``depth``: how many authorities may be between the two ends.
        - ``partial_chain``: any certificate in the store may end the chain, and not only a root.
        - ``crls``: the certificate must not be revoked, by these CRLs or those of the store, even if ``crls`` is empty.
          With ``VerifyFlags.CRL_CHECK_ALL`` in ``flags``, this applies to the whole chain.
        - ``flags``: further ``VerifyFlags``.
        - ``security_level``: the level that keys and signatures must meet, 0 to 5.

        Raises ``CertificateError``, with the code, depth and certificate that were refused, and ``ValueError`` for an
        invalid argument.  X509_verify_cert(3)
        """
        instance(certificate, Certificate, "certificate")
        between = instances(untrusted, Certificate, "untrusted")
        lists = None if crls is None else instances(crls, CRL, "crls")
        flags = VerifyFlags(integer(flags, "flags", 0, 0xFFFFFFFF))
        flag(partial_chain, "partial_chain")
        if depth is not None:
            integer(depth, "depth", -1, LARGEST_INT)
        if security_level is not None:
            check_level(security_level)
        take_records()
        pointer = lib.X509_STORE_CTX_new_ex(library_pointer(self._library_context), ffi.NULL)
        context = own(check_ptr(pointer, "X509_STORE_CTX_new"), lib.X509_STORE_CTX_free)
        # OpenSSL borrows these.  The local names keep them alive until the context has been used.
        stack = stack_of_certificates(between, self._library_context)
        leaf = certificate._x509_in(self._library_context)
        check(lib.X509_STORE_CTX_init(context, self._store, leaf, stack), "X509_STORE_CTX_init")
        if lists is not None:
            flags |= VerifyFlags.CRL_CHECK
            crl_stack = stack_of_crls(lists, self._library_context)
            lib.X509_STORE_CTX_set0_crls(context, crl_stack)
        if partial_chain:
            flags |= VerifyFlags.PARTIAL_CHAIN
        if purpose is not None:
            check(lib.X509_STORE_CTX_set_purpose(context, purpose_number(purpose)), "X509_STORE_CTX_set_purpose")
        parameters = lib.X509_STORE_CTX_get0_param(context)
        check(lib.X509_VERIFY_PARAM_set_flags(parameters, flags), "X509_VERIFY_PARAM_set_flags")
        if moment is not None:
            lib.X509_VERIFY_PARAM_set_time(parameters, seconds_of(moment))
        if depth is not None:
            lib.X509_VERIFY_PARAM_set_depth(parameters, depth)
        if security_level is not None:
            lib.X509_VERIFY_PARAM_set_auth_level(parameters, security_level)
        if name is not None:
            _expect_name(parameters, name)
        if email is not None:
            address = email_address(email)
            check(lib.X509_VERIFY_PARAM_set1_email(parameters, address, len(address)), f"expecting {email!r}")
        if lib.X509_verify_cert(context) == 1:
            take_records()
            return chain_of(lib.X509_STORE_CTX_get0_chain(context), self._library_context)
        raise certificate_error(_verify_failure(context, self._library_context, name or email or ""))

    def __repr__(self) -> str:
        return f"<Store {'of the system' if self._is_shared else f'of {len(self.certificates)} certificates'}>"


def _expect_name(parameters: Any, name: str) -> None:
    reference = reference_name(name)
    wanted = reference.text.encode()
    if reference.is_address:
        check(lib.X509_VERIFY_PARAM_set1_ip_asc(parameters, wanted), f"expecting {name!r}")
    else:
        lib.X509_VERIFY_PARAM_set_hostflags(parameters, HOST_FLAGS)
        check(lib.X509_VERIFY_PARAM_set1_host(parameters, wanted, len(wanted)), f"expecting {name!r}")


def _verify_failure(context: Any, library_context: LibraryContext | None, peer: str) -> Failure:
    code = lib.X509_STORE_CTX_get_error(context)
    # If X509_verify_cert could not begin, the code is still OK.  A refusal must not look like success.
    return Failure(
        "X509_verify_cert",
        records=take_records(),
        peer=peer,
        verify_code=lib.X509_V_ERR_UNSPECIFIED if code == lib.X509_V_OK else code,
        depth=lib.X509_STORE_CTX_get_error_depth(context),
        certificate=borrowed(lib.X509_STORE_CTX_get_current_cert(context), library_context),
    )


def purpose_number(purpose: str) -> int:
    """The number of a purpose, by OpenSSL's short name.

    Raises ``ValueError``, which lists the valid names.  X509_PURPOSE_get_by_sname(3)
    """
    index = lib.X509_PURPOSE_get_by_sname(c_string(purpose, "a purpose"))
    if index < 0:
        every = (lib.X509_PURPOSE_get0(n) for n in range(lib.X509_PURPOSE_get_count()))
        names = ", ".join(text(lib.X509_PURPOSE_get0_sname(each)) for each in every)
        raise ValueError(f"OpenSSL has no purpose {purpose!r}, only {names}")
    return lib.X509_PURPOSE_get_id(lib.X509_PURPOSE_get0(index))


def seconds_of(moment: datetime.datetime) -> int:
    """The verification time in seconds since the epoch, as time(2).  Raises ``ValueError`` without a time zone."""
    if not isinstance(moment, datetime.datetime):
        raise TypeError(f"the time to verify at is an aware datetime, not a {type(moment).__name__}")
    if moment.tzinfo is None:
        raise ValueError(f"the time to verify at is an aware datetime, but {moment} has no time zone")
    return int(moment.timestamp())


_system_stores: dict[tuple[str, str, int], Store] = {}


_default_files: dict[tuple[str | int, ...], Store] = {}


def default_file() -> Store:
    """A store with the certificates of the default file, which is parsed again after it has changed."""
    path = default_certificate_file()
    key: tuple[str | int, ...] = (path,)
    try:
        status = os.stat(path)
        key += (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)
    except OSError:
        pass
    store = _default_files.get(key)
    if store is None:
        store = Store.empty()
        check(lib.pyossl_load_default_file(store._store), "X509_LOOKUP_load_file")
        _default_files.clear()
        _default_files[key] = store
    return store


def _modification_time(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def default_certificate_file() -> str:
    """The path of the default file of trusted certificates.  X509_get_default_cert_file(3)"""
    variable = text(lib.X509_get_default_cert_file_env())
    return os.environ.get(variable) or text(lib.X509_get_default_cert_file())


def default_certificate_directory() -> str:
    """The path of the default directory of trusted certificates.  X509_get_default_cert_dir(3)"""
    variable = text(lib.X509_get_default_cert_dir_env())
    return os.environ.get(variable) or text(lib.X509_get_default_cert_dir())
