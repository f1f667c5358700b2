"""The doors to the world that the path goes through, as Protocols: who stands behind them is wired by `server.rooms`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.documents.wire import (
    ExamineCall,
    ExaminedReply,
    ExaminedXmlReply,
    ExtendCall,
    ExtendedReply,
    PrepareCall,
    PreparedReply,
    Trust,
    XmlCall,
)
from signer.errors import SignerError
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.status.answer import Answer
from signer.formats.status.question import Question
from signer.journal.model import Intent, Outcome, Stored
from signer.model import KeptKey, SignatureKey
from signer.tokens.jobs import TokenSignature


class Preparer(Protocol):
    """Document workers."""

    async def prepare(self, calls: Sequence[PrepareCall], artwork: Artwork | None = None) -> list[PreparedReply | SignerError]:
        """The proposed update of each document, or a leaf of DocumentError. artwork: what their appearances show."""


class XmlExaminer(Protocol):
    """Document workers, for XML."""

    async def examine_xml(self, calls: Sequence[XmlCall]) -> list[ExaminedXmlReply | SignerError]:
        """Where each is signed, or a leaf of DocumentError."""


class Raiser(Protocol):
    """Document workers, for signed documents."""

    async def examine(self, call: ExamineCall) -> ExaminedReply:
        """What it lacks; raises a leaf of DocumentError, VerificationFailed or CertificateRevoked."""

    async def extend(self, call: ExtendCall) -> ExtendedReply:
        """The proposed update; raises a leaf of DocumentError."""


class StatusDoor(Protocol):
    """Whoever knows whether certificates are revoked."""

    async def answer(self, question: Question, deadline_s: float, *, fresh: bool = False) -> Answer:
        """A verified "not revoked", or why there is none (`revocation.StatusSource`). deadline_s: on the loop's clock.

        fresh: nothing remembered is answered.
        """


@dataclass(frozen=True, slots=True)
class ArchiveDoors:
    """What levels above B-T need. trust: whom to believe."""

    workers: Raiser
    status: StatusDoor
    trust: Trust


class KeyDoor(Protocol):
    """A token's queue."""

    @property
    def lot_max(self) -> int:
        """How many digests may wait for one another without anybody noticing."""

    def submit(
        self,
        *,
        key_id: bytes,
        algorithm: SignatureAlgorithm,
        digests: Sequence[bytes],
        line: str,
        check: Callable[[], None],
        kept: KeptKey | None = None,
        give_up_s: float = math.inf,
    ) -> asyncio.Future[list[TokenSignature | SignerError]]:
        """Queues digests of a key, `kept` when it is one of the store; a signature or an error for each.

        give_up_s: until when to wait for a token that is away, on the loop's clock. Raises what refuses all of them at once.
        """


class Ledger(Protocol):
    """The journal."""

    async def look_up(self, keys: Sequence[SignatureKey]) -> dict[SignatureKey, Stored]:
        """What is stored under these ids."""

    async def intend(self, intents: Sequence[Intent]) -> list[int]:
        """Durable intents; their attempt numbers."""

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Durable outcomes."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A verified timestamp: TimeStampToken DER, and its gen time."""

    timestamp: bytes
    gen_time: datetime


class Timestamper(Protocol):
    """Whoever gives RFC 3161 timestamps."""

    @property
    def timestamp_bytes_max(self) -> int:
        """The longest timestamp to expect, for reserving room."""

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float) -> Stamp:
        """A timestamp over the imprint, or a leaf of TimestampError. deadline_s: on the loop's clock; nobody waits longer."""
