"""What clients and schools may use, and what they used a day: limits change with their journal entry, counts are added to in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select, update

from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.people.client import Quota, QuotaSubject
from signer.store.client_tables import quota as table
from signer.store.client_tables import usage

Used = Mapping[tuple[tuple[QuotaSubject, str], int], int]
"""Signatures by whose and on which day of Vietnam."""
_DAYS_KEPT = 400


class QuotaStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def all(self) -> list[Quota]:
        """Every quota."""
        found: list[Quota] = await self._journal.run(Read(asyncio.get_running_loop(), _quotas))
        return found

    async def used_on(self, day: int) -> dict[tuple[QuotaSubject, str], int]:
        """Signatures of a day, by whose."""
        query = select(usage).where(usage.c.day == day)
        found: dict[tuple[QuotaSubject, str], int] = await self._journal.run(
            Read(
                asyncio.get_running_loop(),
                lambda connection: {(QuotaSubject(row.subject), row.subject_id): row.signatures for row in connection.execute(query)},
            )
        )
        return found

    async def keep(self, by: str, quota: Quota) -> None:
        """Sets a quota, journalled. by: the client that asks."""
        await self._journal.run(_Keep(asyncio.get_running_loop(), by, quota))

    async def add_used(self, used: Used) -> None:
        """Adds signatures to the counts of their days; days of more than a year ago are forgotten. No journal entry: it has the intents."""
        await self._journal.run(_AddUsed(asyncio.get_running_loop(), used))


class _Keep(Change):
    __slots__ = ("by", "quota")

    def __init__(self, loop: asyncio.AbstractEventLoop, by: str, quota: Quota) -> None:
        super().__init__(loop)
        self.by = by
        self.quota = quota

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        quota = self.quota
        key = {"subject": quota.subject.value, "subject_id": quota.subject_id}
        limits = {
            "signatures_per_second_max": quota.signatures_per_second_max,
            "signatures_per_day_max": quota.signatures_per_day_max,
            "concurrent_rpcs_max": quota.concurrent_rpcs_max,
        }
        connection.execute(delete(table).where(table.c.subject == key["subject"], table.c.subject_id == key["subject_id"]))
        connection.execute(insert(table).values(**key, **limits))
        told: dict[str, str | int] = {
            "by": self.by,
            "of": quota.subject.value,
            "per_second": f"{quota.signatures_per_second_max:g}",
            "per_day": quota.signatures_per_day_max,
            "rpcs": quota.concurrent_rpcs_max,
        }
        ledger.note(NoteKind.QUOTA_SET, quota.subject_id, told)


class _AddUsed(Change):
    __slots__ = ("used",)

    def __init__(self, loop: asyncio.AbstractEventLoop, used: Used) -> None:
        super().__init__(loop)
        self.used = used

    def apply(self, connection: Connection, ledger: Ledger) -> None:  # noqa: ARG002
        is_new_day = False
        for ((subject, subject_id), day), count in self.used.items():
            row = (usage.c.subject == subject.value, usage.c.subject_id == subject_id, usage.c.day == day)
            if not connection.execute(update(usage).where(*row).values(signatures=usage.c.signatures + count)).rowcount:
                connection.execute(insert(usage).values(subject=subject.value, subject_id=subject_id, day=day, signatures=count))
                is_new_day = True
        if is_new_day:
            newest = max(day for _subject, day in self.used)
            connection.execute(delete(usage).where(usage.c.day < newest - _DAYS_KEPT))


def _quotas(connection: Connection) -> list[Quota]:
    return [
        Quota(QuotaSubject(row.subject), row.subject_id, row.signatures_per_second_max, row.signatures_per_day_max, row.concurrent_rpcs_max)
        for row in connection.execute(select(table).order_by(table.c.subject, table.c.subject_id))
    ]
