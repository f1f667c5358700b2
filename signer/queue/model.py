"""What a queued batch is, between its rows and whoever works it off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum

import msgspec


class QueueState(Enum):
    """Where a batch is; the value stands in its row and is a metric's label."""

    ARRIVING = "arriving"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether it stays so."""
        return self in _FINAL


_FINAL = frozenset({QueueState.COMPLETED, QueueState.CANCELLED, QueueState.EXPIRED})
UNENDED = frozenset(QueueState) - _FINAL - {QueueState.ARRIVING}
"""Accepted, and to be worked on some time."""


class Wish(Enum):
    """What its caller asked of a batch that is being worked on."""

    NONE = ""
    PAUSE = "pause"
    CANCEL = "cancel"


class QueuePriority(IntEnum):
    """Among a school's own; the lower goes first."""

    HIGH = 1
    NORMAL = 2
    LOW = 3


class Ending(Enum):
    """How a document ended; the value is a metric's label."""

    SIGNED = "signed"
    REPLAYED = "replayed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BatchIds:
    """Whose batch: batch_id is the appliance's, request_id the caller's."""

    batch_id: str
    school_id: str
    request_id: str
    client_id: str


@dataclass(frozen=True, slots=True)
class QueuedBatch:
    """A batch's row. Times are aware.

    number: its place in the order of arrival. header: what its caller said, as the door keeps it, opened. turn: how often it was handed to
    the line. received: documents that came, refused ones included. ended: those that have their outcome; the last one's position.
    waiting: why it waits, as the door keeps it. is_interrupted: whether what worked on it last went away without a word.
    """

    ids: BatchIds
    number: int
    state: QueueState
    wish: Wish
    priority: QueuePriority
    header: bytes
    turn: int
    idle_turns: int
    expected: int
    received: int
    ended: int
    signed: int
    replayed: int
    failed: int
    waiting: bytes
    is_interrupted: bool
    created: datetime
    deadline: datetime
    end: datetime | None
    results_expire: datetime | None

    @property
    def left(self) -> int:
        """Documents without an outcome."""
        return self.received - self.ended


class QueuedDocument(msgspec.Struct, frozen=True, array_like=True):
    """A document as it came. start: what its sender said of it, as the door keeps it, without the content."""

    index: int
    document_id: str
    start: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Portion:
    """Documents that came one after the other, kept together. ended: indexes of those that have their outcome."""

    number: int
    documents: tuple[QueuedDocument, ...]
    ended: frozenset[int] = frozenset()

    @property
    def size_bytes(self) -> int:
        """Of its documents."""
        return sum(len(document.content) for document in self.documents)


class Made(msgspec.Struct, frozen=True, array_like=True):
    """An outcome as it is kept. result: as the door keeps it. additions: what makes the signed file, encoded; empty for a failed one."""

    result: bytes
    additions: bytes


@dataclass(frozen=True, slots=True)
class EndedDocument:
    """A document's outcome. position: its place in the order of endings, 0 until it is kept. portion: where its content is, -1 for nowhere.

    made: None when it was deleted. reason: why it failed; empty otherwise.
    """

    index: int
    document_id: str
    portion: int
    ending: Ending
    reason: str
    made: Made | None
    position: int = 0
