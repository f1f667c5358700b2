"""A stream is slowed down to its rate, where a call beyond it is refused.

A lot of a stream asks for its share of the quotas before it begins, and waits while some of it will be free within seconds: the window of
documents in work is full meanwhile, so the caller's stream is read no further. What it can't have by then it is refused, as any other; the
end of a day's quota is not waited for. What a lot got and did not need (stored outcomes were returned) is given back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from signer.errors import JournalUnavailable, QuotaExceeded, SignerError
from signer.pipeline.request import Allowance, Request

_WAIT_S_MAX: Final = 14.0
"""A rate is averaged over ten seconds, and looked at over twelve where several daemons share it."""
_Rest = Callable[[Request, float], Awaitable[None]]


class Prepaid:
    """What a lot was admitted beforehand: the allowance of its documents."""

    def __init__(self, allowance: Allowance, granted: int, refusal: QuotaExceeded | JournalUnavailable | None) -> None:
        self._allowance = allowance
        self._left = granted
        self._refusal = refusal

    async def admit(self, count: int) -> tuple[int, QuotaExceeded | JournalUnavailable | None]:
        """As far as it goes."""
        granted = min(count, self._left)
        self._left -= granted
        return granted, None if granted == count else self._refusal

    def give_back(self, count: int) -> None:
        """To the lot."""
        self._left += count

    def close(self) -> None:
        """The lot has ended: what is left is the request's again."""
        if self._left:
            self._allowance.give_back(self._left)
        self._left = 0


async def _rest(request: Request, seconds: float) -> None:
    """Sleeps, unless the daemon stops."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await request.drained.wait()


@asynccontextmanager
async def paced(request: Request, count: int, rest: _Rest = _rest) -> AsyncIterator[Allowance]:
    """The allowance of so many documents, waited for as long as that is worth it."""
    prepaid = Prepaid(request.allowance, *await _collect(request, count, rest))
    try:
        yield prepaid
    finally:
        prepaid.close()


async def _collect(request: Request, count: int, rest: _Rest) -> tuple[int, QuotaExceeded | JournalUnavailable | None]:
    granted, refusal = await request.allowance.admit(count)
    try:
        while refusal is not None and _is_worth_waiting(request, refusal):
            await rest(request, refusal.retry_after_s or 0.0)
            more, refusal = await request.allowance.admit(count - granted)
            granted += more
    except BaseException:
        request.allowance.give_back(granted)
        raise
    return granted, refusal


def _is_worth_waiting(request: Request, refusal: SignerError) -> bool:
    wait_s = refusal.retry_after_s
    is_wanted = not request.is_cancelled and not request.drained.is_set()
    is_slow = isinstance(refusal, QuotaExceeded)
    return is_wanted and is_slow and wait_s is not None and wait_s <= _WAIT_S_MAX and wait_s < request.remaining_s
