import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256

from signer.demo import softhsm
from signer.demo.certificate_profiles import LeafKind, Subject
from signer.demo.pki import DemoPki
from signer.demo.softhsm import DemoToken, KeyKind, KeySpec, create_token, open_token, store_certificates
from signer.errors import ConfigError

KEYS = (KeySpec("gvcn"), KeySpec("cbql", KeyKind.EC_P256), KeySpec("seal", KeyKind.EC_P384, key_id=b"\x01"))
MESSAGE = b"h\xe1\xbb\x8dc b\xe1\xba\xa1"

# SoftHSM 2.6 signs with EC keys by CKM_ECDSA alone, which takes a digest.
USE_TOKEN = """
import hashlib, json, pathlib, sys
import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
module, label, pin_file, message = sys.argv[1:3] + [pathlib.Path(sys.argv[3]), bytes.fromhex(sys.argv[4])]
signing = {KeyType.RSA: (message, Mechanism.SHA256_RSA_PKCS), KeyType.EC: (hashlib.sha256(message).digest(), Mechanism.ECDSA)}
found = {"keys": {}, "certificates": []}
library = pkcs11.lib(module)
with library.get_token(token_label=label).open(user_pin=pin_file.read_text()) as session:
    for key in list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})):
        data, mechanism = signing[key.key_type]
        found["keys"][key[Attribute.LABEL]] = {
            "id": key[Attribute.ID].hex(),
            "token": key[Attribute.TOKEN],
            "sensitive": key[Attribute.SENSITIVE],
            "extractable": key[Attribute.EXTRACTABLE],
            "signature": key.sign(data, mechanism=mechanism).hex(),
        }
    for certificate in session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}):
        found["certificates"].append([certificate[Attribute.ID].hex(), certificate[Attribute.VALUE].hex()])
library.finalize()
print(json.dumps(found))
"""


