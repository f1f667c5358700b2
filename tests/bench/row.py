"""One line of the result: what was measured, against what, and whether it reaches what the project promised."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.bench.measure import Pair, Spread


@dataclass(frozen=True, slots=True)
class Target:
    """What the figure must reach: at least `value` of `unit`, or at most where is_ceiling. unit: "ratio", "ms" or "KiB/document"."""

    value: float
    unit: str = "ratio"
    is_ceiling: bool = False

    def is_met_by(self, figure: float) -> bool:
        return figure <= self.value if self.is_ceiling else figure >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.is_ceiling else '≥'} {self.value:g}{'' if self.unit == 'ratio' else ' ' + self.unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure and all that goes with it. figure: what the target is about; None when skipped.

    reference: the name of what it is compared with. stolen: by the host, the median of the pairs (`measure.Pair`). details: further JSON
    fields of this bench alone.
    """

    bench: str
    target: Target | None
    reference: str
    figure: Spread | None = None
    items_per_s: float | None = None
    reference_items_per_s: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    pairs: int = 0
    pairs_put_aside: int = 0
    stolen: float | None = None
    rss_mb: Mapping[str, float] = field(default_factory=dict)
    cpu_us_per_item: Mapping[str, float] = field(default_factory=dict)
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    skipped: str = ""

    @property
    def is_met(self) -> bool | None:
        """None when nothing was promised or measured."""
        return None if self.target is None or self.figure is None else self.target.is_met_by(self.figure.median)

    def as_json(self) -> dict[str, Any]:
        """The line's object; figures that don't apply are left out."""
        unit = self.target.unit if self.target else "ratio"
        figure = self.figure and _rounded(self.figure.median)
        found = {
            "bench": self.bench,
            "items_per_s": _rounded(self.items_per_s),
            "reference": self.reference,
            "reference_items_per_s": _rounded(self.reference_items_per_s),
            "ratio": figure if unit == "ratio" else None,
            "figure": None if unit == "ratio" else figure,
            "unit": None if unit == "ratio" else unit,
            "target": str(self.target) if self.target else None,
            "met": self.is_met,
            "spread": self.figure and [_rounded(self.figure.least), _rounded(self.figure.greatest)],
            "p50_ms": _rounded(self.p50_ms),
            "p99_ms": _rounded(self.p99_ms),
            "rss_mb": round(sum(self.rss_mb.values()), 1) if self.rss_mb else None,
            "rss_mb_by_group": dict(self.rss_mb) or None,
            "stage_ms": dict(self.stage_ms) or None,
            "cpu_us_per_item": dict(self.cpu_us_per_item) or None,
            "pairs": self.pairs or None,
            "pairs_put_aside": self.pairs_put_aside or None,
            "stolen": _rounded(self.stolen),
            "load_1m": round(os.getloadavg()[0], 2),
            "skipped": self.skipped or None,
            **self.details,
        }
        return {key: value for key, value in found.items() if value is not None}


def row_of_pairs(bench: str, pairs: list[Pair], *, target: Target | None, reference: str, **more: Any) -> Row:
    """The usual row: the subject's rate over the reference's, and the subject's latencies."""
    return Row(
        bench=bench,
        target=target,
        reference=reference,
        figure=Spread.of(pair.ratio for pair in pairs),
        items_per_s=median(pair.subject.items_per_s for pair in pairs),
        reference_items_per_s=median(pair.reference.items_per_s for pair in pairs),
        p50_ms=median(pair.subject.p50_ms for pair in pairs),
        p99_ms=median(pair.subject.p99_ms for pair in pairs),
        pairs=len(pairs),
        pairs_put_aside=sum(pair.put_aside for pair in pairs),
        stolen=median(pair.stolen for pair in pairs),
        stage_ms=mean_stages(pairs),
        **more,
    )


def mean_stages(pairs: list[Pair]) -> dict[str, float]:
    """Milliseconds of an item in each stage of the daemon, over the subjects that tell it."""
    told = [pair.subject.stage_ms for pair in pairs if pair.subject.stage_ms]
    return {stage: round(sum(times[stage] for times in told) / len(told), 3) for stage in (told[0] if told else {})}


def _rounded(value: float | None) -> float | None:
    """Four significant digits."""
    return None if value is None else float(f"{value:.4g}")
