"""A batch's row: arrival, turns, wishes, endings. Each function is part of a transaction of `store`, and asks by state.

None, or False, says that the row was no more as it must be: somebody else was first, and nothing was changed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from signer.errors import QueueFull
from signer.queue.model import UNENDED, BatchIds, Ending, QueuedBatch, QueuePriority, QueueState, Wish
from signer.queue.settings import QueueSettings
from signer.store.queue_tables import metadata
from signer.store.queue_tables import queued_batch as table
from signer.store.times import microseconds, moment, moment_or_none

_RETRY_FULL_S: Final = 60.0
_UNENDED: Final = sorted(each.value for each in UNENDED)
_WISHED: Final = {Wish.PAUSE: QueueState.PAUSED, Wish.CANCEL: QueueState.CANCELLED}
_IN_LINE: Final = [QueueState.QUEUED.value, QueueState.WAITING.value]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch that begins to arrive. header: sealed."""

    ids: BatchIds
    header: bytes
    priority: QueuePriority
    expected: int
    created: datetime
    deadline: datetime


def prepare_tables(connection: Connection) -> None:
    """Makes those that the database lacks."""
    metadata.create_all(connection)


def begin_arrival(connection: Connection, arrival: Arrival, settings: QueueSettings) -> int:
    """Its number. QueueFull when its school has too many batches, or all of them take too much."""
    unended = select(func.count()).where(table.c.school_id == arrival.ids.school_id, table.c.state.in_(_UNENDED))
    if connection.execute(unended).scalar_one() >= settings.school_batches_max:
        raise QueueFull(
            f"{settings.school_batches_max} batches of this school wait already (queue.school_batches_max); submit this one when one ended",
            retry_after_s=_RETRY_FULL_S,
            limit=settings.school_batches_max,
        )
    require_room(connection, settings)
    values = {
        "batch_id": arrival.ids.batch_id,
        "school_id": arrival.ids.school_id,
        # Its own until it has arrived: one that is cut off must not stand in the way of its repeat.
        "request_id": f"{arrival.ids.request_id}\n{arrival.ids.batch_id}",
        "client_id": arrival.ids.client_id,
        "state": QueueState.ARRIVING.value,
        "wish": Wish.NONE.value,
        "priority": int(arrival.priority),
        "header": arrival.header,
        "expected": arrival.expected,
        "created_us": microseconds(arrival.created),
        "deadline_us": microseconds(arrival.deadline),
        "is_interrupted": False,
        **dict.fromkeys(("fingerprint", "waiting"), b""),
        **dict.fromkeys(("turn", "idle_turns", "received", "ended", "signed", "replayed", "failed", "bytes"), 0),
        "working": "",
    }
    return int(connection.execute(insert(table).values(values).returning(table.c.number)).scalar_one())


def require_room(connection: Connection, settings: QueueSettings) -> None:
    """QueueFull when what is kept takes all that it may."""
    if (connection.execute(select(func.sum(table.c.bytes))).scalar() or 0) >= settings.bytes_max:
        raise QueueFull(
            "queued batches take all the room that they may (queue.bytes_max): fetch and acknowledge results, or submit later",
            retry_after_s=_RETRY_FULL_S,
            limit=settings.bytes_max,
        )


def accept(connection: Connection, number: int, ids: BatchIds, fingerprint: bytes, received: int) -> bool:
    """The batch has arrived whole; False when one of the same request was faster."""
    if find_request(connection, ids.school_id, ids.request_id) is not None:
        return False
    values = {"state": QueueState.QUEUED.value, "request_id": ids.request_id, "fingerprint": fingerprint, "received": received}
    connection.execute(update(table).where(table.c.number == number).values(values))
    return True


def find_request(connection: Connection, school_id: str, request_id: str) -> tuple[str, bytes] | None:
    """The batch of a request: its id, and its fingerprint."""
    query = select(table.c.batch_id, table.c.fingerprint).where(table.c.school_id == school_id, table.c.request_id == request_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.batch_id, bytes(row.fingerprint))


def find(connection: Connection, batch_id: str, school_id: str | None = None) -> QueuedBatch | None:
    """A batch that was accepted; of this school, where one is given. Its header is sealed still."""
    query = select(table).where(table.c.batch_id == batch_id, table.c.state != QueueState.ARRIVING.value)
    row = connection.execute(query if school_id is None else query.where(table.c.school_id == school_id)).one_or_none()
    return None if row is None else _batch(row)


def page(connection: Connection, school_id: str, states: Collection[QueueState], before: int | None, limit: int) -> list[QueuedBatch]:
    """A school's batches, newest first; none that is still arriving."""
    wanted = [state.value for state in states or set(QueueState) - {QueueState.ARRIVING}]
    query = select(table).where(table.c.school_id == school_id, table.c.state.in_(wanted))
    query = query if before is None else query.where(table.c.number < before)
    return [_batch(row) for row in connection.execute(query.order_by(table.c.number.desc()).limit(limit))]


def in_line(connection: Connection) -> list[QueuedBatch]:
    """Those whose turn the line must hold."""
    return [_batch(row) for row in connection.execute(select(table).where(table.c.state.in_(_IN_LINE)).order_by(table.c.number))]


def begin_turn(connection: Connection, batch_id: str, turn: int, worker_id: str) -> QueuedBatch | None:
    """The batch, to be worked on by this daemon; None when that turn is over, or another's."""
    mine = (table.c.batch_id == batch_id, table.c.turn == turn, table.c.state.in_(_IN_LINE))
    begun = update(table).where(*mine).values(state=QueueState.RUNNING.value, working=worker_id, waiting=b"").returning(table)
    row = connection.execute(begun).one_or_none()
    return None if row is None else _batch(row)


