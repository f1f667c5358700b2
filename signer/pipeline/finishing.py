"""Steps 7 to 10 of a lot, when the key has been used: timestamp, assemble, raise, release.

What waits for somebody outside is in the journal first, so that no kill costs a second key use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from signer.errors import SignerError
from signer.formats.insertions import Additions
from signer.journal.model import Outcome, OutcomeKind
from signer.model import Level, StageTimes
from signer.pipeline.item import Item, SignedDocument, known, still_going, take_step, with_digests
from signer.pipeline.lot import Lot
from signer.pipeline.material import Stamped
from signer.pipeline.parking import assemble as assemble_cms
from signer.pipeline.parking import outcome
from signer.pipeline.raising import Raising
from signer.pipeline.settling import settle_each
from signer.pipeline.stamping import stamp_signature
from signer.telemetry.steps import Step
from signer.telemetry.traces import step


async def stamp_lot(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Step 7: level B-T and above; an item without a timestamp is parked, never lowered."""
    if lot.plan.level is not Level.B_B:
        with step(Step.STAMP, documents=len(items)):
            await asyncio.gather(*[_stamp_one(lot, item) for item in items if item.stamp is None])
    return still_going(items)


async def _stamp_one(lot: Lot, item: Item) -> None:
    parked = known(item.parked)

    async def park() -> None:
        if not item.is_parked:
            kept = outcome(item.key, item.attempt, OutcomeKind.PARKED, parked, parked.signature, shared=lot.shared)
            await lot.engine.ledger.settle([kept])
            item.is_parked = True

    started_s = lot.request.clock_s()
    try:
        item.stamp = await stamp_signature(lot.engine, lot.request, lot.plan.shortage, parked.imprint, park)
    except SignerError as error:
        item.result = error
    item.stamp_s = lot.request.clock_s() - started_s


def assemble_lot(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Step 8: signature and timestamp into what is added."""

    def finish(item: Item) -> None:
        item.finished = with_digests(lot, item, assemble_cms(lot.engine, known(item.parked), item.stamp))

    with step(Step.ASSEMBLE, documents=len(items)):
        return take_step(items, finish)


async def raise_lot(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Step 8, levels above B-T: parked first, because others are waited for; then raised, each by itself."""
    if not lot.plan.level.is_long_term or not items:
        return list(items)
    unparked = [item for item in items if not item.is_parked]
    if unparked:
        for item, refusal in zip(unparked, await settle_each(lot.engine.ledger, [_stamped(lot, item) for item in unparked]), strict=True):
            item.result = refusal
        items = still_going(items)
    with step(Step.RAISE, documents=len(items)):
        await asyncio.gather(*[_raise_one(lot, item) for item in items])
    return still_going(items)


async def _raise_one(lot: Lot, item: Item) -> None:
    finished = known(item.finished)
    raising = Raising(lot.engine, lot.request, lot.plan.level, finished.additions.merge(item.document.content))
    try:
        await raising.run()
    except SignerError as error:
        item.result = _kept(error)
        return
    item.document_s += raising.document_s
    item.stamp_s += raising.timestamp_s
    additions = Additions(finished.additions.appended + raising.appended)
    item.finished = with_digests(lot, item, msgspec.structs.replace(finished, additions=additions, signed_sha256=b"", other_digest=b""))


def _kept(error: SignerError) -> SignerError:
    """The same, for an item whose signature waits in the journal."""
    kept = error.copy()
    kept.message = f"signed and kept, but its level is not reached; repeat with the same ids: {error.message}"
    return kept


async def release_lot(lot: Lot, items: Sequence[Item]) -> None:
    """Steps 9 and 10."""
    if not items:
        return
    started_s = lot.request.clock_s()
    with step(Step.SETTLE, documents=len(items)):
        refusals = await settle_each(lot.engine.ledger, [_released(lot, item) for item in items])
    settle_s = (lot.request.clock_s() - started_s) / len(items)
    for item, refusal in zip(items, refusals, strict=True):
        if refusal is not None:
            item.result = refusal
            continue
        used = item.used
        times = StageTimes(
            queue_s=used.signature.queue_s if used else 0.0,
            document_s=item.document_s,
            token_s=used.signature.token_s if used else 0.0,
            timestamp_s=item.stamp_s,
            journal_s=(used.journal_s if used else 0.0) + settle_s,
        )
        item.result = SignedDocument(item.source.digest(), known(item.finished), times, replayed=used is None)


def _released(lot: Lot, item: Item) -> Outcome:
    released = outcome(item.key, item.attempt, OutcomeKind.RELEASED, known(item.finished), known(item.parked).signature, shared=lot.shared)
    return released if item.slot is None else msgspec.structs.replace(released, slot=item.slot)


def _stamped(lot: Lot, item: Item) -> Outcome:
    parked, stamp = known(item.parked), known(item.stamp)
    material = Stamped(parked, stamp.timestamp, stamp.gen_time)
    return outcome(item.key, item.attempt, OutcomeKind.PARKED, material, parked.signature, shared=lot.shared)
