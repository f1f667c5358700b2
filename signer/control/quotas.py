"""Quotas at work: what is asked before a key, for each RPC and each lot of documents. Memory alone; `quota_keeping` has the rows.

A lot is asked for once, whatever its length, and costs two additions where neither its client nor its school has a quota. What is asked for
and not signed is given back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from signer.access.quotas import Limit, Meter, day_of
from signer.errors import QuotaExceeded
from signer.people.client import Quota, QuotaSubject

Refused = Callable[[QuotaSubject, Limit], None]
Subject = tuple[QuotaSubject, str]


class Quotas:
    """The meters of all clients and schools. utc_now: aware. clock_s: the loop's. on_refusal: told of each. Owned by the event loop."""

    def __init__(self, utc_now: Callable[[], datetime], clock_s: Callable[[], float], on_refusal: Refused) -> None:
        self.utc_now = utc_now
        self.clock_s = clock_s
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
        self._on_refusal(meter.subject, limit)
        return granted, meter.refusal(limit, meter.retry_s(limit, now_s, self.utc_now()))

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
        """What an earlier run signed on a day."""
        meter = self.meter(subject, subject_id)
        if meter.day == day:
            meter.today += signatures

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

    def admit(self, count: int) -> tuple[int, QuotaExceeded | None]:
        """How many of `count` may be signed now, and why not the others."""
        return self.quotas.admit(self.meters, count)

    def give_back(self, count: int) -> None:
        """So many were admitted and not signed."""
        for meter in self.meters:
            meter.give_back(count)
