"""Slices of quotas, handed out to daemons on one database: in one commit each, against the rows, so that all of them together stay within.

The day's count is exact: what was handed out is counted there, and what was not used is given back. The rate is counted by second of the
database's clock: a slice may be used for a second, so the last twelve are looked at where the rate's window has ten (`people.quota`): in
any ten seconds, wherever they begin, no more than ten times the rate is signed by all daemons together. PostgreSQL alone needs it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from signer.journal.jobs import Change
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.people.client import QuotaSubject
from signer.people.quota import AVERAGED_S, Limit, day_of, rest_of_day_s
from signer.store.client_tables import open_rpc, quota, quota_grant, usage
from signer.store.times import moment

Subject = tuple[QuotaSubject, str]
_LOOKED_AT_S: Final = AVERAGED_S + 2
"""Seconds in which the rate's window may lie, and a slice that began before it."""
_KEPT_S: Final = 60
_UNLIMITED: Final = 2**62
_AHEAD_PART: Final = 16
"""Of what is left, so much is given ahead at most: towards the end nobody holds what another one waits for."""
_SILENT_US: Final = 10_000_000
"""A daemon that has said nothing for so long has no RPCs open."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """needed: signatures that wait. spare: further ones that may come soon; a part of what is left then is given ahead."""

    needed: int
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """What was given. limit: why no more, and retry_s: until when; None where all that was needed was given. second, day: to give back."""

    granted: int
    second: int
    day: int
    limit: Limit | None = None
    retry_s: float = 0.0


GivenBack = Mapping[tuple[Subject, int, int], int]
"""Signatures by whose, second and day of their slice."""


class RationStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def take(self, wanted: Mapping[Subject, Wanted]) -> dict[Subject, Slice]:
        """A slice of each subject's quota. No journal entry: it has the intents."""
        taken: dict[Subject, Slice] = await self._journal.run(_Take(asyncio.get_running_loop(), wanted))
        return taken

    async def give_back(self, unused: GivenBack) -> None:
        """They were not signed."""
        await self._journal.run(_GiveBack(asyncio.get_running_loop(), unused))

    async def tell_rpcs(self, daemon: str, rpcs: Mapping[Subject, int]) -> dict[Subject, int]:
        """How many RPCs are open here, from now on; how many are with other daemons."""
        others: dict[Subject, int] = await self._journal.run(_TellRpcs(asyncio.get_running_loop(), daemon, rpcs))
        return others


class _Take(Change):
    __slots__ = ("wanted",)

    def __init__(self, loop: asyncio.AbstractEventLoop, wanted: Mapping[Subject, Wanted]) -> None:
        super().__init__(loop)
        self.wanted = wanted

    def apply(self, connection: Connection, ledger: Ledger) -> dict[Subject, Slice]:  # noqa: ARG002
        now = _now(connection)
        return {subject: _take(connection, subject, wanted, now) for subject, wanted in self.wanted.items()}


class _GiveBack(Change):
    __slots__ = ("unused",)

    def __init__(self, loop: asyncio.AbstractEventLoop, unused: GivenBack) -> None:
        super().__init__(loop)
        self.unused = unused

    def apply(self, connection: Connection, ledger: Ledger) -> None:  # noqa: ARG002
        for (subject, second, day), count in self.unused.items():
            grant_of, usage_of = _grant_of(subject, second), _usage_of(subject, day)
            connection.execute(update(quota_grant).where(*grant_of).values(signatures=quota_grant.c.signatures - count))
            connection.execute(update(usage).where(*usage_of).values(signatures=usage.c.signatures - count))


