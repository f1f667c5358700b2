"""The appliance's own secrets, and what is made of them: one key a purpose (HKDF, RFC 5869). Pure; who reads them stands in `control`.

The first secret makes and seals; every one of them is still accepted, so that a secret is changed by putting a new one before it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from signer.errors import JournalDamaged

_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class Purpose(Enum):
    """What a key is for; the value goes into its derivation, and never changes."""

    SAD = "signer/sad/1"
    SEAL = "signer/seal/1"
    CHALLENGE = "signer/challenge/1"


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    id: bytes
    by_purpose: dict[Purpose, bytes]


class ApplianceKeys:
    """secrets_: at least one, the current one first; 32 random bytes or more each."""

    def __init__(self, secrets_: Sequence[bytes]) -> None:
        self._all = [_derived(secret) for secret in secrets_]

    def mac(self, purpose: Purpose, content: bytes) -> bytes:
        """The key's id and HMAC-SHA-256 over the content, 36 bytes."""
        keys = self._all[0]
        return keys.id + hmac.digest(keys.by_purpose[purpose], content, "sha256")

    def is_mac(self, purpose: Purpose, content: bytes, mac: bytes) -> bool:
        """Whether `mac` was made by one of the secrets over the content."""
        return any(hmac.compare_digest(keys.id + hmac.digest(keys.by_purpose[purpose], content, "sha256"), mac) for keys in self._all)

    def seal(self, content: bytes, context: str) -> bytes:
        """The content encrypted (AES-256-GCM), bound to its context: what it is and whose."""
        keys = self._all[0]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return keys.id + nonce + AESGCM(keys.by_purpose[Purpose.SEAL]).encrypt(nonce, content, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed for this context; JournalDamaged when it was not, or by a secret that is not configured any more."""
        nonce, content = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES], sealed[_ID_BYTES + _NONCE_BYTES :]
        for keys in self._all:
            if keys.id == sealed[:_ID_BYTES]:
                try:
                    return AESGCM(keys.by_purpose[Purpose.SEAL]).decrypt(nonce, content, context.encode())
                except InvalidTag:
                    continue
        raise JournalDamaged(
            "a sealed value can't be opened: the database was changed, or activation.secrets lacks the one it was sealed with"
        )


def _derived(secret: bytes) -> _Keys:
    by_purpose = {each: HKDF(SHA256(), _KEY_BYTES, None, each.value.encode()).derive(secret) for each in Purpose}
    return _Keys(sha256(b"id" + by_purpose[Purpose.SEAL]).digest()[:_ID_BYTES], by_purpose)
