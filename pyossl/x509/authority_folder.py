"""The folder in which an authority is saved: its certificate, its private key, and its last CRL.

The CRL is the record of what is revoked, so it is never read as if it were empty when it is missing, and never replaced
by one that lacks an entry.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pyossl.core.arguments import path
from pyossl.core.errors import UsageError
from pyossl.x509.certificate import Certificate, load_certificates
from pyossl.x509.crl import CRL
from pyossl.x509.keys import PrivateKey
from pyossl.x509.passwords import Password

CERTIFICATE, PRIVATE_KEY, REVOKED = "ca.pem", "ca-key.pem", "crl.pem"
_FOR_ALL, _FOR_THE_OWNER, _FOLDER = 0o644, 0o600, 0o700

Folder = str | os.PathLike[str]


def _in(folder: Folder, name: str) -> Path:
    return Path(os.fsdecode(path(folder, "the folder of an authority")), name)


def certificates(folder: Folder) -> list[Certificate]:
    """The authority's certificate, and those between it and the root."""
    return load_certificates(_in(folder, CERTIFICATE))


def private_key(folder: Folder, password: Password | None) -> PrivateKey:
    """The authority's private key."""
    return PrivateKey.load(_in(folder, PRIVATE_KEY), password)


def crl(folder: Folder) -> CRL:
    """The authority's last CRL."""
    return CRL.load(_in(folder, REVOKED))


def write(folder: Folder, certificate_pem: bytes, key_pem: bytes, crl: CRL) -> None:
    """Writes the three files.

    Raises ``FileExistsError`` if the folder has the files of another authority, and ``UsageError`` if the CRL in it has
    an entry that ``crl`` lacks.
    """
    place = _in(folder, "")
    place.mkdir(_FOLDER, parents=True, exist_ok=True)
    _check_same_authority(place, certificate_pem)
    _check_nothing_is_lost(place, crl)
    # The key comes first: a folder that has a certificate can be loaded.
    _replace(place / PRIVATE_KEY, key_pem, _FOR_THE_OWNER)
    _replace(place / REVOKED, crl.to_pem(), _FOR_ALL)
    _replace(place / CERTIFICATE, certificate_pem, _FOR_ALL)


def _check_same_authority(place: Path, certificate_pem: bytes) -> None:
    if (place / CERTIFICATE).exists():
        if certificates(place)[0] != load_certificates(certificate_pem)[0]:
            raise FileExistsError(f"{str(place)!r} contains another authority")
    elif (place / PRIVATE_KEY).exists():
        raise FileExistsError(f"{str(place)!r} contains a file {PRIVATE_KEY!r} without its certificate")


def _check_nothing_is_lost(place: Path, new: CRL) -> None:
    with contextlib.suppress(FileNotFoundError):
        lost = {entry.serial_number for entry in crl(place)} - {entry.serial_number for entry in new}
        if lost:
            raise UsageError(
                f"{str(place)!r} has {len(lost)} revoked certificates that this authority does not know: load it again"
            )


def _replace(target: Path, data: bytes, mode: int) -> None:
    """Writes a new file beside ``target`` and renames it: a reader sees the old file or the new one."""
    new = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FOR_THE_OWNER)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
