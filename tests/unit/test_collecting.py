"""Cycles of objects end by the clock, as soon as anything was left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Iterator

import pytest

from signer.server import collecting


class Knot:
    """Kept by itself alone."""

    def __init__(self) -> None:
        self.myself = self


@pytest.fixture
def left_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is collected but by what is tested, and that at once."""
    monkeypatch.setattr(collecting, "_EVERY_S", 0.01)
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("left_alone")
async def test_what_many_calls_left_is_collected_without_a_call_more() -> None:
    gone = asyncio.Event()
    knots = [weakref.ref(Knot(), lambda _knot: gone.set()) for _ in range(1_000)]
    assert all(knot() is not None for knot in knots)
    collector = asyncio.create_task(collecting.keep_collected())
    async with asyncio.timeout(60.0):
        await gone.wait()
    assert all(knot() is None for knot in knots)
    collector.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await collector
