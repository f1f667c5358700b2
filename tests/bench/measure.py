"""Taking figures: samples, pairs of samples, and their medians.

A pair is reference and subject, one right after the other; its ratio is free of the machine's slow drift. A figure is the median of the
pairs; its spread is the least and the greatest of them.

What a virtual machine's host takes for others (`steal` in proc(5)) is no drift: a loop on one core hardly feels it, a daemon that works on
all of them loses that time and waits for it as well. Each pair tells how much it was; who asks for `Calm` has pairs taken again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any, Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_STEAL: Final = 8
"""Field of the line `cpu` in /proc/stat."""
_TRIES_PER_PAIR: Final = 5
_PROBE_S: Final = 0.3
_PAUSE_S: Final = 0.5
_WAIT_S_MAX: Final = 20.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. items: what came back signed. p50_ms and p99_ms: of one item, or of one call where calls are what a user waits for.

    stage_ms: how long an item was in each stage of the daemon, on average, as the daemon says; empty where it is not asked.
    """

    items: int
    seconds: float
    p50_ms: float
    p99_ms: float
    stage_ms: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Sample:
        """As a client, loop or peer tells it."""
        seconds, p50_ms, p99_ms = (float(answer[name]) for name in ("seconds", "p50_ms", "p99_ms"))
        return cls(int(answer["items"]), seconds, p50_ms, p99_ms, answer.get("stage_ms", {}))

    @classmethod
    def together(cls, samples: Iterable[Sample]) -> Sample:
        """Of processes that ran beside one another: their rates add up."""
        runs = list(samples)
        seconds = max(run.seconds for run in runs)
        rate = sum(run.items_per_s for run in runs)
        return cls(round(rate * seconds), seconds, median(run.p50_ms for run in runs), max(run.p99_ms for run in runs))

    @property
    def items_per_s(self) -> float:
        return self.items / self.seconds


Run = Callable[[], Sample]


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and the subject right after it. subject.items_per_s ÷ reference.items_per_s is `ratio`.

    stolen: share of all cores' time that the host took meanwhile. put_aside: pairs before it that were not kept.
    """

    reference: Sample
    subject: Sample
    stolen: float = 0.0
    put_aside: int = 0

    @property
    def ratio(self) -> float:
        return self.subject.items_per_s / self.reference.items_per_s


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure of several pairs."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = list(values)
        return cls(median(found), min(found), max(found))


@dataclass(frozen=True, slots=True)
class Calm:
    """How much of all cores' time the host may take for others during a pair that is kept, as a share."""

    stolen_max: float

    def wait(self) -> None:
        """Until all cores at once are to be had, or a while is over."""
        until_s = perf_counter() + _WAIT_S_MAX
        while perf_counter() < until_s and self._stolen_now() > self.stolen_max:
            sleep(_PAUSE_S)

    def _stolen_now(self) -> float:
        """Hashing on every core for a moment: nothing is taken from who sleeps."""
        cores = os.cpu_count() or 1
        with ThreadPoolExecutor(cores) as threads:
            started_s, stolen_s = perf_counter(), _stolen_s()
            for done in [threads.submit(_hash_until, started_s + _PROBE_S) for _ in range(cores)]:
                done.result()
            return (_stolen_s() - stolen_s) / (perf_counter() - started_s) / cores


def _hash_until(until_s: float) -> None:
    block = bytes(1 << 20)
    while perf_counter() < until_s:
        hashlib.sha256(block)


def take_pairs(reference: Run, subject: Run, count: int, calm: Calm | None = None) -> list[Pair]:
    """A B A B …: count pairs. Both were warmed up by the caller.

    calm: a pair that is not is put aside and taken again when the host lets go, a few times: the last try counts, whatever it was.
    """
    return [_pair(reference, subject) if calm is None else _calm_pair(reference, subject, calm) for _ in range(count)]


def _calm_pair(reference: Run, subject: Run, calm: Calm) -> Pair:
    for tries in range(_TRIES_PER_PAIR):
        calm.wait()
        pair = replace(_pair(reference, subject), put_aside=tries)
        if pair.stolen <= calm.stolen_max:
            break
    return pair


def _pair(reference: Run, subject: Run) -> Pair:
    started_s, stolen_s = perf_counter(), _stolen_s()
    sampled = Pair(reference(), subject())
    cores_s = (perf_counter() - started_s) * (os.cpu_count() or 1)
    return replace(sampled, stolen=(_stolen_s() - stolen_s) / cores_s)


def _stolen_s() -> float:
    """Of all cores since the machine started, in steps of 10 ms."""
    first, _, _rest = Path("/proc/stat").read_text(encoding="ascii").partition("\n")
    return int(first.split()[_STEAL]) / _TICKS_PER_S


def percentile(ordered: list[float], share: float) -> float:
    """Of values in ascending order; 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
