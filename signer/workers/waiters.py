"""Worker places that wait for something to do: woken one by one, or all at once when a worker is lost."""

from __future__ import annotations

import asyncio
from collections import deque


class Waiters:
    """A line of waiting tasks. Owned by the event loop."""

    def __init__(self) -> None:
        self._line: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Waits to be woken; the caller looks again whether there is work, since a wake-up promises nothing."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(waiter)
        await waiter

    def wake_one(self) -> None:
        """Wakes the task that has waited longest."""
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def wake_all(self) -> None:
        """Wakes every waiting task."""
        while self._line:
            self.wake_one()
