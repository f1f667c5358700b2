"""The rooms of queued batches, wired to one another. Made where `[queue]` is; nothing is loaded or opened before `start`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signer.access.callers import CallerTable
from signer.config import Config
from signer.control.quotas import Quotas
from signer.control.secret_files import read_keys
from signer.pipeline.engine import Engine
from signer.queue.keeping import Vitals
from signer.queue.model import QueueState
from signer.queue.settings import QueueSettings
from signer.queue.store import QueueStore
from signer.server.queued.dispatch import Dispatch, Where
from signer.server.queued.turn import Turns
from signer.server.upkeep import spawn
from signer.telemetry.metrics import Metrics
from signer.tokens.pool import TokenPool

_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class QueueRooms:
    """Owned by the event loop."""

    settings: QueueSettings
    store: QueueStore
    dispatch: Dispatch
    metrics: Metrics

    async def start(self, stack: AsyncExitStack) -> None:
        """Begins to work off what is there; the stack ends it. ConfigError or JournalUnavailable."""
        await self.dispatch.start()
        stack.push_async_callback(self.dispatch.stop)
        spawn(stack, self.dispatch.run(self._tell))

    def _tell(self, vitals: Vitals) -> None:
        for state in QueueState:
            self.metrics.queue_batches.labels(state=state.value).set(vitals.by_state.get(state.value, 0))
        age_s = 0.0 if vitals.oldest is None else (datetime.now(vitals.oldest.tzinfo) - vitals.oldest).total_seconds()
        self.metrics.queue_oldest_age_seconds.set(age_s)
        self.metrics.queue_documents_left.set(vitals.documents_left)
        self.metrics.queue_bytes.set(vitals.bytes)


def furnish_queue(
    config: Config,
    engine: Engine,
    pools: Mapping[str, TokenPool],
    *,
    quotas: Quotas,
    callers: CallerTable,
) -> QueueRooms | None:
    """None where the configuration has no `[queue]`. ConfigError where the appliance's own secrets can't be had."""
    if config.queue is None:
        return None
    file = config.journal.sqlite_file
    where = Where(
        store_url=config.journal.url if file is None else f"{_SQLITE}{file}.queue",
        line_url=config.journal.url if file is None else f"{_SQLITE}{file}.turns",
        is_alone=file is not None,
    )
    store = QueueStore(where.store_url, read_keys(config.activation, file))
    turns = Turns(engine, store, quotas=quotas, callers=callers, pools=pools, limits=config.server.limits)
    return QueueRooms(config.queue, store, Dispatch(store, config.queue, where, turns, engine.utc_now), engine.metrics)
