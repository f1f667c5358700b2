"""Wrong tries of a person's factors: each counts once, those that had to wait don't, and the last one locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from signer.journal import Journal
from signer.journal.factors import Ended, FactorStore, set_factors
from signer.journal.jobs import Change
from signer.journal.ledger import Ledger
from signer.people.factor import FactorsState, KeptFactors, TryLimits
from tests.support.stores import Store

START = datetime(2026, 5, 28, 8, tzinfo=UTC)
LIMITS = TryLimits(tries_max=5)


class _Set(Change):
    __slots__ = ()

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        set_factors(KeptFactors("lan", b"pin", b"seed", 0))(connection, ledger)


class Desk:
    def __init__(self, url: str) -> None:
        self.now = START
        self.journal = Journal(url, clock=lambda: self.now)
        self.store = FactorStore(self.journal, LIMITS)

    async def wrong_try(self) -> bool:
        """Whether it counted."""
        begun = await self.store.begin("lan")
        await self.store.end(Ended("lan", right=False, counted=begun.may_try))
        return begun.may_try

    async def state(self) -> FactorsState:
        found = await self.store.standings(["lan"], int(self.now.timestamp() * 1e6))
        return found["lan"].state


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    made = Desk(store.url)
    await made.journal.start()
    await made.journal.run(_Set(asyncio.get_running_loop()))
    yield made
    await made.journal.stop()


async def test_who_keeps_trying_within_the_wait_does_not_make_it_longer(desk: Desk) -> None:
    while await desk.wrong_try():
        pass
    wait = timedelta(seconds=LIMITS.delay_s((await desk.store.begin("lan")).wrong))
    until = desk.now + wait
    while desk.now + wait / 7 < until:
        desk.now += wait / 7
        assert not await desk.wrong_try()
    desk.now = until
    assert await desk.wrong_try(), "the wait began with the last try that counted"


async def test_tries_that_count_end_with_the_lock(desk: Desk) -> None:
    for _ in range(LIMITS.tries_max):
        desk.now += timedelta(days=1)
        assert await desk.wrong_try()
    assert await desk.state() is FactorsState.LOCKED
    desk.now += timedelta(days=1)
    assert not await desk.wrong_try()
    assert await desk.state() is FactorsState.LOCKED
