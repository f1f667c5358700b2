"""The quotas' rows: limits that operators set, and the day's counts, kept once a second.

What was signed since the last second is lost with a crash: a client may then sign that much more on that day. Nothing waits for these rows.
Where several daemons share the database, what is limited is counted before it is signed (`rations`), and the open RPCs of those whose
number is limited are told to one another once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from signer.access.quotas import Meter
from signer.control.quotas import Quotas
from signer.errors import JournalUnavailable
from signer.journal.quotas import QuotaStore
from signer.journal.rations import Subject
from signer.people.client import Quota
from signer.people.quota import day_of

_INTERVAL_S: Final = 1.0
_DAEMON: Final = secrets.token_hex(8)
"""This process, among those on the database."""
_CALLS_INTERVAL_S: Final = 60.0


class RpcBoard(Protocol):
    """Where daemons tell one another how many RPCs are open: `journal.rations.RationStore`."""

    async def tell_rpcs(self, daemon: str, rpcs: Mapping[Subject, int]) -> dict[Subject, int]:
        """Ours from now on; the others'."""


class QuotaKeeping:
    """Owned by the event loop. rpcs: None where this daemon is alone."""

    def __init__(self, store: QuotaStore, quotas: Quotas, rpcs: RpcBoard | None = None) -> None:
        self.quotas = quotas
        self._store = store
        self._rpcs = rpcs
        self._told: dict[Subject, int] = {}

    async def load(self) -> None:
        """Reads limits and what was used today; before the first call."""
        await self.refresh()
        await self.read_used()

    async def read_used(self) -> None:
        """What was used today, by all daemons on the database: as it is known a second ago. Raises JournalUnavailable."""
        today = day_of(self.quotas.utc_now())
        for (subject, subject_id), signatures in (await self._store.used_on(today)).items():
            self.quotas.restore(subject, subject_id, today, signatures)

    async def refresh(self) -> None:
        """Reads the limits, which another daemon may have changed; they are never deleted. Raises JournalUnavailable."""
        for quota in await self._store.all():
            self.quotas.put(quota)

    async def set(self, by: str, quota: Quota) -> Meter:
        """In force from the next request on. Raises JournalUnavailable: nothing was changed."""
        await self._store.keep(by, quota)
        self.quotas.put(quota)
        return self.quotas.meter(quota.subject, quota.subject_id)

    async def save(self) -> None:
        """Keeps what was used since the last time; what can't be written is kept with the next."""
        if self.quotas.rations is not None:
            await self.quotas.rations.save()
        unsaved = self.quotas.take_unsaved()
        if not unsaved:
            return
        try:
            await self._store.add_used(unsaved)
        except JournalUnavailable:
            self.quotas.put_back(unsaved)

    async def share_rpcs(self) -> None:
        """Tells other daemons of open RPCs where their number is limited, and hears of theirs."""
        wanted = self.quotas.limited_rpcs()
        if self._rpcs is None or not (wanted or self._told):
            return
        self._told = {subject: count for subject, count in wanted.items() if count}
        with contextlib.suppress(JournalUnavailable):
            self.quotas.hear_rpcs(await self._rpcs.tell_rpcs(_DAEMON, self._told))

    async def close(self) -> None:
        """Keeps everything, and gives back what was not used."""
        if self.quotas.rations is not None:
            await self.quotas.rations.close()
        await self.save()


async def keep_used(keeping: QuotaKeeping, save_calls: Callable[[], Awaitable[None]]) -> None:
    """Keeps counts each second and, each minute, when clients last called; both once more when it is cancelled."""
    loop = asyncio.get_running_loop()
    calls_due_s = loop.time() + _CALLS_INTERVAL_S
    try:
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await keeping.save()
            await keeping.share_rpcs()
            if loop.time() >= calls_due_s:
                calls_due_s = loop.time() + _CALLS_INTERVAL_S
                await save_calls()
    finally:
        await keeping.close()
        await save_calls()
