"""Steps 5 and 6: intent → sign, for any key and any number of digests.

A worker that dies with a digest in its hands leaves an unknown outcome: that is journalled, and the digest is intended again as the next
attempt. Nothing was released by then, so at most one signature ever is. What the token refuses with certainty because it is going away
waits in the queue of a healing token, as another attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signer.errors import (
    InternalError,
    JournalUnavailable,
    SignatureOutcomeUnknown,
    SignerError,
    TokenRemoved,
    TokenTimedOut,
    TokenUnavailable,
)
from signer.journal.model import Intent, Outcome, OutcomeKind
from signer.model import Credential
from signer.pipeline.doors import KeyDoor, Ledger
from signer.pipeline.request import Request
from signer.telemetry.logs import get_logger
from signer.tokens.jobs import TokenSignature

_log = get_logger(__name__)
_ATTEMPTS_MAX = 4
_UNKNOWN = (SignatureOutcomeUnknown, TokenTimedOut)
_WORTH_ANOTHER = (SignatureOutcomeUnknown, TokenTimedOut, TokenRemoved, TokenUnavailable)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A signature made for an intent. attempt: the intent's number. journal_s: spent on making intents durable."""

    attempt: int
    signature: TokenSignature
    journal_s: float


@dataclass(slots=True)
class _Try:
    intent: Intent
    attempt: int = 0
    journal_s: float = 0.0
    result: KeyUse | SignerError | None = None


async def use_key(
    ledger: Ledger, door: KeyDoor, credential: Credential, request: Request, intents: Sequence[Intent]
) -> list[KeyUse | SignerError]:
    """Signs each intent's digest; returns a signature or an error for each, in order.

    An error means that nothing was released, and is settled in the journal. A KeyUse is NOT yet settled: its outcome belongs to the
    caller, together with the material. Raises only what refuses all of them before any key was used (JournalUnavailable, RequestIdReused).
    """
    tries = [_Try(intent) for intent in intents]
    await _intend(ledger, request, tries)
    pending = await _attempt(ledger, door, credential, request, tries)
    for _ in range(_ATTEMPTS_MAX - 1):
        if not pending:
            break
        try:
            await _intend(ledger, request, pending)
        except SignerError:
            break  # they keep the error of their last attempt; what others of this call signed must still reach its outcome
        pending = await _attempt(ledger, door, credential, request, pending)
    return [one.result if one.result is not None else InternalError("an intent was left without a result") for one in tries]


async def _intend(ledger: Ledger, request: Request, tries: list[_Try]) -> None:
    started_s = request.clock_s()
    attempts = await ledger.intend([one.intent for one in tries])
    journal_s = (request.clock_s() - started_s) / len(tries)
    for one, attempt in zip(tries, attempts, strict=True):
        one.attempt, one.journal_s = attempt, journal_s


async def _attempt(ledger: Ledger, door: KeyDoor, credential: Credential, request: Request, tries: list[_Try]) -> list[_Try]:
    """One round: sign all, settle the failed; returns those worth another round."""
    outcomes = await _sign(door, credential, request, tries)
    failed: list[Outcome] = []
    again: list[_Try] = []
    for one, outcome in zip(tries, outcomes, strict=True):
        if isinstance(outcome, TokenSignature):
            one.result = KeyUse(one.attempt, outcome, one.journal_s)
            continue
        one.result = outcome
        kind = OutcomeKind.UNKNOWN if isinstance(outcome, _UNKNOWN) else OutcomeKind.FAILED
        failed.append(Outcome(one.intent.key, one.attempt, kind, detail=outcome.reason.value))
        if isinstance(outcome, _WORTH_ANOTHER):
            again.append(one)
    try:
        if failed:
            await ledger.settle(failed)
    except JournalUnavailable as error:
        _log.error("failed attempts not settled; they count as unknown", items=len(failed), message=error.message)
        return []
    return again if _may_go_on(request) else []


async def _sign(door: KeyDoor, credential: Credential, request: Request, tries: Sequence[_Try]) -> list[TokenSignature | SignerError]:
    """The door's answers. Intents of one call are of one algorithm: the plan's."""
    algorithm = tries[0].intent.algorithm
    try:
        if algorithm is None:
            raise InternalError("an intent that uses no key came to a token")
        return await door.submit(
            key_id=credential.key_id,
            algorithm=algorithm,
            digests=[one.intent.digest for one in tries],
            line=request.school_id,
            check=request.check,
            kept=credential.kept.key if credential.kept else None,
        )
    except SignerError as error:
        return [error.copy() for _ in tries]


def _may_go_on(request: Request) -> bool:
    try:
        request.check()
    except SignerError:
        return False
    return True
