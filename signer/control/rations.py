"""Quotas of several daemons on one database: each grants from slices that it took, and asks for another when one is used up.

So no daemon grants what another one did, and only one lot in many waits for a commit. What is left of a slice after its second is given
back with the next saving; a daemon that dies has used up what it had in hand, a second's worth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from signer.errors import JournalUnavailable
from signer.journal.rations import GivenBack, Slice, Subject, Wanted
from signer.people.quota import Limit
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
SLICE_S: Final = 1.0
"""How long a slice may be used; what the rows are counted for (`journal.rations`)."""


class Slices(Protocol):
    """Where they come from: `journal.rations.RationStore`. All raise JournalUnavailable, and have then changed nothing."""

    async def take(self, wanted: Mapping[Subject, Wanted]) -> dict[Subject, Slice]:
        """One of each."""

    async def give_back(self, unused: GivenBack) -> None:
        """They were not signed."""


@dataclass(slots=True)
class _InHand:
    """A slice that is being used."""

    left: int
    until_s: float
    second: int
    day: int


@dataclass(frozen=True, slots=True)
class Short:
    """Who may sign no more for now, and why."""

    subject: Subject
    limit: Limit
    retry_s: float


class Rations:
    """Owned by the event loop. clock_s: the loop's."""

    def __init__(self, slices: Slices, clock_s: Callable[[], float]) -> None:
        self._slices = slices
        self._clock_s = clock_s
        self._in_hand: dict[Subject, list[_InHand]] = {}
        self._used: dict[Subject, tuple[int, int]] = {}
        self._latest: dict[Subject, _InHand] = {}
        self._unused: dict[tuple[Subject, int, int], int] = {}

    async def admit(self, subjects: Sequence[Subject], count: int) -> tuple[int, Short | None]:
        """How many of `count` each of the subjects may sign now, and whose limit says so.

        Raises JournalUnavailable when slices are used up and none can be had: nothing could be signed then either.
        """
        got = {subject: self._use(subject, count) for subject in subjects}
        short: list[Short] = []
        wanted = {subject: Wanted(count - had, self._pace(subject)) for subject, had in got.items() if had < count}
        if wanted:
            try:
                taken = await self._take(wanted)
            except BaseException:
                self._put_back(got)
                raise
            for subject, each in taken.items():
                got[subject] += self._use(subject, wanted[subject].needed)
                if each.limit is not None and got[subject] < count:
                    short.append(Short(subject, each.limit, each.retry_s))
        granted = min(got.values(), default=count)
        self._put_back({subject: had - granted for subject, had in got.items()})
        return granted, min(short, key=lambda each: got[each.subject], default=None)

    def give_back(self, subject: Subject, count: int) -> None:
        """So many were admitted and not signed: to the newest slice, which they may be of."""
        slices, latest = self._in_hand.get(subject), self._latest.get(subject)
        if slices:
            slices[-1].left += count
        elif latest is not None:
            self._note_unused(subject, latest, count)

    async def save(self) -> None:
        """Gives back what is left of old slices; what can't be written now is given back with the next."""
        for subject, slices in list(self._in_hand.items()):
            self._drop_old(subject, slices)
        unused, self._unused = self._unused, {}
        if unused:
            try:
                await self._slices.give_back(unused)
            except JournalUnavailable:
                for key, count in unused.items():
                    self._unused[key] = self._unused.get(key, 0) + count

    async def close(self) -> None:
        """Gives back everything."""
        for slices in self._in_hand.values():
            for each in slices:
                each.until_s = 0.0
        await self.save()

    async def _take(self, wanted: Mapping[Subject, Wanted]) -> dict[Subject, Slice]:
        until_s = self._clock_s() + SLICE_S
        return await asyncio.shield(asyncio.ensure_future(self._taken(wanted, until_s)))

    async def _taken(self, wanted: Mapping[Subject, Wanted], until_s: float) -> dict[Subject, Slice]:
        """Reaches our books even when who asked has gone: else it would be lost to everybody."""
        taken = await self._slices.take(wanted)
        for subject, each in taken.items():
            if each.granted:
                latest = self._latest[subject] = _InHand(each.granted, until_s, each.second, each.day)
                self._in_hand.setdefault(subject, []).append(latest)
        return taken

    def _use(self, subject: Subject, count: int) -> int:
        slices = self._in_hand.get(subject)
        if not slices:
            return 0
        self._drop_old(subject, slices)
        used = 0
        for each in slices:
            some = min(each.left, count - used)
            each.left -= some
            used += some
        self._count(subject, used)
        return used

    def _put_back(self, counts: Mapping[Subject, int]) -> None:
        for subject, count in counts.items():
            if count:
                self.give_back(subject, count)

    def _drop_old(self, subject: Subject, slices: list[_InHand]) -> None:
        now_s = self._clock_s()
        for each in [each for each in slices if each.until_s <= now_s]:
            slices.remove(each)
            if each.left:
                self._note_unused(subject, each, each.left)
        if not slices:
            self._in_hand.pop(subject, None)

    def _note_unused(self, subject: Subject, of: _InHand, count: int) -> None:
        key = subject, of.second, of.day
        self._unused[key] = self._unused.get(key, 0) + count

    def _count(self, subject: Subject, count: int) -> None:
        second = int(self._clock_s())
        since, used = self._used.get(subject, (second, 0))
        self._used[subject] = (since, used + count) if since == second else (second, count)

    def _pace(self, subject: Subject) -> int:
        """What was used within this second: so much may come again."""
        second, used = self._used.get(subject, (0, 0))
        return used if second == int(self._clock_s()) else 0
