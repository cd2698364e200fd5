"""``pyossl.pyopenssl.crypto``: certificates, keys, names and stores, without ``cryptography``."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import pyossl
from pyossl.pyopenssl import crypto

AUTHORITY = pyossl.Authority()
CREDENTIALS = AUTHORITY.issue("localhost")


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def certificate(source: pyossl.Certificate = CREDENTIALS.certificate) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, source.to_pem())


def test_deprecated_names_warn() -> None:
    with pytest.warns(DeprecationWarning, match="X509.get_subject is deprecated"):
        certificate().get_subject()
    with pytest.warns(DeprecationWarning, match="dump_privatekey is deprecated"):
        crypto.dump_privatekey  # noqa: B018 - looking it up warns


def test_a_name_is_a_view_of_its_certificate_until_another_takes_its_place() -> None:
    subject = certificate().get_subject()
    subject.CN = "other"
    subject.O = "people"
    assert subject.CN == "other"
    assert subject.get_components() == [(b"CN", b"other"), (b"O", b"people")]
    ours = certificate()
    view = ours.get_subject()
    view.CN = "changed"
    assert ours.get_subject().CN == "changed"
    ours.set_subject(subject)
    with pytest.raises(AttributeError):
        view.CN  # noqa: B018 - the view is invalid
    assert ours.get_subject() == subject


def test_an_attribute_that_openssl_does_not_know_is_an_attribute_error() -> None:
    name = certificate().get_subject()
    with pytest.raises(AttributeError, match="No such attribute"):
        name.colour  # noqa: B018
    with pytest.raises(AttributeError, match="No such attribute"):
        name.colour = "red"
    assert name.OU is None


def test_a_nul_in_a_name_is_kept() -> None:
    """docs/pitfalls.md, 17."""
    name = certificate().get_subject()
    name.CN = "good.example\0.evil.example"
    assert name.CN == "good.example\0.evil.example"


@pytest.mark.parametrize("folder", ["plain", "\u2603 folder"])
def test_a_store_loads_files_and_directories_by_any_path(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / "authority.pem").write_bytes(AUTHORITY.certificate.to_pem())
    ours = certificate(AUTHORITY.certificate)
    (place / f"{ours.subject_name_hash():08x}.0").write_bytes(AUTHORITY.certificate.to_pem())
    for locations in ((place / "authority.pem", None), (None, str(place))):
        store = crypto.X509Store()
        store.load_locations(*locations)
        crypto.X509StoreContext(store, certificate()).verify_certificate()


def test_a_location_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(crypto.Error) as caught:
        crypto.X509Store().load_locations(str(tmp_path / "nothing"))
    assert caught.value.args[0]


def test_a_refused_certificate_is_told_with_code_depth_and_certificate() -> None:
    context = crypto.X509StoreContext(crypto.X509Store(), certificate())
    with pytest.raises(crypto.X509StoreContextError) as caught:
        context.verify_certificate()
    code, depth, message = caught.value.errors
    assert (code, depth, message) == (20, 0, str(caught.value))
    assert caught.value.certificate.digest("sha256") == certificate().digest("sha256")


def test_a_key_goes_through_pem_with_a_passphrase_and_never_prompts() -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    asked: list[int] = []

    def ask(writing: int) -> bytes:
        asked.append(writing)
        return b"secret"

    pem = crypto.dump_privatekey(crypto.FILETYPE_PEM, key, "aes-256-cbc", ask)
    assert crypto.load_privatekey(crypto.FILETYPE_PEM, pem, ask).bits() == 2048
    assert asked == [1, 0]
    for wrong in (None, b"wrong"):
        with pytest.raises(crypto.Error):
            crypto.load_privatekey(crypto.FILETYPE_PEM, pem, wrong)


def test_what_a_passphrase_callback_raises_is_raised() -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    pem = crypto.dump_privatekey(crypto.FILETYPE_PEM, key, "aes-256-cbc", b"secret")

    def ask(writing: int) -> bytes:
        raise LookupError("of the callback")

    with pytest.raises(LookupError):
        crypto.load_privatekey(crypto.FILETYPE_PEM, pem, ask)


def test_a_key_in_another_format_than_given_is_an_error() -> None:
    with pytest.raises(crypto.Error):
        crypto.load_privatekey(crypto.FILETYPE_ASN1, CREDENTIALS.private_key.to_pem())
    with pytest.raises(crypto.Error):
        crypto.load_certificate(crypto.FILETYPE_PEM, CREDENTIALS.certificate.to_der())


@pytest.mark.parametrize("bits", [512, 1024])
def test_small_dsa_keys_can_be_made(bits: int) -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_DSA, bits)
    assert (key.type(), key.bits()) == (crypto.TYPE_DSA, bits)


def test_a_certificate_can_be_made_field_by_field() -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    made = crypto.X509()
    made.set_version(2)
    made.set_serial_number(2**70)
    made.get_subject().CN = "field by field"
    made.set_issuer(made.get_subject())
    made.set_notBefore(b"20200101000000Z")
    made.gmtime_adj_notAfter(-60)
    made.set_pubkey(key)
    made.sign(key, "sha256")
    again = crypto.load_certificate(crypto.FILETYPE_ASN1, crypto.dump_certificate(crypto.FILETYPE_ASN1, made))
    assert (again.get_version(), again.get_serial_number(), again.get_notBefore()) == (2, 2**70, b"20200101000000Z")
    assert again.has_expired()
    assert again.get_signature_algorithm() == b"sha256WithRSAEncryption"
    assert pyossl.Certificate.load(crypto.dump_certificate(crypto.FILETYPE_PEM, again)).subject == "CN=field by field"


def test_threads_that_change_and_read_one_certificate_crash_nothing() -> None:
    """OpenSSL frees the old name while another thread reads it."""
    shared = certificate()

    def work(number: int) -> None:
        for turn in range(100):
            with suppress(AttributeError):  # another thread has invalidated the view
                shared.get_subject().CN = f"{number} {turn}"
                shared.set_subject(shared.get_issuer())
                shared.get_subject().get_components()
            shared.set_serial_number(turn)
            shared.digest("sha256")
            crypto.dump_certificate(crypto.FILETYPE_ASN1, shared)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result(60)
    shared.set_subject(shared.get_issuer())
    assert shared.get_subject() == shared.get_issuer()


def test_views_of_a_name_are_not_kept() -> None:
    ours = certificate()
    first = ours.get_subject()
    for _ in range(100):
        ours.get_subject()
    assert len(ours._subject_invalidator._names) <= 2
    assert first.CN == "localhost"


# Getters, dumps and verification agree


def text_of(made: crypto.X509) -> tuple[object, ...]:
    """The text of all that the getters return."""
    names = made.get_subject().get_components(), made.get_issuer().get_components(), made.subject_name_hash()
    times = made.get_notBefore(), made.get_notAfter(), made.has_expired()
    key = crypto.dump_publickey(crypto.FILETYPE_ASN1, made.get_pubkey())
    numbers = made.get_version(), made.get_serial_number(), made.get_extension_count()
    digests = [made.digest(digest) for digest in ("sha1", "sha256")]
    return (*names, *times, key, *numbers, digests, made.get_signature_algorithm())


def one_thing(made: crypto.X509) -> tuple[object, ...]:
    """What the getters return, which must be what a reader of each dump gets."""
    said = text_of(made)
    der = crypto.dump_certificate(crypto.FILETYPE_ASN1, made)
    for kind in (crypto.FILETYPE_ASN1, crypto.FILETYPE_PEM):
        assert text_of(crypto.load_certificate(kind, crypto.dump_certificate(kind, made))) == said
    native = pyossl.Certificate.load(der)
    assert made.digest("sha1").replace(b":", b"").lower().decode() == native.fingerprint("sha1").hex()
    assert crypto.dump_certificate(crypto.FILETYPE_TEXT, made) == native.text.encode()
    return said


def verified(made: crypto.X509) -> bool:
    store = crypto.X509Store()
    store.add_cert(certificate(AUTHORITY.certificate))
    try:
        crypto.X509StoreContext(store, made).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


def the_key() -> crypto.PKey:
    return crypto.PKey._of(pyossl.PrivateKey.generate("RSA"))


NOW = datetime.datetime.now(datetime.timezone.utc)
IN_A_YEAR = f"{NOW + datetime.timedelta(days=360):%Y%m%d%H%M%SZ}".encode()
A_WEEK_AGO = f"{NOW - datetime.timedelta(days=7):%Y%m%d%H%M%SZ}".encode()

OTHER = pyossl.Authority("another")

CHANGES: dict[str, Callable[[crypto.X509], object]] = {
    "version": lambda made: made.set_version(1),
    "serial number": lambda made: made.set_serial_number(12345),
    "key": lambda made: made.set_pubkey(the_key()),
    "subject": lambda made: made.set_subject(certificate(AUTHORITY.certificate).get_subject()),
    "attribute of the subject": lambda made: setattr(made.get_subject(), "CN", "somebody else"),
    "another attribute of the subject": lambda made: setattr(made.get_subject(), "O", "others"),
    "issuer": lambda made: made.set_issuer(certificate(OTHER.certificate).get_subject()),
    "attribute of the issuer": lambda made: setattr(made.get_issuer(), "O", "others"),
    "start": lambda made: made.set_notBefore(A_WEEK_AGO),
    "end": lambda made: made.set_notAfter(IN_A_YEAR),
    "start in seconds": lambda made: made.gmtime_adj_notBefore(-60),
    "end in seconds": lambda made: made.gmtime_adj_notAfter(60 * 60),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_certificate_is_changed_everywhere_and_has_no_valid_signature(what: str) -> None:
    made = certificate()
    assert verified(made)
    before = one_thing(made)
    CHANGES[what](made)
    changed = one_thing(made)
    assert changed != before
    assert not verified(made)
    assert not made._certificate.is_signed_by(AUTHORITY.certificate.public_key)
    assert one_thing(made) == changed


@pytest.mark.parametrize("what", [each for each in CHANGES if "issuer" not in each])
def test_getters_and_dumps_agree_again_after_signing(what: str) -> None:
    made = certificate()
    assert verified(made)
    CHANGES[what](made)
    assert not verified(made)
    made.sign(crypto.PKey._of(AUTHORITY.credentials.private_key), "sha256")
    one_thing(made)
    assert verified(made)
    assert made._certificate.is_signed_by(AUTHORITY.certificate.public_key)
    made.set_notAfter(IN_A_YEAR)
    made.set_serial_number(6)
    assert not verified(made)


def test_an_expired_certificate_is_not_made_valid_by_its_end() -> None:
    week = datetime.timedelta(days=7)
    old = certificate(AUTHORITY.issue("localhost", not_before=NOW - 2 * week, not_after=NOW - week).certificate)
    assert not verified(old)
    old.set_notAfter(IN_A_YEAR)
    assert not old.has_expired()
    assert not verified(old)
    old.sign(crypto.PKey._of(AUTHORITY.credentials.private_key), "sha256")
    assert verified(old)


@pytest.mark.parametrize("what", CHANGES)
def test_a_trusted_certificate_stays_trusted_as_it_was(what: str) -> None:
    """Also for a certificate that was made here and never loaded; the changed certificate is not trusted."""
    made, key = crypto.X509(), crypto.PKey._of(AUTHORITY.credentials.private_key)
    made.set_version(2)
    made.get_subject().CN = "made here"
    made.set_issuer(made.get_subject())
    made.set_serial_number(3)
    made.gmtime_adj_notBefore(-600)
    made.gmtime_adj_notAfter(600)
    made.set_pubkey(key)
    made.sign(key, "sha256")
    store = crypto.X509Store()
    store.add_cert(made)
    was = crypto.load_certificate(crypto.FILETYPE_ASN1, crypto.dump_certificate(crypto.FILETYPE_ASN1, made))
    before = one_thing(made)
    crypto.X509StoreContext(store, made).verify_certificate()
    CHANGES[what](made)
    assert one_thing(made) != before
    chain = crypto.X509StoreContext(store, was).get_verified_chain()
    assert one_thing(chain[-1]) == one_thing(was) == before
    with pytest.raises(crypto.X509StoreContextError):
        crypto.X509StoreContext(store, made).verify_certificate()


def test_a_certificate_may_be_looked_at_before_it_is_whole() -> None:
    """OpenSSL would remember that the certificate is malformed."""
    made, key = crypto.X509(), crypto.PKey._of(AUTHORITY.credentials.private_key)
    assert not verified(made)
    made.set_pubkey(key)
    made.sign(key, "sha256")
    assert not verified(made)
    made.set_version(2)
    made.set_serial_number(7)
    made.get_subject().CN = "at last"
    made.set_issuer(certificate(AUTHORITY.certificate).get_subject())
    made.set_notBefore(A_WEEK_AGO)
    made.set_notAfter(IN_A_YEAR)
    assert not verified(made)
    made.sign(key, "sha256")
    one_thing(made)
    assert verified(made)


def test_threads_may_change_a_certificate_that_is_being_verified() -> None:
    shared = certificate()
    store = pyossl.Store.of(AUTHORITY.certificate)

    def verify() -> None:
        for _ in range(100):
            with suppress(pyossl.CertificateError):
                store.verify(shared._certificate, [shared._certificate])

    def change() -> None:
        for turn in range(200):
            shared.set_serial_number(turn)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(each) for each in (verify, change, verify, change)]:
            done.result(60)
