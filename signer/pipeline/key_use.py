"""Steps 5 and 6: intent → sign, for any key and any number of digests.

A worker that dies with a digest in its hands leaves an unknown outcome: that is journalled, and the digest is intended again as the next
attempt. Nothing was released by then, so at most one signature ever is. What the token refuses with certainty because it is going away
waits in the queue of a healing token, as another attempt, until so shortly before the deadline that the caller still hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from signer.errors import (
    InternalError,
    JournalUnavailable,
    SignatureInProgress,
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
from signer.telemetry.steps import Step
from signer.telemetry.traces import step
from signer.tokens.jobs import TokenSignature

_log = get_logger(__name__)
_UNKNOWN_MAX = 4
"""A digest that its worker died of so often is not tried again: it may be what kills them."""
_PAUSE_S = 0.1
_PAUSE_S_MAX = 5.0
_TURN_S = 0.02
_TURN_S_MAX = 0.5
_ANSWER_S = 2.0
_ANSWER_SHARE = 0.2
"""Of the time left: kept back for the answer, up to so many seconds."""
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
    unknown: int = 0
    journal_s: float = 0.0
    result: KeyUse | SignerError | None = None


async def use_key(
    ledger: Ledger, door: KeyDoor, credential: Credential, request: Request, intents: Sequence[Intent]
) -> list[KeyUse | SignerError]:
    """Signs each intent's digest; returns a signature or an error for each, in order.

    An error means that nothing was released, and is settled in the journal. A KeyUse is NOT yet settled: its outcome belongs to the
    caller, together with the material. Raises only what refuses all of them before any key was used (JournalUnavailable, RequestIdReused,
    SignatureSettled; SignatureInProgress when another daemon works on one of them until shortly before the deadline).
    """
    tries = [_Try(intent) for intent in intents]
    use = _Use(ledger, door, credential, request, request.deadline_s - min(_ANSWER_S, _ANSWER_SHARE * request.remaining_s))
    await use.intend(tries)
    pending = await use.attempt(tries)
    pause_s = 0.0  # a session is opened anew at once; a token that goes on failing gets time
    while pending and request.clock_s() + pause_s < use.give_up_s:
        await asyncio.sleep(pause_s)
        pause_s = min(max(_PAUSE_S, pause_s * 2), _PAUSE_S_MAX)
        try:
            await use.intend(pending)
        except SignerError:
            break  # they keep the error of their last attempt; what others of this call signed must still reach its outcome
        pending = await use.attempt(pending)
    return [one.result if one.result is not None else InternalError("an intent was left without a result") for one in tries]


@dataclass(frozen=True, slots=True)
class _Use:
    """One call's doors. give_up_s: when to stop waiting for a token that is away, on the loop's clock."""

    ledger: Ledger
    door: KeyDoor
    credential: Credential
    request: Request
    give_up_s: float

    async def intend(self, tries: list[_Try]) -> None:
        """Step 5. Ids that another daemon works on are waited for: its outcome is theirs too (SignatureSettled)."""
        started_s = self.request.clock_s()
        with step(Step.INTEND, items=len(tries)):
            attempts = await self._intended([one.intent for one in tries])
        journal_s = (self.request.clock_s() - started_s) / len(tries)
        for one, attempt in zip(tries, attempts, strict=True):
            one.attempt, one.journal_s = attempt, journal_s

    async def _intended(self, intents: Sequence[Intent]) -> list[int]:
        pause_s = _TURN_S
        while True:
            try:
                return await self.ledger.intend(intents)
            except SignatureInProgress:
                if self.request.clock_s() + pause_s >= self.give_up_s:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _TURN_S_MAX)
            self.request.check()

    async def attempt(self, tries: list[_Try]) -> list[_Try]:
        """Step 6, once: signs all, settles the failed; returns those worth another round."""
        failed: list[Outcome] = []
        again: list[_Try] = []
        with step(Step.SIGN, items=len(tries)):
            outcomes = await self._sign(tries)
        for one, outcome in zip(tries, outcomes, strict=True):
            if isinstance(outcome, TokenSignature):
                one.result = KeyUse(one.attempt, outcome, one.journal_s)
                continue
            one.result = outcome
            one.unknown += isinstance(outcome, _UNKNOWN)
            kind = OutcomeKind.UNKNOWN if isinstance(outcome, _UNKNOWN) else OutcomeKind.FAILED
            failed.append(Outcome(one.intent.key, one.attempt, kind, detail=outcome.reason.value))
            if isinstance(outcome, _WORTH_ANOTHER) and one.unknown < _UNKNOWN_MAX:
                again.append(one)
        try:
            if failed:
                await self.ledger.settle(failed)
        except JournalUnavailable as error:
            _log.error("failed attempts not settled; they count as unknown", items=len(failed), message=error.message)
            return []
        return again if self._is_wanted() else []

    async def _sign(self, tries: Sequence[_Try]) -> list[TokenSignature | SignerError]:
        """The door's answers. Intents of one call are of one algorithm: the plan's."""
        algorithm = tries[0].intent.algorithm
        try:
            if algorithm is None:
                raise InternalError("an intent that uses no key came to a token")
            return await self.door.submit(
                key_id=self.credential.key_id,
                algorithm=algorithm,
                digests=[one.intent.digest for one in tries],
                line=self.request.school_id,
                check=self.request.check,
                kept=self.credential.kept.key if self.credential.kept else None,
                give_up_s=self.give_up_s,
            )
        except SignerError as error:
            return [error.copy() for _ in tries]

    def _is_wanted(self) -> bool:
        try:
            self.request.check()
        except SignerError:
            return False
        return True
