"""The clock guard against real chronyds: as NTP servers that tell the truth or lie, and as the keeper of a clock that is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from signer.errors import ClockUntrusted
from signer.telemetry.metrics import Metrics
from signer.timestamp.clock.readings import Reading, read_clocks
from signer.timestamp.clock.sample import SECOND_NS
from signer.timestamp.clock.settings import ClockSettings, GuardKind
from signer.timestamp.clock.standing import ClockState
from signer.timestamp.clock.watch import ClockWatch
from tests.support.chronyd import CHRONYC, Chronyd, honest, off_by
from tests.support.waiting import WITHIN_S, until_true
from tests.support.wall_clock import WallClock


class Jumpy:
    """This machine's clocks; the system clock as it would read after a jump."""

    off_s = 0.0

    def __call__(self) -> Reading:
        reading = read_clocks()
        return reading._replace(wall_ns=reading.wall_ns + round(self.off_s * SECOND_NS))


@contextlib.asynccontextmanager
async def watch(settings: ClockSettings, jumpy: Jumpy | None = None) -> AsyncIterator[ClockWatch]:
    made = ClockWatch(settings, timedelta(seconds=1), Metrics.on(CollectorRegistry()), lambda _told: None, jumpy or read_clocks)
    task = asyncio.create_task(made.run())
    try:
        await made.settled.wait()
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def becomes(watched: ClockWatch, state: ClockState) -> None:
    async with asyncio.timeout(WITHIN_S):
        while watched.clock.standing().state is not state:  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.02)


def ntp(*servers: Chronyd) -> ClockSettings:
    return ClockSettings(GuardKind.NTP, tuple(server.name for server in servers), interval_s=1.0)


def chrony(keeper: Chronyd) -> ClockSettings:
    return ClockSettings(GuardKind.CHRONY, chronyc=CHRONYC, chrony_address=str(keeper.socket), interval_s=1.0)


def offset_s(watched: ClockWatch) -> float:
    found = watched.clock.standing().offset_s
    assert found is not None
    return found


async def test_real_servers_vouch_for_the_clock_and_one_that_lies_does_not_matter(tmp_path: Path) -> None:
    with honest(tmp_path / "a") as first, honest(tmp_path / "b") as second, off_by(tmp_path / "c", 2.5, first) as liar:
        async with watch(ntp(first, second, liar)) as watched:
            await becomes(watched, ClockState.TRUSTED)
            assert abs(offset_s(watched)) < 0.5
            watched.clock.now()
            second.kill()
            await asyncio.sleep(1.5)
            assert watched.clock.standing().state is ClockState.TRUSTED, "held over: the drift bound still fits"
        async with watch(ntp(first, second, liar)) as watched:
            assert watched.clock.standing().state is ClockState.UNKNOWN
        async with watch(ntp(liar)) as watched:
            await becomes(watched, ClockState.OFF)
            assert offset_s(watched) == pytest.approx(-2.5, abs=0.5)


async def test_a_chronyd_that_says_the_clock_is_right_vouches_for_it_and_one_that_says_it_is_not_stops_it(tmp_path: Path) -> None:
    with honest(tmp_path / "a") as source, off_by(tmp_path / "b", 0.0, source) as right, off_by(tmp_path / "c", -2.5, source) as wrong:
        async with watch(chrony(right)) as watched:
            await becomes(watched, ClockState.TRUSTED)
            assert abs(offset_s(watched)) < 0.5
            right.kill()
            await until_true(lambda: "chronyc failed" in watched.clock.standing().message, "chronyc to be asked again")
            watched.clock.now()
        async with watch(chrony(wrong)) as watched:
            await becomes(watched, ClockState.OFF)
            assert offset_s(watched) == pytest.approx(2.5, abs=0.5)
        async with watch(chrony(source)) as watched:
            with pytest.raises(ClockUntrusted, match="no source but this very clock"):
                watched.clock.now()


async def test_a_chronyd_that_has_not_measured_since_a_jump_does_not_make_it_right(tmp_path: Path) -> None:
    jumpy = Jumpy()
    with honest(tmp_path / "a") as source, off_by(tmp_path / "b", 0.0, source) as keeper:
        async with watch(chrony(keeper), jumpy) as watched:
            await becomes(watched, ClockState.TRUSTED)
            source.kill()
            await asyncio.sleep(0.5)
            jumpy.off_s = 2.0
            for _ in range(40):
                with pytest.raises(ClockUntrusted):
                    watched.clock.now()
                await asyncio.sleep(0.1)
            assert keeper.is_synchronised(), "it goes on saying that the clock is right"
            jumpy.off_s = 0.0
            await becomes(watched, ClockState.TRUSTED)
            watched.clock.now()


@pytest.mark.parametrize("jump_s", [-2.0, 3600.0])
async def test_a_jump_under_chronyds_own_eyes_stops_stamps_until_the_clock_is_right_again(tmp_path: Path, jump_s: float) -> None:
    jumpy, wall = Jumpy(), WallClock(tmp_path)

    def set_off(seconds: float) -> None:
        wall.set_off(seconds)
        jumpy.off_s = seconds

    with honest(tmp_path / "a") as source, off_by(tmp_path / "b", 0.0, source, wall.environment) as keeper:
        async with watch(chrony(keeper), jumpy) as watched:
            await becomes(watched, ClockState.TRUSTED)
            set_off(jump_s)
            for _ in range(20):
                with pytest.raises(ClockUntrusted):
                    watched.clock.now()
                await asyncio.sleep(0.1)
            set_off(0.0)
            await becomes(watched, ClockState.TRUSTED)
            for _ in range(10):
                with contextlib.suppress(ClockUntrusted):
                    assert abs((watched.clock.now() - datetime.now(UTC)).total_seconds()) < 1
                await asyncio.sleep(0.1)
            await becomes(watched, ClockState.TRUSTED)
