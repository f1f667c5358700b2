"""What holders allow: one row each, which says whether a SAD is still good. What is sealed in it is opaque here.

    PENDING → GRANTED (its SAD may be spent) → SPENT (by one request, for good)
    PENDING → REJECTED · PENDING, GRANTED → EXPIRED (by the clock: no row is rewritten for it) · any but REJECTED → REVOKED

Every step is a conditional UPDATE, or one of a row that is locked: of many at once one succeeds, whoever writes beside us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from signer.errors import AuthorizationExpired, AuthorizationNotFound, AuthorizationSpent, RequestIdReused
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.people.authorization import AuthorizationState
from signer.people.factor import FactorKind
from signer.store import activation_tables as tables
from signer.store.times import microseconds, moment, moment_or_none

_table: Final = tables.signing_authorization
_Detail = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class AuthorizationRow:
    """A row. target: sealed. detail: what its journal entries say of it; not kept."""

    id: str
    school_id: str
    credential_id: str
    person_id: str
    client_id: str
    state: AuthorizationState
    request_id: str
    target: bytes
    target_sha256: bytes
    shown_sha256: bytes
    created: datetime
    decided: datetime | None
    expires: datetime
    lifetime: timedelta
    spent_by: str = ""
    factors: frozenset[FactorKind] = frozenset()
    detail: _Detail = field(default_factory=dict, compare=False)

    def state_at(self, now: datetime) -> AuthorizationState:
        """What it is by the clock."""
        waits = self.state in (AuthorizationState.PENDING, AuthorizationState.GRANTED)
        return AuthorizationState.EXPIRED if waits and now >= self.expires else self.state


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What goes with a new row. entries: of a list that came whole, joined. shown: lines for the page, sealed; empty for none."""

    entry_bytes: int = 0
    entries: bytes = b""
    shown: bytes = b""


@dataclass(frozen=True, slots=True)
class AuthorizationFilter:
    """Which rows of a list, newest first. Empty or None: any. before: creation (µs) and id of the last one of the page before."""

    school_id: str = ""
    person_id: str = ""
    states: Collection[AuthorizationState] = ()
    start: datetime | None = None
    end: datetime | None = None
    before: tuple[int, str] | None = None


class AuthorizationStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def add(self, row: AuthorizationRow, enclosed: Enclosed) -> AuthorizationRow:
        """Keeps a new one, or returns what was kept under its request_id. RequestIdReused when that is another's or of other content."""
        kept: AuthorizationRow = await self._journal.run(_Add(asyncio.get_running_loop(), row, enclosed))
        return kept

    async def find(self, authorization_id: str) -> AuthorizationRow | None:
        """The row of this id."""
        query = select(_table).where(_table.c.authorization_id == authorization_id)
        rows: list[AuthorizationRow] = await self._run(lambda connection: [_value(row) for row in connection.execute(query)])
        return rows[0] if rows else None

    async def page(self, wanted: AuthorizationFilter, now: datetime, limit: int) -> list[AuthorizationRow]:
        """Up to `limit` of them, newest first."""
        newest = (_table.c.created_us.desc(), _table.c.authorization_id.desc())
        query = select(_table).where(*_conditions(wanted, microseconds(now))).order_by(*newest).limit(limit)
        rows: list[AuthorizationRow] = await self._run(lambda connection: [_value(row) for row in connection.execute(query)])
        return rows

    async def decide(self, details: Mapping[str, _Detail], state: AuthorizationState, factors: frozenset[FactorKind]) -> None:
        """Pending ones are granted or rejected, all or none; each by its id, with what the journal says of it.

        AuthorizationExpired or AuthorizationSpent when one is not pending any more.
        """
        await self._journal.run(_Decide(asyncio.get_running_loop(), details, state, factors))

    async def spend(self, authorization_id: str, request_id: str, detail: _Detail) -> AuthorizationRow:
        """It serves this request from now on; also when it does already.

        AuthorizationExpired, or AuthorizationSpent: another request has it, or it was revoked.
        """
        spent: AuthorizationRow = await self._journal.run(_Spend(asyncio.get_running_loop(), authorization_id, request_id, detail))
        return spent

    async def revoke(self, authorization_id: str, detail: _Detail) -> AuthorizationRow:
        """Nothing is signed under it any more; as it is when that was so already."""
        revoked: AuthorizationRow = await self._journal.run(_Revoke(asyncio.get_running_loop(), authorization_id, detail))
        return revoked

    async def entries(self, authorization_id: str) -> tuple[bytes, ...]:
        """The list, where it came whole."""
        table = tables.signing_authorization_list
        query = select(table).where(table.c.authorization_id == authorization_id)
        row = await self._run(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return ()
        return tuple(row.entries[at : at + row.entry_bytes] for at in range(0, len(row.entries), row.entry_bytes))

    async def shown(self, authorization_id: str) -> bytes:
        """The lines for the page, sealed; empty when there are none, or no more."""
        table = tables.signing_authorization_shown
        query = select(table.c["items"]).where(table.c.authorization_id == authorization_id)
        found: bytes | None = await self._run(lambda connection: connection.execute(query).scalar())
        return found or b""

    async def used(self, authorization_id: str) -> dict[bytes, str]:
        """The entries that were signed under it, each with its document's id."""
        table = tables.signing_authorization_use
        query = select(table.c.entry, table.c.document_id).where(table.c.authorization_id == authorization_id)
        found: dict[bytes, str] = await self._run(lambda connection: {row.entry: row.document_id for row in connection.execute(query)})
        return found

    async def count_used(self, authorization_ids: Sequence[str]) -> dict[str, int]:
        """How many entries were signed under each."""
        table = tables.signing_authorization_use
        own = table.c.authorization_id
        query = select(own, func.count()).where(own.in_(authorization_ids)).group_by(own)
        found: dict[str, int] = await self._run(lambda connection: {row[0]: row[1] for row in connection.execute(query)})
        return found

    async def _run(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


class _Add(Change):
    __slots__ = ("enclosed", "row")

    def __init__(self, loop: asyncio.AbstractEventLoop, row: AuthorizationRow, enclosed: Enclosed) -> None:
        super().__init__(loop)
        self.row = row
        self.enclosed = enclosed

    def apply(self, connection: Connection, ledger: Ledger) -> AuthorizationRow:
        row, enclosed = self.row, self.enclosed
        before = self._before(connection)
        if before is not None:
            same = (before.client_id, before.person_id, before.target_sha256) == (row.client_id, row.person_id, row.target_sha256)
            if not same:
                raise RequestIdReused("this request_id asked for another authorisation: use a new one", requestId=row.request_id)
            return before
        connection.execute(insert(_table).values(_columns(row)))
        if enclosed.entries:
            values = {"authorization_id": row.id, "entry_bytes": enclosed.entry_bytes, "entries": enclosed.entries}
            connection.execute(insert(tables.signing_authorization_list).values(values))
        if enclosed.shown:
            _forget_shown(connection, ledger.now_us)
            connection.execute(insert(tables.signing_authorization_shown).values({"authorization_id": row.id, "items": enclosed.shown}))
        granted = row.state is AuthorizationState.GRANTED
        ledger.note(NoteKind.AUTHORIZATION_GRANTED if granted else NoteKind.AUTHORIZATION_REQUESTED, row.id, dict(row.detail))
        return row

    def _before(self, connection: Connection) -> AuthorizationRow | None:
        if not self.row.request_id:
            return None
        same = (_table.c.school_id == self.row.school_id, _table.c.request_id == self.row.request_id)
        found = connection.execute(select(_table).where(*same)).one_or_none()
        return None if found is None else _value(found)


class _Decide(Change):
    """Everything is looked at before anything is written."""

    __slots__ = ("details", "factors", "state")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, details: Mapping[str, _Detail], state: AuthorizationState, factors: frozenset[FactorKind]
    ) -> None:
        super().__init__(loop)
        self.details = details
        self.state = state
        self.factors = factors

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        for authorization_id in self.details:
            row = _required(connection, authorization_id)  # locked from here on, where there are other writers
            if row.state_at(moment(ledger.now_us)) is not AuthorizationState.PENDING:
                raise _ended(row, ledger.now_us)
        for authorization_id, detail in self.details.items():
            self._decide(connection, ledger, authorization_id, detail)

    def _decide(self, connection: Connection, ledger: Ledger, authorization_id: str, detail: _Detail) -> None:
        granted = self.state is AuthorizationState.GRANTED
        ends = ledger.now_us + _table.c.lifetime_us if granted else _table.c.expires_us
        values = {"state": self.state.value, "decided_us": ledger.now_us, "expires_us": ends, "factors": _kinds_text(self.factors)}
        connection.execute(update(_table).where(_own(authorization_id)).values(values))
        shown = tables.signing_authorization_shown
        connection.execute(delete(shown).where(shown.c.authorization_id == authorization_id))
        ledger.note(NoteKind.AUTHORIZATION_GRANTED if granted else NoteKind.AUTHORIZATION_REJECTED, authorization_id, dict(detail))


class _Spend(Change):
    __slots__ = ("authorization_id", "detail", "request_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, authorization_id: str, request_id: str, detail: _Detail) -> None:
        super().__init__(loop)
        self.authorization_id = authorization_id
        self.request_id = request_id
        self.detail = detail

    def apply(self, connection: Connection, ledger: Ledger) -> AuthorizationRow:
        granted = (_is(AuthorizationState.GRANTED), _table.c.expires_us > ledger.now_us)
        values = {"state": AuthorizationState.SPENT.value, "spent_by": self.request_id}
        changed = connection.execute(update(_table).where(_own(self.authorization_id), *granted).values(values))
        row = _required(connection, self.authorization_id)
        if changed.rowcount:
            ledger.note(NoteKind.AUTHORIZATION_SPENT, row.id, {"request": self.request_id, **self.detail})
        elif row.state is not AuthorizationState.SPENT or row.spent_by != self.request_id:
            raise _ended(row, ledger.now_us)
        return row


class _Revoke(Change):
    __slots__ = ("authorization_id", "detail")

    def __init__(self, loop: asyncio.AbstractEventLoop, authorization_id: str, detail: _Detail) -> None:
        super().__init__(loop)
        self.authorization_id = authorization_id
        self.detail = detail

    def apply(self, connection: Connection, ledger: Ledger) -> AuthorizationRow:
        ended = (AuthorizationState.REVOKED.value, AuthorizationState.REJECTED.value)
        running = _table.c.state.not_in(ended)
        changed = connection.execute(
            update(_table).where(_own(self.authorization_id), running).values(state=AuthorizationState.REVOKED.value)
        )
        if changed.rowcount:
            shown = tables.signing_authorization_shown
            connection.execute(delete(shown).where(shown.c.authorization_id == self.authorization_id))
            ledger.note(NoteKind.AUTHORIZATION_REVOKED, self.authorization_id, dict(self.detail))
        return _required(connection, self.authorization_id)


def _forget_shown(connection: Connection, now_us: int) -> None:
    """Lines of those that nobody decided in time; the others' went with the decision."""
    shown = tables.signing_authorization_shown
    over = select(shown.c.authorization_id).join(_table, _table.c.authorization_id == shown.c.authorization_id)
    connection.execute(delete(shown).where(shown.c.authorization_id.in_(over.where(_table.c.expires_us <= now_us))))


def _own(authorization_id: str) -> ColumnElement[bool]:
    return _table.c.authorization_id == authorization_id


def _is(state: AuthorizationState) -> ColumnElement[bool]:
    return _table.c.state == state.value


def _required(connection: Connection, authorization_id: str) -> AuthorizationRow:
    row = connection.execute(select(_table).where(_own(authorization_id)).with_for_update()).one_or_none()
    if row is None:
        raise AuthorizationNotFound(f"no authorisation {authorization_id!r}", authorization=authorization_id)
    return _value(row)


def _ended(row: AuthorizationRow, now_us: int) -> AuthorizationExpired | AuthorizationSpent:
    if row.state_at(moment(now_us)) is AuthorizationState.EXPIRED:
        return AuthorizationExpired("the authorisation has expired; ask its holder for a new one", authorization=row.id)
    return AuthorizationSpent(f"the authorisation is {row.state.value} already; ask its holder for a new one", authorization=row.id)


def _conditions(wanted: AuthorizationFilter, now_us: int) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.school_id:
        found.append(_table.c.school_id == wanted.school_id)
    if wanted.person_id:
        found.append(_table.c.person_id == wanted.person_id)
    if wanted.states:
        found.append(or_(*(_state_at(state, now_us) for state in wanted.states)))
    if wanted.start is not None:
        found.append(_table.c.created_us >= microseconds(wanted.start))
    if wanted.end is not None:
        found.append(_table.c.created_us < microseconds(wanted.end))
    if wanted.before is not None:
        created_us, last_id = wanted.before
        older = and_(_table.c.created_us == created_us, _table.c.authorization_id < last_id)
        found.append(or_(_table.c.created_us < created_us, older))
    return found


def _state_at(state: AuthorizationState, now_us: int) -> ColumnElement[bool]:
    waits = (AuthorizationState.PENDING, AuthorizationState.GRANTED)
    if state is AuthorizationState.EXPIRED:
        return and_(_table.c.state.in_([each.value for each in waits]), _table.c.expires_us <= now_us)
    return and_(_is(state), _table.c.expires_us > now_us) if state in waits else _is(state)


def _columns(row: AuthorizationRow) -> dict[str, Any]:
    return {
        "authorization_id": row.id,
        "school_id": row.school_id,
        "credential_id": row.credential_id,
        "person_id": row.person_id,
        "client_id": row.client_id,
        "state": row.state.value,
        "request_id": row.request_id,
        "target": row.target,
        "target_sha256": row.target_sha256,
        "shown_sha256": row.shown_sha256,
        "created_us": microseconds(row.created),
        "decided_us": None if row.decided is None else microseconds(row.decided),
        "expires_us": microseconds(row.expires),
        "lifetime_us": int(row.lifetime.total_seconds() * 1_000_000),
        "spent_by": row.spent_by,
        "factors": _kinds_text(row.factors),
    }


def _value(row: Any) -> AuthorizationRow:
    return AuthorizationRow(
        id=row.authorization_id,
        school_id=row.school_id,
        credential_id=row.credential_id,
        person_id=row.person_id,
        client_id=row.client_id,
        state=AuthorizationState(row.state),
        request_id=row.request_id,
        target=row.target,
        target_sha256=row.target_sha256,
        shown_sha256=row.shown_sha256,
        created=moment(row.created_us),
        decided=moment_or_none(row.decided_us),
        expires=moment(row.expires_us),
        lifetime=timedelta(microseconds=row.lifetime_us),
        spent_by=row.spent_by,
        factors=frozenset(FactorKind(kind) for kind in row.factors.split(",") if kind),
    )


def _kinds_text(kinds: frozenset[FactorKind]) -> str:
    return ",".join(sorted(kind.value for kind in kinds))
