"""What is to be authorised, between a value and its sealed row: names and words in it are for its holder alone."""

from __future__ import annotations

from typing import Final

import msgspec

from signer.access.appliance_keys import ApplianceKeys
from signer.algorithms import SignatureAlgorithm
from signer.model import Role
from signer.people.authorization import AuthorizationTarget, ListBinding, Presentation, PresentedItem, SignableList


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """Everything but the presentation's items."""

    school_id: str
    credential_id: str
    list_sha256: bytes
    count: int
    source_documents: bool
    class_name: str
    school_name: str
    acting_for_name: str
    summary: str
    pupil_list_sha256: bytes
    shown_role: str
    plan_sha256: bytes
    plan: bytes
    role: str
    delegation_id: str
    algorithm: str
    request_id: str
    approval_ids: list[str]
    binding: str = ListBinding.ROOT.value  # what rows of earlier releases have


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Row).decode
_decode_items: Final = msgspec.msgpack.Decoder(list[tuple[str, bytes, str]]).decode


def sealed_target(keys: ApplianceKeys, authorization_id: str, target: AuthorizationTarget) -> bytes:
    """The target without its items, for the row of this authorisation alone."""
    shown = target.presentation
    row = _Row(
        target.school_id,
        target.credential_id,
        target.list.sha256,
        target.list.count,
        target.list.source_documents,
        shown.class_name,
        shown.school_name,
        shown.acting_for_name,
        shown.summary,
        shown.pupil_list_sha256,
        _role_text(shown.role),
        target.plan_sha256,
        target.plan,
        _role_text(target.role),
        target.delegation_id,
        target.algorithm.value if target.algorithm else "",
        target.request_id,
        list(target.approval_ids),
        target.list.binding.value,
    )
    return keys.seal(_encode(row), _target_of(authorization_id))


def opened_target(keys: ApplianceKeys, authorization_id: str, sealed: bytes, items: tuple[PresentedItem, ...] = ()) -> AuthorizationTarget:
    """The target of a row, with its items where they are at hand. JournalDamaged when it is another row's."""
    row = _decode(keys.open(sealed, _target_of(authorization_id)))
    return AuthorizationTarget(
        school_id=row.school_id,
        credential_id=row.credential_id,
        list=SignableList(ListBinding(row.binding), row.list_sha256, row.count, row.source_documents),
        presentation=Presentation(
            class_name=row.class_name,
            school_name=row.school_name,
            role=_role(row.shown_role),
            acting_for_name=row.acting_for_name,
            summary=row.summary,
            pupil_list_sha256=row.pupil_list_sha256,
            items=items,
        ),
        plan_sha256=row.plan_sha256,
        role=_role(row.role),
        delegation_id=row.delegation_id,
        algorithm=SignatureAlgorithm(row.algorithm) if row.algorithm else None,
        request_id=row.request_id,
        approval_ids=tuple(row.approval_ids),
        plan=row.plan,
    )


def sealed_items(keys: ApplianceKeys, authorization_id: str, items: tuple[PresentedItem, ...]) -> bytes:
    """The lines shown; empty for none."""
    if not items:
        return b""
    return keys.seal(_encode([(item.document_id, item.entry, item.text) for item in items]), _items_of(authorization_id))


def opened_items(keys: ApplianceKeys, authorization_id: str, sealed: bytes) -> tuple[PresentedItem, ...]:
    """The lines again."""
    if not sealed:
        return ()
    return tuple(PresentedItem(*item) for item in _decode_items(keys.open(sealed, _items_of(authorization_id))))


def _target_of(authorization_id: str) -> str:
    return f"target of {authorization_id}"


def _items_of(authorization_id: str) -> str:
    return f"items of {authorization_id}"


def _role_text(role: Role | None) -> str:
    return role.value if role else ""


def _role(text: str) -> Role | None:
    return Role(text) if text else None
