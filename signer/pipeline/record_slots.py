"""Slots of records on their way to a key: held against what is known of each record from before.

One look into the register for a lot of records, behind the document workers and before any intent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from signer.documents.wire import ExaminedXmlReply
from signer.errors import InternalError, SignerError
from signer.model import RecordSlot
from signer.people.person import Scope
from signer.records.calendar import Calendar
from signer.records.plan_rules import OWN_SLOTS
from signer.records.problem import Finding, Wording, found, refusal
from signer.records.reading import Identity
from signer.records.register import KeptRecord, SignedSlot, known_finding

if TYPE_CHECKING:
    from signer.pipeline.lot import Lot
    from signer.pipeline.role_check import Acting


class Register(Protocol):
    """What is known of records from before (`journal.RecordStore`)."""

    async def known(self, school_id: str, record_uuids: Sequence[str]) -> Mapping[str, KeptRecord]:
        """Those of a school that were met before, by UUID."""

    async def calendar(self, school_id: str, school_year: int) -> Calendar | None:
        """The dates that hold for a school's records; None where nobody has set any. Cheap."""


async def known_findings(
    register: Register, school_id: str, identities: Sequence[Identity], slot: RecordSlot, now: datetime
) -> list[tuple[Finding | None, KeptRecord | None]]:
    """What keeps each record's slot from being signed now, and what is known of the record."""
    uuids = {each.record_uuid for each in identities} - {""}
    known = await register.known(school_id, sorted(uuids)) if uuids else {}
    years = {each.school_year for each in identities}
    calendars = dict(zip(years, await asyncio.gather(*[register.calendar(school_id, year) for year in years]), strict=True))
    kept = [known.get(each.record_uuid) for each in identities]
    return [
        (known_finding(record, each, slot, calendars[each.school_year], now), record) for each, record in zip(identities, kept, strict=True)
    ]


async def slots_to_sign(
    register: Register | None, lot: Lot, replies: Sequence[ExaminedXmlReply | SignerError]
) -> list[SignedSlot | SignerError | None]:
    """The slot that each record's signature fills, or RecordUnfit; None for what a document worker refused."""
    plan = lot.plan.record
    if plan is None:
        raise InternalError("records are signed by a plan that names a role")
    own = OWN_SLOTS[plan.role]
    readable = [each for each in replies if isinstance(each, ExaminedXmlReply)]
    identities = [each.identity or Identity() for each in readable]
    if register is None:
        verdicts: list[tuple[Finding | None, KeptRecord | None]] = [(None, None)] * len(readable)
    else:
        verdicts = await known_findings(register, lot.request.school_id, identities, own, lot.signing_time)
    judged = iter(zip(readable, identities, verdicts, strict=True))
    return [_slot(lot, own, *next(judged)) if isinstance(reply, ExaminedXmlReply) else None for reply in replies]


def _slot(
    lot: Lot, own: RecordSlot, reply: ExaminedXmlReply, identity: Identity, verdict: tuple[Finding | None, KeptRecord | None]
) -> SignedSlot | SignerError:
    finding, kept = verdict
    plan, acting, presented = lot.plan.record, lot.plan.acting, lot.plan.presented
    if finding is None:
        finding = role_finding(
            acting, Scope(lot.request.school_id, identity.school_year, identity.class_id, plan.subject_id if plan else "")
        )
    if finding is not None:
        return refusal((finding,))
    return SignedSlot(
        identity.record_uuid,
        identity.class_id,
        identity.school_year,
        reply.layout_id,
        identity.pupil,
        identity.is_supplementary,
        own,
        subject_id=plan.subject_id if plan else "",
        person_id=acting.person_id if acting else presented.person_id if presented else "",
        role=plan.role if plan else None,
        acting_for=acting.for_person_id if acting else "",
        authorization_id=presented.authorization_id if presented else "",
        approval_id=kept.approval_id if kept else "",
        replaces=kept.replaces if kept else "",
    )


def role_finding(acting: Acting | None, claimed: Scope) -> Finding | None:
    """What a plan leaves to each record is held against the signer's role here. acting: None is bound to none."""
    if acting is None or any(scope.covers(claimed) for scope in acting.scopes):
        return None
    return found(Wording.ROLE_NOT_HELD, year=claimed.school_year, class_id=claimed.class_id or "-")
