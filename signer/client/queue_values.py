"""What goes in and comes out of `SignerClient.batches`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from signer.client.values import DocumentResult
from signer.errors import SignerError


class BatchState(Enum):
    """Where a queued batch is. UNKNOWN: a newer daemon's word."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING_FOR_TOKEN = "waiting"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def has_ended(self) -> bool:
        """Whether it stays so."""
        return self in {BatchState.COMPLETED, BatchState.CANCELLED, BatchState.EXPIRED}


class BatchPriority(Enum):
    """Among a school's own batches."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of each day in Vietnam's time: minutes after midnight, start 0 to 1439, end 1 to 1440; below the start: past midnight."""

    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class BatchSchedule:
    """When a batch may be worked on. Aware times. deadline: None for the appliance's longest; windows: start and end, each or None."""

    deadline: datetime | None = None
    windows: tuple[tuple[datetime | None, datetime | None], ...] = ()
    daily: tuple[Hours, ...] = ()


@dataclass(frozen=True, slots=True)
class QueuedBatch:
    """A batch as the appliance has it. waiting: why it waits; None otherwise. left: documents without an outcome."""

    id: str
    request_id: str
    school_id: str
    label: str
    credential_id: str
    state: BatchState
    waiting: SignerError | None
    priority: BatchPriority
    received: int
    signed: int
    failed: int
    left: int
    created: datetime
    deadline: datetime
    ended: datetime | None
    results_expire: datetime | None


@dataclass(frozen=True, slots=True)
class QueuedResult:
    """A document's outcome. position: its place in the order of endings, for `fetch`, `watch` and `acknowledge`."""

    position: int
    result: DocumentResult
