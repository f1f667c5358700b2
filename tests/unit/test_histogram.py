from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from signer.telemetry.histogram import observe_all

BOUNDS = (0.001, 0.25, 1.0)
values = st.lists(st.floats(0, 4) | st.sampled_from(BOUNDS))


@given(values, values)
def test_many_values_at_once_are_the_same_figures_as_one_after_the_other(before: list[float], seen: list[float]) -> None:
    one_by_one, at_once = (_histogram() for _ in range(2))
    for value in before + seen:
        one_by_one[1].observe(value)
    observe_all(at_once[1], before)
    observe_all(at_once[1], seen)
    assert _figures(at_once[0]) == pytest.approx(_figures(one_by_one[0]))


def _histogram() -> tuple[CollectorRegistry, Histogram]:
    registry = CollectorRegistry()
    return registry, Histogram("seconds", "of something", registry=registry, buckets=BOUNDS)


def _figures(registry: CollectorRegistry) -> dict[str, float]:
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#") and "_created" not in line]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
