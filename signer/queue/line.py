"""The line that turns stand in, without loading what keeps it."""

# ruff: noqa: PLC0415  # what is not wanted is not loaded
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from signer.errors import ConfigError
from signer.queue.model import QueuePriority

Work = Callable[[str, int], None]
"""Works a batch's turn off, and returns when it has ended; called on a thread of the line's."""


@dataclass(frozen=True, slots=True)
class Place:
    """What stands in the line: a turn of a batch, among its school's by priority. delay_s: it is not taken before."""

    batch_id: str
    turn: int
    school_id: str
    priority: QueuePriority
    delay_s: float = 0.0


class Line(Protocol):
    """Durable. Every call blocks on its database: not for the event loop's thread."""

    def start(self) -> None:
        """Opens it and begins to take. ConfigError when its database can't be used."""

    def put(self, place: Place) -> None:
        """At its school's end, once: the same turn again changes nothing."""

    def put_again(self, place: Place) -> None:
        """As `put`, of a turn that rows still wait for: one that was taken and given back undone, whatever the reason, is taken anew."""

    def take_out(self, batch_id: str, turn: int) -> None:
        """It is not taken any more, and stands in nobody's way."""

    def forget(self, batch_id: str, turns: int) -> None:
        """What is remembered of a batch's turns."""

    def stop(self) -> None:
        """Takes nothing more; turns under way must have ended."""


def open_line(url: str, worker_id: str, batches_at_once: int, work: Work) -> Line:
    """A line that is not started. ConfigError when the packages of `signer[queue]` are not there."""
    try:
        from signer.queue.dbos_line import DbosLine
    except ImportError as error:
        raise ConfigError(f"[queue] needs the packages of signer[queue]: {error.name} is not installed") from error
    return DbosLine(url, worker_id, batches_at_once, work)
