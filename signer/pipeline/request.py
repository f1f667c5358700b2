"""Who asked, for which school, until when: the budget every step looks at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from signer.errors import Cancelled, DeadlineExceeded, JournalUnavailable, QuotaExceeded, ShuttingDown


class Allowance(Protocol):
    """What a request's client and school may still sign."""

    async def admit(self, count: int) -> tuple[int, QuotaExceeded | JournalUnavailable | None]:
        """How many of `count` may be signed now, and why not the others. Cheap; asked for once a lot."""

    def give_back(self, count: int) -> None:
        """So many were admitted and not signed."""


class Unlimited:
    """For the appliance's own work."""

    async def admit(self, count: int) -> tuple[int, QuotaExceeded | JournalUnavailable | None]:
        """All of them."""
        return count, None

    def give_back(self, count: int) -> None:
        """Nobody counts."""


_UNLIMITED: Final = Unlimited()


@dataclass(slots=True, eq=False)
class Request:
    """One RPC's right to work. deadline_s: on the loop's clock. Cancelled by the door when the caller goes away or the daemon drains.

    drained: set when the daemon is stopping and its patience has ended: nothing more is begun. is_new: no ids of it were met in the journal
    so far.
    """

    client_id: str
    school_id: str
    request_id: str
    deadline_s: float
    clock_s: Callable[[], float]
    is_cancelled: bool = False
    is_new: bool = True
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    allowance: Allowance = _UNLIMITED

    def cancel(self) -> None:
        """No key is used for this request's items that have not reached one."""
        self.is_cancelled = True

    def check(self) -> None:
        """Raises why the next item must not begin: Cancelled, ShuttingDown or DeadlineExceeded."""
        if self.is_cancelled:
            raise Cancelled("the caller cancelled or went away before this item's turn; no key was used for it")
        if self.drained.is_set():
            raise shutting_down()
        if self.clock_s() >= self.deadline_s:
            raise DeadlineExceeded("the deadline passed before this item's turn; no key was used for it; repeat with the same ids")

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline, not below 0."""
        return max(0.0, self.deadline_s - self.clock_s())


def shutting_down() -> ShuttingDown:
    """For an item that is not begun because the daemon stops."""
    return ShuttingDown("the daemon is stopping; no key was used for this item; repeat with the same ids", retry_after_s=5.0)
