"""Clients and schools: who may call for whom. Kept by operators beside those of the configuration, and in force with the next call.

1. A change is checked against what there is: ids, certificates, schools.
2. It is written together with its journal entry.
3. Only then the callers' table has it: the next RPC of any open connection is judged by it, and streams whose caller lost its right begin
   no further item (`on_change`).

All of them are held in memory, since every RPC asks. A change is held against the rows, which another daemon may have changed meanwhile;
what is in memory follows with `refresh`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from signer.access.callers import CallerTable
from signer.access.settings import ClientSettings
from signer.errors import ClientNotFound, IdTaken, InvalidArgument, JournalUnavailable, SchoolNotFound
from signer.journal.clients import ClientStore
from signer.journal.schools import SchoolStore
from signer.people.client import Client, ClientCertificate, School, SchoolTier


class Clients:
    """Owned by the event loop.

    configured_schools: MA_TRUONG of the schools that the configuration names. tiers: what those teach of which it says so.
    """

    def __init__(
        self,
        clients: ClientStore,
        schools: SchoolStore,
        callers: CallerTable,
        configured_schools: Callable[[], Mapping[str, str]],
        tiers: Mapping[str, SchoolTier],
    ) -> None:
        self.callers = callers
        self._clients = clients
        self._store = schools
        self._configured_schools = configured_schools
        self._tiers = tiers
        self._schools: dict[str, School] = {}
        self._on_change: list[Callable[[], None]] = []
        self._saved_calls: dict[str, datetime] = {}
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Reads all that is kept; before the first call."""
        self._saved_calls = await self._clients.last_calls()
        self.callers.called.update(self._saved_calls)
        await self._read_all()

    async def refresh(self) -> None:
        """Another daemon changed some. Raises JournalUnavailable: everything is as it was."""
        async with self._turn:
            await self._read_all()
        self._tell()

    async def _read_all(self) -> None:
        clients, schools = await self._clients.all(), await self._store.all()
        for client in clients:
            self.callers.put(client)
        self._schools = {school.id: school for school in schools}
        self._close_schools()

    def call_on_change(self, action: Callable[[], None]) -> None:
        """Called after each change; must not fail."""
        self._on_change.append(action)

    def clients(self) -> list[Client]:
        """All, by id: those kept, and those of the configuration, which have no etag."""
        configured = [_configured(client) for client in self.callers.configured if client.id not in self.callers.kept]
        return sorted([*self.callers.kept.values(), *configured], key=lambda client: client.id)

    def schools(self) -> list[School]:
        """All, by id: those kept, and those that only the configuration names, which have no etag."""
        named = {school_id: School(school_id, code, tier=self.tier(school_id)) for school_id, code in self._configured_schools().items()}
        return sorted((named | self._schools).values(), key=lambda school: school.id)

    def is_client(self, client_id: str) -> bool:
        """Whether there is one of this id."""
        return client_id in self.callers.kept or any(client.id == client_id for client in self.callers.configured)

    def is_school(self, school_id: str) -> bool:
        """Whether there is one of this id."""
        return school_id in self._schools or school_id in self._configured_schools()

    def code_of(self, school_id: str) -> str:
        """MA_TRUONG, as its records name it; its id where nobody said otherwise."""
        kept = self._schools.get(school_id)
        return kept.code if kept is not None else self._configured_schools().get(school_id, school_id)

    def weight(self, school_id: str) -> int:
        """Its share of a token."""
        kept = self._schools.get(school_id)
        return 1 if kept is None else kept.weight

    def tier(self, school_id: str) -> SchoolTier:
        """What it teaches, as an operator said, else the configuration."""
        kept = self._schools.get(school_id)
        if kept is not None and kept.tier is not SchoolTier.UNKNOWN:
            return kept.tier
        return self._tiers.get(school_id, SchoolTier.UNKNOWN)

    def last_call(self, client_id: str) -> datetime | None:
        """When the client last called, as far as is known."""
        return self.callers.called.get(client_id)

    async def save_calls(self) -> None:
        """Keeps when clients last called, of those that did since the last time. What can't be written now is kept with the next."""
        called = {name: at for name, at in self.callers.called.items() if self._saved_calls.get(name) != at}
        if called:
            with contextlib.suppress(JournalUnavailable):
                await self._clients.keep_calls(called)
                self._saved_calls.update(called)

    async def create_client(self, by: str, wanted: Client) -> Client:
        """Adds a client; the same again returns what is there. Raises IdTaken, SchoolNotFound, JournalUnavailable."""
        async with self._turn:
            kept = await self._clients.find(wanted.id)
            if kept is not None and replace(kept, etag="") == replace(wanted, etag=""):
                return kept
            if any(client.id == wanted.id for client in self.callers.configured):
                raise IdTaken(f"client {wanted.id} stands in the daemon's configuration; take another id", client=wanted.id)
            return await self._keep_client(by, replace(wanted, etag=""))

    async def update_client(self, by: str, wanted: Client) -> Client:
        """Replaces a client. Raises ClientNotFound, ChangedMeanwhile, IdTaken (a certificate), SchoolNotFound, JournalUnavailable."""
        async with self._turn:
            if await self._clients.find(wanted.id) is None:
                raise ClientNotFound(f"no client {wanted.id} is kept here; one of the configuration changes there", client=wanted.id)
            _require_etag(wanted.etag, "client.etag")
            return await self._keep_client(by, wanted)

    async def create_school(self, by: str, wanted: School) -> School:
        """Adds a school; the same again returns what is there. Raises IdTaken, JournalUnavailable."""
        async with self._turn:
            kept = await self._store.find(wanted.id)
            if kept is not None and replace(kept, etag="") == replace(wanted, etag=""):
                return kept
            return await self._keep_school(by, replace(wanted, etag=""))

    async def update_school(self, by: str, wanted: School) -> School:
        """Replaces a school. Raises SchoolNotFound, ChangedMeanwhile, JournalUnavailable."""
        async with self._turn:
            if await self._store.find(wanted.id) is None:
                raise SchoolNotFound(f"no school {wanted.id} is kept here; create it first", school=wanted.id)
            _require_etag(wanted.etag, "school.etag")
            return await self._keep_school(by, wanted)

    async def _keep_client(self, by: str, wanted: Client) -> Client:
        await self._require_schools(wanted.school_ids)
        kept = await self._clients.keep(by, wanted)
        self.callers.put(kept)
        self._tell()
        return kept

    async def _keep_school(self, by: str, wanted: School) -> School:
        kept = await self._store.keep(by, wanted)
        self._schools[kept.id] = kept
        self._close_schools()
        self._tell()
        return kept

    async def _require_schools(self, school_ids: Iterable[str]) -> None:
        unknown = next((school_id for school_id in sorted(school_ids) if not self.is_school(school_id)), None)
        if unknown is not None and await self._store.find(unknown) is not None:  # just created with another daemon
            await self._read_all()
            unknown = next((school_id for school_id in sorted(school_ids) if not self.is_school(school_id)), None)
        if unknown is not None:
            raise SchoolNotFound(f"there is no school {unknown!r}; create it first: signer schools create", school=unknown)

    def _close_schools(self) -> None:
        self.callers.close_schools(frozenset(school.id for school in self._schools.values() if school.disabled))

    def _tell(self) -> None:
        for action in self._on_change:
            action()


def _require_etag(etag: str, field: str) -> None:
    if not etag:
        raise InvalidArgument(f"{field} is required: the one it was read with", field=field)


def configured_schools(clients: Iterable[ClientSettings], others: Iterable[str], codes: Mapping[str, str]) -> dict[str, str]:
    """MA_TRUONG of every school that a configuration names. others: of credentials and images, empty ones included."""
    return {school_id: codes.get(school_id, school_id) for school_id in _named(clients, others, codes)}


def _named(clients: Iterable[ClientSettings], others: Iterable[str], codes: Mapping[str, str]) -> Iterator[str]:
    for client in clients:
        yield from client.schools
    yield from filter(None, others)
    yield from codes


def _configured(client: ClientSettings) -> Client:
    return Client(
        client.id,
        client.client_kind,
        client.common_name,
        frozenset(client.schools),
        tuple(ClientCertificate(sha256) for sha256 in client.certificate_sha256),
        may_sign_digests=client.may_sign_digests,
    )
