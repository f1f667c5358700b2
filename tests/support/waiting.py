"""Waiting for something to become true, with no more sleep than needed, and a limit that no machine's load reaches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

WITHIN_S = 90.0
_POLL_S = 0.02


def until(is_true: Callable[[], object], what: str, within_s: float = WITHIN_S, *, poll_s: float = _POLL_S) -> float:
    """Polls until it holds; how long it took, in seconds. AssertionError that names what did not come."""
    started_s = time.monotonic()
    while not is_true():
        assert time.monotonic() - started_s < within_s, f"waited {within_s:g} s for {what}"
        time.sleep(poll_s)
    return time.monotonic() - started_s


async def until_true(is_true: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """The same beside other tasks of the loop."""
    deadline_s = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline_s, f"waited {within_s:g} s for {what}"
        await asyncio.sleep(_POLL_S)
