"""What a logged-in session shows: private keys, and certificates tied to them by CKA_ID (PKCS#11 v3.0 §4.6, §4.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from pkcs11 import Attribute, CertificateType, KeyType, ObjectClass, PrivateKey, Session
from pkcs11 import PublicKey as StoredPublicKey
from pkcs11.exceptions import AttributeTypeInvalid, PKCS11Error
from pkcs11.util.ec import encode_ec_public_key
from pkcs11.util.rsa import encode_rsa_public_key

from signer.algorithms import KeyFamily
from signer.model import Problem, ProblemKind
from signer.tokens.mechanisms import PublicKey
from signer.tokens.wire import FoundKey

_ENCODERS = {KeyType.RSA: encode_rsa_public_key, KeyType.EC: encode_ec_public_key}
_FAMILIES = {KeyType.RSA: KeyFamily.RSA, KeyType.EC: KeyFamily.EC}


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key as its worker holds it.

    handle: a pkcs11.PrivateKey with sign(), which the library's types leave out. always_authenticate: CKA_ALWAYS_AUTHENTICATE, the PIN
    goes with every signature.
    """

    handle: Any
    public_key: PublicKey | None
    always_authenticate: bool
    found: FoundKey


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything found on a token."""

    keys: dict[bytes, HeldKey]
    orphan_certificates: list[str]


def take_inventory(session: Session) -> Inventory:
    """Reads all private keys and certificates once; linear in their number."""
    certificates, public_keys = _certificates_by_id(session), _public_keys_by_id(session)
    handles: dict[bytes, list[PrivateKey]] = {}
    for handle in session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}):
        handles.setdefault(bytes(handle[Attribute.ID]), []).append(handle)  # type: ignore[arg-type]
    keys = {
        key_id: _describe(key_id, same_id, certificates.get(key_id, []), public_keys.get(key_id)) for key_id, same_id in handles.items()
    }
    orphans = [_subject(der) for key_id, found in certificates.items() if key_id not in handles for der in found]
    return Inventory(keys, orphans)


def _describe(key_id: bytes, handles: list[PrivateKey], certificates: list[bytes], stored: PublicKey | None) -> HeldKey:
    handle = handles[0]
    public_key = stored or _certified_key(certificates)
    found = FoundKey(
        key_id=key_id,
        label=str(handle.label or ""),
        family=_FAMILIES.get(handle.key_type),
        bits=public_key.key_size if public_key else 0,
        certificates=certificates,
        public_key=public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if public_key else b"",
        problems=list(_problems(handles, public_key)),
    )
    return HeldKey(handle, public_key, has_flag(handle, Attribute.ALWAYS_AUTHENTICATE), found)


def _problems(handles: list[PrivateKey], public_key: PublicKey | None) -> Iterable[Problem]:
    if len(handles) > 1:
        yield Problem(ProblemKind.AMBIGUOUS, f"{len(handles)} private keys share this CKA_ID: give each its own")
    if not has_flag(handles[0], Attribute.SIGN):
        yield Problem(ProblemKind.KEY_UNSUPPORTED, "CKA_SIGN is false: this key may not sign")
    if public_key is None:
        yield Problem(
            ProblemKind.CERTIFICATE_MISSING,
            "neither a certificate nor a public key object has this CKA_ID: signatures could not be checked before release",
        )


def _certificates_by_id(session: Session) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    template = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509}
    for certificate in session.get_objects(template):
        found.setdefault(bytes(certificate[Attribute.ID]), []).append(bytes(certificate[Attribute.VALUE]))
    return found


def _public_keys_by_id(session: Session) -> dict[bytes, PublicKey]:
    """Of the public key objects that can be read; one search for all of them."""
    found: dict[bytes, PublicKey] = {}
    for stored in session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY}):
        try:
            if isinstance(stored, StoredPublicKey) and stored.key_type in _ENCODERS:
                key = _signing_key(load_der_public_key(_ENCODERS[stored.key_type](stored)))
                if key is not None:
                    found.setdefault(bytes(stored[Attribute.ID]), key)
        except (PKCS11Error, ValueError, NotImplementedError, UnsupportedAlgorithm):
            continue
    return found


def _certified_key(certificates: list[bytes]) -> PublicKey | None:
    """The public key of the first certificate that can be read, for tokens that keep no public key objects."""
    for der in certificates:
        try:
            return _signing_key(x509.load_der_x509_certificate(der).public_key())
        except (ValueError, UnsupportedAlgorithm):
            continue
    return None


def _signing_key(key: object) -> PublicKey | None:
    return key if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) else None


def has_flag(handle: PrivateKey, attribute: Attribute) -> bool:
    """A boolean attribute; False where the token does not know it."""
    try:
        return bool(handle[attribute])
    except AttributeTypeInvalid:
        return False


def _subject(der: bytes) -> str:
    try:
        return x509.load_der_x509_certificate(der).subject.rfc4514_string()
    except ValueError:
        return "unreadable certificate"
