"""A stream is slowed down to its rate: everything is signed, no faster than is allowed, and nothing that is not needed stays taken."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from signer.control.quotas import Quotas
from signer.people.client import Quota, QuotaSubject
from signer.pipeline.pacing import paced
from signer.pipeline.request import Request

NOON = datetime(2026, 5, 29, 5, tzinfo=UTC)


class Stream:
    """A request with a quota, on a clock that moves only while it rests."""

    def __init__(self, deadline_s: float = 3600.0, **limits: float) -> None:
        self.now_s = 0.0
        self.rests: list[float] = []
        self.quotas = Quotas(lambda: NOON + timedelta(seconds=self.now_s), lambda: self.now_s, lambda *_: None)
        self.quotas.put(Quota(QuotaSubject.CLIENT, "c", **limits))  # type: ignore[arg-type]
        self.request = Request("c", "s", "r", deadline_s, lambda: self.now_s, allowance=self.quotas.allowance("c", "s"))

    async def rest(self, _request: Request, seconds: float) -> None:
        self.rests.append(seconds)
        self.now_s += seconds

    async def sign(self, count: int, needed: int) -> int:
        """A lot, of which so many need a key; how many are signed."""
        async with paced(self.request, count, self.rest) as allowance:
            granted, _refusal = await allowance.admit(needed)
            return granted

    @property
    def used(self) -> int:
        return self.quotas.meter(QuotaSubject.CLIENT, "c").today


def test_a_school_is_signed_whole_at_the_rate_and_no_faster() -> None:
    stream = Stream(signatures_per_second_max=50.0)
    signed = [asyncio.run(stream.sign(16, 16)) for _ in range(76)]
    assert signed == [16] * 76
    assert stream.used == 1216
    assert 20 <= stream.now_s <= 35, "1,216 at 50 a second, the first 500 of them at once"


def test_a_lot_beyond_what_ten_seconds_allow_waits_more_than_once() -> None:
    stream = Stream(signatures_per_second_max=0.5)
    assert asyncio.run(stream.sign(16, 16)) == 16
    assert len(stream.rests) == 3


def test_the_end_of_a_day_and_of_the_deadline_are_not_waited_for() -> None:
    by_day = Stream(signatures_per_day_max=10)
    assert asyncio.run(by_day.sign(16, 16)) == 10
    late = Stream(deadline_s=5.0, signatures_per_second_max=1.0)
    assert asyncio.run(late.sign(16, 16)) == 10
    assert by_day.rests == late.rests == []


def test_whoever_went_away_waits_no_longer() -> None:
    stream = Stream(signatures_per_second_max=1.0)
    stream.request.cancel()
    assert asyncio.run(stream.sign(16, 16)) == 10
    assert stream.rests == []


def test_what_was_not_needed_is_given_back() -> None:
    stream = Stream(signatures_per_day_max=20)
    assert asyncio.run(stream.sign(16, 3)) == 3
    assert stream.used == 3
    assert asyncio.run(stream.sign(16, 16)) == 16