class _TellRpcs(Change):
    __slots__ = ("daemon", "rpcs")

    def __init__(self, loop: asyncio.AbstractEventLoop, daemon: str, rpcs: Mapping[Subject, int]) -> None:
        super().__init__(loop)
        self.daemon = daemon
        self.rpcs = rpcs

    def apply(self, connection: Connection, ledger: Ledger) -> dict[Subject, int]:  # noqa: ARG002
        now_us = round(_now(connection).timestamp() * 1_000_000)
        connection.execute(delete(open_rpc).where((open_rpc.c.daemon == self.daemon) | (open_rpc.c.told_us < now_us - _SILENT_US)))
        rows = [
            {"daemon": self.daemon, "subject": subject.value, "subject_id": subject_id, "rpcs": count, "told_us": now_us}
            for (subject, subject_id), count in self.rpcs.items()
        ]
        if rows:
            connection.execute(insert(open_rpc), rows)
        columns = open_rpc.c
        others = select(columns.subject, columns.subject_id, func.sum(columns.rpcs).label("rpcs")).where(columns.daemon != self.daemon)
        found = connection.execute(others.group_by(columns.subject, columns.subject_id))
        return {(QuotaSubject(row.subject), row.subject_id): int(row.rpcs) for row in found}


def _now(connection: Connection) -> datetime:
    """The database's clock: the daemons' may differ."""
    return moment(int(connection.execute(select(func.extract("epoch", func.clock_timestamp()) * 1_000_000)).scalar_one()))


def _take(connection: Connection, subject: Subject, wanted: Wanted, now: datetime) -> Slice:
    second, day = int(now.timestamp()), day_of(now)
    left, limit, retry_s = _left(connection, subject, now)
    granted = min(wanted.needed, left)
    granted += min(wanted.spare, (left - granted) // _AHEAD_PART)
    if granted:
        _add(connection, quota_grant, granted, subject, second=second)
        _add(connection, usage, granted, subject, day=day)
        _subject, subject_id = subject
        overdue = quota_grant.c.subject_id == subject_id, quota_grant.c.subject == _subject.value, quota_grant.c.second < second - _KEPT_S
        connection.execute(delete(quota_grant).where(*overdue))
    return Slice(granted, second, day) if granted >= wanted.needed else Slice(granted, second, day, limit, retry_s)


def _left(connection: Connection, subject: Subject, now: datetime) -> tuple[int, Limit, float]:
    """What is left, by which limit, and when there is more."""
    kind, subject_id = subject
    limits = connection.execute(select(quota).where(quota.c.subject == kind.value, quota.c.subject_id == subject_id)).one_or_none()
    left, limit, retry_s = _UNLIMITED, Limit.RATE, 1.0
    if limits is not None and limits.signatures_per_second_max:
        recent = _recent(connection, subject, int(now.timestamp()) - _LOOKED_AT_S)
        left = max(1, math.floor(limits.signatures_per_second_max * AVERAGED_S)) - sum(count for _second, count in recent)
        retry_s = max(0.1, recent[0][0] + _LOOKED_AT_S + 1 - now.timestamp()) if recent else 1.0
    if limits is not None and limits.signatures_per_day_max:
        used = connection.execute(select(usage.c.signatures).where(*_usage_of(subject, day_of(now)))).scalar() or 0
        if limits.signatures_per_day_max - used < left:
            left, limit, retry_s = limits.signatures_per_day_max - used, Limit.DAY, rest_of_day_s(now)
    return max(0, left), limit, retry_s


def _recent(connection: Connection, subject: Subject, since: int) -> Sequence[tuple[int, int]]:
    columns, (kind, subject_id) = quota_grant.c, subject
    query = select(columns.second, columns.signatures).where(
        columns.subject == kind.value, columns.subject_id == subject_id, columns.second >= since, columns.signatures > 0
    )
    return [(row.second, row.signatures) for row in connection.execute(query.order_by(columns.second))]


def _add(connection: Connection, table: Table, count: int, subject: Subject, **when: int) -> None:
    kind, subject_id = subject
    [(name, value)] = when.items()
    where = table.c.subject == kind.value, table.c.subject_id == subject_id, table.c[name] == value
    if not connection.execute(update(table).where(*where).values(signatures=table.c.signatures + count)).rowcount:
        connection.execute(insert(table).values(subject=kind.value, subject_id=subject_id, signatures=count, **when))


def _grant_of(subject: Subject, second: int) -> tuple[Any, ...]:
    kind, subject_id = subject
    return quota_grant.c.subject == kind.value, quota_grant.c.subject_id == subject_id, quota_grant.c.second == second


def _usage_of(subject: Subject, day: int) -> tuple[Any, ...]:
    kind, subject_id = subject
    return usage.c.subject == kind.value, usage.c.subject_id == subject_id, usage.c.day == day
