"""Quotas at work: what is asked before a key, for each RPC and each lot of documents. Memory alone; `quota_keeping` has the rows.

A lot is asked for once, whatever its length, and costs two additions where neither its client nor its school has a quota. What is asked for
and not signed is given back. Where several daemons share a database, what is limited comes in slices from there (`rations`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from signer.access.quotas import Meter
from signer.control.rations import Rations
from signer.errors import JournalUnavailable, QuotaExceeded
from signer.journal.rations import Subject
from signer.people.client import Quota, QuotaSubject
from signer.people.quota import Limit, day_of

Refused = Callable[[QuotaSubject, Limit], None]


class Quotas:
    """The meters of all clients and schools. utc_now: aware. clock_s: the loop's. on_refusal: told of each. Owned by the event loop.

    rations: where other daemons count as well; None where this one is alone.
    """

    def __init__(
        self, utc_now: Callable[[], datetime], clock_s: Callable[[], float], on_refusal: Refused, rations: Rations | None = None
    ) -> None:
        self.utc_now = utc_now
        self.clock_s = clock_s
        self.rations = rations
        self._on_refusal = on_refusal
        self._meters: dict[Subject, Meter] = {}
        self._left_over: dict[tuple[Subject, int], int] = {}

    def meter(self, subject: QuotaSubject, subject_id: str) -> Meter:
        """Its meter, at today's count."""
        key = subject, subject_id
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter(subject, subject_id)
        self._turn(meter, day_of(self.utc_now()))
        return meter

    def put(self, quota: Quota) -> None:
        """In force from the next request on."""
        self.meter(quota.subject, quota.subject_id).quota = quota

    def all(self) -> Iterator[Meter]:
        """Of those that have a quota, at today's count."""
        today = day_of(self.utc_now())
        for meter in list(self._meters.values()):
            if meter.quota is not None:
                self._turn(meter, today)
                yield meter

    def enter(self, subject: QuotaSubject, subject_id: str) -> Meter:
        """An RPC begins; `leave` when it ends. QuotaExceeded when as many are open as may be."""
        meter = self.meter(subject, subject_id)
        try:
            meter.require_rpc()
        except QuotaExceeded:
            self._on_refusal(subject, Limit.RPCS)
            raise
        meter.rpcs += 1
        return meter

    @staticmethod
    def leave(meter: Meter) -> None:
        """An RPC has ended."""
        meter.rpcs -= 1

    def allowance(self, client_id: str, school_id: str) -> Allowance:
        """What a request may use: no more than its client and its school may. school_id: empty for the appliance's own work."""
        meters = [self.meter(QuotaSubject.CLIENT, client_id)]
        if school_id:
            meters.append(self.meter(QuotaSubject.SCHOOL, school_id))
        return Allowance(self, tuple(meters))

    def admit(self, meters: tuple[Meter, ...], count: int) -> tuple[int, QuotaExceeded | None]:
        """How many of `count` may be signed now, and why not the others."""
        now_s, today, granted = self.clock_s(), day_of(self.utc_now()), count
        short: tuple[Meter, Limit] | None = None
        for meter in meters:
            self._turn(meter, today)
            left, limit = meter.room(now_s)
            if left < granted:
                granted, short = left, (meter, limit)
        if granted:
            for meter in meters:
                meter.grant(granted, now_s)
        if short is None:
            return granted, None
        meter, limit = short
        return granted, self._refusal(meter, limit, meter.retry_s(limit, now_s, self.utc_now()))

    async def admit_shared(self, rations: Rations, meters: tuple[Meter, ...], count: int) -> tuple[int, QuotaExceeded | None]:
        """The same where other daemons sign as well. JournalUnavailable when the database can't be asked."""
        limited = {(meter.subject, meter.subject_id): meter for meter in meters if meter.limits_signatures}
        granted, short = await rations.admit(list(limited), count)
        for meter in meters:
            if not meter.limits_signatures:
                self._turn(meter, day_of(self.utc_now()))
                meter.grant(granted, self.clock_s())
        return granted, None if short is None else self._refusal(limited[short.subject], short.limit, short.retry_s)

    def give_back(self, meters: tuple[Meter, ...], count: int) -> None:
        """So many were admitted and not signed."""
        for meter in meters:
            if self.rations is not None and meter.limits_signatures:
                self.rations.give_back((meter.subject, meter.subject_id), count)
            else:
                meter.give_back(count)

    def _refusal(self, meter: Meter, limit: Limit, retry_s: float) -> QuotaExceeded:
        self._on_refusal(meter.subject, limit)
        return meter.refusal(limit, retry_s)

    def take_unsaved(self) -> dict[tuple[Subject, int], int]:
        """Signatures since the last call, by whose and on which day; `put_back` what could not be kept."""
        unsaved, self._left_over = self._left_over, {}
        for key, meter in self._meters.items():
            if meter.unsaved:
                unsaved[key, meter.day] = unsaved.get((key, meter.day), 0) + meter.unsaved
                meter.unsaved = 0
        return unsaved

    def put_back(self, unsaved: dict[tuple[Subject, int], int]) -> None:
        """To be taken again."""
        for key, count in unsaved.items():
            self._left_over[key] = self._left_over.get(key, 0) + count

    def restore(self, subject: QuotaSubject, subject_id: str, day: int, signatures: int) -> None:
        """What the rows have of a day: of an earlier run, or of other daemons as well."""
        meter = self.meter(subject, subject_id)
        if meter.day == day:
            meter.today = signatures + meter.unsaved

    def hear_rpcs(self, elsewhere: Mapping[Subject, int]) -> None:
        """How many RPCs are open with other daemons."""
        for key, meter in self._meters.items():
            meter.rpcs_elsewhere = elsewhere.get(key, 0)

    def limited_rpcs(self) -> dict[Subject, int]:
        """How many are open here, of those who may have so many at once."""
        return {key: meter.rpcs for key, meter in self._meters.items() if meter.quota and meter.quota.concurrent_rpcs_max}

    def _turn(self, meter: Meter, today: int) -> None:
        if meter.day != today:
            yesterday = meter.day
            if left := meter.turn_day(today):
                self.put_back({((meter.subject, meter.subject_id), yesterday): left})


@dataclass(frozen=True, slots=True)
class Allowance:
    """A request's: see `Quotas.allowance`."""

    quotas: Quotas
    meters: tuple[Meter, ...]

    async def admit(self, count: int) -> tuple[int, QuotaExceeded | JournalUnavailable | None]:
        """How many of `count` may be signed now, and why not the others: nobody knows, where the database can't be asked."""
        rations = self.quotas.rations
        if rations is None:
            return self.quotas.admit(self.meters, count)
        try:
            return await self.quotas.admit_shared(rations, self.meters, count)
        except JournalUnavailable as error:
            return 0, error

    def give_back(self, count: int) -> None:
        """So many were admitted and not signed."""
        self.quotas.give_back(self.meters, count)
