"""The credentials that the appliance keeps: rows that are read when they are asked for, and changed together with their journal entry.

Nothing here is read at start, and nothing grows with the number of credentials but the file: ten thousand teachers cost a daemon those
who sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import pairwise
from typing import Any

from cryptography import x509
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, insert, select, update

from signer.algorithms import KeyKind
from signer.errors import ChangedMeanwhile, IdTaken
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.model import ActivationMode, CredentialState, KeptCredential, KeptKey, KeyStorage
from signer.store.activation_tables import credential_activation as activation
from signer.store.tables import credential as table
from signer.store.times import microseconds, moment_or_none

_IDS_AT_ONCE = 500
_SELECT = select(table, activation.c.mode).join_from(table, activation, table.c.credential_id == activation.c.credential_id, isouter=True)


@dataclass(frozen=True, slots=True)
class CredentialFilter:
    """Which rows of a list. schools: None for all. after: the last id of the page before. ends_before: certificates that end earlier."""

    schools: Collection[str] | None = None
    after: str = ""
    person_id: str = ""
    state: CredentialState | None = None
    ends_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class CredentialChange:
    """A row that is replaced, and what its journal entry is called and says."""

    kind: NoteKind
    before: KeptCredential
    after: KeptCredential
    detail: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndCounts:
    """counts: certificates up to the first bound, between it and the next …, after the last. first: when the first one ends."""

    counts: tuple[int, ...]
    first: datetime | None


class CredentialStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def find(self, credential_id: str) -> KeptCredential | None:
        """The credential of this id."""
        found = await self._read(_SELECT.where(table.c.credential_id == credential_id))
        return found[0] if found else None

    async def find_all(self, credential_ids: Sequence[str]) -> dict[str, KeptCredential]:
        """Those of these ids that there are."""
        return {kept.id: kept for kept in await self._read_in(table.c.credential_id, credential_ids)}

    async def of_public_keys(self, public_keys: Sequence[bytes]) -> dict[bytes, list[KeptCredential]]:
        """The credentials of each of these SubjectPublicKeyInfo; those that nobody has are left out."""
        found: dict[bytes, list[KeptCredential]] = {}
        for kept in await self._read_in(table.c.public_key_sha256, [sha256(key).digest() for key in public_keys]):
            found.setdefault(kept.key.public_key, []).append(kept)
        return found

    async def of_people(self, person_ids: Sequence[str]) -> dict[str, list[KeptCredential]]:
        """The credentials of each of these people, by id; those who have none are left out."""
        found: dict[str, list[KeptCredential]] = {}
        for kept in await self._read_in(table.c.person_id, person_ids):
            found.setdefault(kept.key.person_id, []).append(kept)
        return found

    async def page(self, wanted: CredentialFilter, limit: int) -> list[KeptCredential]:
        """Up to `limit` credentials by id."""
        return await self._read(_SELECT.where(*_conditions(wanted)).order_by(table.c.credential_id).limit(limit))

    async def count_ends(self, bounds: Sequence[datetime]) -> EndCounts:
        """How many certificates in use end when: those renewed already are left out. One query, whatever their number."""
        found: EndCounts = await self._run(partial(_count_ends, bounds=bounds))
        return found

    async def want(self, client_id: str, token_name: str, credential_ids: Sequence[str]) -> None:
        """Journals that keys are about to be made in a token, before they are."""
        detail: dict[str, str | int] = {"client": client_id, "keys": len(credential_ids), "first": credential_ids[0]}
        await self._journal.note(NoteKind.KEYS_WANTED, token_name, detail)

    async def revise(self, client_id: str, *, added: Sequence[KeptCredential] = (), changes: Sequence[CredentialChange] = ()) -> None:
        """Keeps new credentials and replaces others, journalled, all or nothing.

        Raises:
            IdTaken: a new one's id has a row.
            ChangedMeanwhile: a row is no longer what its change is from.
            JournalUnavailable: not written.
        """
        await self._journal.run(_Revise(asyncio.get_running_loop(), client_id, added, changes))

    async def _read(self, query: Select[Any]) -> list[KeptCredential]:
        found: list[KeptCredential] = await self._run(lambda connection: [_kept(row) for row in connection.execute(query)])
        return found

    async def _read_in(self, column: ColumnElement[Any], values: Sequence[Any]) -> list[KeptCredential]:
        found: list[KeptCredential] = []
        for start in range(0, len(values), _IDS_AT_ONCE):
            found += await self._read(_SELECT.where(column.in_(values[start : start + _IDS_AT_ONCE])))
        return found

    async def _run(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


class _Revise(Change):
    """Keep new ones, change others."""

    __slots__ = ("added", "changes", "client_id")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, client_id: str, added: Sequence[KeptCredential], changes: Sequence[CredentialChange]
    ) -> None:
        super().__init__(loop)
        self.client_id = client_id
        self.added = added
        self.changes = changes

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        """Rows and notes; nothing is written before everything was looked at."""
        self._require_free(connection)
        self._require_unchanged(connection)
        if self.added:
            connection.execute(insert(table), [_row(kept) for kept in self.added])
        modes = [{"credential_id": kept.id, "mode": kept.activation.value} for kept in self.added if _is_said(kept)]
        if modes:
            connection.execute(insert(activation), modes)
        for kept in self.added:
            ledger.note(NoteKind.KEY_MADE, kept.id, self._birth(kept))
        for change in self.changes:
            connection.execute(update(table).where(table.c.credential_id == change.after.id).values(_row(change.after)))
            state: dict[str, str | int] = {
                "client": self.client_id,
                "school": change.after.key.school_id,
                "state": change.after.state.value,
            }
            ledger.note(change.kind, change.after.id, state | dict(change.detail))

    def _require_free(self, connection: Connection) -> None:
        ids = [kept.id for kept in self.added]
        for start in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[start : start + _IDS_AT_ONCE]
            taken = connection.execute(select(table.c.credential_id).where(table.c.credential_id.in_(some)).limit(1)).scalar()
            if taken is not None:
                raise IdTaken(f"there is a credential {taken!r} already", credential=taken)

    def _require_unchanged(self, connection: Connection) -> None:
        for change in self.changes:
            credential_id = change.before.id
            row = connection.execute(_SELECT.where(table.c.credential_id == credential_id)).one_or_none()
            if row is None or _kept(row) != change.before:
                raise ChangedMeanwhile(f"credential {credential_id} was changed by another at the same time", credential=credential_id)

    def _birth(self, kept: KeptCredential) -> dict[str, str | int]:
        key = kept.key
        return {
            "client": self.client_id,
            "school": key.school_id,
            "person": key.person_id,
            "token": kept.token_name,
            "storage": key.storage.value,
            "kind": key.kind.value,
            "publicKey": sha256(key.public_key).hexdigest(),
            "renews": kept.renews,
            "activation": kept.activation.value,
        }


def _conditions(wanted: CredentialFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.schools is not None:
        found.append(table.c.school_id.in_(sorted(wanted.schools)))
    if wanted.after:
        found.append(table.c.credential_id > wanted.after)
    if wanted.person_id:
        found.append(table.c.person_id == wanted.person_id)
    if wanted.state is not None:
        found.append(table.c.state == wanted.state.value)
    if wanted.ends_before is not None:
        found.append(table.c.not_after_us < microseconds(wanted.ends_before))
    return found


def _count_ends(connection: Connection, bounds: Sequence[datetime]) -> EndCounts:
    ends = table.c.not_after_us
    sums = [func.coalesce(func.sum(case((ends <= microseconds(bound), 1), else_=0)), 0) for bound in bounds]
    in_use = and_(table.c.state == CredentialState.ACTIVE.value, table.c.renewed_by == "", ends.is_not(None))
    *upto, total, first = connection.execute(select(*sums, func.count(), func.min(ends)).where(in_use)).one()
    cumulative = [0, *(int(each) for each in upto), int(total)]
    return EndCounts(tuple(later - earlier for earlier, later in pairwise(cumulative)), moment_or_none(first))


def _row(kept: KeptCredential) -> dict[str, Any]:
    key = kept.key
    return {
        "credential_id": key.credential_id,
        "school_id": key.school_id,
        "person_id": key.person_id,
        "token_name": kept.token_name,
        "storage": key.storage.value,
        "key_kind": key.kind.value,
        "key_id": key.key_id,
        "public_key": key.public_key,
        "public_key_sha256": sha256(key.public_key).digest(),
        "wrapped": key.wrapped,
        "seal": key.seal,
        "state": kept.state.value,
        "display_name": kept.display_name,
        "subject": kept.subject,
        "certificate": kept.certificate,
        "not_after_us": _not_after_us(kept.certificate),
        "renews": kept.renews,
        "renewed_by": kept.renewed_by,
        "usable_until_us": None if kept.usable_until is None else microseconds(kept.usable_until),
    }


def _kept(row: Any) -> KeptCredential:
    key = KeptKey(
        row.credential_id,
        row.school_id,
        row.person_id,
        KeyStorage(row.storage),
        KeyKind(row.key_kind),
        row.key_id,
        row.public_key,
        row.wrapped,
        row.seal,
    )
    return KeptCredential(
        key=key,
        token_name=row.token_name,
        state=CredentialState(row.state),
        display_name=row.display_name,
        subject=row.subject,
        certificate=row.certificate,
        renews=row.renews,
        renewed_by=row.renewed_by,
        usable_until=moment_or_none(row.usable_until_us),
        activation=_activation(row),
    )


def _activation(row: Any) -> ActivationMode:
    """As it was made; without a row, a person's key is theirs alone to allow."""
    if row.mode:
        return ActivationMode(row.mode)
    return ActivationMode.SAD if row.person_id else ActivationMode.NONE


def _is_said(kept: KeptCredential) -> bool:
    return bool(kept.key.person_id) or kept.activation is not ActivationMode.NONE


def _not_after_us(certificate: bytes) -> int | None:
    return microseconds(x509.load_der_x509_certificate(certificate).not_valid_after_utc) if certificate else None
