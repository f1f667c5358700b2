"""Generating key pairs and signing with them once, for the certificate request (PKCS#11 v3.0 §5.18, §6.1, §6.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from pkcs11 import Attribute, KeyType, MechanismFlag, Session
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from signer.algorithms import EC_CURVES, RSA_BITS, KeyFamily, KeyKind
from signer.model import KeyStorage

KEY_TYPES = {KeyFamily.RSA: KeyType.RSA, KeyFamily.EC: KeyType.EC}
_ENCODERS: dict[KeyFamily, Callable[[Any], bytes]] = {KeyFamily.RSA: encode_rsa_public_key, KeyFamily.EC: encode_ec_public_key}
_SIGNING = MechanismFlag.SIGN | MechanismFlag.VERIFY


def make_pair(session: Session, kind: KeyKind, storage: KeyStorage, key_id: bytes, label: str) -> tuple[Any, Any]:
    """A new pair: public and private object. PKCS11Error when the token refuses.

    TOKEN: objects of the token, never extractable. WRAPPED: objects of this session, extractable for as long as it takes to wrap them.
    """
    is_wrapped = storage is KeyStorage.WRAPPED
    private = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: is_wrapped}
    wanted: dict[str, Any] = {
        "id": key_id,
        "label": label,
        "store": not is_wrapped,
        "capabilities": _SIGNING,
        "private_template": private,
    }
    if kind.family is KeyFamily.RSA:
        public, secret = session.generate_keypair(KeyType.RSA, RSA_BITS[kind], **wanted)
        return public, secret
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(EC_CURVES[kind])}
    public, secret = session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(**wanted)
    return public, secret


def subject_public_key_info(public: Any, family: KeyFamily) -> bytes:
    """SubjectPublicKeyInfo, DER, of a public key object."""
    return load_der_public_key(_ENCODERS[family](public)).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
