"""Keys of every type that OpenSSL supports, compared with the openssl program."""

from __future__ import annotations

import itertools

import pytest
from x509.certificate_making import openssl

import pyossl
from pyossl import PrivateKey, PublicKey, lib

CLASSIC = {
    "RSA": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "RSA-PSS": ("RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),
    "EC": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-pkeyopt", "ec_param_enc:named_curve"),
    "ED25519": ("ED25519",),
    "ED448": ("ED448",),
    "X25519": ("X25519",),
    "X448": ("X448",),
}
POST_QUANTUM = ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "ML-KEM-512", "ML-KEM-768", "ML-KEM-1024", "SLH-DSA-SHA2-128f")
TYPES = {**CLASSIC, **({each: (each,) for each in POST_QUANTUM} if lib.HAVE_POST_QUANTUM else {})}


@pytest.fixture(scope="module")
def made_by_openssl() -> dict[str, bytes]:
    """A private key in PEM for each type, by the name of the type."""
    return {name: openssl("genpkey", "-algorithm", *how) for name, how in TYPES.items()}


@pytest.mark.feature("RSA, EC and Edwards keys")
@pytest.mark.parametrize("name", TYPES)
def test_a_key_of_openssl_s_is_read_and_written_as_it_was(name: str, made_by_openssl: dict[str, bytes]) -> None:
    pem = made_by_openssl[name]
    key = PrivateKey.load(pem)
    assert key.type == name
    assert key.to_pem() == pem
    assert key.to_der() == openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", input=pem)
    assert PrivateKey.load(key.to_der()) == key
    assert key.public_key.to_pem() == openssl("pkey", "-pubout", input=pem)
    assert key.public_key.to_der() == openssl("pkey", "-pubout", "-outform", "DER", input=pem)


@pytest.mark.feature("ML-DSA keys")
@pytest.mark.parametrize("name", TYPES)
def test_a_key_is_generated_by_its_type_s_name(name: str) -> None:
    key, other = PrivateKey.generate(name), PrivateKey.generate(name.lower())
    assert key.type == other.type == name
    assert key != other
    assert key.bits > 0
    assert key.security_bits >= 100
    assert openssl("pkey", "-pubout", input=key.to_pem()) == key.public_key.to_pem()


@pytest.mark.parametrize("name", TYPES)
def test_a_public_key_survives_pem_and_der(name: str, made_by_openssl: dict[str, bytes]) -> None:
    public = PrivateKey.load(made_by_openssl[name]).public_key
    pem, der = PublicKey.load(public.to_pem()), PublicKey.load(public.to_der())
    assert pem == der == public
    assert len({pem, der, public}) == 1
    assert (pem.type, pem.bits, pem.group) == (public.type, public.bits, public.group)


@pytest.mark.feature("encrypted keys, password as bytes or callable")
@pytest.mark.parametrize("name", TYPES)
def test_a_password_locks_a_key_as_openssl_does(name: str, made_by_openssl: dict[str, bytes]) -> None:
    key = PrivateKey.load(made_by_openssl[name])
    for locked in (key.to_pem("pässword"), key.to_der(lambda: "pässword")):
        assert PrivateKey.load(locked, "pässword") == key
        with pytest.raises(pyossl.PasswordError):
            PrivateKey.load(locked, "password")
        with pytest.raises(pyossl.PasswordError):
            PrivateKey.load(locked)
    opened = openssl("pkey", "-passin", "pass:pässword", input=key.to_pem("pässword"))
    assert opened == made_by_openssl[name]
    theirs = openssl("pkcs8", "-topk8", "-v2", "aes-128-cbc", "-passout", "pass:other", input=made_by_openssl[name])
    assert PrivateKey.load(theirs, b"other") == key


@pytest.mark.parametrize("name", ["RSA", "EC"])
def test_the_old_forms_of_pem_are_read(name: str, made_by_openssl: dict[str, bytes]) -> None:
    program = name.lower()
    traditional = ["-traditional"] if lib.HAVE_PROVIDERS and name == "RSA" else []
    old = openssl(program, *traditional, input=made_by_openssl[name])
    assert b"BEGIN " + name.encode() + b" PRIVATE KEY" in old
    assert PrivateKey.load(old) == PrivateKey.load(made_by_openssl[name])
    locked = openssl(program, *traditional, "-aes128", "-passout", "pass:old", input=made_by_openssl[name])
    assert b"ENCRYPTED" in locked
    assert PrivateKey.load(locked, "old") == PrivateKey.load(made_by_openssl[name])
    with pytest.raises(pyossl.PasswordError):
        PrivateKey.load(locked, "new")


def test_no_two_keys_are_equal_and_types_never_mix(made_by_openssl: dict[str, bytes]) -> None:
    keys = [PrivateKey.load(pem) for pem in made_by_openssl.values()]
    for first, second in itertools.combinations(keys, 2):
        assert first != second
        assert first.public_key != second.public_key
    assert keys[0] != keys[0].public_key
    assert keys[0].public_key == PrivateKey.load(keys[0].to_pem()).public_key
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("type", "bits"), [("RSA", 3072), ("RSA-PSS", 2048), ("DSA", 1024)])
def test_the_size_of_a_key_is_chosen(type: str, bits: int) -> None:
    key = PrivateKey.generate(type, bits=bits)
    assert (key.type, key.bits, key.group) == (type, bits, None)
    assert f"{bits} bit" in openssl("pkey", "-noout", "-text", input=key.to_pem()).decode()


