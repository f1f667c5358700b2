"""What runs beside the calls: whatever ends it before the daemon does is said."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog.testing

from signer.server.upkeep import spawn


async def broken() -> None:
    raise KeyError("no such note")


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_work_that_ends_by_a_bug_is_told_at_once_and_what_the_daemon_ends_is_not() -> None:
    with structlog.testing.capture_logs() as told:
        async with AsyncExitStack() as stack:
            spawn(stack, broken())
            spawn(stack, for_ever())
            async with asyncio.timeout(60):
                while not told:  # noqa: ASYNC110 - a log line is no event
                    await asyncio.sleep(0)
    [line] = told
    assert (line["log_level"], line["work"]) == ("error", "broken")
    assert isinstance(line["exc_info"], KeyError)


async def test_the_stack_ends_what_would_run_for_ever() -> None:
    ended = asyncio.Event()

    async def told_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with AsyncExitStack() as stack:
        spawn(stack, told_to_end())
        await asyncio.sleep(0)
    assert ended.is_set()
