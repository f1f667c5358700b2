"""The path of documents, steps 1 to 6 (see the room's docstring), a lot at a time; steps 7 to 10 are `finishing`.

The documents of a lot take each step together: one look into the journal, one frame to the document workers, one durable intent for all.
That is what makes a class cost little more than its signatures; and an item that fails at a step ends there, alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace

from signer.errors import InternalError, JournalUnavailable, RequestIdReused, SignatureSettled, SignerError
from signer.journal.model import Intent, Stored
from signer.model import StageTimes
from signer.pipeline.allowing import entry_of, require_allowed
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.finishing import assemble_lot, raise_lot, release_lot, stamp_lot
from signer.pipeline.item import Item, SignedDocument, known, new_item, still_going, take_step, with_digests
from signer.pipeline.key_use import use_key
from signer.pipeline.lot import IncomingDocument, Lot
from signer.pipeline.material import Finished, Parked, Stamped, stored_material
from signer.pipeline.parking import complete
from signer.pipeline.plan import VIETNAM_TIME, ReadyPlan
from signer.pipeline.request import Allowance, Request
from signer.pipeline.role_check import require_role
from signer.pipeline.stamping import stamp_signature
from signer.telemetry.steps import Step
from signer.telemetry.traces import step


async def sign_documents(
    engine: Engine, request: Request, plan: ReadyPlan, documents: Sequence[IncomingDocument], allowance: Allowance | None = None
) -> list[SignedDocument | SignerError]:
    """Signs documents, or returns what is stored under their ids; a result for each, in order. Their document ids all differ.

    allowance: theirs, of the request's; None for the request's own. The docstring of an error's class says whether the key may have been
    used. Never cancelled from step 5 on: its task belongs to the engine.
    """
    signing_time = engine.utc_now().astimezone(VIETNAM_TIME).replace(microsecond=0)
    lot = Lot(engine, request, plan, signing_time, allowance or request.allowance)
    items = [new_item(lot, document) for document in documents]
    async with engine.inside([item.key for item in items]):
        try:
            request.check()
            lot = await _still_acting(lot)
            left = await (_sign_new(lot, items) if request.is_new else _sign_unless_stored(lot, items))  # 1 to 6
            left = await stamp_lot(lot, left)  # 7
            left = await raise_lot(lot, assemble_lot(lot, left))  # 8
            await release_lot(lot, left)  # 9, 10
        except SignerError as error:
            for item in items:
                item.result = item.result or error.copy()
        finally:
            if unused := sum(item.is_admitted and item.used is None for item in items):
                lot.allowance.give_back(unused)
    return [item.result or InternalError("an item was left without a result") for item in items]


async def _still_acting(lot: Lot) -> Lot:
    """The same, with what the signer may do by now. RoleRefused when that is nothing any more."""
    plan = lot.plan
    acting = await require_role(lot.engine, plan.credential, lot.request.school_id, plan.profile, plan.record)
    return lot if acting == plan.acting else replace(lot, plan=replace(plan, acting=acting))


async def _sign_unless_stored(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Steps 1 to 6 for ids that may have come before. Returns what is to be stamped: the signed, and parked ones of a level above B-T."""
    left = await _answer_stored(lot, items)
    lot.request.check()
    signed = await _use_key_or_replay(lot, await _make_digests(lot, [item for item in left if not item.is_parked]))
    return [*signed, *(item for item in left if item.is_parked)]


async def _use_key_or_replay(lot: Lot, prepared: Sequence[Item]) -> list[Item]:
    """Steps 5 and 6; what another daemon signs meanwhile is answered as stored."""
    parked: list[Item] = []
    while True:
        try:
            return [*await _use_key(lot, prepared), *parked]
        except SignatureSettled:
            left = await _answer_stored(lot, prepared)
        lot.request.check()
        parked += [item for item in left if item.is_parked]
        prepared = [item for item in left if not item.is_parked]


