"""The quotas' rows: limits that operators set, and the day's counts, kept once a second.

What was signed since the last second is lost with a crash: a client may then sign that much more on that day. Nothing waits for these rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from signer.access.quotas import Meter, day_of
from signer.control.quotas import Quotas
from signer.errors import JournalUnavailable
from signer.journal.quotas import QuotaStore
from signer.people.client import Quota

_INTERVAL_S: Final = 1.0
_CALLS_INTERVAL_S: Final = 60.0


class QuotaKeeping:
    """Owned by the event loop."""

    def __init__(self, store: QuotaStore, quotas: Quotas) -> None:
        self.quotas = quotas
        self._store = store

    async def load(self) -> None:
        """Reads limits and what was used today; before the first call."""
        await self.refresh()
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
        unsaved = self.quotas.take_unsaved()
        if not unsaved:
            return
        try:
            await self._store.add_used(unsaved)
        except JournalUnavailable:
            self.quotas.put_back(unsaved)


async def keep_used(keeping: QuotaKeeping, save_calls: Callable[[], Awaitable[None]]) -> None:
    """Keeps counts each second and, each minute, when clients last called; both once more when it is cancelled."""
    loop = asyncio.get_running_loop()
    calls_due_s = loop.time() + _CALLS_INTERVAL_S
    try:
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await keeping.save()
            if loop.time() >= calls_due_s:
                calls_due_s = loop.time() + _CALLS_INTERVAL_S
                await save_calls()
    finally:
        await keeping.save()
        await save_calls()