def end_turn(
    connection: Connection, batch_id: str, turn: int, state: QueueState, *, waiting: bytes = b"", idle_turns: int = 0
) -> QueuedBatch | None:
    """The turn has ended: the batch is `state` now, or as its caller wished. In a line again: under the next turn's number."""
    mine = (table.c.batch_id == batch_id, table.c.turn == turn, table.c.state == QueueState.RUNNING.value)
    wish = connection.execute(select(table.c.wish).where(*mine).with_for_update()).scalar_one_or_none()
    if wish is None:
        return None
    if wish and not state.is_final:
        state, waiting = _WISHED[Wish(wish)], b""
    values: dict[str, Any] = {"state": state.value, "working": "", "wish": "", "waiting": waiting, "idle_turns": idle_turns}
    values |= {"turn": turn + 1, "is_interrupted": False}
    return _batch(connection.execute(update(table).where(*mine).values(values).returning(table)).one())


def left_behind(connection: Connection, worker_ids: Collection[str]) -> list[QueuedBatch]:
    """What these daemons work on, as far as rows know."""
    theirs = (table.c.state == QueueState.RUNNING.value, table.c.working.in_(sorted(worker_ids)))
    return [_batch(row) for row in connection.execute(select(table).where(*theirs))]


def take_up(connection: Connection, batch_id: str, turn: int) -> QueuedBatch | None:
    """In the line again, or as its caller wished, after who worked on it has gone away; None when somebody else was faster."""
    lost = (table.c.batch_id == batch_id, table.c.turn == turn, table.c.state == QueueState.RUNNING.value)
    wish = connection.execute(select(table.c.wish).where(*lost).with_for_update()).scalar_one_or_none()
    if wish is None:
        return None
    state = _WISHED.get(Wish(wish), QueueState.QUEUED)
    values = {"state": state.value, "working": "", "wish": "", "turn": turn + 1, "is_interrupted": True}
    return _batch(connection.execute(update(table).where(*lost).values(values).returning(table)).one())


def ask(connection: Connection, batch_id: str, wish: Wish) -> QueuedBatch | None:
    """The batch, as its caller wishes it: at once where nobody works on it, else whoever does is asked. One that has ended stays so."""
    unended = (table.c.batch_id == batch_id, table.c.state.in_(_UNENDED))
    state = _WISHED[wish].value
    idle = update(table).where(*unended, table.c.state.not_in([QueueState.RUNNING.value, state]))
    connection.execute(idle.values(state=state, turn=table.c.turn + 1, waiting=b""))
    connection.execute(update(table).where(*unended, table.c.state == QueueState.RUNNING.value).values(wish=wish.value))
    return find(connection, batch_id)


def resume(connection: Connection, batch_id: str) -> QueuedBatch | None:
    """In the line again, if it was paused."""
    values = {"state": QueueState.QUEUED.value, "turn": table.c.turn + 1, "idle_turns": 0}
    connection.execute(update(table).where(table.c.batch_id == batch_id, table.c.state == QueueState.PAUSED.value).values(values))
    running = (table.c.batch_id == batch_id, table.c.wish == Wish.PAUSE.value)
    connection.execute(update(table).where(*running).values(wish=""))
    return find(connection, batch_id)


def overdue(connection: Connection, now: datetime) -> list[QueuedBatch]:
    """Ends those past their deadline that nobody works on; and tells those that ended and whose documents have no outcome yet."""
    past = (table.c.deadline_us <= microseconds(now), table.c.state.in_(_UNENDED), table.c.state != QueueState.RUNNING.value)
    connection.execute(update(table).where(*past).values(state=QueueState.EXPIRED.value, turn=table.c.turn + 1, waiting=b""))
    unfinished = select(table).where(table.c.state.in_([state.value for state in QueueState if state.is_final]), table.c.end_us.is_(None))
    return [_batch(row) for row in connection.execute(unfinished)]


def close(connection: Connection, batch_id: str, now: datetime, results_expire: datetime) -> None:
    """Every document has its outcome."""
    values = {"end_us": microseconds(now), "results_expire_us": microseconds(results_expire)}
    connection.execute(update(table).where(table.c.batch_id == batch_id, table.c.end_us.is_(None)).values(values))


def count_ended(connection: Connection, number: int, endings: Sequence[Ending], more_bytes: int) -> int:
    """Adds so many endings to their batch; the position of the last one."""
    added = {each: sum(ending is each for ending in endings) for each in Ending}
    values = {
        "ended": table.c.ended + len(endings),
        "signed": table.c.signed + added[Ending.SIGNED],
        "replayed": table.c.replayed + added[Ending.REPLAYED],
        "failed": table.c.failed + added[Ending.FAILED],
        "bytes": table.c.bytes + more_bytes,
    }
    return int(connection.execute(update(table).where(table.c.number == number).values(values).returning(table.c.ended)).scalar_one())


def _batch(row: Row[Any]) -> QueuedBatch:
    return QueuedBatch(
        ids=BatchIds(row.batch_id, row.school_id, row.request_id, row.client_id),
        number=row.number,
        state=QueueState(row.state),
        wish=Wish(row.wish),
        priority=QueuePriority(row.priority),
        header=bytes(row.header),
        turn=row.turn,
        idle_turns=row.idle_turns,
        expected=row.expected,
        received=row.received,
        ended=row.ended,
        signed=row.signed,
        replayed=row.replayed,
        failed=row.failed,
        waiting=bytes(row.waiting),
        is_interrupted=row.is_interrupted,
        created=moment(row.created_us),
        deadline=moment(row.deadline_us),
        end=moment_or_none(row.end_us),
        results_expire=moment_or_none(row.results_expire_us),
    )
