"""One token's queue in virtual time: the appliance's own `FairQueue`, and frames as `signer.tokens.pool` makes them.

What is left out: everything but the token and who waits for it. A batch keeps as many records in work as the appliance lets it, and puts
the next in when one is signed; a worker has two frames in hand, each some 10 ms of work.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from signer.config.server import LimitSettings
from signer.tokens.fair import FairQueue, Weight, evenly
from signer.tokens.pool import _FRAME_ITEMS_MAX, _FRAME_S, _FRAMES_IN_HAND
from tests.season.week import Visit

IN_WORK_MAX = LimitSettings().batch_in_flight_documents


@dataclass(frozen=True, slots=True)
class Token:
    """signatures_per_s: of all workers together."""

    signatures_per_s: float
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Ending:
    """A visit, and when its last record was signed."""

    visit: Visit
    end_s: float

    @property
    def took_s(self) -> float:
        """From the click to the last record."""
        return self.end_s - self.visit.at_s


@dataclass(slots=True)
class _Batch:
    visit: Visit
    unsent: int
    unsigned: int


@dataclass(slots=True)
class _Worker:
    frames: deque[list[_Batch]] = field(default_factory=deque)


def run(visits: Iterable[Visit], token: Token, weight: Weight = evenly, in_work_max: int = IN_WORK_MAX) -> list[Ending]:
    """Every visit's end, in the order they end. in_work_max: records of one batch that wait or are signed at once."""
    return _Run(token, weight, in_work_max).run(visits)


class _Run:
    def __init__(self, token: Token, weight: Weight, in_work_max: int) -> None:
        self._in_work_max = in_work_max
        self._queue: FairQueue[_Batch] = FairQueue(weight)
        self._workers = [_Worker() for _ in range(token.workers)]
        self._sign_s = token.workers / token.signatures_per_s
        self._order = itertools.count()
        self._due: list[tuple[float, int, Visit | _Worker]] = []
        self._endings: list[Ending] = []

    def run(self, visits: Iterable[Visit]) -> list[Ending]:
        for visit in visits:
            heapq.heappush(self._due, (visit.at_s, next(self._order), visit))
        while self._due:
            now_s, _, what = heapq.heappop(self._due)
            if isinstance(what, Visit):
                self._send(_Batch(what, what.records, what.records), self._in_work_max)
            else:
                self._signed(what, now_s)
            self._feed(now_s)
        return self._endings

    def _send(self, batch: _Batch, count: int) -> None:
        for _ in range(min(count, batch.unsent)):
            self._queue.put(batch.visit.school, batch)
            batch.unsent -= 1

    def _signed(self, worker: _Worker, now_s: float) -> None:
        for batch in worker.frames.popleft():
            batch.unsigned -= 1
            self._send(batch, 1)
            if not batch.unsigned:
                self._endings.append(Ending(batch.visit, now_s))
        if worker.frames:
            self._begin(worker, now_s)

    def _feed(self, now_s: float) -> None:
        while len(self._queue):
            worker = min(self._workers, key=lambda each: len(each.frames))
            if len(worker.frames) >= _FRAMES_IN_HAND:
                return
            worker.frames.append(self._queue.take(self._frame_items()))
            if len(worker.frames) == 1:
                self._begin(worker, now_s)

    def _begin(self, worker: _Worker, now_s: float) -> None:
        heapq.heappush(self._due, (now_s + len(worker.frames[0]) * self._sign_s, next(self._order), worker))

    def _frame_items(self) -> int:
        fair_share = -(-len(self._queue) // len(self._workers))
        return max(1, min(round(_FRAME_S / self._sign_s), _FRAME_ITEMS_MAX, fair_share))
