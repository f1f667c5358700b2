"""The path of PDFs, steps 1 to 10 (see the room's docstring), a lot at a time.

The documents of a lot take each step together: one look into the journal, one frame to the document workers, one durable intent for all.
That is what makes a class cost little more than its signatures; and an item that fails at a step ends there, alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeVar

import msgspec

from signer.documents.wire import PrepareCall, PreparedReply
from signer.errors import InternalError, SignerError
from signer.formats.cms.template import CmsTemplate
from signer.formats.pades.update import PreparedUpdate, byte_range_digest, check
from signer.journal.model import Intent, Outcome, OutcomeKind, Stored
from signer.model import FieldPlacement, Level, SignatureKey, StageTimes
from signer.pipeline.doors import KeyDoor, Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.key_use import KeyUse, use_key
from signer.pipeline.material import Finished, Parked, Stamped, stored_material
from signer.pipeline.parking import assemble, complete, outcome
from signer.pipeline.plan import ReadyPlan, fingerprint
from signer.pipeline.raising import Raising, require_status
from signer.pipeline.request import Request
from signer.pipeline.stamping import stamp_signature
from signer.telemetry.metrics import PreparationPath

_T = TypeVar("_T")
VIETNAM_TIME = timezone(timedelta(hours=7))
"""What /M shows people; the country has one zone without summer time."""


@dataclass(frozen=True, slots=True)
class IncomingDocument:
    """One document as it came. placement: the plan's, or this document's own."""

    document_id: str
    content: bytes
    placement: FieldPlacement


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A released signature. appended: what follows the original. replayed: a stored outcome was returned, no key was used."""

    source_sha256: bytes
    material: Finished
    times: StageTimes
    replayed: bool

    @property
    def appended(self) -> bytes:
        """The bytes to append to the document that was sent."""
        return self.material.appended


@dataclass(slots=True, eq=False)
class _Item:
    """One document on its path; each step fills its part.

    source: hash state after the whole original, so that no step hashes it again. result: set as soon as the item has ended; an ended item
    takes no further step. attempt: the intent's number. is_parked: whether the journal holds what a repeat can complete. used: None when an
    earlier run signed it.
    """

    document: IncomingDocument
    key: SignatureKey
    source: hashlib._Hash
    fingerprint: bytes
    result: SignedDocument | SignerError | None = None
    update: PreparedUpdate | None = None
    signed_attributes: bytes = b""
    digest: bytes = b""
    document_s: float = 0.0
    used: KeyUse | None = None
    attempt: int = 0
    is_parked: bool = False
    parked: Parked | None = None
    stamp: Stamp | None = None
    stamp_s: float = 0.0
    finished: Finished | None = None


@dataclass(frozen=True, slots=True)
class _Lot:
    """What the items of one call to `sign_documents` share. signing_time: claimed in /M."""

    engine: Engine
    request: Request
    plan: ReadyPlan
    signing_time: datetime

    @property
    def door(self) -> KeyDoor:
        """The token of the plan's credential."""
        return self.engine.keys[self.plan.credential.token_name]


async def sign_documents(
    engine: Engine, request: Request, plan: ReadyPlan, documents: Sequence[IncomingDocument]
) -> list[SignedDocument | SignerError]:
    """Signs PDFs, or returns what is stored under their ids; a result for each, in order. Their document ids all differ.

    The docstring of an error's class says whether the key may have been used. Never cancelled from step 5 on: its task belongs to the
    engine.
    """
    lot = _Lot(engine, request, plan, engine.utc_now().astimezone(VIETNAM_TIME).replace(microsecond=0))
    items = [_item(lot, document) for document in documents]
    async with engine.inside([item.key for item in items]):
        try:
            request.check()
            left = await _answer_stored(lot, items)  # 1
            request.check()
            fresh = await _require_status(lot, [item for item in left if item.parked is None])  # 2
            fresh = await _prepare(lot, fresh)  # 3, 4
            fresh = await _use_key(lot, fresh)  # 5, 6
            left = await _stamp(lot, [*fresh, *(item for item in left if item.is_parked)])  # 7
            left = await _raise(lot, _assemble(lot, left))  # 8
            await _release(lot, left)  # 9, 10
        except SignerError as error:
            for item in items:
                item.result = item.result or error.copy()
    return [item.result or InternalError("an item was left without a result") for item in items]


def _item(lot: _Lot, document: IncomingDocument) -> _Item:
    source = hashlib.sha256(document.content)
    key = SignatureKey(lot.request.school_id, lot.request.request_id, document.document_id)
    return _Item(document, key, source, fingerprint(lot.plan, document.placement, source.digest()))


def _left(items: Sequence[_Item]) -> list[_Item]:
    return [item for item in items if item.result is None]


def _each(items: Sequence[_Item], step: Callable[[_Item], None]) -> list[_Item]:
    """Takes a step with each item; one that fails ends alone. Returns those that go on."""
    for item in items:
        try:
            step(item)
        except SignerError as error:
            item.result = error
    return _left(items)


