"""The clients that operators keep: rows that are changed together with their journal entry, which says what differs from before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from signer.errors import ChangedMeanwhile, IdTaken
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.people.client import Client, ClientCertificate, ClientKind, Window
from signer.store.client_tables import client as table
from signer.store.client_tables import client_call, client_certificate, client_school
from signer.store.times import microseconds, moment, moment_or_none

_CERTIFICATES_AT_ONCE = 500


class ClientStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def all(self) -> list[Client]:
        """Every client, by id: hundreds to thousands, read at the start and when another daemon changed some."""
        found: list[Client] = await self._journal.run(Read(asyncio.get_running_loop(), _clients))
        return found

    async def find(self, client_id: str) -> Client | None:
        """The client of this id."""
        found: list[Client] = await self._journal.run(Read(asyncio.get_running_loop(), lambda connection: _clients(connection, client_id)))
        return next(iter(found), None)

    async def last_calls(self) -> dict[str, datetime]:
        """When each client last called, as far as it was kept."""
        rows = select(client_call.c.client_id, client_call.c.last_call_us)
        found: dict[str, datetime] = await self._journal.run(
            Read(
                asyncio.get_running_loop(),
                lambda connection: {row.client_id: moment(row.last_call_us) for row in connection.execute(rows)},
            )
        )
        return found

    async def keep(self, by: str, client: Client) -> Client:
        """Adds a client (without an etag), or replaces one; with its new etag. by: the client that asks.

        Raises:
            IdTaken: the id of a new one, or a certificate, is another's.
            ChangedMeanwhile: the row is no longer of the etag, or gone.
            JournalUnavailable: not written.
        """
        kept: Client = await self._journal.run(_Keep(asyncio.get_running_loop(), by, client))
        return kept

    async def keep_calls(self, calls: Mapping[str, datetime]) -> None:
        """When clients last called. No journal entry: nobody decided anything."""
        await self._journal.run(_KeepCalls(asyncio.get_running_loop(), calls))


class _Keep(Change):
    __slots__ = ("by", "client")

    def __init__(self, loop: asyncio.AbstractEventLoop, by: str, client: Client) -> None:
        super().__init__(loop)
        self.by = by
        self.client = client

    def apply(self, connection: Connection, ledger: Ledger) -> Client:
        client = self.client
        before = next(iter(_clients(connection, client.id)), None)
        _require_etag(before, client)
        self._require_own_certificates(connection)
        version = 1 if before is None else int(before.etag) + 1
        values = {
            "kind": client.kind.value,
            "display_name": client.display_name,
            "may_sign_digests": client.may_sign_digests,
            "disabled": client.disabled,
            "version": version,
        }
        if before is None:
            connection.execute(insert(table).values(client_id=client.id, **values))
        else:
            connection.execute(update(table).where(table.c.client_id == client.id).values(**values))
        _replace_parts(connection, client)
        ledger.note(NoteKind.CLIENT_SET, client.id, _told(before, client) | {"by": self.by})
        return _with_etag(client, version)

    def _require_own_certificates(self, connection: Connection) -> None:
        prints = [bytes.fromhex(certificate.sha256) for certificate in self.client.certificates]
        for start in range(0, len(prints), _CERTIFICATES_AT_ONCE):
            some = client_certificate.c.sha256.in_(prints[start : start + _CERTIFICATES_AT_ONCE])
            query = select(client_certificate).where(some, client_certificate.c.client_id != self.client.id).limit(1)
            taken = connection.execute(query).first()
            if taken is not None:
                sha256 = taken.sha256.hex()
                raise IdTaken(
                    f"certificate {sha256} is client {taken.client_id}'s; a certificate is one client's", certificateSha256=sha256
                )


class _KeepCalls(Change):
    __slots__ = ("calls",)

    def __init__(self, loop: asyncio.AbstractEventLoop, calls: Mapping[str, datetime]) -> None:
        super().__init__(loop)
        self.calls = calls

    def apply(self, connection: Connection, ledger: Ledger) -> None:  # noqa: ARG002
        for client_id, at in self.calls.items():
            row = {"last_call_us": microseconds(at)}
            if not connection.execute(update(client_call).where(client_call.c.client_id == client_id).values(**row)).rowcount:
                connection.execute(insert(client_call).values(client_id=client_id, **row))


def _require_etag(before: Client | None, client: Client) -> None:
    if not client.etag and before is not None:
        raise IdTaken(f"client {client.id} is there already", client=client.id)
    if client.etag and (before is None or before.etag != client.etag):
        raise ChangedMeanwhile(f"client {client.id} was changed since it was read; read it again", client=client.id)


def _replace_parts(connection: Connection, client: Client) -> None:
    connection.execute(delete(client_school).where(client_school.c.client_id == client.id))
    connection.execute(delete(client_certificate).where(client_certificate.c.client_id == client.id))
    if client.school_ids:
        rows = [{"client_id": client.id, "school_id": school_id} for school_id in sorted(client.school_ids)]
        connection.execute(insert(client_school), rows)
    if client.certificates:
        connection.execute(insert(client_certificate), [_row(client.id, *each) for each in enumerate(client.certificates)])


def _row(client_id: str, position: int, certificate: ClientCertificate) -> dict[str, Any]:
    start, end = certificate.accepted.start, certificate.accepted.end
    return {
        "sha256": bytes.fromhex(certificate.sha256),
        "client_id": client_id,
        "position": position,
        "accepted_from_us": None if start is None else microseconds(start),
        "accepted_until_us": None if end is None else microseconds(end),
        "revoked": certificate.revoked,
    }


def _told(before: Client | None, after: Client) -> dict[str, str | int]:
    """What a reader of the journal needs: all that is small, and of lists what came and went."""
    old_schools = before.school_ids if before else frozenset()
    old = {each.sha256: each for each in before.certificates} if before else {}
    new = {each.sha256: each for each in after.certificates}
    told: dict[str, str | int] = {
        "kind": after.kind.value,
        "digests": int(after.may_sign_digests),
        "disabled": int(after.disabled),
        "schools": len(after.school_ids),
        "certificates": len(new),
    }
    lists: dict[str, Iterable[str]] = {
        "schools_added": after.school_ids - old_schools,
        "schools_removed": old_schools - after.school_ids,
        "certificates_added": new.keys() - old.keys(),
        "certificates_removed": old.keys() - new.keys(),
        "certificates_revoked": [name for name, each in new.items() if each.revoked and not (name in old and old[name].revoked)],
        "certificates_changed": [name for name, each in new.items() if name in old and each.accepted != old[name].accepted],
        "certificates_restored": [name for name, each in new.items() if not each.revoked and name in old and old[name].revoked],
    }
    told.update({name: " ".join(sorted(values)) for name, values in lists.items() if values})
    return told


def _with_etag(client: Client, version: int) -> Client:
    return Client(
        client.id,
        client.kind,
        client.display_name,
        client.school_ids,
        client.certificates,
        may_sign_digests=client.may_sign_digests,
        disabled=client.disabled,
        etag=str(version),
    )


def _clients(connection: Connection, client_id: str = "") -> list[Client]:
    """All, or the one of this id."""
    schools: dict[str, set[str]] = {}
    for row in connection.execute(_of(client_school, client_id)):
        schools.setdefault(row.client_id, set()).add(row.school_id)
    certificates: dict[str, list[ClientCertificate]] = {}
    for row in connection.execute(_of(client_certificate, client_id).order_by(client_certificate.c.position)):
        window = Window(moment_or_none(row.accepted_from_us), moment_or_none(row.accepted_until_us))
        certificates.setdefault(row.client_id, []).append(ClientCertificate(row.sha256.hex(), window, row.revoked))
    return [
        Client(
            row.client_id,
            ClientKind(row.kind),
            row.display_name,
            frozenset(schools.get(row.client_id, ())),
            tuple(certificates.get(row.client_id, ())),
            may_sign_digests=row.may_sign_digests,
            disabled=row.disabled,
            etag=str(row.version),
        )
        for row in connection.execute(_of(table, client_id).order_by(table.c.client_id))
    ]


def _of(rows: Any, client_id: str) -> Any:
    return select(rows).where(rows.c.client_id == client_id) if client_id else select(rows)