async def _sign_new(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """The same for ids taken for new, which saves a way to the journal: step 5 finds out if they are not, before a key is used.

    Then they are looked up after all; so is what was refused before that step, and all when the journal can't be written: a stored outcome
    counts more, and is answered still.
    """
    prepared = await _make_digests(lot, items)
    refused = [item for item in items if item.result is not None]
    left = await _answer_stored(lot, refused) if refused else []
    try:
        return [*await _use_key(lot, prepared), *left]
    except (SignatureSettled, RequestIdReused, JournalUnavailable):
        lot.request.is_new = False
    left += await _answer_stored(lot, prepared)
    lot.request.check()
    signed = await _use_key_or_replay(lot, [item for item in left if not item.is_parked])
    return [*signed, *(item for item in left if item.is_parked)]


async def _make_digests(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Steps 2 to 4."""
    return await _prepare(lot, await _require_status(lot, await _admit(lot, require_allowed(lot, items))))


async def _answer_stored(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Step 1: ends items with a stored outcome, completes parked ones; leaves those where another attempt is right.

    Parked ones of a level above B-T are left as well, marked as such: they go on from where they stopped.
    """
    with step(Step.LOOK_UP, documents=len(items)):
        stored = await lot.engine.ledger.look_up([item.key for item in items])

    def look(item: Item) -> None:
        found = stored.get(item.key)
        material = stored_material(found, item.key.document_id, item.fingerprint) if found else None
        if isinstance(material, Finished):
            _replay(lot, item, material)
        elif isinstance(material, Parked | Stamped):
            item.result = None
            item.is_parked, item.attempt = True, found.attempts if found else 0
            item.parked = material if isinstance(material, Parked) else material.parked
            if isinstance(material, Stamped):
                item.stamp = Stamp(material.timestamp, material.timestamp_time)

    left = take_step(items, look)
    if lot.plan.level.is_long_term:
        return left
    parked = [item for item in left if item.parked is not None]
    await asyncio.gather(*[_complete(lot, item, stored[item.key]) for item in parked])
    return still_going(left)


async def _complete(lot: Lot, item: Item, stored: Stored) -> None:
    """Gives a parked signature its timestamp, without a second key use."""
    parked = known(item.parked)
    try:
        stamp = await stamp_signature(lot.engine, lot.request, lot.plan.shortage, parked.imprint, _is_parked)
        _replay(lot, item, await complete(lot.engine, item.key, stored, parked, stamp))
    except SignerError as error:
        item.result = error


async def _is_parked() -> None:
    """Nothing to do: it came from the journal."""


def _replay(lot: Lot, item: Item, finished: Finished) -> None:
    item.result = SignedDocument(item.source.digest(), with_digests(lot, item, finished), StageTimes(), replayed=True)


async def _admit(lot: Lot, items: Sequence[Item]) -> Sequence[Item]:
    """Step 2: what is left of the quotas, asked for once; those beyond it end."""
    granted, refusal = await lot.allowance.admit(len(items))
    for item in items[:granted]:
        item.is_admitted = True
    if refusal is not None:
        for item in items[granted:]:
            item.result = refusal.copy()
    return items[:granted]


async def _require_status(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Step 2: nothing is signed with a certificate that is not meant for it, or revoked; nor, by policy, if nobody can tell."""
    if items and (signers := lot.engine.signers) is not None:
        level = lot.plan.level
        try:
            with step(Step.STATUS):
                await signers.require(lot.request, lot.plan.credential, is_long_term=level.is_long_term, documents=len(items))
        except SignerError as error:
            for item in items:
                item.result = error.copy()
    return still_going(items)


async def _prepare(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Steps 3 and 4."""
    if not items:
        return []
    with step(Step.PREPARE, documents=len(items)):
        found = await lot.form.prepare(lot, items)
    for item, preparation in zip(items, found, strict=True):
        if isinstance(preparation, SignerError):
            item.result = preparation
        else:
            item.prepared, item.document_s, item.slot = preparation.prepared, preparation.document_s, preparation.slot
            item.digest = hashlib.new(lot.plan.algorithm.digest.value, item.prepared.to_be_signed).digest()
    return still_going(items)


async def _use_key(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Steps 5 and 6."""
    if not items:
        return []
    uses = await use_key(lot.engine.ledger, lot.door, lot.plan.credential, lot.request, [_intent(lot, item) for item in items])
    for item, used in zip(items, uses, strict=True):
        if isinstance(used, SignerError):
            item.result = used
        else:
            item.used, item.attempt = used, used.attempt
            item.parked = _parked(lot, item, used.signature.signature)
    return still_going(items)


def _intent(lot: Lot, item: Item) -> Intent:
    return Intent(
        key=item.key,
        fingerprint=item.fingerprint,
        client_id=lot.request.client_id,
        credential_id=lot.plan.credential.id,
        certificate_serial=lot.plan.certificate_serial,
        algorithm=lot.plan.algorithm,
        digest=item.digest,
        plan=lot.plan.name,
        record=lot.plan.record,
        acting_for=lot.plan.acting_for,
        record_uuid=item.slot.record_uuid if item.slot else "",
        authorization_id=lot.plan.authorization_id,
        entry=entry_of(lot.plan, item) if lot.plan.authorization_id else b"",
    )


def _parked(lot: Lot, item: Item, signature: bytes) -> Parked:
    return Parked(
        prepared=item.require_prepared(),
        signer=lot.plan.signer,
        signature=signature,
        signing_time=lot.signing_time,
        certificate_serial=lot.plan.certificate_serial,
        is_long_term=lot.plan.level.is_long_term,
    )
