"""What several time servers say together: the selection of RFC 5905 §11.2.1 (after Marzullo), with the count of falsetickers fixed.

Each server says that true time lies in an interval. RFC 5905 looks for the smallest number of falsetickers that leaves an intersection,
which may be too narrow by chance. Here all but a majority of the *configured* servers are always taken to be able to lie: the result is the
span of all points that lie in the intervals of a majority. Whenever a majority tells the truth, true time is in that span, whatever the
others say. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from signer.timestamp.clock.sample import Leap, NoSample, TimeSample


@dataclass(frozen=True, slots=True)
class Agreement:
    """What more than half agree on. liars: the servers whose interval lies outside."""

    sample: TimeSample
    liars: frozenset[str]


def majority_of(configured: int) -> int:
    """More than half."""
    return configured // 2 + 1


def agree(said: Mapping[str, TimeSample], configured: int, drift_ppm: float) -> Agreement:
    """said: by server, those that answered; configured: how many were asked. Raises NoSample when no majority agrees."""
    needed = majority_of(configured)
    if len(said) < needed:
        raise NoSample(f"{len(said)} of {configured} time servers answered usably, {needed} must agree")
    taken_ns = max(sample.taken_ns for sample in said.values())
    spans = {name: _span(sample, taken_ns, drift_ppm) for name, sample in said.items()}
    low, high = _shared(list(spans.values()), needed)
    liars = frozenset(name for name, (lowest, highest) in spans.items() if highest < low or lowest > high)
    believed = [sample for name, sample in said.items() if name not in liars]
    leap = next((sample.leap for sample in believed if sample.leap is not Leap.NONE), Leap.NONE)
    reference = hashlib.sha256("".join(sample.reference for sample in believed).encode()).hexdigest()[:16]
    return Agreement(TimeSample(taken_ns, (low + high) // 2, (high - low + 1) // 2, leap, reference), liars)


def _span(sample: TimeSample, at_ns: int, drift_ppm: float) -> tuple[int, int]:
    doubt_ns = sample.doubt_at(at_ns, drift_ppm)
    return sample.lead_ns - doubt_ns, sample.lead_ns + doubt_ns


def _shared(spans: list[tuple[int, int]], needed: int) -> tuple[int, int]:
    """From the lowest to the highest point that lies in `needed` spans. Raises NoSample when there is none."""
    # A span that ends where another begins shares that point with it: beginnings come first.
    edges = sorted([(low, -1) for low, _high in spans] + [(high, 1) for _low, high in spans])
    inside, shared = 0, []
    for point, edge in edges:
        if edge > 0 and inside >= needed:
            shared.append(point)
        inside -= edge
        if edge < 0 and inside >= needed:
            shared.append(point)
    if not shared:
        raise NoSample(f"the time servers disagree: no {needed} of them agree")
    return min(shared), max(shared)
