"""A daemon that kills itself at one of its doors, before the call took effect or after (`nursery.Prepare`).

SIGKILL from inside: no handler, no buffer, no goodbye; the difference to a kill from outside is that the moment is known.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import itertools
import os
import signal
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any


class Side(Enum):
    """When, of the call it counts."""

    BEFORE = "before it took effect"
    AFTER = "after it took effect, its reply lost"


class DaemonDoor(Enum):
    """Where a daemon calls what is outside its path: module, class, method."""

    COMMIT = ("signer.journal.committing", "Committer", "commit")
    INTENT = ("signer.journal.journal", "Journal", "intend")
    DOCUMENT_WORKER = ("signer.documents.pool", "DocumentPool", "prepare")
    TOKEN = ("signer.tokens.pool", "TokenPool", "submit")
    TIMESTAMP = ("signer.pipeline.timestamping", "BuiltInTimestamper", "stamp")
    OUTCOME = ("signer.journal.journal", "Journal", "settle")
    RESULT = ("signer.server.document_stream", "DocumentStream", "_result")


def die(door: DaemonDoor, side: Side, call: int, armed: Path) -> None:
    """This process ends with the door's so-many-th call, counted from 1 and from when the file `armed` is there: a start has calls too."""
    module, owner, name = door.value
    holder = getattr(importlib.import_module(module), owner)
    counted = itertools.count(1)
    setattr(holder, name, _deadly(getattr(holder, name), side, lambda: armed.exists() and next(counted) == call))


def _deadly(method: Callable[..., Any], side: Side, is_due: Callable[[], bool]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        due = is_due()
        if due and side is Side.BEFORE:
            _end()
        result = method(*args, **options)
        if not due:
            return result
        if asyncio.iscoroutine(result):
            return _after(result)
        if isinstance(result, asyncio.Future):
            result.add_done_callback(_end)
            return result
        return _end()

    return call


async def _after(reply: Any) -> None:
    await reply
    _end()


def _end(_done: object = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
