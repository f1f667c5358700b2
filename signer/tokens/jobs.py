"""What waits in a token's queue, and what a worker holds of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from signer.errors import InternalError, Reason, SignerError, leaves
from signer.model import KeptKey
from signer.telemetry.origins import Origin
from signer.tokens.wire import SignAnswer, SignItem, SignReply
from signer.workers.gathering import Gathering
from signer.workers.process import WorkerLost

_decode_reply = msgspec.msgpack.Decoder(SignReply).decode


@dataclass(frozen=True, slots=True)
class TokenSignature:
    """A released signature and where its time went, in seconds."""

    signature: bytes
    queue_s: float
    token_s: float


@dataclass(slots=True, eq=False)
class SignJob:
    """One digest to sign, and where its result goes.

    check: raises why the job is no longer wanted (deadline, cancelled). give_up_s: until when it waits for a token that is away, on the
    loop's clock. kept: its key, if it is one of the store. origin: for whom it is.
    """

    item: SignItem
    check: Callable[[], None]
    results: Gathering[TokenSignature]
    index: int
    queued_s: float
    kept: KeptKey | None = None
    origin: Origin | None = None
    give_up_s: float = math.inf
    taken_s: float = 0.0

    def is_wanted(self) -> bool:
        """Whether it should still be signed; if not, its result says why."""
        if not self.results.is_wanted:
            return False
        try:
            self.check()
        except SignerError as error:
            self.results.settle(self.index, error)
            return False
        return True

    def answer(self, answer: SignAnswer, token_name: str) -> None:
        """Takes the worker's answer."""
        if answer.signature:
            self.results.settle(self.index, TokenSignature(answer.signature, self.taken_s - self.queued_s, answer.sign_s))
        else:
            self.results.settle(self.index, refusal_of(answer, token_name))


def refusal_of(answer: SignAnswer, token_name: str) -> SignerError:
    """The error that a worker's answer names."""
    error = leaves()[Reason(answer.reason)](answer.message, token=token_name)
    if answer.ckr:
        error.metadata["ckr"] = answer.ckr
    return error


class FrameOwner(Protocol):
    """The pool, as its frames see it."""

    @property
    def name(self) -> str:
        """The token's configured name."""

    def signed(self, sign_s: float) -> None:
        """A signature took so long."""

    def failed(self, error: SignerError) -> None:
        """The token answered a digest with an error."""

    def frame_ended(self, left: Iterable[SignJob], error: SignerError) -> None:
        """A frame is through; what it left unanswered gets the error."""

    def lost_error(self, loss: WorkerLost) -> SignerError:
        """What a lost worker means for the digests it held."""


class FrameInHand:
    """A frame in a worker's hands (workers.process.CallListener)."""

    def __init__(self, owner: FrameOwner, jobs: list[SignJob]) -> None:
        self._owner = owner
        self._pending = {job.item.job_id: job for job in jobs}

    def __len__(self) -> int:
        """Digests without an answer."""
        return len(self._pending)

    def reply(self, body: bytes) -> None:
        """Answers, as they became ready."""
        for answer in _decode_reply(body).answers:
            job = self._pending.pop(answer.job_id, None)
            if job is not None:
                job.answer(answer, self._owner.name)
                if answer.signature:
                    self._owner.signed(answer.sign_s)
                elif answer.ckr:
                    self._owner.failed(refusal_of(answer, self._owner.name))

    def ended(self, error: SignerError | None) -> None:
        """The worker is through with the frame."""
        self._end(error or InternalError(f"token {self._owner.name}: the worker left digests unanswered"))

    def lost(self, loss: WorkerLost, *, is_oldest: bool) -> None:  # noqa: ARG002 - a token's worker may be at several
        """The worker is gone."""
        self._end(self._owner.lost_error(loss))

    def _end(self, error: SignerError) -> None:
        left, self._pending = self._pending, {}
        self._owner.frame_ended(left.values(), error)
