"""What is looked after of queued batches: who works, who went away, what is past its time, how much there is. As `rows`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from signer.queue.documents import delete_batch, delete_contents
from signer.queue.model import UNENDED, QueueState
from signer.store.queue_tables import queue_worker, queued_batch
from signer.store.times import microseconds, moment_or_none

SILENT_S: Final = 60.0
"""A daemon that was not seen for so long works on nothing any more."""
_ARRIVING_S_MAX: Final = 24 * 3600.0
_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Vitals:
    """by_state: batches. oldest: when the one arrived that has waited longest; None: none waits. documents_left: without an outcome."""

    by_state: dict[str, int]
    oldest: datetime | None
    documents_left: int
    bytes: int


def report_worker(connection: Connection, worker_id: str, now: datetime) -> None:
    """This daemon lives."""
    seen = {"seen_us": microseconds(now)}
    if not connection.execute(update(queue_worker).where(queue_worker.c.worker_id == worker_id).values(seen)).rowcount:
        connection.execute(insert(queue_worker).values(worker_id=worker_id, **seen))


def silent_workers(connection: Connection, worker_id: str, now: datetime, *, is_alone: bool) -> list[str]:
    """Daemons that went away. is_alone: this one is the only one that can live, so all others did."""
    others = select(queue_worker.c.worker_id).where(queue_worker.c.worker_id != worker_id)
    if not is_alone:
        others = others.where(queue_worker.c.seen_us < microseconds(now - timedelta(seconds=SILENT_S)))
    return list(connection.execute(others).scalars())


def forget_worker(connection: Connection, worker_id: str) -> None:
    """What it worked on is in the line again."""
    connection.execute(delete(queue_worker).where(queue_worker.c.worker_id == worker_id))


def forget_cut_off(connection: Connection, now: datetime, *, is_start: bool) -> int:
    """Deletes batches that never arrived whole. is_start: this daemon is alone and takes nothing yet, so none is on its way."""
    arriving = select(queued_batch.c.number).where(queued_batch.c.state == QueueState.ARRIVING.value)
    if not is_start:
        arriving = arriving.where(queued_batch.c.created_us < microseconds(now - timedelta(seconds=_ARRIVING_S_MAX)))
    numbers = list(connection.execute(arriving).scalars())
    for number in numbers:
        delete_batch(connection, number)
    return len(numbers)


def forget_results(connection: Connection, now: datetime, history: timedelta) -> int:
    """Deletes documents that nobody fetched in time, and batches that ended long ago; some at once. How many were."""
    now_us = microseconds(now)
    late = select(queued_batch.c.number).where(queued_batch.c.results_expire_us < now_us, queued_batch.c.bytes > 0).limit(_AT_ONCE)
    old = select(queued_batch.c.number).where(queued_batch.c.end_us < microseconds(now - history)).limit(_AT_ONCE)
    expired, past = list(connection.execute(late).scalars()), list(connection.execute(old).scalars())
    for number in expired:
        delete_contents(connection, number)
    for number in past:
        delete_batch(connection, number)
    return len(expired) + len(past)


def vitals(connection: Connection) -> Vitals:
    """How much there is."""
    counts = connection.execute(select(queued_batch.c.state, func.count()).group_by(queued_batch.c.state)).all()
    unended = queued_batch.c.state.in_([state.value for state in UNENDED])
    waiting = select(func.min(queued_batch.c.created_us), func.sum(queued_batch.c.received - queued_batch.c.ended)).where(unended)
    oldest_us, left = connection.execute(waiting).one()
    size = connection.execute(select(func.sum(queued_batch.c.bytes))).scalar()
    return Vitals({row[0]: row[1] for row in counts}, moment_or_none(oldest_us), int(left or 0), int(size or 0))
