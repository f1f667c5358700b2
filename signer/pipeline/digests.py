"""SignDigests: steps 1, 2, 5, 6, 9, 10 for many digests of one call; there is no document to prepare."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from signer.errors import (
    AccessError,
    InternalError,
    InvalidArgument,
    JournalUnavailable,
    QuotaExceeded,
    RequestIdReused,
    SignatureOutcomeUnknown,
    SignatureSettled,
    SignerError,
)
from signer.formats.insertions import Additions
from signer.journal.model import Intent, Outcome, OutcomeKind, Stored
from signer.model import FieldPlacement, SignatureKey, StageTimes
from signer.people.authorization import ListProof
from signer.pipeline.engine import Engine
from signer.pipeline.key_use import KeyUse, use_key
from signer.pipeline.material import Finished, encode, stored_material
from signer.pipeline.plan import ReadyPlan, asked, fingerprint, fingerprint_of
from signer.pipeline.request import Request
from signer.pipeline.settling import settle_each
from signer.telemetry.steps import Step
from signer.telemetry.traces import step

NO_FIELD = FieldPlacement("")


@dataclass(frozen=True, slots=True)
class IncomingDigest:
    """One digest as it came; document_ids of a call all differ. proof: as of an IncomingDocument."""

    document_id: str
    digest: bytes
    proof: ListProof | None = None


@dataclass(frozen=True, slots=True)
class SignedDigest:
    """A released signature over a digest."""

    material: Finished
    times: StageTimes
    replayed: bool


DigestResult = SignedDigest | SignerError


async def sign_digests(engine: Engine, request: Request, plan: ReadyPlan, items: Sequence[IncomingDigest]) -> list[DigestResult]:
    """Signs each digest, or returns what is stored under its ids; one result an item, in order.

    Raises only what stops all of them before any key was used: JournalUnavailable, Cancelled, DeadlineExceeded.
    """
    request.check()
    keyed = [(SignatureKey(request.school_id, request.request_id, item.document_id), item) for item in items]
    keys = [key for key, _item in keyed]
    async with engine.inside(keys):
        if request.is_new:
            try:
                return await _sign(engine, request, plan, keyed, {})  # as `document` takes ids for new
            except (SignatureSettled, RequestIdReused, QuotaExceeded, AccessError, JournalUnavailable) as error:
                request.is_new = False
                stored = await engine.ledger.look_up(keys)
                if isinstance(error, JournalUnavailable) and not stored:
                    raise
        else:
            stored = await engine.ledger.look_up(keys)
        while True:
            try:
                return await _sign(engine, request, plan, keyed, stored)
            except SignatureSettled:  # by another daemon, meanwhile
                stored = await engine.ledger.look_up(keys)


async def _sign(
    engine: Engine,
    request: Request,
    plan: ReadyPlan,
    keyed: Sequence[tuple[SignatureKey, IncomingDigest]],
    stored: Mapping[SignatureKey, Stored],
) -> list[DigestResult]:
    results = {item.document_id: _before_signing(plan, item, stored.get(key)) for key, item in keyed}
    fresh = [(key, item) for key, item in keyed if results[item.document_id] is None]
    granted = await _admit(request, _allowed(request, plan, fresh, results), results)
    if granted:
        try:
            await _sign_fresh(engine, request, plan, granted, results)
        finally:
            if unused := sum(not isinstance(results[item.document_id], SignedDigest) for _key, item in granted):
                request.allowance.give_back(unused)
    return [results[item.document_id] or InternalError("an item was left without a result") for _key, item in keyed]


def _allowed(
    request: Request,
    plan: ReadyPlan,
    fresh: Sequence[tuple[SignatureKey, IncomingDigest]],
    results: dict[str, DigestResult | None],
) -> list[tuple[SignatureKey, IncomingDigest]]:
    """What the key's holder allows. The others end; of ids taken for new, their AccessError is raised: they may have been signed."""
    if plan.presented is None:
        return list(fresh)
    for _key, item in fresh:
        try:
            plan.presented.require(item.digest, item.document_id, item.proof)
        except AccessError as refused:
            if request.is_new:
                raise
            results[item.document_id] = refused
    return [(key, item) for key, item in fresh if results[item.document_id] is None]


