"""One-time codes: at most one a person, kept as a digest alone, gone in the commit that uses it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from signer.errors import FactorsRefused, PersonNotFound
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger, rfc3339
from signer.journal.model import NoteKind
from signer.store.people_tables import enrolment_code as table
from signer.store.people_tables import person
from signer.store.times import microseconds

AlsoDone = Callable[[Connection, Ledger], None]
"""What is written in the commit that uses a code; a SignerError from it leaves the code as it was."""


class EnrolmentCodeStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def keep(self, client_id: str, person_id: str, code_sha256: bytes, expires: datetime) -> None:
        """Keeps a code instead of the person's last one. PersonNotFound when there is no such person."""
        await self._journal.run(_Keep(asyncio.get_running_loop(), client_id, person_id, code_sha256, expires))

    async def is_good(self, person_id: str, code_sha256: bytes, at: datetime) -> bool:
        """Whether this is the person's code, and not used or over."""
        return bool(await self._run(lambda connection: _is_good(connection, person_id, code_sha256, at)))

    async def waiting(self, person_ids: Collection[str], at: datetime) -> frozenset[str]:
        """Those of these people whose code waits to be used."""
        wanted = list(person_ids)
        query = select(table.c.person_id).where(table.c.person_id.in_(wanted), table.c.expires_us > microseconds(at))
        return frozenset(await self._run(lambda connection: connection.execute(query).scalars().all()))

    async def use(self, person_id: str, code_sha256: bytes, at: datetime, also: AlsoDone) -> None:
        """Spends the code and does what it is for, in one commit; of two at once one gets FactorsRefused."""
        await self._journal.run(_Use(asyncio.get_running_loop(), person_id, code_sha256, at, also))

    async def _run(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


def refused() -> FactorsRefused:
    """The same for a wrong code, one that is over, and for unknown people."""
    return FactorsRefused("the person or the one-time code is wrong, or the code was used or is over; ask for another one")


class _Keep(Change):
    __slots__ = ("client_id", "code_sha256", "expires", "person_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, client_id: str, person_id: str, code_sha256: bytes, expires: datetime) -> None:
        super().__init__(loop)
        self.client_id, self.person_id, self.code_sha256, self.expires = client_id, person_id, code_sha256, expires

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        if connection.execute(select(person.c.person_id).where(person.c.person_id == self.person_id)).scalar() is None:
            raise PersonNotFound(f"no person {self.person_id!r}; `signer people list` shows those there are", person=self.person_id)
        connection.execute(delete(table).where(table.c.person_id == self.person_id))
        row = {"person_id": self.person_id, "code_sha256": self.code_sha256, "expires_us": microseconds(self.expires)}
        connection.execute(insert(table).values(row))
        ledger.note(NoteKind.ENROLMENT_CODE_MADE, self.person_id, {"client": self.client_id, "until": rfc3339(self.expires)})


class _Use(Change):
    __slots__ = ("also", "at", "code_sha256", "person_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, person_id: str, code_sha256: bytes, at: datetime, also: AlsoDone) -> None:
        super().__init__(loop)
        self.person_id, self.code_sha256, self.at, self.also = person_id, code_sha256, at, also

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        if not _is_good(connection, self.person_id, self.code_sha256, self.at):
            raise refused()
        self.also(connection, ledger)
        connection.execute(delete(table).where(table.c.person_id == self.person_id))
        ledger.note(NoteKind.ENROLMENT_CODE_USED, self.person_id, {})


def _is_good(connection: Connection, person_id: str, code_sha256: bytes, at: datetime) -> bool:
    """Compared in constant time: the digest is of a guess."""
    query = select(table.c.code_sha256).where(table.c.person_id == person_id, table.c.expires_us > microseconds(at))
    kept: bytes | None = connection.execute(query).scalar()
    return hmac.compare_digest(kept or bytes(len(code_sha256)), code_sha256)
