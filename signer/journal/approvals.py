"""Approvals as they are kept: a row each that changes with its journal entry, and with the records that it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from signer.errors import ChangedMeanwhile, RequestIdReused
from signer.journal.approval_rows import approval_of, approval_row, asked, decided_steps, named, policy_of, policy_row
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.journal.records import RecordChange, change_records, require_unchanged
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState
from signer.store.approval_tables import approval as table
from signer.store.approval_tables import approval_policy

_IDS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class ApprovalFilter:
    """Which rows of a list. schools: None for all. Empty kinds, states and subjects: any. before: number of the page before's last one.

    at_us: approvals that ended by time by then are EXPIRED; microseconds since 1970.
    """

    at_us: int
    schools: Collection[str] | None = None
    kinds: Collection[ApprovalKind] = ()
    states: Collection[ApprovalState] = ()
    subjects: Collection[str] = ()
    before: int | None = None


@dataclass(frozen=True, slots=True)
class ApprovalChange:
    """A row that is replaced, what its entry is called and says, and the records that change with it."""

    kind: NoteKind
    before: Approval
    after: Approval
    detail: Mapping[str, str | int] = field(default_factory=dict)
    records: Sequence[RecordChange] = ()


class ApprovalStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def find_all(self, approval_ids: Collection[str]) -> dict[str, Approval]:
        """Those of these ids that there are."""
        wanted = sorted(approval_ids)[:_IDS_AT_ONCE]
        query = select(table).where(table.c.approval_id.in_(wanted))
        found: list[Approval] = await self._run(lambda connection: [approval_of(row) for row in connection.execute(query)])
        return {each.id: each for each in found}

    async def page(self, wanted: ApprovalFilter, limit: int) -> list[tuple[int, Approval]]:
        """Up to `limit` approvals with their numbers, newest first."""
        query = select(table).where(*_conditions(wanted)).order_by(table.c.number.desc()).limit(limit)
        found: list[tuple[int, Approval]] = await self._run(
            lambda connection: [(row.number, approval_of(row)) for row in connection.execute(query)]
        )
        return found

    async def of_request(self, school_id: str, request_id: str, fingerprint: bytes) -> Approval | None:
        """What was asked for under these ids; RequestIdReused when it was something else."""
        found: Approval | None = await self._run(lambda connection: _of_request(connection, school_id, request_id, fingerprint))
        return found

    async def add(
        self, client_id: str, request_id: str, fingerprint: bytes, approval: Approval, records: Sequence[RecordChange] = ()
    ) -> Approval:
        """Keeps a new one, journalled; one asked for under the same ids before is returned. RequestIdReused, ChangedMeanwhile."""
        job = _Add(asyncio.get_running_loop(), client_id, request_id, fingerprint, approval, records)
        kept: Approval = await self._journal.run(job)
        return kept

    async def revise(self, client_id: str, change: ApprovalChange) -> Approval:
        """Replaces a row, journalled; the row as it is then. ChangedMeanwhile when it is no longer what the change is from."""
        kept: Approval = await self._journal.run(_Revise(asyncio.get_running_loop(), client_id, change))
        return kept

    async def policies(self, kinds: Collection[ApprovalKind] = tuple(ApprovalKind)) -> list[ApprovalPolicy]:
        """Those that somebody has set for these kinds, of all schools."""
        query = select(approval_policy).where(approval_policy.c.kind.in_([kind.value for kind in kinds]))
        found: list[ApprovalPolicy] = await self._run(lambda connection: [policy_of(row) for row in connection.execute(query)])
        return found

    async def set_policy(self, client_id: str, policy: ApprovalPolicy, detail: Mapping[str, str | int]) -> None:
        """Sets a policy, journalled."""
        await self._journal.run(_SetPolicy(asyncio.get_running_loop(), client_id, policy, detail))

    async def _run(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


class _Add(Change):
    __slots__ = ("approval", "client_id", "fingerprint", "records", "request_id")

    def __init__(  # noqa: PLR0917  # the parts of one row
        self,
        loop: asyncio.AbstractEventLoop,
        client_id: str,
        request_id: str,
        fingerprint: bytes,
        approval: Approval,
        records: Sequence[RecordChange],
    ) -> None:
        super().__init__(loop)
        self.client_id = client_id
        self.request_id = request_id
        self.fingerprint = fingerprint
        self.approval = approval
        self.records = records

    def apply(self, connection: Connection, ledger: Ledger) -> Approval:
        approval = self.approval
        there = _of_request(connection, approval.school_id, self.request_id, self.fingerprint)
        if there is not None:
            return there
        require_unchanged(connection, self.records)
        entry = ledger.note(NoteKind.APPROVAL_REQUESTED, approval.id, asked(approval) | {"client": self.client_id})
        change_records(connection, self.records, entry, approval.created, approval.id)
        row = approval_row(approval) | {"request_id": self.request_id, "fingerprint": self.fingerprint}
        connection.execute(insert(table).values(row))
        return approval


class _Revise(Change):
    __slots__ = ("change", "client_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, client_id: str, change: ApprovalChange) -> None:
        super().__init__(loop)
        self.client_id = client_id
        self.change = change

    def apply(self, connection: Connection, ledger: Ledger) -> Approval:
        change = self.change
        row = connection.execute(select(table).where(table.c.approval_id == change.after.id)).one_or_none()
        if row is None or approval_of(row) != change.before:
            raise ChangedMeanwhile(f"approval {change.after.id} was changed by another at the same time", approval=change.after.id)
        require_unchanged(connection, change.records)
        entry = ledger.note(change.kind, change.after.id, named(change.after) | {"client": self.client_id} | dict(change.detail))
        after = _with_entry(change.before, change.after, entry)
        connection.execute(update(table).where(table.c.approval_id == after.id).values(approval_row(after)))
        change_records(connection, change.records, entry, datetime.fromtimestamp(ledger.now_us / 1_000_000, UTC), after.id)
        return after


class _SetPolicy(Change):
    __slots__ = ("client_id", "detail", "policy")

    def __init__(self, loop: asyncio.AbstractEventLoop, client_id: str, policy: ApprovalPolicy, detail: Mapping[str, str | int]) -> None:
        super().__init__(loop)
        self.client_id = client_id
        self.policy = policy
        self.detail = detail

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        policy, columns = self.policy, approval_policy.c
        connection.execute(delete(approval_policy).where(columns.kind == policy.kind.value, columns.school_id == policy.school_id))
        connection.execute(insert(approval_policy).values(policy_row(policy)))
        detail = {"client": self.client_id, "school": policy.school_id} | dict(self.detail)
        ledger.note(NoteKind.APPROVAL_POLICY_SET, policy.kind.value, detail)


def _with_entry(before: Approval, after: Approval, entry: int) -> Approval:
    """The same, the step that was decided naming its statement."""
    last = decided_steps(after.steps)
    if last == decided_steps(before.steps):
        return after
    steps = tuple(replace(step, journal_entry=entry) if position == last - 1 else step for position, step in enumerate(after.steps))
    return replace(after, steps=steps)


def _conditions(wanted: ApprovalFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.schools is not None:
        found.append(table.c.school_id.in_(sorted(wanted.schools)))
    if wanted.kinds:
        found.append(table.c.kind.in_([kind.value for kind in wanted.kinds]))
    if wanted.subjects:
        found.append(table.c.subject.in_(sorted(wanted.subjects)))
    if wanted.states:
        found.append(or_(*(_is_in(state, wanted.at_us) for state in wanted.states)))
    if wanted.before is not None:
        found.append(table.c.number < wanted.before)
    return found


def _is_in(state: ApprovalState, at_us: int) -> ColumnElement[bool]:
    """In the state by then: an approval's time passes without its row changing."""
    open_states = (ApprovalState.PENDING, ApprovalState.GRANTED)
    if state in open_states:
        return and_(table.c.state == state.value, table.c.expires_us > at_us)
    if state is ApprovalState.EXPIRED:
        has_passed = and_(table.c.state.in_([each.value for each in open_states]), table.c.expires_us <= at_us)
        return or_(table.c.state == state.value, has_passed)
    is_so: ColumnElement[bool] = table.c.state == state.value
    return is_so


def _of_request(connection: Connection, school_id: str, request_id: str, fingerprint: bytes) -> Approval | None:
    row = connection.execute(select(table).where(table.c.school_id == school_id, table.c.request_id == request_id)).one_or_none()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise RequestIdReused("this request_id came before and asked for something else: use a new one", requestId=request_id)
    return approval_of(row)
