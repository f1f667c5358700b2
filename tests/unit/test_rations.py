"""Quotas of several daemons on one PostgreSQL: together they sign what is allowed, and no more."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from signer.control.rations import SLICE_S, Rations
from signer.journal import Journal, QuotaStore
from signer.journal.rations import RationStore, Subject
from signer.people.client import Quota, QuotaSubject
from signer.people.quota import AVERAGED_S, Limit
from tests.support.postgres import Cluster, cluster

SCHOOL: Subject = (QuotaSubject.SCHOOL, "79000001")
CLIENT: Subject = (QuotaSubject.CLIENT, "vnedu")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@asynccontextmanager
async def daemons(postgres: Cluster, *limits: Quota, count: int = 2) -> AsyncIterator[list[Rations]]:
    """Rations of so many journals on one database."""
    url = postgres.database().url
    async with AsyncExitStack() as stack:
        journals = [Journal(url) for _ in range(count)]
        for journal in journals:
            await journal.start()
            stack.push_async_callback(journal.stop)
        for quota in limits:
            await QuotaStore(journals[0]).keep("operator", quota)
        yield [Rations(RationStore(journal), time.monotonic) for journal in journals]


def test_a_day_is_signed_to_its_end_by_all_together_and_no_further(postgres: Cluster) -> None:
    async def run() -> int:
        async with daemons(postgres, Quota(*SCHOOL, signatures_per_day_max=500)) as each:

            async def work(rations: Rations, dice: random.Random) -> int:
                total = 0
                for _call in range(60):
                    granted, short = await rations.admit([SCHOOL], dice.randrange(1, 9))
                    assert (short is None) or short.limit is Limit.DAY
                    unused = dice.randrange(0, granted + 1) if granted else 0
                    rations.give_back(SCHOOL, unused)
                    total += granted - unused
                return total

            dice = [random.Random(number) for number in range(6)]  # noqa: S311
            total = sum(await asyncio.gather(*(work(each[number % 2], one) for number, one in enumerate(dice))))
            for rations in each:
                await rations.close()
            while (more := (await each[0].admit([SCHOOL], 7))[0]) or (more := (await each[1].admit([SCHOOL], 1))[0]):
                total += more
            return total

    assert asyncio.run(run()) == 500


def test_in_no_ten_seconds_all_together_sign_more_than_ten_times_the_rate(postgres: Cluster) -> None:
    allowed = 6 * AVERAGED_S

    async def run() -> int:
        async with daemons(postgres, Quota(*CLIENT, signatures_per_second_max=6.0)) as each:
            granted: list[tuple[float, int]] = []
            began_s = time.monotonic()

            async def work(rations: Rations) -> None:
                while time.monotonic() < began_s + 2 * SLICE_S or sum(count for _at_s, count in granted) < allowed:
                    count, _short = await rations.admit([CLIENT], 3)
                    granted.append((time.monotonic(), count))
                    await asyncio.sleep(0.01)

            await asyncio.gather(*map(work, each * 2))
            return sum(count for at_s, count in granted if at_s < began_s + AVERAGED_S)

    assert asyncio.run(run()) <= allowed


def test_the_scarcer_of_two_quotas_is_named_and_nothing_of_the_other_is_lost(postgres: Cluster) -> None:
    async def run() -> None:
        limits = (Quota(*SCHOOL, signatures_per_day_max=3), Quota(*CLIENT, signatures_per_day_max=5))
        async with daemons(postgres, *limits, count=1) as [rations]:
            granted, short = await rations.admit([CLIENT, SCHOOL], 4)
            assert granted == 3
            assert short is not None
            assert (short.subject, short.limit) == (SCHOOL, Limit.DAY)
            assert await rations.admit([CLIENT], 2) == (2, None)
            assert (await rations.admit([CLIENT], 1))[0] == 0

    asyncio.run(run())


def test_open_rpcs_are_told_to_the_others(postgres: Cluster) -> None:
    async def run() -> None:
        journal = Journal(postgres.database().url)
        await journal.start()
        store = RationStore(journal)
        assert await store.tell_rpcs("one", {SCHOOL: 2, CLIENT: 1}) == {}
        assert await store.tell_rpcs("other", {SCHOOL: 3}) == {SCHOOL: 2, CLIENT: 1}
        assert await store.tell_rpcs("one", {}) == {SCHOOL: 3}
        assert await store.tell_rpcs("other", {}) == {}
        await journal.stop()

    asyncio.run(run())
