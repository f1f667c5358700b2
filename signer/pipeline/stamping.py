"""Step 7: the timestamp over a signature, and what follows when none can be had. The key has been used by then.

Whoever stamps answers once (`Timestamper.stamp`); how long to go on asking is decided here, by the caller's choice. The signature is
parked before the first wait: a daemon that is killed while it waits needs no second key use.
"""

from __future__ import annotations

import asyncio
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
    engine: Engine, request: Request, shortage: Shortage, imprint: bytes, park: Callable[[], Awaitable[None]]
) -> Stamp:
    """A verified timestamp over a signature.

    imprint: SHA-256 of what it covers. park: makes the signature durable; called once, before this waits or raises. Raises TimestampPending
    when the caller chose PARK; with FAIL as `stamp_patiently`.
    """
    is_parked = False

    async def keep(error: TimestampError) -> None:
        nonlocal is_parked
        if not is_parked:
            await park()
            is_parked = True
        if shortage is Shortage.PARK:
            raise _pending(error) from error

    return await stamp_patiently(engine, request, imprint, DigestAlgorithm.SHA256, keep)


async def _go_on(_error: TimestampError) -> None:
    """Nothing depends on it yet."""


async def stamp_patiently(
    engine: Engine,
    request: Request,
    imprint: bytes,
    digest_algorithm: DigestAlgorithm,
    after_failure: Callable[[TimestampError], Awaitable[None]] = _go_on,
) -> Stamp:
    """A verified timestamp over the imprint.

    after_failure: awaited after each failure; what it raises ends the asking. Raises a leaf of TimestampError once deadline or patience has
    ended, or cannot see another authority ready.
    """
    deadline_s = answer_by_s(request)
    patience_ends_s = min(deadline_s, request.clock_s() + engine.patience_s)
    timestamper, pause_s = engine.require_timestamper(), _PAUSE_S_MIN
    while True:
        try:
            return await timestamper.stamp(imprint, digest_algorithm, deadline_s)
        except TimestampError as error:
            await after_failure(error)
            if not await _waited(request, max(pause_s, error.retry_after_s or 0.0), patience_ends_s):
                raise
        pause_s = min(_PAUSE_S_MAX, 2 * pause_s)


def answer_by_s(request: Request) -> float:
    """Until when there is time to ask, so that the outcome still reaches the caller; on the request's clock."""
    remaining_s = request.remaining_s
    return request.clock_s() + remaining_s - min(_ANSWER_S_MAX, remaining_s * _ANSWER_SHARE)


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
