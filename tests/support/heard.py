"""A worker's call as a test hears it."""

from __future__ import annotations

import asyncio

from signer.errors import SignerError
from signer.workers.process import WorkerLost, WorkerProcess

SILENCE_S = 20.0


class Heard:
    """A call's listener: what it was told, in order, to be awaited."""

    def __init__(self, worker: WorkerProcess, body: bytes) -> None:
        self.was_oldest: bool | None = None
        self._told: asyncio.Queue[bytes | SignerError | WorkerLost | None] = asyncio.Queue()
        worker.open_call(body, self)

    def reply(self, body: bytes) -> None:
        self._told.put_nowait(body)

    def ended(self, error: SignerError | None) -> None:
        self._told.put_nowait(error)

    def lost(self, loss: WorkerLost, *, is_oldest: bool) -> None:
        self.was_oldest = is_oldest
        self._told.put_nowait(loss)

    async def next(self) -> bytes | None:
        """The next reply's body, None at the end; raises how the call or the worker failed."""
        async with asyncio.timeout(SILENCE_S):
            told = await self._told.get()
        if isinstance(told, Exception):
            raise told
        return told
