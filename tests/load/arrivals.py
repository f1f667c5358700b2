"""Who comes when: a Poisson process a kind of visit, whose rate follows the evening before the deadline."""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise

import msgspec


class Visit(Enum):
    """What a user of the appliance comes with; the value is what the report calls it."""

    CLASS = "a teacher's class"
    SEAL = "a class for the seal"
    SCHOOL = "a principal's school"
    DIGESTS = "a class by its digests"
    SINGLE = "one corrected record"


class Kind(msgspec.Struct, frozen=True):
    """A kind of visit. share: of all documents. documents: of one visit. timestamped: at B-T, else at B-B."""

    visit: Visit
    share: float
    documents: int
    credential: str
    timestamped: bool = False


class Arrival(msgspec.Struct, frozen=True):
    """One visit. at_s: since the run began."""

    at_s: float
    kind: Kind


class Season(msgspec.Struct, frozen=True):
    """One run. documents_per_s: offered at the height of it. school_documents: of a principal's batch."""

    seconds: float
    documents_per_s: float
    school_documents: int
    seed: int = 2026

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Mostly teachers; a principal's school is few visits and much work."""
        return (
            Kind(Visit.CLASS, 0.45, 35, "gvcn"),
            Kind(Visit.SEAL, 0.15, 35, "seal"),
            Kind(Visit.SCHOOL, 0.25, self.school_documents, "cbql", timestamped=True),
            Kind(Visit.DIGESTS, 0.10, 35, "ec"),
            Kind(Visit.SINGLE, 0.05, 1, "gvcn", timestamped=True),
        )


LONG = Season(seconds=200.0, documents_per_s=120.0, school_documents=1225)
SHORT = Season(seconds=15.0, documents_per_s=30.0, school_documents=70)
_EVENING = ((0.0, 0.2), (0.4, 1.0), (0.8, 1.0), (1.0, 0.3))
"""(share of the run, share of the rate): people come home, everybody signs, the last ones."""


def intensity(share_of_run: float) -> float:
    """Share of the highest rate, between 0 and 1."""
    for (before, low), (after, high) in pairwise(_EVENING):
        if share_of_run <= after:
            return min(1.0, low + (high - low) * (share_of_run - before) / (after - before))
    return 0.0


def plan(season: Season) -> list[Arrival]:
    """Every arrival of the run, in order; at least one of each kind."""
    chance = random.Random(season.seed)  # noqa: S311
    found = [arrival for kind in season.kinds for arrival in _arrivals(season, kind, chance)]
    return sorted(found, key=lambda arrival: arrival.at_s)


def _arrivals(season: Season, kind: Kind, chance: random.Random) -> Iterator[Arrival]:
    """By thinning: as many as at the height all the time, of which the hour lets some through (Lewis and Shedler 1979)."""
    rate = season.documents_per_s * kind.share / kind.documents
    at_s, some = chance.expovariate(rate), False
    while at_s < season.seconds:
        if chance.random() < intensity(at_s / season.seconds):
            some = True
            yield Arrival(at_s, kind)
        at_s += chance.expovariate(rate)
    if not some:
        yield Arrival(season.seconds / 2, kind)
