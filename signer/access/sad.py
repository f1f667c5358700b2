"""Signature activation data (CSC v2 8.x, EN 419 241-1 5.10): a signed statement of what its holder allows. Pure.

It binds everything by digest, so it stays small whatever the list; the authorisation's row says whether it is still good.

    SAD = MAC (36 bytes) ‖ MessagePack of `Sad`
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from signer.access.appliance_keys import ApplianceKeys, Purpose
from signer.errors import AuthorizationInvalid
from signer.model import Role
from signer.people.authorization import AuthorizationTarget, ListBinding, Presentation, SignableList

SAD_BYTES_MAX: Final = 16 * 1024
_MAC_BYTES: Final = 36
_VERSION: Final = 1


class Sad(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a SAD says. target_sha256: of all that the holder allowed. expires_us: microseconds since 1970, UTC."""

    version: int = _VERSION
    authorization_id: str
    target_sha256: bytes
    list_sha256: bytes
    list_count: int
    school_id: str
    credential_id: str
    client_id: str
    expires_us: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sad).decode


def mint(keys: ApplianceKeys, sad: Sad) -> bytes:
    """The SAD as it travels."""
    content = _encode(sad)
    return keys.mac(Purpose.SAD, content) + content


def read(keys: ApplianceKeys, received: bytes) -> Sad:
    """What a SAD says; AuthorizationInvalid unless this appliance made it."""
    mac, content = received[:_MAC_BYTES], received[_MAC_BYTES:]
    if len(received) > SAD_BYTES_MAX or not keys.is_mac(Purpose.SAD, content, mac):
        raise AuthorizationInvalid("this SAD was not made by this appliance, or was changed since")
    try:
        return _decode(content)
    except msgspec.DecodeError as error:
        raise AuthorizationInvalid("this SAD is of another release") from error


def presentation_sha256(shown: Presentation) -> bytes:
    """SHA-256 of what the holder sees, each line of it, 32 bytes."""
    items = [(item.document_id, item.entry, item.text) for item in shown.items]
    fields = (
        shown.class_name,
        shown.school_name,
        _role(shown.role),
        shown.acting_for_name,
        shown.summary,
        shown.pupil_list_sha256,
        items,
    )
    return sha256(_encode(fields)).digest()


def target_sha256(target: AuthorizationTarget, shown_sha256: bytes) -> bytes:
    """SHA-256 of all that a SAD binds, 32 bytes. shown_sha256: of the presentation, whose items may be gone by now."""
    fields = (
        _VERSION,
        target.school_id,
        target.credential_id,
        _list_fields(target.list),
        shown_sha256,
        target.plan_sha256,
        _role(target.role),
        target.delegation_id,
        target.algorithm.value if target.algorithm else "",
        target.request_id,
        list(target.approval_ids),
    )
    return sha256(_encode(fields)).digest()


def _list_fields(listed: SignableList) -> tuple[object, ...]:
    """Never the same for two bindings: of a root three fields, as before there were digests."""
    said = (listed.sha256, listed.count, listed.source_documents)
    return said if listed.binding is ListBinding.ROOT else (listed.binding.value, *said)


def _role(role: Role | None) -> str:
    return role.value if role else ""
