"""Who waits for news of a batch is woken by them; on another daemon, by the clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

_TOGETHER_S: Final = 0.1


class News:
    """What one listener hears: also what rang while it was reading rows."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Something has changed."""
        self._event.set()

    async def wait(self, within_s: float) -> None:
        """Until something has changed since the last wait, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._event.wait()
        self._event.clear()


class Bell:
    """Owned by the event loop."""

    def __init__(self) -> None:
        self._listening: dict[str, set[News]] = {}
        self._ringing_soon: set[str] = set()

    def ring(self, batch_id: str) -> None:
        """Something about the batch has changed."""
        for news in self._listening.get(batch_id, ()):
            news.tell()

    def ring_soon(self, batch_id: str) -> None:
        """Documents have ended: those of a moment are told together, for whoever is told asks the rows."""
        if batch_id in self._listening and batch_id not in self._ringing_soon:
            self._ringing_soon.add(batch_id)
            asyncio.get_running_loop().call_later(_TOGETHER_S, self._ring_late, batch_id)

    @contextlib.contextmanager
    def listening(self, batch_id: str) -> Iterator[News]:
        """From here on nothing is missed."""
        news = News()
        self._listening.setdefault(batch_id, set()).add(news)
        try:
            yield news
        finally:
            others = self._listening[batch_id]
            others.discard(news)
            if not others:
                del self._listening[batch_id]

    def _ring_late(self, batch_id: str) -> None:
        self._ringing_soon.discard(batch_id)
        self.ring(batch_id)
