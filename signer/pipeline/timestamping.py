"""The built-in time-stamping authority: one path for signatures of level B-T, for gRPC and for HTTP; its key is used like any other.

Each timestamp is journalled under ids of its own: school none, request `timestamp`, document its serial number in lower-case hex, client
who asked for it. So the journal accounts for every use of the authority's key, and a timestamp leads to its entries (EN 319 421 §7.12).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from signer.algorithms import DigestAlgorithm
from signer.errors import DeadlineExceeded, SignerError, TimestampError, TimestampUnavailable
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.serials import Reservations, Serials
from signer.pipeline.stamp_key import APPLIANCE, APPLIANCES_OWN, StampKey
from signer.timestamp.authority import Authority, IssuedTimestamp
from signer.timestamp.ordering import OrderedClock
from signer.timestamp.settings import TimestampSettings
from signer.timestamp.template import TimestampTemplate
from signer.timestamp.tsp import TimestampRequest


@dataclass(frozen=True, slots=True)
class _Built:
    """What the authority's credential is now; made anew when its certificate has changed."""

    template: TimestampTemplate
    key: StampKey


class BuiltInTimestamper:
    """Stamps with a key of our own. Owned by the event loop.

    clock: the authority's time, aware; it raises ClockUntrusted when it can't vouch for it. Whoever asks, all stamps pass it.
    """

    def __init__(
        self, engine: Engine, settings: TimestampSettings, reservations: Reservations, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = self._guarded = clock or engine.utc_now
        ready = None
        if settings.ordering:
            self._clock = ordered = OrderedClock(self._clock, reservations.reserve_time, settings.stating_error_max)
            ready = ordered.ready
        self._serials = Serials(reservations.reserve_serials, prefix=settings.serial_prefix, ready=ready)
        self._accepted = frozenset(settings.digest_algorithms)
        self._built: _Built | None = None

    @property
    def timestamp_bytes_max(self) -> int:
        """The longest timestamp, for reserving room. Raises TimestampUnavailable while the authority's credential can't be used."""
        try:
            return self._current(self._engine.utc_now()).template.size_max()
        except SignerError as error:
            raise _unavailable(error) from error

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float) -> Stamp:
        """A timestamp for the path's step 7, certificates embedded. TimestampUnavailable or ClockUntrusted says why there is none."""
        try:
            issued = await self.stamp_request(TimestampRequest(imprint, digest_algorithm, with_certificates=True), deadline_s)
        except SignerError as error:
            raise _unavailable(error) from error
        return Stamp(issued.encoded, issued.gen_time)

    async def stamp_request(self, asked: TimestampRequest, deadline_s: float, client_id: str = APPLIANCE) -> IssuedTimestamp:
        """A timestamp as it was asked for, signed by a verified use of the authority's key and journalled under its serial number.

        deadline_s: on the loop's clock; nobody waits longer. client_id: who asked, for the journal: an identifier, no person's name.

        Raises RequestRefused (signer.timestamp.tsp) for a digest or a policy that is not served; DeadlineExceeded; and why nothing can be
        stamped now: what the clock raises, the credential's problem, the token's, the journal's. What was not given is never given later.
        """
        if asyncio.get_running_loop().time() >= deadline_s:
            raise _too_late()
        built = self._current(self._guarded())
        sign = partial(built.key.sign, client_id=client_id, deadline_s=deadline_s)
        authority = Authority(built.template, sign, self._serials.take, self._clock, self._accepted)
        try:
            async with asyncio.timeout_at(deadline_s):
                return await authority.issue(asked)
        except TimeoutError:
            raise _too_late() from None

    def _current(self, now: datetime) -> _Built:
        """Raises why the authority's credential can't be used now."""
        engine, settings = self._engine, self._settings
        credential = engine.credentials.resolve(settings.credential, APPLIANCES_OWN)
        validity = engine.credentials.require_usable(credential, now)
        if self._built is None or self._built.key.credential is not credential:
            algorithm = engine.credentials.choose_algorithm(credential, None)
            template = TimestampTemplate.build(
                credential.certificate,
                credential.chain,
                algorithm,
                policy_oid=settings.policy_oid,
                accuracy_ms=settings.accuracy_ms,
                ordering=settings.ordering,
            )
            self._built = _Built(template, StampKey(engine, credential, validity.serial, algorithm))
        return self._built


def _unavailable(error: SignerError) -> TimestampError:
    if isinstance(error, TimestampError):
        return error.copy()
    return TimestampUnavailable(
        f"the built-in authority can't stamp: {error.message}", retry_after_s=error.retry_after_s, cause=error.reason.value
    )


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline passed before the timestamp was made")
