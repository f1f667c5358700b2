"""Whoever follows a queued batch misses nothing that happens while it looks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from signer.server.queued.bell import Bell

_LONG_S = 3_600.0
"""A wait that is only ever ended by the bell; the test would run into its own limit otherwise."""


def _run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30.0))


def test_what_rings_while_rows_are_read_is_heard() -> None:
    async def follow() -> None:
        bell = Bell()
        with bell.listening("batch") as news:
            bell.ring("batch")
            await news.wait(_LONG_S)

    _run(follow())


def test_each_listener_of_the_batch_hears_it_and_no_other_one() -> None:
    async def follow() -> None:
        bell = Bell()
        with bell.listening("batch") as one, bell.listening("batch") as two, bell.listening("other") as other:
            bell.ring("batch")
            await one.wait(_LONG_S)
            await two.wait(_LONG_S)
            waiting = asyncio.create_task(other.wait(_LONG_S))
            await asyncio.sleep(0)
            assert not waiting.done()
            bell.ring("other")
            await waiting

    _run(follow())


def test_what_ends_together_is_told_together_and_its_end_at_once() -> None:
    async def follow() -> None:
        bell = Bell()
        with bell.listening("batch") as news:
            for _ in range(3):
                bell.ring_soon("batch")
            waiting = asyncio.create_task(news.wait(_LONG_S))
            await asyncio.sleep(0)
            assert not waiting.done()
            await waiting
            bell.ring_soon("batch")
            bell.ring("batch")
            await news.wait(_LONG_S)

    _run(follow())
