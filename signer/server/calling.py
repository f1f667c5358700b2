"""Who calls, for which schools, and how much: the rooms of clients, schools and quotas, wired to one another and to their rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from signer.access.callers import CallerTable
from signer.access.client_crls import ClientCrls
from signer.access.settings import ClientSettings
from signer.config import Config
from signer.control.clients import Clients, configured_schools
from signer.control.quota_keeping import QuotaKeeping, keep_used
from signer.control.quotas import Quotas
from signer.control.rations import Rations
from signer.journal import ClientStore, Journal, QuotaStore, SchoolStore
from signer.journal.rations import RationStore
from signer.people.client import QuotaSubject
from signer.people.quota import Limit
from signer.server.door import Door
from signer.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class CallingRooms:
    """callers: whom the door asks. Owned by the event loop."""

    callers: CallerTable
    clients: Clients
    quotas: Quotas
    keeping: QuotaKeeping

    async def load(self) -> None:
        """Reads what is kept, once the journal is open and before the door is."""
        await self.clients.load()
        await self.keeping.load()

    def attend(self, door: Door) -> None:
        """Changes of clients and schools reach RPCs under way as well."""
        self.clients.call_on_change(door.stop_strangers)

    async def keep_counts(self) -> None:
        """Runs until it is cancelled."""
        await keep_used(self.keeping, self.clients.save_calls)

    def configure(self, door: Door, clients: Sequence[ClientSettings], crls: ClientCrls) -> None:
        """The configuration's clients, and what their CAs revoked, are these from now on."""
        self.callers.configure(clients, crls)
        door.stop_strangers()


def furnish_calling(config: Config, journal: Journal, metrics: Metrics, utc_now: Callable[[], datetime]) -> CallingRooms:
    """The rooms of a configuration; nothing is read yet."""

    def count_refusal(subject: QuotaSubject, limit: Limit) -> None:
        metrics.quota_refusals.labels(subject=subject.value, limit=limit.value).inc()

    def clock_s() -> float:
        return asyncio.get_running_loop().time()

    callers = CallerTable(config.clients)
    others = [credential.school for credential in config.credentials]
    codes = {school.id: school.code or school.id for school in config.records.schools}
    tiers = {school.id: school.tier for school in config.records.schools}

    def schools() -> dict[str, str]:
        return configured_schools(callers.configured, others, codes)

    clients = Clients(ClientStore(journal), SchoolStore(journal), callers, schools, tiers)
    rations = RationStore(journal) if config.journal.is_shared else None
    quotas = Quotas(utc_now, clock_s, count_refusal, None if rations is None else Rations(rations, clock_s))
    return CallingRooms(callers, clients, quotas, QuotaKeeping(QuotaStore(journal), quotas, rations))
