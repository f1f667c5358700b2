"""A batch's documents on their way out of rows: read before they are wanted, some together, so that no key waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from signer.errors import JournalUnavailable
from signer.queue.model import Portion

_TOGETHER_BYTES: Final = 1024 * 1024
_AHEAD_BYTES: Final = 2 * 1024 * 1024
"""Once so many lie ready no more are read. What is read last may go beyond it: a portion is one document where they are large."""

Read = Callable[[int, int], Awaitable[Sequence[Portion]]]
"""Portions that follow after another one, until so many bytes are together; none: there is no more."""


class ReadAhead:
    """Portion after portion, each given once. `next` until it is None, then or before that `close`."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._ready: asyncio.Queue[Portion | JournalUnavailable | None] = asyncio.Queue()
        self._ready_bytes = 0
        self._room = asyncio.Event()
        self._reading = asyncio.create_task(self._fill())

    async def next(self) -> Portion | None:
        """The next one; None after the last. JournalUnavailable when it could not be read."""
        portion = await self._ready.get()
        if isinstance(portion, JournalUnavailable):
            raise portion
        if portion is not None:
            self._ready_bytes -= portion.size_bytes
            self._room.set()
        return portion

    async def close(self) -> None:
        """Reads no more."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _fill(self) -> None:
        number = -1
        try:
            while portions := await self._read(number, _TOGETHER_BYTES):
                number = portions[-1].number
                self._ready_bytes += sum(portion.size_bytes for portion in portions)
                for portion in portions:
                    self._ready.put_nowait(portion)
                while self._ready_bytes >= _AHEAD_BYTES:
                    self._room.clear()
                    await self._room.wait()
        except JournalUnavailable as error:
            self._ready.put_nowait(error)
        else:
            self._ready.put_nowait(None)
