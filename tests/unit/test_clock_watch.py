"""The watch over real NTP servers: it asks by itself, tells what changed, and outlives what less than half of them do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from signer.errors import ClockUntrusted
from signer.telemetry.metrics import Metrics
from signer.timestamp.clock.readings import Reading, read_clocks
from signer.timestamp.clock.sample import SECOND_NS
from signer.timestamp.clock.settings import ClockSettings, GuardKind
from signer.timestamp.clock.standing import ClockStanding, ClockState
from signer.timestamp.clock.watch import ClockWatch
from tests.support.ntp import HONEST, NtpServer, ntp_servers
from tests.support.waiting import WITHIN_S

SILENT = replace(HONEST, silent=True)


@dataclass
class Watched:
    """A running watch on this machine's clock, which jumps when `off_s` says so."""

    settings: ClockSettings
    off_s: float = 0.0

    def __post_init__(self) -> None:
        self.registry = CollectorRegistry()
        self.told: list[ClockStanding] = []
        self.watch = ClockWatch(self.settings, timedelta(seconds=1), Metrics.on(self.registry), self.told.append, self.read)

    def read(self) -> Reading:
        reading = read_clocks()
        return reading._replace(wall_ns=reading.wall_ns + round(self.off_s * SECOND_NS))

    @property
    def state(self) -> ClockState:
        return self.watch.clock.standing().state

    async def becomes(self, state: ClockState) -> None:
        await self.until(lambda: self.state is state, f"{state.name}, not {self.watch.clock.standing()}")

    async def until(self, is_true: Callable[[], object], what: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not is_true():  # noqa: ASYNC110  # what is waited for has no event
                await asyncio.sleep(0.02)
        assert is_true(), what

    def outcomes(self, source: str) -> dict[str, float]:
        return {
            sample.labels["outcome"]: sample.value
            for metric in self.registry.collect()
            if metric.name == "signer_clock_source_checks"
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["source"] == source
        }

    def gauge(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"signer_clock_{name}")

    def shows(self, state: ClockState) -> bool:
        """Whether the metrics tell this state and no other."""
        shown = {each for each in ClockState if self.registry.get_sample_value("signer_clock_state", {"state": each.value})}
        return shown == {state}


def settings(servers: list[NtpServer], **changes: object) -> ClockSettings:
    given = {"guard": GuardKind.NTP, "servers": tuple(server.name for server in servers), "interval_s": 1.0, "timeout_s": 5.0}
    return ClockSettings(**{**given, **changes})  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def watched(given: ClockSettings) -> AsyncIterator[Watched]:
    made = Watched(given)
    task = asyncio.create_task(made.watch.run())
    try:
        await made.watch.settled.wait()
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_three_servers_that_agree_vouch_for_the_clock() -> None:
    async with ntp_servers(HONEST, HONEST, HONEST) as servers, watched(settings(servers)) as found:
        assert found.state is ClockState.TRUSTED
        found.watch.clock.now()
        standing = found.watch.clock.standing()
        assert standing.bound_s is not None
        assert standing.bound_s < 1
        assert found.shows(ClockState.TRUSTED)
        assert abs(found.gauge("offset_seconds") or 0) < 1
        await found.until(lambda: found.outcomes(servers[0].name).get("agreed", 0) >= 2, "a second check")


async def test_one_of_three_may_lie_and_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    async with ntp_servers(HONEST, HONEST, replace(HONEST, offset_s=3600)) as servers, watched(settings(servers)) as found:
        assert found.state is ClockState.TRUSTED
        assert found.outcomes(servers[2].name) == {"false": 1}
        assert servers[2].name in capfd.readouterr().out


async def test_one_of_three_may_be_silent_two_may_not() -> None:
    async with ntp_servers(HONEST, HONEST, SILENT) as servers:
        async with watched(settings(servers, timeout_s=2.0)) as found:
            assert found.state is ClockState.TRUSTED
        servers[1].says(SILENT)
        async with watched(settings(servers, timeout_s=2.0)) as found:
            assert found.state is ClockState.UNKNOWN
            with pytest.raises(ClockUntrusted, match=r"1 of 3 time servers answered usably, 2 must agree .*no answer within 2 s"):
                found.watch.clock.now()


async def test_two_of_three_that_lie_differently_end_issuing_two_that_lie_alike_show_a_wrong_clock() -> None:
    async with ntp_servers(HONEST, replace(HONEST, offset_s=50), replace(HONEST, offset_s=-50)) as servers:
        async with watched(settings(servers)) as found:
            assert found.state is ClockState.UNKNOWN
            assert found.outcomes(servers[0].name) == {"undecided": 1}
        servers[2].is_off_by(50)
        async with watched(settings(servers)) as found:
            assert found.state is ClockState.OFF


async def test_sources_that_fall_silent_are_outlived_for_as_long_as_the_drift_fits_and_heal_it_when_back() -> None:
    async with ntp_servers(HONEST) as (server,), watched(settings([server], timeout_s=1.0)) as found:
        assert found.state is ClockState.TRUSTED
        server.says(SILENT)
        await found.until(lambda: found.outcomes(server.name).get("silent"), "silence")
        assert found.state is ClockState.TRUSTED
        found.watch.clock.now()


async def test_a_source_that_comes_late_is_asked_again_long_before_the_interval() -> None:
    async with ntp_servers(SILENT) as (server,), watched(settings([server], interval_s=300.0, timeout_s=0.1)) as found:
        assert found.state is ClockState.UNKNOWN
        server.says(HONEST)
        await found.becomes(ClockState.TRUSTED)


async def test_a_jump_stops_stamps_at_once_is_checked_at_once_and_heals_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    async with ntp_servers(HONEST) as (server,), watched(settings([server], interval_s=300.0)) as found:
        assert found.state is ClockState.TRUSTED
        asked = len(server.requests)
        found.off_s = 2.0
        with pytest.raises(ClockUntrusted):
            found.watch.clock.now()
        await found.until(lambda: len(server.requests) > asked, "a check long before its interval")
        found.off_s = 0.0
        await found.becomes(ClockState.TRUSTED)
        found.watch.clock.now()
        await found.until(lambda: found.shows(ClockState.TRUSTED), "the metric")
    assert [standing.state for standing in found.told] == [ClockState.TRUSTED, ClockState.OFF, ClockState.TRUSTED]
    assert len([line for line in capfd.readouterr().out.splitlines() if "offset_s" in line]) == 3


async def test_a_jump_is_found_without_any_stamp() -> None:
    async with ntp_servers(HONEST) as (server,), watched(settings([server], interval_s=300.0)) as found:
        found.off_s = -86_400.0
        await found.until(lambda: found.shows(ClockState.OFF), "the metric")


async def test_a_server_that_says_go_away_is_left_alone_and_one_that_says_slower_for_a_while() -> None:
    kisses = [replace(HONEST, stratum=0, refid=code) for code in (b"DENY", b"RSTR", b"RATE")]
    async with ntp_servers(HONEST, *kisses) as servers, watched(settings(servers)) as found:
        await found.until(lambda: len(servers[0].requests) >= 3, "further checks")
        assert [len(server.requests) for server in servers[1:]] == [1, 1, 1]
        assert found.outcomes(servers[1].name).keys() == {"kiss-o-death", "left-alone"}


async def test_chronyc_that_is_missing_hangs_or_babbles_vouches_for_nothing(tmp_path: Path) -> None:
    programs = {"fails": "echo '506 Cannot talk to daemon'; exit 1", "hangs": "exec sleep 600", "babbles": "echo 1,2,3"}
    said = {"missing": "can't be run", "fails": "506 Cannot talk to daemon", "hangs": "did not answer within", "babbles": "not chronyc's"}
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    for name, text in said.items():
        timeout_s = 0.5 if name == "hangs" else 60.0
        async with watched(ClockSettings(GuardKind.CHRONY, chronyc=tmp_path / name, timeout_s=timeout_s)) as found:
            with pytest.raises(ClockUntrusted, match=text):
                found.watch.clock.now()


async def test_an_unguarded_clock_is_told_aloud_and_issues(capfd: pytest.CaptureFixture[str]) -> None:
    async with watched(ClockSettings(GuardKind.UNGUARDED)) as found:
        found.watch.clock.now()
        assert found.shows(ClockState.UNGUARDED)
        assert "nobody checks the clock" in capfd.readouterr().out