async def _admit(
    request: Request, fresh: Sequence[tuple[SignatureKey, IncomingDigest]], results: dict[str, DigestResult | None]
) -> list[tuple[SignatureKey, IncomingDigest]]:
    """What is left of the quotas, asked for once. Those beyond it end; of ids taken for new, QuotaExceeded: they may have been signed."""
    granted, refusal = await request.allowance.admit(len(fresh)) if fresh else (0, None)
    if refusal is not None and request.is_new:
        request.allowance.give_back(granted)
        raise refusal
    if refusal is not None:
        results.update({item.document_id: refusal.copy() for _key, item in fresh[granted:]})
    return list(fresh[:granted])


def _before_signing(plan: ReadyPlan, item: IncomingDigest, stored: Stored | None) -> DigestResult | None:
    """Step 1; None means: sign it."""
    try:
        finished = _stored_signature(plan, item, stored)
    except SignerError as error:
        return error
    return SignedDigest(finished, StageTimes(), replayed=True) if finished else None


def _stored_signature(plan: ReadyPlan, item: IncomingDigest, stored: Stored | None) -> Finished | None:
    wanted_bytes = plan.algorithm.digest.size_bytes
    if len(item.digest) != wanted_bytes:
        raise InvalidArgument(
            f"a digest of {len(item.digest)} bytes does not fit {plan.algorithm.value}, which signs {wanted_bytes} bytes",
            field="items.digest",
        )
    if stored is None:
        return None
    finished = stored_material(stored, item.document_id, fingerprint(plan, NO_FIELD, item.digest))
    if finished is None or isinstance(finished, Finished):
        return finished
    raise InternalError("a bare signature can't be parked or raised to a level")


async def _sign_fresh(
    engine: Engine,
    request: Request,
    plan: ReadyPlan,
    fresh: Sequence[tuple[SignatureKey, IncomingDigest]],
    results: dict[str, DigestResult | None],
) -> None:
    clock_s = request.clock_s
    if engine.signers is not None:
        await engine.signers.require(request, plan.credential, is_long_term=False, documents=len(fresh))
    intents = _intents(request, plan, fresh)
    used = await use_key(engine.ledger, engine.keys[plan.credential.token_name], plan.credential, request, intents)
    signing_time = engine.utc_now()
    outcomes: list[Outcome] = []
    signed: list[tuple[str, KeyUse, Finished]] = []
    for (key, item), use in zip(fresh, used, strict=True):
        if isinstance(use, SignerError):
            results[item.document_id] = use
            continue
        signature = use.signature.signature
        digest = hashlib.sha256(signature).digest()
        finished = Finished(Additions(signature, is_alone=True), signing_time, None, plan.certificate_serial, plan.algorithm, digest)
        outcomes.append(Outcome(key, use.attempt, OutcomeKind.RELEASED, encode(finished), digest))
        signed.append((item.document_id, use, finished))
    started_s = clock_s()
    refusals: list[SignatureOutcomeUnknown | None] = []
    if outcomes:
        with step(Step.SETTLE, items=len(outcomes)):
            refusals = await settle_each(engine.ledger, outcomes)
    settle_s = (clock_s() - started_s) / max(1, len(outcomes))
    for (document_id, use, finished), refusal in zip(signed, refusals, strict=True):
        if refusal is not None:
            results[document_id] = refusal
            continue
        times = StageTimes(queue_s=use.signature.queue_s, token_s=use.signature.token_s, journal_s=use.journal_s + settle_s)
        results[document_id] = SignedDigest(finished, times, replayed=False)


def _intents(request: Request, plan: ReadyPlan, fresh: Sequence[tuple[SignatureKey, IncomingDigest]]) -> list[Intent]:
    name, authorization_id, tail = plan.name, plan.authorization_id, asked(plan, NO_FIELD)
    return [
        Intent(
            key=key,
            fingerprint=fingerprint_of(item.digest, tail),
            client_id=request.client_id,
            credential_id=plan.credential.id,
            certificate_serial=plan.certificate_serial,
            algorithm=plan.algorithm,
            digest=item.digest,
            plan=name,
            authorization_id=authorization_id,
            entry=item.digest if authorization_id else b"",
        )
        for key, item in fresh
    ]
