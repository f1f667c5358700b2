"""So many questions at once, first come, first served.

A turn passes on in the very call that ends it: whoever is next leaves at once, not when the event loop comes round to a woken task.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Waiter(Protocol):
    """Who waits for a turn."""

    def begin(self) -> bool:
        """It is your turn. False: no use for it (any more), it goes to the next. May not raise."""


class Turns:
    """Owned by the event loop."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[Waiter] = deque()

    def take(self, waiter: Waiter) -> None:
        """Begins it now, or when it is its turn. Who had a turn must `pass_on`, once."""
        if not self._free:
            self._waiting.append(waiter)
        elif waiter.begin():
            self._free -= 1

    def pass_on(self) -> None:
        """A turn is over."""
        while self._waiting:
            if self._waiting.popleft().begin():
                return
        self._free += 1
