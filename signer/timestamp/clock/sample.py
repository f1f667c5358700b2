"""What time sources say, in one shape."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

PPM = 1_000_000
SECOND_NS = 1_000_000_000


class Leap(Enum):
    """A leap second at the end of this UTC month, as sources announce it."""

    NONE = "none"
    INSERT = "insert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class TimeSample:
    """True time on the steady clock: at `taken_ns` of the steady clock, true minus steady was `lead_ns` ± `doubt_ns`.

    reference: names the measurement behind it; two samples of one reference are one testimony.
    """

    taken_ns: int
    lead_ns: int
    doubt_ns: int
    leap: Leap
    reference: str

    def doubt_at(self, steady_ns: int, drift_ppm: float) -> int:
        """The doubt at another moment of the steady clock: drift added."""
        return self.doubt_ns + int(abs(steady_ns - self.taken_ns) * drift_ppm / PPM)

    def agrees_with(self, later: TimeSample, drift_ppm: float) -> bool:
        """Whether both can be right."""
        return abs(self.lead_ns - later.lead_ns) <= self.doubt_at(later.taken_ns, drift_ppm) + later.doubt_ns


class NoSample(Exception):
    """The sources did not say what time it is. The message says why; it stays inside this room."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Outcome(Enum):
    """How one source answered one question; the value is a label of `signer_clock_source_checks_total`."""

    AGREED = "agreed"
    FALSE = "false"
    """A fine answer that most of the others contradict."""
    UNDECIDED = "undecided"
    """A fine answer, but no majority agrees on anything."""
    SILENT = "silent"
    """No answer in time."""
    UNREACHABLE = "unreachable"
    """Its name or address can't be used, its port is closed, or chronyc failed."""
    UNSYNCHRONISED = "unsynchronised"
    """By its own words it does not know the time."""
    KISS = "kiss-o-death"
    """By its own words it does not serve us (RFC 5905 §7.4)."""
    NONSENSE = "nonsense"
    """Fields that can't be true."""
    LEFT_ALONE = "left-alone"
    """Not asked, as it wished."""


class SourceFailed(Exception):
    """One source gave no sample. kiss: the code of a kiss-o'-death, else empty."""

    def __init__(self, outcome: Outcome, text: str, kiss: str = "") -> None:
        super().__init__(text)
        self.outcome = outcome
        self.text = text
        self.kiss = kiss