def use_token(token: DemoToken) -> dict[str, Any]:
    """What another process finds in the token: each private key's attributes and its signature over MESSAGE."""
    arguments = [str(token.module_path), token.label, str(token.pin_file), MESSAGE.hex()]
    done = subprocess.run(
        [sys.executable, "-c", USE_TOKEN, *arguments], env={**os.environ, **token.environment}, check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verify(public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, signature: bytes) -> None:
    if isinstance(public_key, rsa.RSAPublicKey):
        public_key.verify(signature, MESSAGE, padding.PKCS1v15(), SHA256())
        return
    half = len(signature) // 2
    numbers = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    public_key.verify(utils.encode_dss_signature(*numbers), MESSAGE, ec.ECDSA(SHA256()))


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> DemoToken:
    return create_token(tmp_path_factory.mktemp("token"), "school", KEYS)


@pytest.fixture(scope="module")
def certificates(token: DemoToken) -> dict[str, x509.Certificate]:
    pki = DemoPki.create(key_bits=2048)
    kinds = {"gvcn": LeafKind.HOMEROOM_TEACHER, "cbql": LeafKind.PRINCIPAL, "seal": LeafKind.SCHOOL_SEAL}
    return {label: pki.issue_leaf(kind, Subject(f"{label} (DEMO)"), token.key(label).public_key) for label, kind in kinds.items()}


def test_every_key_signs_in_another_process_and_its_public_half_verifies(token: DemoToken) -> None:
    found = use_token(token)["keys"]
    assert set(found) == {"gvcn", "cbql", "seal"}
    for key in token.keys:
        verify(key.public_key, bytes.fromhex(found[key.label]["signature"]))


def test_private_keys_stay_in_the_token(token: DemoToken) -> None:
    for key in use_token(token)["keys"].values():
        assert (key["token"], key["sensitive"], key["extractable"]) == (True, True, False)


def test_keys_are_of_the_kinds_and_ids_asked_for(token: DemoToken) -> None:
    sizes = {key.label: key.public_key.key_size for key in token.keys}
    assert sizes == {"gvcn": 2048, "cbql": 256, "seal": 384}
    assert {key.label: key.key_id for key in token.keys} == {spec.label: spec.cka_id for spec in KEYS}


def test_pins_are_long_random_and_readable_by_their_owner_only(token: DemoToken) -> None:
    pins = [path.read_text(encoding="ascii") for path in (token.pin_file, token.so_pin_file)]
    assert len(set(pins)) == 2
    for path, pin in zip((token.pin_file, token.so_pin_file), pins, strict=True):
        assert len(pin) >= 32
        assert pin == pin.strip()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert pin not in repr(token)


def test_nothing_in_the_token_directory_is_open_to_others(token: DemoToken) -> None:
    for path in token.tokens_directory.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_certificates_lie_beside_their_keys_and_a_renewal_takes_the_place(
    token: DemoToken, certificates: dict[str, x509.Certificate]
) -> None:
    store_certificates(token, certificates)
    stored = store_certificates(token, certificates)
    assert {key.label: key.certificate for key in stored.keys} == certificates
    found = use_token(token)
    assert sorted(key_id for key_id, _ in found["certificates"]) == sorted(key["id"] for key in found["keys"].values())


def test_a_certificate_for_an_unknown_key_changes_nothing(token: DemoToken, certificates: dict[str, x509.Certificate]) -> None:
    before = open_token(token.directory, token.label)
    with pytest.raises(ConfigError, match="no key labelled stranger"):
        store_certificates(token, {"stranger": certificates["gvcn"], **certificates})
    assert open_token(token.directory, token.label) == before


def test_a_token_that_holds_keys_is_never_touched_again(token: DemoToken) -> None:
    before = open_token(token.directory, token.label), token.pin_file.read_bytes(), token.so_pin_file.read_bytes()
    with pytest.raises(ConfigError, match="already holds private keys"):
        create_token(token.directory, token.label, [KeySpec("another")])
    assert (open_token(token.directory, token.label), token.pin_file.read_bytes(), token.so_pin_file.read_bytes()) == before


def test_a_first_try_that_made_no_keys_is_carried_on_with_the_same_pins(tmp_path: Path) -> None:
    first = create_token(tmp_path, "school")
    pin = first.pin_file.read_bytes()
    second = create_token(tmp_path, "school", [KeySpec("cbql", KeyKind.EC_P256)])
    assert second.serial == first.serial
    assert second.pin_file.read_bytes() == pin
    assert [key.label for key in second.keys] == ["cbql"]


def test_a_directory_holds_several_tokens_with_pins_of_their_own(tmp_path: Path) -> None:
    school = create_token(tmp_path, "school", [KeySpec("cbql", KeyKind.EC_P256)])
    tsa = create_token(tmp_path, "tsa", [KeySpec("tsa", KeyKind.EC_P256)])
    assert school.pin_file.read_bytes() != tsa.pin_file.read_bytes()
    assert open_token(tmp_path, "school") == school
    assert open_token(tmp_path, "tsa") == tsa


def test_an_emptied_token_object_is_refused_not_covered_by_a_new_token(tmp_path: Path) -> None:
    """What a SIGKILL inside C_Login leaves: SoftHSM then hides the token, whose keys can still be restored."""
    spoiled = create_token(tmp_path, "school", [KeySpec("cbql", KeyKind.EC_P256)])
    pin = spoiled.pin_file.read_bytes()
    next(spoiled.tokens_directory.glob("*/token.object")).write_bytes(b"")
    with pytest.raises(ConfigError, match="restore it"):
        create_token(tmp_path, "school", [KeySpec("cbql", KeyKind.EC_P256)])
    assert spoiled.pin_file.read_bytes() == pin
    assert len(list(spoiled.tokens_directory.iterdir())) == 1


def test_an_unknown_token_can_not_be_opened(token: DemoToken) -> None:
    with pytest.raises(ConfigError, match="no such token"):
        open_token(token.directory, "other")


@pytest.mark.parametrize("label", ["", "../school", "trường", "x" * 33])
def test_a_label_that_is_no_file_name_is_refused_before_anything_is_made(tmp_path: Path, label: str) -> None:
    with pytest.raises(ConfigError, match="label"):
        create_token(tmp_path, label)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_softhsm_is_an_error_that_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softhsm, "MODULE_PATHS", (Path("/nonexistent/libsofthsm2.so"),))
    with pytest.raises(ConfigError, match="apt-get install softhsm2"):
        create_token(tmp_path, "school")
