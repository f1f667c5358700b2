"""Who waits for news of a batch is woken by them; on another daemon, by the clock."""

from __future__ import annotations

import asyncio
import contextlib


class Bell:
    """Owned by the event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def ring(self, batch_id: str) -> None:
        """Something about the batch has changed."""
        for event in self._waiting.get(batch_id, ()):
            event.set()

    async def wait(self, batch_id: str, within_s: float) -> None:
        """Until it rings, at most so long."""
        event = asyncio.Event()
        self._waiting.setdefault(batch_id, set()).add(event)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await event.wait()
        finally:
            others = self._waiting[batch_id]
            others.discard(event)
            if not others:
                del self._waiting[batch_id]