async def _answer_stored(lot: _Lot, items: Sequence[_Item]) -> list[_Item]:
    """Step 1: ends items with a stored outcome, completes parked ones; leaves those where another attempt is right.

    Parked ones of a level above B-T are left as well, marked as such: they go on from where they stopped.
    """
    stored = await lot.engine.ledger.look_up([item.key for item in items])

    def look(item: _Item) -> None:
        found = stored.get(item.key)
        material = stored_material(found, item.key.document_id, item.fingerprint) if found else None
        if isinstance(material, Finished):
            _replay(lot, item, material)
        elif isinstance(material, Parked | Stamped):
            item.is_parked, item.attempt = True, found.attempts if found else 0
            item.parked = material if isinstance(material, Parked) else material.parked
            if isinstance(material, Stamped):
                item.stamp = Stamp(material.timestamp, material.timestamp_time)

    left = _each(items, look)
    if lot.plan.level.is_long_term:
        return left
    parked = [item for item in left if item.parked is not None]
    await asyncio.gather(*[_complete(lot, item, stored[item.key]) for item in parked])
    return _left(left)


async def _complete(lot: _Lot, item: _Item, stored: Stored) -> None:
    """Gives a parked signature its timestamp, without a second key use."""
    parked = _known(item.parked)
    try:
        stamp = await stamp_signature(lot.engine, lot.request, lot.plan.shortage, parked.signature, _is_parked)
        _replay(lot, item, await complete(lot.engine, item.key, stored.attempts, parked, stamp))
    except SignerError as error:
        item.result = error


async def _is_parked() -> None:
    """Nothing to do: it came from the journal."""


def _replay(lot: _Lot, item: _Item, finished: Finished) -> None:
    item.result = SignedDocument(item.source.digest(), _with_digests(lot, item, finished), StageTimes(), replayed=True)


def _with_digests(lot: _Lot, item: _Item, finished: Finished) -> Finished:
    """The same with the digests of the whole signed file, which can't be known where the document is not."""
    if not finished.signed_sha256:
        whole = item.source.copy()
        whole.update(finished.appended)
        finished = msgspec.structs.replace(finished, signed_sha256=whole.digest())
    wanted = lot.plan.evidence
    if wanted is not None and not finished.digest(wanted):
        other = hashlib.new(wanted.value, item.document.content)
        other.update(finished.appended)
        finished = msgspec.structs.replace(finished, other_digest=other.digest())
    return finished


def _known(value: _T | None) -> _T:
    """A part that an earlier step has filled; InternalError when it has not."""
    if value is None:
        raise InternalError("a step was taken before the one it needs")
    return value


async def _require_status(lot: _Lot, items: Sequence[_Item]) -> list[_Item]:
    """Step 2, levels above B-T: nothing is signed with a certificate that is revoked, or whose status nobody can tell."""
    if lot.plan.level.is_long_term and items:
        try:
            await require_status(lot.engine, lot.request, lot.plan.credential)
        except SignerError as error:
            for item in items:
                item.result = error.copy()
    return _left(items)


async def _prepare(lot: _Lot, items: Sequence[_Item]) -> list[_Item]:
    """Steps 3 and 4."""
    if not items:
        return []
    template = lot.engine.template_of(lot.plan.credential, lot.plan.algorithm)
    timestamp_bytes = lot.engine.require_timestamper().timestamp_bytes_max if lot.plan.level is not Level.B_B else 0
    contents_bytes = template.size_max(timestamp_bytes)
    calls = [
        PrepareCall(
            document=item.document.content,
            placement=item.document.placement,
            signing_time=lot.signing_time.isoformat(),
            contents_bytes=contents_bytes,
            digest_algorithm=lot.plan.algorithm.digest,
        )
        for item in items
    ]
    replies = dict(zip((item.key for item in items), await lot.engine.preparer.prepare(calls), strict=True))

    def digest(item: _Item) -> None:
        reply = replies[item.key]
        if isinstance(reply, SignerError):
            raise reply
        _digest(lot, item, reply, template)

    return _each(items, digest)


def _digest(lot: _Lot, item: _Item, reply: PreparedReply, template: CmsTemplate) -> None:
    """Step 4: checks the proposed update; byte range → signed attributes → the digest the key will sign."""
    path, fallback = (PreparationPath.COMPLETE, reply.fallback.value) if reply.fallback else (PreparationPath.FAST, "")
    lot.engine.metrics.documents_prepared.labels(path=path.value, fallback=fallback).inc()
    item.update = PreparedUpdate(reply.update, reply.contents_offset, reply.contents_digits)
    item.document_s = reply.document_s
    check(len(item.document.content), item.update)
    algorithm = lot.plan.algorithm.digest
    item.signed_attributes = template.signed_attributes(byte_range_digest(item.source, item.document.content, item.update, algorithm))
    item.digest = hashlib.new(algorithm.value, item.signed_attributes).digest()


