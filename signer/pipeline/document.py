"""The path of one PDF, steps 1 to 10 (see the room's docstring)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import msgspec

from signer.documents.wire import PrepareCall, PreparedReply
from signer.errors import SignerError
from signer.formats.pades.update import PreparedUpdate, byte_range_digest, check
from signer.journal.model import Intent, OutcomeKind, Stored
from signer.model import FieldPlacement, Level, SignatureKey, StageTimes
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.key_use import use_key
from signer.pipeline.material import Finished, Parked, stored_material
from signer.pipeline.parking import assemble, complete, outcome
from signer.pipeline.plan import ReadyPlan, fingerprint
from signer.pipeline.request import Request
from signer.pipeline.stamping import stamp_signature
from signer.telemetry.metrics import PreparationPath

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


@dataclass(frozen=True, slots=True)
class _Item:
    """One document on its path. source: hash state after the whole original, so that no step hashes it again."""

    engine: Engine
    request: Request
    plan: ReadyPlan
    document: IncomingDocument
    key: SignatureKey
    source: hashlib._Hash
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class _Prepared:
    update: PreparedUpdate
    signing_time: datetime
    signed_attributes: bytes
    digest: bytes
    document_s: float


async def sign_document(engine: Engine, request: Request, plan: ReadyPlan, document: IncomingDocument) -> SignedDocument:
    """Signs one PDF, or returns what is stored under its ids.

    Raises a leaf of SignerError; its docstring says whether the key may have been used. Never cancelled from step 5 on: its task belongs
    to the engine.
    """
    request.check()
    key = SignatureKey(request.school_id, request.request_id, document.document_id)
    source = hashlib.sha256(document.content)
    item = _Item(engine, request, plan, document, key, source, fingerprint(plan, document.placement, source.digest()))
    await engine.enter(key)
    try:
        stored = (await engine.ledger.look_up([key])).get(key)  # 1
        if stored is not None and (finished := await _from_store(item, stored)) is not None:
            return SignedDocument(source.digest(), finished, StageTimes(), replayed=True)
        request.check()
        prepared = await _prepare(item)  # 3, 4
        return await _sign_prepared(item, prepared)
    finally:
        engine.leave(key)


async def _from_store(item: _Item, stored: Stored) -> Finished | None:
    """Step 1: the stored outcome; a parked one is completed now; None where no signature exists and another attempt is right."""
    material = stored_material(stored, item.key.document_id, item.fingerprint)
    if isinstance(material, Parked):
        stamp = await stamp_signature(item.engine, item.request, item.plan.shortage, material.signature, _is_parked)
        material = await complete(item.engine, item.key, stored.attempts, material, stamp)
    return _with_digest(item, material) if material is not None else None


async def _is_parked() -> None:
    """Nothing to do: it came from the journal."""


def _with_digest(item: _Item, finished: Finished) -> Finished:
    """The same with the digest of the whole signed file, which can't be known where the document is not."""
    if finished.signed_sha256:
        return finished
    whole = item.source.copy()
    whole.update(finished.appended)
    return msgspec.structs.replace(finished, signed_sha256=whole.digest())


async def _prepare(item: _Item) -> _Prepared:
    """Steps 3 and 4."""
    engine, plan, document = item.engine, item.plan, item.document
    template = engine.template_of(plan.credential, plan.algorithm)
    timestamp_bytes = engine.require_timestamper().timestamp_bytes_max if plan.level is not Level.B_B else 0
    signing_time = engine.utc_now().astimezone(VIETNAM_TIME).replace(microsecond=0)
    reply: PreparedReply = await engine.preparer.prepare(
        PrepareCall(
            document=document.content,
            placement=document.placement,
            signing_time=signing_time.isoformat(),
            contents_bytes=template.size_max(timestamp_bytes),
            digest_algorithm=plan.algorithm.digest,
        )
    )
    path, fallback = (PreparationPath.COMPLETE, reply.fallback.value) if reply.fallback else (PreparationPath.FAST, "")
    engine.metrics.documents_prepared.labels(path=path.value, fallback=fallback).inc()
    update = PreparedUpdate(reply.update, reply.contents_offset, reply.contents_digits)
    check(len(document.content), update)
    covered = byte_range_digest(item.source, document.content, update, plan.algorithm.digest)
    signed_attributes = template.signed_attributes(covered)
    digest = hashlib.new(plan.algorithm.digest.value, signed_attributes).digest()
    return _Prepared(update, signing_time, signed_attributes, digest, reply.document_s)


async def _sign_prepared(item: _Item, prepared: _Prepared) -> SignedDocument:
    """Steps 5 to 10."""
    engine, plan, clock_s = item.engine, item.plan, item.request.clock_s
    door = engine.keys[plan.credential.token_name]
    (used,) = await use_key(engine.ledger, door, plan.credential, item.request, [_intent(item, prepared)])  # 5, 6
    if isinstance(used, SignerError):
        raise used
    signed_s = clock_s()
    parked = _parked(plan, prepared, used.signature.signature)
    stamp = await _stamp(item, used.attempt, parked) if plan.level is not Level.B_B else None  # 7
    stamped_s = clock_s()
    finished = _with_digest(item, assemble(engine, parked, stamp))  # 8
    await engine.ledger.settle([outcome(item.key, used.attempt, OutcomeKind.RELEASED, finished, parked.signature)])  # 9
    times = StageTimes(
        queue_s=used.signature.queue_s,
        document_s=prepared.document_s,
        token_s=used.signature.token_s,
        timestamp_s=stamped_s - signed_s if stamp else 0.0,
        journal_s=used.journal_s + clock_s() - stamped_s,
    )
    return SignedDocument(item.source.digest(), finished, times, replayed=False)  # 10


async def _stamp(item: _Item, attempt: int, parked: Parked) -> Stamp:
    """Step 7; what raises here has left the signature parked."""

    async def park() -> None:
        await item.engine.ledger.settle([outcome(item.key, attempt, OutcomeKind.PARKED, parked, parked.signature)])

    return await stamp_signature(item.engine, item.request, item.plan.shortage, parked.signature, park)


def _intent(item: _Item, prepared: _Prepared) -> Intent:
    return Intent(
        key=item.key,
        fingerprint=item.fingerprint,
        client_id=item.request.client_id,
        credential_id=item.plan.credential.id,
        certificate_serial=item.plan.certificate_serial,
        algorithm=item.plan.algorithm,
        digest=prepared.digest,
        plan=item.plan.name,
    )


def _parked(plan: ReadyPlan, prepared: _Prepared, signature: bytes) -> Parked:
    return Parked(
        update=prepared.update.update,
        contents_offset=prepared.update.contents_offset,
        contents_digits=prepared.update.contents_digits,
        signed_attributes=prepared.signed_attributes,
        signature=signature,
        signing_time=prepared.signing_time,
        certificate_serial=plan.certificate_serial,
        certificate=plan.credential.certificate,
        chain=plan.credential.chain,
        algorithm=plan.algorithm,
    )
