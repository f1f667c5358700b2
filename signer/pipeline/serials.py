from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

_AT_ONCE = 1000
_PREFIX_SHIFT = 64


class Reservations(Protocol):
    """What the journal reserves for the authority, for good."""

    async def reserve_serials(self, count: int) -> range:
        """Numbers that nobody gets again, durably."""

    async def reserve_time(self, until: datetime) -> datetime:
        """The time up to a moment; answers up to when it was reserved before."""


class Serials:
    """Serial numbers from blocks that were durably reserved; what a crash leaves of a block is never used. Owned by the event loop.

    prefix: the bits above the lowest 64, which tell daemons with journals of their own apart. ready: waited for before each number.
    """

    def __init__(
        self, reserve: Callable[[int], Awaitable[range]], *, prefix: int = 0, ready: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._reserve = reserve
        self._prefix = prefix << _PREFIX_SHIFT
        self._ready = ready
        self._block = range(0)
        self._refill = asyncio.Lock()

    async def take(self) -> int:
        """The next number. Nobody else gets a turn between its choice and this call's return, nor between `ready` and both."""
        while True:
            if self._ready is not None:
                await self._ready()
            if self._block:
                break
            async with self._refill:
                if not self._block:
                    self._block = await self._reserve(_AT_ONCE)
        number, self._block = self._block[0], self._block[1:]
        return self._prefix | number
