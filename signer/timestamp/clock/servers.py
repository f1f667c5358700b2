"""The configured NTP servers as one source of time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from signer.timestamp.clock.agreement import agree
from signer.timestamp.clock.readings import Clocks
from signer.timestamp.clock.reports import Reports
from signer.timestamp.clock.sample import SECOND_NS, NoSample, Outcome, SourceFailed, TimeSample
from signer.timestamp.clock.settings import ClockSettings, split_server
from signer.timestamp.clock.sntp import ask

_SLOWER_S_MIN = 64.0
_SLOWER_S_MAX = 3600.0
_NEVER_S = float("inf")


class NtpServers:
    """More than half of the servers, as one. Owned by the event loop."""

    def __init__(self, settings: ClockSettings, clocks: Clocks, reports: Reports) -> None:
        self._settings = settings
        self._clocks = clocks
        self._reports = reports
        self._servers = [_Server(name, *split_server(name)) for name in settings.servers]

    async def measure(self) -> TimeSample:
        """What more than half of the servers agree on. Raises NoSample within `timeout_s`, naming what each server said instead."""
        answers = await asyncio.gather(*(self._ask(server) for server in self._servers))
        said = {server.name: answer for server, answer in zip(self._servers, answers, strict=True) if isinstance(answer, TimeSample)}
        failed = {server.name: answer for server, answer in zip(self._servers, answers, strict=True) if isinstance(answer, SourceFailed)}
        for name, failure in failed.items():
            self._reports.tell(name, failure.outcome, failure.text)
        try:
            agreement = agree(said, len(self._servers), self._settings.drift_ppm)
        except NoSample as nothing:
            for name in said:
                self._reports.tell(name, Outcome.UNDECIDED, nothing.text)
            troubles = "; ".join(f"{name}: {failure.text}" for name, failure in failed.items())
            raise NoSample(f"{nothing.text} ({troubles})" if troubles else nothing.text) from nothing
        for name, sample in said.items():
            ahead_s = (sample.lead_ns - agreement.sample.lead_ns) / SECOND_NS
            outcome = Outcome.FALSE if name in agreement.liars else Outcome.AGREED
            self._reports.tell(name, outcome, f"{abs(ahead_s):.6f} s {'ahead of' if ahead_s > 0 else 'behind'} what the others share")
        return agreement.sample

    async def _ask(self, server: _Server) -> TimeSample | SourceFailed:
        """The failure comes back as a value: the others are not to be disturbed."""
        clock_s = asyncio.get_running_loop().time
        if clock_s() < server.until_s:
            return SourceFailed(Outcome.LEFT_ALONE, f"left alone after {server.kiss}")
        try:
            sample = await ask(server.host, server.port, self._clocks, self._settings.timeout_s)
        except SourceFailed as failure:
            if failure.outcome is Outcome.KISS:
                server.kissed(failure.kiss, clock_s())
            return failure
        server.pause_s = 0.0
        return sample


@dataclass(slots=True)
class _Server:
    """until_s: not asked before, on the loop's clock."""

    name: str
    host: str
    port: int
    until_s: float = 0.0
    pause_s: float = 0.0
    kiss: str = ""

    def kissed(self, code: str, now_s: float) -> None:
        """What RFC 5905 §7.4 asks of a client: never again after DENY and RSTR, seldomer after RATE; other codes only explain."""
        self.kiss = code
        if code in {"DENY", "RSTR"}:
            self.until_s = _NEVER_S
        elif code == "RATE":
            self.pause_s = min(_SLOWER_S_MAX, max(_SLOWER_S_MIN, 2 * self.pause_s))
            self.until_s = now_s + self.pause_s
