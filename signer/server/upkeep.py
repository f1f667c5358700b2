"""Work that a daemon does beside its calls, from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from signer.telemetry.logs import get_logger

_log = get_logger(__name__)


def spawn(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Begins it; the stack's end cancels it. Such work bears what may pass: what it raises is a bug of ours, and is logged at once."""
    task = asyncio.create_task(work, name=getattr(work, "__qualname__", None))
    task.add_done_callback(_tell_bug)
    stack.push_async_callback(_end, task)


def _tell_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("upkeep ended by a bug: restart the daemon", work=task.get_name(), exc_info=error)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
