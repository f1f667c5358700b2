from __future__ import annotations

import asyncio
from typing import Protocol

_AT_ONCE = 1000


class Reservations(Protocol):
    """What the journal reserves for the authority, for good."""

    async def reserve_serials(self, count: int) -> range:
        """Numbers that nobody gets again, durably."""


class Serials:
    """Serial numbers from blocks that were durably reserved; what a crash leaves of a block is never used. Owned by the event loop."""

    def __init__(self, reservations: Reservations) -> None:
        self._reservations = reservations
        self._block = range(0)
        self._refill = asyncio.Lock()

    async def take(self) -> int:
        """The next number. Nobody else gets his turn between the number's choice and this call's return."""
        while not self._block:
            async with self._refill:
                if not self._block:
                    self._block = await self._reservations.reserve_serials(_AT_ONCE)
        serial, self._block = self._block[0], self._block[1:]
        return serial
