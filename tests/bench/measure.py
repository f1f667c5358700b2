"""Taking figures: samples, pairs of samples, and their medians.

A pair is reference and subject, one right after the other; its ratio is free of the machine's slow drift. A figure is the median of the
pairs; its spread is the least and the greatest of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any


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
    """A reference and the subject right after it. subject.items_per_s ÷ reference.items_per_s is `ratio`."""

    reference: Sample
    subject: Sample

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


def take_pairs(reference: Run, subject: Run, count: int) -> list[Pair]:
    """A B A B …: count pairs. Both were warmed up by the caller."""
    return [Pair(reference(), subject()) for _ in range(count)]


def percentile(ordered: list[float], share: float) -> float:
    """Of values in ascending order; 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
