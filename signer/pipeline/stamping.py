"""Step 7: the timestamp over a signature, and what follows when none can be had. The key has been used by then.

Whoever stamps answers once (`Timestamper.stamp`); how long to go on asking is decided here, by the caller's choice. The signature is
parked before the first wait: a daemon that is killed while it waits needs no second key use.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError, TimestampError, TimestampPending
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.plan import Shortage
from signer.pipeline.request import Request

_ANSWER_SHARE = 0.1
_ANSWER_S_MAX = 1.0
"""Of the time that is left, kept for bringing the outcome to the caller."""
_PAUSE_S_MIN = 0.1
_PAUSE_S_MAX = 2.0
_LOOK_S = 0.25
"""How soon a wait notices that its caller has gone."""
_COME_BACK_S_MIN = 1.0
_COME_BACK_S_MAX = 60.0


async def stamp_signature(
    engine: Engine, request: Request, shortage: Shortage, signature: bytes, park: Callable[[], Awaitable[None]]
) -> Stamp:
    """A verified timestamp over the signature.

    park: makes the signature durable; called once, before this waits or raises. Raises TimestampPending when the caller chose PARK; with
    FAIL a leaf of TimestampError once deadline or patience has ended, or cannot see another authority ready.
    """
    remaining_s = request.remaining_s
    deadline_s = request.clock_s() + remaining_s - min(_ANSWER_S_MAX, remaining_s * _ANSWER_SHARE)
    patience_ends_s = min(deadline_s, request.clock_s() + engine.patience_s)
    timestamper, imprint = engine.require_timestamper(), imprint_of(signature)
    is_parked, pause_s = False, _PAUSE_S_MIN
    while True:
        try:
            return await timestamper.stamp(imprint, DigestAlgorithm.SHA256, deadline_s)
        except TimestampError as error:
            if not is_parked:
                await park()
                is_parked = True
            if shortage is Shortage.PARK:
                raise _pending(error) from error
            if not await _waited(request, max(pause_s, error.retry_after_s or 0.0), patience_ends_s):
                raise
        pause_s = min(_PAUSE_S_MAX, 2 * pause_s)


def imprint_of(signature: bytes) -> bytes:
    """What is stamped: SHA-256 of the signature value (EN 319 122-1 §5.3)."""
    return hashlib.sha256(signature).digest()


def _pending(error: TimestampError) -> TimestampPending:
    return TimestampPending(
        f"signed and parked until a timestamp can be had; ask again with the same ids: {error.message}",
        retry_after_s=min(_COME_BACK_S_MAX, max(_COME_BACK_S_MIN, error.retry_after_s or 0.0)),
        cause=error.reason.value,
    )


async def _waited(request: Request, wait_s: float, ends_s: float) -> bool:
    """Waits, unless that leads past the end; whether it is worth asking again."""
    until_s = request.clock_s() + wait_s
    if until_s >= ends_s:
        return False
    while (left_s := until_s - request.clock_s()) > 0:
        if not _is_awaited(request):
            return False
        await asyncio.sleep(min(left_s, _LOOK_S))
    return True


def _is_awaited(request: Request) -> bool:
    try:
        request.check()
    except SignerError:
        return False
    return True
