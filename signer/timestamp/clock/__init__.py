"""The clock guard: who vouches for the built-in authority's clock, and what stops it when nobody does (ETSI EN 319 421 §7.7.2).

Time sources are asked every few seconds, away from the signing path. What they say is kept as true time on a *steady* clock, which nobody
can set, slew or suspend; so between two checks each timestamp's reading of the system clock is compared with true time itself, and a jump
shows at the very timestamp.

    error bound = |clock − true time| + what the sources leave open + drift of the steady clock since   ≤ error_max, else none

error_max is the accuracy that timestamps state, less what stating a time costs (`TimestampSettings.clock_error_max`).

- `ClockStanding`, `ClockState`: how the clock stands now; `Clock.standing()` gives it to the contract, health and metrics.
- `guard`: the state machine, pure; its `now` is the authority's `clock` door.
- `readings`: the system clock and the steady one, read together.
- `ntp` (packets, RFC 5905 and 4330), `agreement` (RFC 5905 §11.2.1), `sntp` (the UDP door); `chrony` (chronyd's own view). Each gives a
  `TimeSample` or raises `NoSample`.
- `watch`: `ClockWatch` wires all this from `[timestamp.clock]`; asks in time, and again when the clock is found wrong; logs, metrics.

Rules of the room:
- Nothing here sets a clock.
- No I/O in `now`: five clock readings and integer arithmetic.
- What is not known counts as wrong: no answer, no agreement, an old answer, a vague answer all end issuing, and no setting turns that off
  but `guard = "unguarded"`, which is said aloud.
- Times are integers in nanoseconds; "true" is UTC as POSIX counts it.
"""

from __future__ import annotations

from signer.timestamp.clock.guard import Clock
from signer.timestamp.clock.standing import ClockStanding, ClockState

__all__ = ["Clock", "ClockStanding", "ClockState"]