@pytest.mark.parametrize(
    ("type", "group", "name", "bits"),
    [
        ("EC", "P-521", "secp521r1", 521),
        ("EC", "secp384r1", "secp384r1", 384),
        ("EC", None, "prime256v1", 256),
        ("DH", "ffdhe3072", "ffdhe3072", 3072),
        ("DH", None, "ffdhe2048", 2048),
    ],
)
def test_the_group_of_a_key_is_chosen(type: str, group: str | None, name: str, bits: int) -> None:
    key = PrivateKey.generate(type, group=group)
    assert (key.type, key.group, key.bits) == (type, name, bits)
    assert PrivateKey.load(key.to_der()).group == name


@pytest.mark.parametrize("name", ["", "no such type", "RSA\0", "ML-DSA-66", "§"])
def test_a_type_that_openssl_lacks_is_the_one_clear_exception(name: str) -> None:
    expected = ValueError if "\0" in name else pyossl.UnsupportedError
    with pytest.raises(expected, match="key type"):
        PrivateKey.generate(name)


@pytest.mark.parametrize("name", POST_QUANTUM)
def test_post_quantum_keys_are_there_from_3_5_and_refused_before(name: str) -> None:
    if lib.HAVE_POST_QUANTUM:
        assert PrivateKey.generate(name).public_key.type == name
    else:
        with pytest.raises(pyossl.UnsupportedError, match=name):
            PrivateKey.generate(name)


def test_an_option_that_the_type_has_not_is_refused() -> None:
    for type, options in (("ED25519", {"bits": 256}), ("RSA", {"group": "P-256"}), ("EC", {"bits": 256})):
        with pytest.raises(ValueError, match="to choose"):
            PrivateKey.generate(type, **options)  # type: ignore[arg-type]
    for group in ("no such curve", "P-256\0"):
        with pytest.raises((pyossl.UnsupportedError, ValueError), match="group"):
            PrivateKey.generate("EC", group=group)
    for bits in (-1, 0, 8):
        with pytest.raises((pyossl.Error, ValueError), match=r"bits|keygen"):
            PrivateKey.generate("RSA", bits=bits)


def test_what_is_no_public_key_is_malformed(made_by_openssl: dict[str, bytes]) -> None:
    private = made_by_openssl["EC"]
    public = PrivateKey.load(private).public_key
    for wrong in (b"", b"\0", private, b"-----BEGIN PUBLIC KEY-----\n", bytes(1000), b"\x30\x84\xff\xff\xff\xff"):
        with pytest.raises(pyossl.DecodeError, match="public key"):
            PublicKey.load(wrong)
    for cut in range(len(public.to_der())):
        with pytest.raises(pyossl.DecodeError):
            PublicKey.load(public.to_der()[:cut])
    for cut in range(len(public.to_pem()) - 2):
        with pytest.raises(pyossl.DecodeError):
            PublicKey.load(public.to_pem()[:cut])


@pytest.mark.parametrize("name", TYPES)
def test_a_key_that_is_cut_anywhere_is_malformed(name: str, made_by_openssl: dict[str, bytes]) -> None:
    der = PrivateKey.load(made_by_openssl[name]).to_der()
    for cut in range(0, len(der), max(1, len(der) // 150)):
        with pytest.raises(pyossl.DecodeError):
            PrivateKey.load(der[:cut])


def test_an_empty_password_locks_nothing(made_by_openssl: dict[str, bytes]) -> None:
    key = PrivateKey.load(made_by_openssl["EC"])
    for empty in ("", b"", lambda: ""):
        with pytest.raises(ValueError, match="empty"):
            key.to_pem(empty)


@pytest.mark.parametrize("password", [1, object(), lambda: 1, bytearray(b"x")])
def test_a_password_is_text_or_bytes(password: object, made_by_openssl: dict[str, bytes]) -> None:
    with pytest.raises(TypeError, match="password"):
        PrivateKey.load(made_by_openssl["EC"]).to_pem(password)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["RSA", "EC", "ED25519", "ED448", "ML-DSA-65"])
def test_an_authority_signs_with_a_key_of_any_type_that_can_sign(name: str) -> None:
    if name not in TYPES:
        with pytest.raises(pyossl.UnsupportedError):
            PrivateKey.generate(name)
        return
    authority = pyossl.Authority("signer", private_key=PrivateKey.generate(name))
    issued = authority.issue("example.com", private_key=PrivateKey.generate(name))
    assert authority.certificate.public_key.type == issued.certificate.public_key.type == name
    assert issued.certificate.is_signed_by(authority.certificate.public_key)
    store = pyossl.Store.of(authority.certificate)
    assert store.verify(issued.certificate, name="example.com") == (issued.certificate, authority.certificate)


def test_a_key_that_cannot_sign_makes_no_authority() -> None:
    with pytest.raises(pyossl.Error, match="sign"):
        pyossl.Authority(private_key=PrivateKey.generate("X25519"))
