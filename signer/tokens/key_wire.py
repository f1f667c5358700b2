"""What the daemon and a key worker say to one another (bodies of `workers.frames`)."""

from __future__ import annotations

import msgspec

from signer.algorithms import KeyKind
from signer.model import KeptKey, KeyStorage


class MakeKey(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Generate a key pair. key_id: CKA_ID; a pair of the token that has it already is this order's, from an earlier try.

    subject: Name of its certificate request, DER; empty: no request.
    """

    credential_id: str
    school_id: str
    person_id: str
    storage: KeyStorage
    kind: KeyKind
    key_id: bytes
    subject: bytes


class RequestCertificate(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Sign a certificate request with a key of the store."""

    kept: KeptKey
    subject: bytes


class DestroyKey(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Destroy what the token holds of a key: nothing of a wrapped one, whose only copy is the store's."""

    kept: KeptKey


KeyOrder = MakeKey | RequestCertificate | DestroyKey


class KeyCall(msgspec.Struct, frozen=True, array_like=True):
    """CALL: orders, worked off one after the other."""

    orders: list[KeyOrder]


class KeyAnswer(msgspec.Struct, frozen=True, array_like=True):
    """What became of the order at this place of the call: the key and its request (PKCS#10, DER), or a reason and message."""

    place: int
    kept: KeptKey | None = None
    request: bytes = b""
    reason: str = ""
    message: str = ""


class KeyReply(msgspec.Struct, frozen=True, array_like=True):
    """REPLY: an answer as soon as it is ready; a key of 4096 bits can take its time."""

    answer: KeyAnswer
