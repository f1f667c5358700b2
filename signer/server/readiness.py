"""Whether the daemon lives, and whether what it is for can be done now: told by /livez, /readyz, health checks and `signer_ready`.

Live: its event loop turns. Ready: it takes work, a token can sign, the last probe signature succeeded, where a key for them is configured,
and the database answers, where several daemons share one. Orchestrators restart what is not live, and send callers elsewhere from what is
not ready; a token that is away is mended by no restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from enum import Enum

from signer.server.probe import Probe
from signer.telemetry.exposition import Page
from signer.telemetry.metrics import Metrics
from signer.tokens.pool import TokenPool

_LOOK_S = 0.5
_STANDSTILL_S = 20.0


class Doors(Enum):
    """Whether the gRPC door takes work; the value is why it does not."""

    CLOSED = "starting: the gRPC door is not open yet"
    OPEN = ""
    DRAINING = "draining: nothing new is taken"


class Readiness:
    """What is told of readiness, from one place. Owned by the event loop; `live` and `ready` may be asked from any thread.

    shared: what is wrong with what this daemon shares with others, which may well reach it: callers are better with them.
    """

    def __init__(
        self, pools: Mapping[str, TokenPool], probe: Probe | None, metrics: Metrics, shared: Callable[[], str] = lambda: ""
    ) -> None:
        self._pools = pools
        self._shared = shared
        self._probe = probe
        self._metrics = metrics
        self._doors = Doors.CLOSED
        self._beat_s = time.monotonic()
        self._problems: tuple[str, ...] = (Doors.CLOSED.value,)

    @property
    def is_ready(self) -> bool:
        """As last looked at."""
        return not self._problems

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is taken, by an operator's word or because the daemon ends."""
        return self._doors is Doors.DRAINING

    def set_doors(self, doors: Doors) -> None:
        """Not ready unless they are open."""
        self._doors = doors
        self.look()

    async def run(self) -> None:
        """Looks twice a second, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_S)

    def look(self) -> None:
        """Takes in what is true now."""
        self._beat_s = time.monotonic()
        self._problems = tuple(self._found())
        self._metrics.ready.set(self.is_ready)

    def in_a_line(self) -> str:
        """For people who look at the service."""
        return f"not ready: {'; '.join(self._problems)}" if self._problems else "ready to sign"

    def live(self) -> Page:
        """/livez."""
        still_s = time.monotonic() - self._beat_s
        if still_s > _STANDSTILL_S:
            return Page(is_well=False, lines=(f"the event loop has stood still for {still_s:.0f} s",))
        return Page(is_well=True)

    def ready(self) -> Page:
        """/readyz."""
        problems = self._problems
        return Page(is_well=not problems, lines=problems)

    def _found(self) -> list[str]:
        if self._doors is not Doors.OPEN:
            return [self._doors.value]
        problems = [problem for pool in self._pools.values() if (problem := pool.problem)]
        if len(problems) < len(self._pools):  # one token that signs is enough; the others have alerts of their own
            problems = []
        elif not self._pools:
            problems = ["no token is configured"]
        if self._probe is not None and self._probe.problem:
            problems.append(self._probe.problem)
        if shared := self._shared():
            problems.append(shared)
        return problems
