"""Whom to trust, and whether a certificate leads to them.  X509_STORE(3), X509_verify_cert(3)"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable
from typing import Any

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
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, certificate_error, check, check_ptr
from pyossl.core.flags import VerifyFlags
from pyossl.core.outcome import Failure, take_records
from pyossl.x509.certificate import (
    HOST_FLAGS,
    Certificate,
    borrowed,
    chain_of,
    chain_taken,
    load_certificates,
    stack_of,
    uses_of,
)
from pyossl.x509.crl import CRL, load_crls, stack_of_crls
from pyossl.x509.encoding import Source, pem_file
from pyossl.x509.reference_name import reference_name

Trust = None | Source | Certificate | Iterable[Source | Certificate]
"""Whom to trust: None for the system's trust store; else a file, a directory, PEM or DER, certificates, or several."""


class Store(Uncopied):
    """The certificates that are trusted.  X509_STORE(3)

    It freezes with the first context that freezes on it: who was trusted when a connection was made is not changed
    behind it.
    """

    _instead = "make another one of its certificates, Store.of(store.certificates)"

    def __init__(self, pointer: Any) -> None:
        self._store = checked_pointer(pointer, "X509_STORE *", "a Store is made by Store.of and its like")
        self._is_shared = False
        self._frozen = False
        self._directories: tuple[str, ...] = ()
        self._unlike = b""

    @property
    def directories(self) -> tuple[str, ...]:
        """The directories whose certificates are trusted, by their hashes."""
        return self._directories

    @classmethod
    def empty(cls) -> Store:
        """A store that trusts nobody.  X509_STORE_new(3)"""
        return cls(own(check_ptr(lib.X509_STORE_new(), "X509_STORE_new"), lib.X509_STORE_free))

    @classmethod
    def system(cls) -> Store:
        """The system's own trust store, which is shared: it is loaded once, and again when its file has changed.

        Nothing can be added to it.  ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are respected, as in every program of this
        OpenSSL.  X509_STORE_set_default_paths(3)
        """
        key = (
            default_certificate_file(),
            default_certificate_directory(),
            _changed(default_certificate_file()),
        )
        store = _system_stores.get(key)
        if store is None:
            store = cls.empty()
            check(lib.X509_STORE_set_default_paths(store._store), "X509_STORE_set_default_paths")
            take_records()
            store._differ()
            store._is_shared = True
            _system_stores.clear()
            _system_stores[key] = store
        return store

    def trust_system(self) -> None:
        """Trusts whom the system trusts, besides: as it is now, and what is added later is this store's alone.

        X509_STORE_set_default_paths(3)
        """
        self._change()
        take_records()
        done = lib.pyossl_trust_system(self._store, _default_file()._store)
        check(done, "X509_STORE_set_default_paths")
        self._differ()

    @classmethod
    def of(cls, trust: Trust) -> Store:
        """The store for ``trust``; ``ValueError`` for what holds no certificate at all."""
        if trust is None:
            return cls.system()
        store = cls.empty()
        if isinstance(trust, (str, bytes, os.PathLike, Certificate)):
            trust = [trust]
        is_empty = True
        for source in iterated(trust, "trust"):
            store.add(source)
            is_empty = False
        if is_empty:
            raise ValueError("trust names nobody: it is empty")
        return store

    def add(self, source: Source | Certificate) -> None:
        """Trusts a certificate, those of a file or of bytes, or a directory's by their hashes.

        A ``TRUSTED CERTIFICATE`` is trusted for what it says it is trusted for, and whatever it says it is rejected for
        is refused, as ``openssl verify`` does.

        Raises ``UsageError`` for a store that is frozen, and for the system's, which is shared, and ``ValueError`` for
        a certificate that says this where the store trusts the same one otherwise: it would not be heeded.
        X509_STORE_add_cert(3), X509_STORE_load_locations(3), X509_check_trust(3)
        """
        self._change()
        if isinstance(source, Certificate):
            if uses_of(source) and any(
                each == source and uses_of(each) != uses_of(source) for each in self.certificates
            ):
                raise ValueError(f"the store has {source!r} already, with other trusted or rejected uses")
            check(lib.X509_STORE_add_cert(self._store, source._x509), "X509_STORE_add_cert")
        elif not isinstance(source, (str, bytes, os.PathLike)):  # of a number os.path takes a descriptor
            raise TypeError(f"trusted are certificates, files, directories and bytes, not {type(source).__name__}")
        elif not isinstance(source, bytes) and os.path.isdir(source):
            path = os.fsencode(checked_path(source, "a directory"))
            check(
                lib.X509_STORE_load_locations(self._store, ffi.NULL, path),
                f"trusting the directory {source!r}",
            )
            self._directories += (os.fspath(source),)
            self._differ()
        else:
            for certificate in load_certificates(source):
                self.add(certificate)

    def add_crl(self, source: Source | CRL) -> None:
        """Gives a CRL, or those of a file or of bytes, to whoever verifies with ``VerifyFlags.CRL_CHECK``.

        Raises ``UsageError`` for the system's store, which is shared.  X509_STORE_add_crl(3)
        """
        self._change()
        for crl in [source] if isinstance(source, CRL) else load_crls(source):
            check(lib.X509_STORE_add_crl(self._store, crl._searched()), "X509_STORE_add_crl")
        self._differ()

    def add_locations(self, file: bytes | None, directory: bytes | None) -> None:
        """Trusts a PEM file's certificates and CRLs, and a directory's by their hashes; ``Error`` for none.

        Raises ``UsageError`` for the system's store, which is shared.  X509_STORE_load_locations(3)
        """
        self._change()
        take_records()
        if file is not None:
            file = pem_file(c_text(file, "a path"))
        paths = (ffi.NULL if path is None else c_text(path, "a path") for path in (file, directory))
        check(lib.X509_STORE_load_locations(self._store, *paths), "X509_STORE_load_locations")
        self._differ()

    def add_flags(self, flags: int) -> None:
        """Verifies everything with these flags besides those that are set.  X509_STORE_set_flags(3)"""
        self._change()
        integer(flags, "verify flags", 0, LARGEST_INT)
        check(lib.X509_STORE_set_flags(self._store, flags), "X509_STORE_set_flags")
        self._differ()

    def set_time(self, moment: datetime.datetime) -> None:
        """Verifies everything as if it were ``moment``, an aware datetime; a later call takes the place of an earlier.

        X509_VERIFY_PARAM_set_time(3)
        """
        self._change()
        # X509_STORE_set1_param(3) would not overwrite a time that is set.
        lib.X509_VERIFY_PARAM_set_time(lib.X509_STORE_get0_param(self._store), seconds_of(moment))
        self._differ()

    def _differ(self) -> None:
        self._unlike = os.urandom(16)

    @property
    def identity(self) -> bytes:
        """What two stores have in common when they trust alike: their certificates, and what those are trusted and
        rejected for, as long as they have nothing else.

        Directories, CRLs, flags and times make a store like no other: what they come to cannot be told beforehand.
        """
        return self._unlike + b"".join(sorted(each.to_der() + uses_of(each) for each in self.certificates))

    def _change(self) -> None:
        if self._is_shared:
            raise UsageError("the system's store is shared by all: make one of your own with Store.of or Store.empty")
        if self._frozen:
            raise UsageError("this store is frozen: a connection has been made from a context that trusts by it")

    def _freeze(self) -> None:
        self._frozen = True

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates that are in memory; those of a directory are looked up when they are needed.

        X509_STORE_get1_all_certs(3)
        """
        return chain_taken(lib.X509_STORE_get1_all_certs(self._store))

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
        """The chain from ``certificate`` to one that is trusted, both included.

        ``untrusted`` are the certificates that may stand between.  ``purpose`` is what the certificate must be for, by
        OpenSSL's short name (``sslserver``, ``sslclient``, ``any``, …); None does not ask.  ``name`` is a DNS name or
        an IP address, and ``email`` an address, that it must be for.  ``moment`` is an aware datetime, now if not
        said.  ``depth`` is how many authorities may stand between the two ends; ``partial_chain`` lets every
        certificate of the store end a chain, and not roots only.  With ``crls``, even with none, the certificate must
        be found not to be revoked; with ``VerifyFlags.CRL_CHECK_ALL`` the whole chain.  ``security_level`` is the one
        that keys and signatures must meet.

        Raises ``CertificateError``, whose code, depth and certificate say what was refused, and ``ValueError`` for an
        argument that cannot be.  X509_verify_cert(3)
        """
        instance(certificate, Certificate, "what is verified")
        between = instances(untrusted, Certificate, "untrusted")
        lists = None if crls is None else instances(crls, CRL, "crls")
        flags = VerifyFlags(integer(flags, "flags", 0, 0xFFFFFFFF))
        flag(partial_chain, "partial_chain")
        if depth is not None:
            integer(depth, "depth", -1, LARGEST_INT)
        if security_level is not None:
            check_level(security_level)
        take_records()
        context = own(check_ptr(lib.X509_STORE_CTX_new(), "X509_STORE_CTX_new"), lib.X509_STORE_CTX_free)
        # What OpenSSL borrows is kept by these names until the context has been used.
        stack, leaf = stack_of(between), certificate._x509
        check(lib.X509_STORE_CTX_init(context, self._store, leaf, stack), "X509_STORE_CTX_init")
        if lists is not None:
            flags |= VerifyFlags.CRL_CHECK
            crl_stack = stack_of_crls(lists)
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
            return chain_of(lib.X509_STORE_CTX_get0_chain(context))
        raise certificate_error(_refusal(context, name or email or ""))

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


def _refusal(context: Any, peer: str) -> Failure:
    code = lib.X509_STORE_CTX_get_error(context)
    # A call that could not even begin leaves OK behind: nothing that was refused may look accepted.
    return Failure(
        "X509_verify_cert",
        records=take_records(),
        peer=peer,
        verify_code=lib.X509_V_ERR_UNSPECIFIED if code == lib.X509_V_OK else code,
        depth=lib.X509_STORE_CTX_get_error_depth(context),
        certificate=borrowed(lib.X509_STORE_CTX_get_current_cert(context)),
    )


def purpose_number(purpose: str) -> int:
    """The number of a purpose by OpenSSL's short name; ``ValueError`` names those that there are.

    X509_PURPOSE_get_by_sname(3)
    """
    index = lib.X509_PURPOSE_get_by_sname(c_string(purpose, "a purpose"))
    if index < 0:
        every = (lib.X509_PURPOSE_get0(n) for n in range(lib.X509_PURPOSE_get_count()))
        names = ", ".join(text(lib.X509_PURPOSE_get0_sname(each)) for each in every)
        raise ValueError(f"OpenSSL has no purpose {purpose!r}: there are {names}")
    return lib.X509_PURPOSE_get_id(lib.X509_PURPOSE_get0(index))


def seconds_of(moment: datetime.datetime) -> int:
    """A moment to verify at, in the seconds of time(2); ``ValueError`` without a time zone."""
    if not isinstance(moment, datetime.datetime):
        raise TypeError(f"the time to verify at is an aware datetime, not a {type(moment).__name__}")
    if moment.tzinfo is None:
        raise ValueError(f"the time to verify at is an aware datetime, and {moment} has no time zone")
    return int(moment.timestamp())


_system_stores: dict[tuple[str, str, int], Store] = {}


_default_files: dict[tuple[str | int, ...], Store] = {}


def _default_file() -> Store:
    """What is in the file of trusted certificates as it is now: it is parsed again when it has changed."""
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


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def default_certificate_file() -> str:
    """The file of trusted certificates that this OpenSSL looks into.  X509_get_default_cert_file(3)"""
    variable = text(lib.X509_get_default_cert_file_env())
    return os.environ.get(variable) or text(lib.X509_get_default_cert_file())


def default_certificate_directory() -> str:
    """The directory of trusted certificates, by hash, that this OpenSSL looks into.  X509_get_default_cert_dir(3)"""
    variable = text(lib.X509_get_default_cert_dir_env())
    return os.environ.get(variable) or text(lib.X509_get_default_cert_dir())
