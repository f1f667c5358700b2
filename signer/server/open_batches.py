"""The batches under way: how much of them is left, and how long whole ones took."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Protocol

from signer.telemetry.metrics import Metrics

_SIZES = ((1, "one"), (50, "class"), (2_500, "school"))
_LARGER = "larger"


class Counts(Protocol):
    """A batch's documents so far (pipeline.batch.Tally)."""

    received: int

    @property
    def ended(self) -> int:
        """Those that have their outcome."""


class OpenBatches:
    """Owned by the event loop; the metrics' thread only reads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._open: dict[int, tuple[int, Counts]] = {}
        metrics.batch_documents_left.set_function(lambda: float(self.left))

    @property
    def left(self) -> int:
        """Documents announced or received that have not ended."""
        return sum(max(expected, counts.received) - counts.ended for expected, counts in list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def track(self, counts: Counts, expected: int = 0) -> Iterator[None]:
        """While a batch runs; one that ends without an exception is timed. expected: documents announced, 0 when not known."""
        clock_s = asyncio.get_running_loop().time
        started_s = clock_s()
        self._open[id(counts)] = (expected, counts)
        try:
            with self._metrics.batches_in_progress.track_inprogress():
                yield
        finally:
            del self._open[id(counts)]
        self._metrics.batch_duration_seconds.labels(documents=size_class(counts.received)).observe(clock_s() - started_s)


def size_class(documents: int) -> str:
    """The `documents` label of a batch."""
    return next((name for most, name in _SIZES if documents <= most), _LARGER)
