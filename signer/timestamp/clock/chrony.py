"""chronyd's own view of the clock it keeps, from `chronyc -c -n tracking`.

chrony's manual gives the bound: |system time offset| + root dispersion + root delay / 2, if its stratum-1 source is right. The program is
used rather than chronyd's command protocol, whose packets change between releases; it needs no rights and is given no environment.

chronyd looks at the same clock as we do. When somebody sets that clock behind its back, it goes on saying that the clock is right until it
has measured again. So what the clock moved since chronyd measured (by whoever's hand: chronyd's own corrections are small) is added to the
doubt of its report; and a report that contradicts what was said before must be confirmed by later measurements, as the guard asks of any.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from decimal import Decimal

from signer.timestamp.clock.readings import Clocks, Reading
from signer.timestamp.clock.reports import Reports
from signer.timestamp.clock.sample import SECOND_NS, Leap, NoSample, Outcome, SourceFailed, TimeSample
from signer.timestamp.clock.settings import ClockSettings

_SOURCE = "chrony"
_LEAP_FIELD = 13
_SECONDS = re.compile(r"-?[0-9]{1,10}\.[0-9]{1,12}")
_ITSELF = "7F7F0101"
"""127.127.1.1, the reference of a clock that nobody disciplines: it would vouch for itself with an error of 0."""
_LEAPS = {"Normal": Leap.NONE, "Insert second": Leap.INSERT, "Delete second": Leap.DELETE}
_STRATUM_MAX = 15
_REFERENCE_AGE_NS_MAX = 3600 * SECOND_NS
_REFERENCE_AHEAD_NS_MAX = SECOND_NS
_OUTPUT_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Tracking:
    """chronyc's tracking report.

    updated_ns: when chronyd last measured, POSIX, by the time it takes for true; slow_ns: that time minus the clock; doubt_ns: its bound.
    """

    stratum: int
    updated_ns: int
    slow_ns: int
    doubt_ns: int
    leap: Leap


def parse_tracking(line: str) -> Tracking:
    """One line of `chronyc -c tracking`. Raises SourceFailed when it is none, or chronyd is not synchronised."""
    fields = line.strip().split(",")
    try:
        stratum, leap = int(fields[2]), fields[_LEAP_FIELD]
        updated_ns, slow_ns, delay_ns, dispersion_ns = (_as_ns(fields[index]) for index in (3, 4, 10, 11))
    except (IndexError, ValueError) as wrong:
        raise SourceFailed(Outcome.NONSENSE, f"not chronyc's tracking report: {line[:_OUTPUT_SHOWN]!r}") from wrong
    if fields[0] == _ITSELF:
        raise SourceFailed(Outcome.UNSYNCHRONISED, "chronyd has no source but this very clock (its directive `local`)")
    if leap not in _LEAPS or not 0 < stratum <= _STRATUM_MAX:
        raise SourceFailed(Outcome.UNSYNCHRONISED, f"chronyd is not synchronised (stratum {stratum}, {leap})")
    if delay_ns < 0 or dispersion_ns < 0:
        raise SourceFailed(Outcome.NONSENSE, "chronyd reports a negative root delay or dispersion")
    return Tracking(stratum, updated_ns, slow_ns, delay_ns // 2 + dispersion_ns, _LEAPS[leap])


def _as_ns(seconds: str) -> int:
    if _SECONDS.fullmatch(seconds) is None:
        raise ValueError(seconds)
    return int(Decimal(seconds) * SECOND_NS)


class Movement:
    """How far, at the most, the system clock moved against the steady one since chronyd measured."""

    def __init__(self) -> None:
        self._shift_ns: int | None = None
        self._updated_ns = 0
        self._moved_ns = 0

    def since(self, updated_ns: int, before: Reading, after: Reading) -> int:
        """updated_ns: names the measurement; before, after: read around the question.

        A measurement that is new since the last question may be older than a movement since then.
        """
        started_ns, ended_ns = (reading.wall_ns - reading.steady_ns for reading in (before, after))
        moved_ns = abs(ended_ns - started_ns) + (0 if self._shift_ns is None else abs(started_ns - self._shift_ns))
        self._moved_ns = moved_ns + (self._moved_ns if updated_ns == self._updated_ns else 0)
        self._shift_ns, self._updated_ns = ended_ns, updated_ns
        return self._moved_ns


def judge(tracking: Tracking, movement: Movement, before: Reading, after: Reading) -> TimeSample:
    """The report as a sample; before, after: read around the question. Raises SourceFailed when chronyd has not measured for long."""
    age_ns = after.wall_ns + tracking.slow_ns - tracking.updated_ns
    moved_ns = movement.since(tracking.updated_ns, before, after)
    if not -_REFERENCE_AHEAD_NS_MAX <= age_ns <= _REFERENCE_AGE_NS_MAX:
        raise SourceFailed(Outcome.UNSYNCHRONISED, f"chronyd last measured {age_ns / SECOND_NS:.0f} s ago by its own time")
    return TimeSample(
        taken_ns=after.steady_ns,
        lead_ns=after.wall_ns - after.steady_ns + tracking.slow_ns,
        doubt_ns=tracking.doubt_ns + moved_ns + before.doubt_ns + after.doubt_ns,
        leap=tracking.leap,
        reference=str(tracking.updated_ns),
    )


class Chronyd:
    """chronyd on this machine as a source of time."""

    def __init__(self, settings: ClockSettings, clocks: Clocks, reports: Reports) -> None:
        address = ("-h", settings.chrony_address) if settings.chrony_address else ()
        self._command = (str(settings.chronyc), *address, "-c", "-n", "tracking")
        self._timeout_s = settings.timeout_s
        self._clocks = clocks
        self._reports = reports
        self._movement = Movement()

    async def measure(self) -> TimeSample:
        """What chronyd says. Raises NoSample within about `timeout_s`."""
        try:
            before = self._clocks()
            line = await self._run()
            sample = judge(parse_tracking(line), self._movement, before, self._clocks())
        except SourceFailed as failure:
            self._reports.tell(_SOURCE, failure.outcome, failure.text)
            raise NoSample(f"chronyd: {failure.text}") from failure
        self._reports.tell(_SOURCE, Outcome.AGREED, "chronyd is synchronised")
        return sample

    async def _run(self) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={"LC_ALL": "C"},
            )
        except OSError as error:
            raise SourceFailed(Outcome.UNREACHABLE, f"{self._command[0]} can't be run: {error.strerror}") from error
        try:
            async with asyncio.timeout(self._timeout_s):
                output, _ = await process.communicate()
        except TimeoutError:
            raise SourceFailed(Outcome.SILENT, f"chronyc did not answer within {self._timeout_s:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        text = output.decode("utf-8", "replace")
        if process.returncode != 0:
            raise SourceFailed(Outcome.UNREACHABLE, f"chronyc failed: {' '.join(text.split())[:_OUTPUT_SHOWN]}")
        return text
