from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ClockState(Enum):
    """The value is a label of `signer_clock_state`. Timestamps are issued in TRUSTED and UNGUARDED only."""

    TRUSTED = "trusted"
    """Its error is known and within the accuracy."""
    UNGUARDED = "unguarded"
    """Nobody looks, as the configuration says."""
    UNKNOWN = "unknown"
    """The time sources have not vouched for it yet, or too long ago, or too vaguely."""
    OFF = "off"
    """Its error is known and may exceed the accuracy."""
    CONTRADICTED = "contradicted"
    """The time sources and the steady clock disagree on how much time has passed."""
    LEAP_SECOND = "leap-second"
    """Within a few seconds of an announced leap second."""

    @property
    def issues(self) -> bool:
        """Whether timestamps are issued."""
        return self in {ClockState.TRUSTED, ClockState.UNGUARDED}


@dataclass(frozen=True, slots=True)
class ClockStanding:
    """How the system clock stands now, for people and for the contract's TimestampAuthority.

    offset_s: clock minus true time, as the sources have it; bound_s: the most it can be off, drift since the last check included; both
    None when unknown or unguarded. age_s: since the last check whose sources agreed; None when there was none.
    message: why, in English.
    """

    state: ClockState
    offset_s: float | None
    bound_s: float | None
    age_s: float | None
    message: str