async def _use_key(lot: _Lot, items: Sequence[_Item]) -> list[_Item]:
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
    return _left(items)


async def _stamp(lot: _Lot, items: Sequence[_Item]) -> list[_Item]:
    """Step 7: level B-T and above; an item without a timestamp is parked, never lowered."""
    if lot.plan.level is not Level.B_B:
        await asyncio.gather(*[_stamp_one(lot, item) for item in items if item.stamp is None])
    return _left(items)


async def _stamp_one(lot: _Lot, item: _Item) -> None:
    parked = _known(item.parked)

    async def park() -> None:
        if not item.is_parked:
            await lot.engine.ledger.settle([outcome(item.key, item.attempt, OutcomeKind.PARKED, parked, parked.signature)])
            item.is_parked = True

    started_s = lot.request.clock_s()
    try:
        item.stamp = await stamp_signature(lot.engine, lot.request, lot.plan.shortage, parked.signature, park)
    except SignerError as error:
        item.result = error
    item.stamp_s = lot.request.clock_s() - started_s


def _assemble(lot: _Lot, items: Sequence[_Item]) -> list[_Item]:
    """Step 8: the CMS into its hole."""

    def finish(item: _Item) -> None:
        item.finished = _with_digests(lot, item, assemble(lot.engine, _known(item.parked), item.stamp))

    return _each(items, finish)


async def _raise(lot: _Lot, items: Sequence[_Item]) -> list[_Item]:
    """Step 8, levels above B-T: parked first, because others are waited for; then raised, each by itself."""
    if not lot.plan.level.is_long_term or not items:
        return list(items)
    unparked = [item for item in items if not item.is_parked]
    if unparked:
        await lot.engine.ledger.settle([_stamped(item) for item in unparked])
    await asyncio.gather(*[_raise_one(lot, item) for item in items])
    return _left(items)


async def _raise_one(lot: _Lot, item: _Item) -> None:
    finished = _known(item.finished)
    raising = Raising(lot.engine, lot.request, lot.plan.level, item.document.content + finished.appended)
    try:
        await raising.run()
    except SignerError as error:
        item.result = _kept(error)
        return
    item.document_s += raising.document_s
    item.stamp_s += raising.timestamp_s
    appended = finished.appended + raising.appended
    item.finished = _with_digests(lot, item, msgspec.structs.replace(finished, appended=appended, signed_sha256=b"", other_digest=b""))


def _kept(error: SignerError) -> SignerError:
    """The same, for an item whose signature waits in the journal."""
    kept = error.copy()
    kept.message = f"signed and kept, but its level is not reached; repeat with the same ids: {error.message}"
    return kept


async def _release(lot: _Lot, items: Sequence[_Item]) -> None:
    """Steps 9 and 10."""
    if not items:
        return
    started_s = lot.request.clock_s()
    await lot.engine.ledger.settle([_released(item) for item in items])
    settle_s = (lot.request.clock_s() - started_s) / len(items)
    for item in items:
        used = item.used
        times = StageTimes(
            queue_s=used.signature.queue_s if used else 0.0,
            document_s=item.document_s,
            token_s=used.signature.token_s if used else 0.0,
            timestamp_s=item.stamp_s,
            journal_s=(used.journal_s if used else 0.0) + settle_s,
        )
        item.result = SignedDocument(item.source.digest(), _known(item.finished), times, replayed=used is None)


def _released(item: _Item) -> Outcome:
    return outcome(item.key, item.attempt, OutcomeKind.RELEASED, _known(item.finished), _known(item.parked).signature)


def _stamped(item: _Item) -> Outcome:
    parked, stamp = _known(item.parked), _known(item.stamp)
    material = Stamped(parked, stamp.timestamp, stamp.gen_time)
    return outcome(item.key, item.attempt, OutcomeKind.PARKED, material, parked.signature)


def _intent(lot: _Lot, item: _Item) -> Intent:
    return Intent(
        key=item.key,
        fingerprint=item.fingerprint,
        client_id=lot.request.client_id,
        credential_id=lot.plan.credential.id,
        certificate_serial=lot.plan.certificate_serial,
        algorithm=lot.plan.algorithm,
        digest=item.digest,
        plan=lot.plan.name,
    )


def _parked(lot: _Lot, item: _Item, signature: bytes) -> Parked:
    update = _known(item.update)
    return Parked(
        update=update.update,
        contents_offset=update.contents_offset,
        contents_digits=update.contents_digits,
        signed_attributes=item.signed_attributes,
        signature=signature,
        signing_time=lot.signing_time,
        certificate_serial=lot.plan.certificate_serial,
        certificate=lot.plan.credential.certificate,
        chain=lot.plan.credential.chain,
        algorithm=lot.plan.algorithm,
        is_long_term=lot.plan.level.is_long_term,
    )
