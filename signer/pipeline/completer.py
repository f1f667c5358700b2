"""Goes on asking for the timestamps of parked signatures, under their own ids, until each has one.

Those of a level above B-T are left to a repeat of their ids, which brings the document they need.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError, TimestampError
from signer.journal.leading import Leading, Task
from signer.journal.model import SignatureState
from signer.model import SignatureKey
from signer.pipeline.engine import Engine
from signer.pipeline.material import Parked, decode
from signer.pipeline.parking import complete
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
_AT_ONCE = 16
_ASK_S_MAX = 60.0


class ParkedSource(Protocol):
    """Where parked signatures are found: the journal."""

    async def parked(self, *, after: int = -1, limit: int) -> list[tuple[int, SignatureKey]]:
        """Oldest first, each with the entry that parked it."""

    async def parked_count(self) -> int:
        """How many there are."""


class Completer:
    """One a daemon, owned by the event loop. A signature that somebody asks for meanwhile is left to them.

    leading: whose turn it is, of several daemons on one journal.
    """

    def __init__(self, engine: Engine, source: ParkedSource, leading: Leading, *, interval_s: float) -> None:
        self._engine = engine
        self._leading = leading
        self._source = source
        self._interval_s = interval_s

    async def run(self) -> None:
        """A round at each interval, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                if await self._leading.leads(Task.COMPLETION):
                    await self.round()
                else:
                    self._engine.metrics.parked_signatures.set(await self._source.parked_count())
            except SignerError as error:
                _log.error("parked signatures not completed", reason=error.reason.value, message=error.message)

    async def round(self) -> int:
        """Completes all that are parked, or as many as there are timestamps for; how many that was.

        Raises JournalUnavailable when the journal can't be read.
        """
        completed, after = 0, -1
        try:
            while page := await self._source.parked(after=after, limit=_AT_ONCE):
                after = page[-1][0]
                results = await asyncio.gather(*(self._complete(key) for _, key in page))
                completed += sum(result is True for result in results)
                if None in results:
                    break
        finally:
            self._engine.metrics.parked_signatures.set(await self._source.parked_count())
        if completed:
            _log.info("parked signatures completed", count=completed)
        return completed

    async def _complete(self, key: SignatureKey) -> bool | None:
        """Whether it was completed here; None when no timestamp could be had."""
        engine = self._engine
        if engine.is_busy(key):
            return False
        try:
            async with engine.inside([key]):
                return await self._complete_entered(key)
        except TimestampError as error:
            _log.info("parked signature still waits", request_id=key.request_id, document_id=key.document_id, message=error.message)
            return None
        except SignerError as error:
            _log.error(
                "parked signature can't be completed",
                request_id=key.request_id,
                document_id=key.document_id,
                reason=error.reason.value,
                message=error.message,
            )
            return False

    async def _complete_entered(self, key: SignatureKey) -> bool:
        engine = self._engine
        stored = (await engine.ledger.look_up([key])).get(key)
        if stored is None or stored.state is not SignatureState.PARKED:
            return False
        material = decode(stored.material)
        if not isinstance(material, Parked) or material.is_long_term:
            return False
        deadline_s = asyncio.get_running_loop().time() + _ASK_S_MAX
        stamp = await engine.require_timestamper().stamp(material.imprint, DigestAlgorithm.SHA256, deadline_s)
        await complete(engine, key, stored, material, stamp)
        engine.metrics.parked_completed.inc()
        return True
