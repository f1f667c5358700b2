"""A queue in which schools take turns.

Each school has a line of its own; `take` goes round the schools that have something waiting, one item a turn. So a class of 35 does not
wait behind a batch of 10,000: it gets every second turn (Nagle 1987, RFC 970: fair queueing). Order within a school is kept. A school of
weight n takes n items a turn, also where a token takes them one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Weight: TypeAlias = Callable[[str], int]
"""How many items a line gets a turn."""


def evenly(_line: str) -> int:
    """All lines alike."""
    return 1


class FairQueue(Generic[T]):
    """Items by line; not thread-safe, the event loop owns it."""

    def __init__(self, weight: Weight = evenly) -> None:
        self._weight = weight
        self._left = 0  # of the first line's turn
        self._lines: dict[str, deque[T]] = {}
        self._turns: deque[str] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def heads(self) -> list[T]:
        """The first item of each line: the one that waits longest is among them."""
        return [waiting[0] for waiting in self._lines.values()]

    def put(self, line: str, item: T) -> None:
        """Appends item to its line; a line that was empty joins the end of the round."""
        waiting = self._lines.get(line)
        if waiting is None:
            self._lines[line] = waiting = deque()
            self._turns.append(line)
        waiting.append(item)
        self._size += 1

    def take(self, count: int) -> list[T]:
        """Up to count items, from each line in turn as many as its weight."""
        taken: list[T] = []
        while self._turns and len(taken) < count:
            line = self._turns[0]
            waiting = self._lines[line]
            self._left = self._left or max(1, self._weight(line))
            some = min(self._left, count - len(taken), len(waiting))
            taken.extend(waiting.popleft() for _ in range(some))
            self._left -= some
            if not waiting:
                self._leave(line)
            elif not self._left:
                self._turns.rotate(-1)
        self._size -= len(taken)
        return taken

    def remove_where(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Takes out every item for which unwanted says true."""
        removed: list[T] = []
        for line, waiting in list(self._lines.items()):
            kept: deque[T] = deque()
            for item in waiting:
                (removed if unwanted(item) else kept).append(item)
            if kept:
                self._lines[line] = kept
            else:
                self._leave(line)
        self._size -= len(removed)
        return removed

    def _leave(self, line: str) -> None:
        """A line has nothing more."""
        if self._turns[0] == line:
            self._left = 0
        del self._lines[line]
        self._turns.remove(line)
