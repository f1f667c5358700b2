"""Keys that live outside their token: encrypted by a key of the token, and bound to their credential by another one.

- Encryption: CKM_AES_KEY_WRAP_PAD (RFC 5649, AES-256). The wrapping key is sensitive and never leaves; what it unwraps is a session object
  that can't be extracted again, and is destroyed when it is no longer needed.
- Binding: HMAC-SHA256 by a generic secret of the token over whose key it is, its public key and the encrypted key. RFC 5649 notices that a
  blob was changed, not that it was moved to another row: without the seal, who can write to the database could give one teacher's key to
  another's name or school. AES-GCM with the same as additional data would do both in one, but hardly a token wraps private keys with it;
  CKM_SHA256_HMAC all of them have. The seal is made and checked inside the token, so the daemon holds nothing that could forge it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, Session
from pkcs11._pkcs11 import DEFAULT as LEFT_OUT  # type: ignore[attr-defined]  # the library's stubs leave it out

from signer.errors import TokenRefused
from signer.model import KeptKey
from signer.tokens.making import KEY_TYPES

WRAPPING_KEY_LABEL = "signer-wrap-1"
SEALING_KEY_LABEL = "signer-seal-1"
_SEALED_AS = b"signer kept key 1"
_SECRET_BITS = 256
_STAYS_INSIDE = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
_UNWRAPPED = {
    **_STAYS_INSIDE,
    Attribute.SIGN: True,
    # The library would add these to a private key's template, and SoftHSM refuses those that a private key does not have.
    **dict.fromkeys((Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.WRAP, Attribute.UNWRAP, Attribute.VERIFY, Attribute.DERIVE), LEFT_OUT),
}


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The two keys of a token on one session, which alone may use them."""

    token_name: str
    wrapping_key: Any
    sealing_key: Any

    @classmethod
    def find(cls, session: Session, token_name: str) -> Wrapping:
        """The token's keys; TokenRefused when it has none, or not one of each."""
        return cls(token_name, _the_one(session, WRAPPING_KEY_LABEL, token_name), _the_one(session, SEALING_KEY_LABEL, token_name))

    @classmethod
    def find_or_make(cls, session: Session, token_name: str) -> Wrapping:
        """The token's keys, made where there are none. One process at a time, on a session that may write."""
        if not _labelled(session, WRAPPING_KEY_LABEL):
            session.generate_key(
                KeyType.AES,
                _SECRET_BITS,
                label=WRAPPING_KEY_LABEL,
                store=True,
                capabilities=MechanismFlag.WRAP | MechanismFlag.UNWRAP,
                template=_STAYS_INSIDE,
            )
        if not _labelled(session, SEALING_KEY_LABEL):
            session.generate_key(
                KeyType.GENERIC_SECRET,
                _SECRET_BITS,
                label=SEALING_KEY_LABEL,
                store=True,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                template=_STAYS_INSIDE,
            )
        return cls.find(session, token_name)

    def wrap(self, private: Any) -> bytes:
        """The private key, encrypted."""
        return bytes(self.wrapping_key.wrap_key(private, mechanism=Mechanism.AES_KEY_WRAP_PAD))

    def seal(self, kept: KeptKey) -> bytes:
        """What binds the key to its credential."""
        return bytes(self.sealing_key.sign(sealed_content(kept), mechanism=Mechanism.SHA256_HMAC))

    def unwrap(self, kept: KeptKey) -> Any:
        """The private key as a session object that only signs. TokenRefused when the seal is not this key's: it is not even tried."""
        if not hmac.compare_digest(self.seal(kept), kept.seal):
            raise TokenRefused(
                f"token {self.token_name}: the stored key of credential {kept.credential_id} is not sealed by this token for that "
                "credential: the database was changed, or is another token's; restore it from its backup",
                token=self.token_name,
                credential=kept.credential_id,
            )
        return self.wrapping_key.unwrap_key(
            ObjectClass.PRIVATE_KEY,
            KEY_TYPES[kept.kind.family],
            kept.wrapped,
            mechanism=Mechanism.AES_KEY_WRAP_PAD,
            capabilities=MechanismFlag.SIGN,
            template=_UNWRAPPED,
        )


def sealed_content(kept: KeptKey) -> bytes:
    """What a seal is over: each part behind its length, so that no two keys give the same octets."""
    parts = (
        _SEALED_AS,
        kept.credential_id.encode(),
        kept.school_id.encode(),
        kept.person_id.encode(),
        kept.storage.value.encode(),
        kept.kind.value.encode(),
        kept.key_id,
        kept.public_key,
        kept.wrapped,
    )
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _labelled(session: Session, label: str) -> list[Any]:
    return list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: label, Attribute.TOKEN: True}))


def _the_one(session: Session, label: str, token_name: str) -> Any:
    found = _labelled(session, label)
    if len(found) != 1:
        raise TokenRefused(
            f"token {token_name} has {len(found)} secret keys labelled {label!r}, and one is needed for wrapped keys: restore the token "
            "that wrapped them from its backup",
            token=token_name,
        )
    return found[0]
