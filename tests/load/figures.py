"""What users felt, from what became of their visits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.measure import percentile
from tests.load.arrivals import Visit
from tests.load.generator import End
from tests.load.watch import Look


@dataclass(frozen=True, slots=True)
class Felt:
    """One kind of visit. Seconds count from the moment that was planned, whenever it was sent. errors: documents by reason."""

    visit: Visit
    visits: int
    documents: int
    p50_s: float
    p95_s: float
    p99_s: float
    slowest_s: float
    errors: Counter[str]

    @property
    def error_share(self) -> float:
        """Of its documents."""
        return self.errors.total() / self.documents


@dataclass(frozen=True, slots=True)
class Taken:
    """One group of processes. cores: CPU seconds a second."""

    group: str
    cores_mean: float
    cores_highest: float
    rss_mb_highest: float


def felt(ends: Sequence[End]) -> list[Felt]:
    """One a kind that came, in the order of `Visit`."""
    return [_felt(visit, those) for visit in Visit if (those := [end for end in ends if end.visit is visit])]


def _felt(visit: Visit, ends: Sequence[End]) -> Felt:
    took_s = sorted(end.ended_s - end.planned_s for end in ends)
    errors = Counter[str]()
    for end in ends:
        errors.update(end.errors)
        if unaccounted := end.documents - end.signed - sum(end.errors.values()):
            errors["UNACCOUNTED"] += unaccounted
    shares = [percentile(took_s, share) for share in (0.5, 0.95, 0.99)]
    return Felt(visit, len(ends), sum(end.documents for end in ends), shares[0], shares[1], shares[2], took_s[-1], errors)


def taken(looks: Sequence[Look]) -> list[Taken]:
    """One a group."""
    groups = looks[0].cores if looks else {}
    return [
        Taken(
            group,
            sum(look.cores[group] for look in looks) / len(looks),
            max(look.cores[group] for look in looks),
            max(look.rss_mb[group] for look in looks),
        )
        for group in groups
    ]


def lateness_s(ends: Sequence[End]) -> float:
    """By how much 99 of 100 visits at most were sent later than planned: the generator's own fault, not the appliance's."""
    return percentile(sorted(end.sent_s - end.planned_s for end in ends), 0.99)


def finished_per_s(ends: Sequence[End]) -> float:
    """Documents signed a second, from the first plan to the last end."""
    return sum(end.signed for end in ends) / max(end.ended_s for end in ends)
