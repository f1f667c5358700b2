"""The rooms of four eyes and of what is known of records, wired to one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from signer.control.approvals import Approvals
from signer.control.record_changes import RecordChanges
from signer.control.records import Records
from signer.journal import Journal
from signer.journal.approvals import ApprovalStore
from signer.journal.records import RecordStore
from signer.people.approval import ApprovalKind
from signer.people.doors import FactorCheck, Rights
from signer.pipeline.engine import Engine
from signer.records.layout import Layout
from signer.server.approvals import Exists, KnownSubjects
from signer.tokens.pool import TokenPool


@dataclass(frozen=True, slots=True)
class GoverningRooms:
    """approvals: also `engine.four_eyes`. register: records' history, corrections, calendars."""

    approvals: Approvals
    register: Records
    subjects: KnownSubjects


def furnish_governing(
    engine: Engine, journal: Journal, pools: Mapping[str, TokenPool], *, layouts: Sequence[Layout], rights: Rights, factors: FactorCheck
) -> GoverningRooms:
    """All of them."""
    records = RecordStore(journal)
    approvals = Approvals(ApprovalStore(journal), rights, factors, RecordChanges(records, engine.utc_now), engine.utc_now)
    register = Records(records, approvals, rights, layouts, engine.utc_now)
    return GoverningRooms(approvals, register, KnownSubjects(_subjects(engine, pools, rights)))


def _subjects(engine: Engine, pools: Mapping[str, TokenPool], rights: Rights) -> Mapping[ApprovalKind, Exists]:
    """A CA that is to be added, or a school year, needs not be there yet."""

    async def has_credential(school_id: str, credential_id: str) -> bool:
        kept = await engine.kept.find(credential_id) if engine.kept is not None else None
        others = [each for each in engine.credentials.list_all() if each.id == credential_id]
        return any(each.school_id == school_id for each in ([kept] if kept is not None else others))

    async def has_person(_school_id: str, person_id: str) -> bool:
        return await rights.find(person_id) is not None

    async def has_token(_school_id: str, token_name: str) -> bool:
        return token_name in pools

    async def has_kind(_school_id: str, name: str) -> bool:
        return name in {kind.value for kind in ApprovalKind}

    return {
        ApprovalKind.KEY_DESTRUCTION: has_credential,
        ApprovalKind.SEAL_ABOVE_COUNT: has_credential,
        ApprovalKind.FACTOR_UNLOCK: has_person,
        ApprovalKind.PIN_RELEASE: has_token,
        ApprovalKind.POLICY_CHANGE: has_kind,
    }
