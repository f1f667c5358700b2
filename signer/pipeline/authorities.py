"""Who gives timestamps here, and how each does: for people and for the contract's ListTimestampAuthorities. Nobody is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from signer.errors import SignerError
from signer.pipeline.engine import Engine
from signer.pipeline.imprints import BUILT_IN_NAME
from signer.timestamp.client import TimestampClient
from signer.timestamp.client.health import TsaState
from signer.timestamp.client.tsa import Tsa
from signer.timestamp.clock import ClockStanding
from signer.timestamp.settings import TimestampSettings
from signer.tokens.pool import TokenPool

_APPLIANCES_OWN = ""


class AuthorityState(Enum):
    """Where an authority is; the contract's TimestampAuthorityState has the same names."""

    READY = "ready"
    OPEN = "open"
    QUARANTINED = "quarantined"
    CLOCK_UNTRUSTED = "clock-untrusted"


_STATES = {state: AuthorityState[state.name] for state in TsaState}


@dataclass(frozen=True, slots=True)
class AuthorityStanding:
    """One authority. message: why it is not READY. retry_at: when it is asked again, aware; None when it may be now, or nobody knows.

    latency_s: median of the last minutes; None without timestamps. certificate: DER, of its last timestamp; of the built-in one, of its
    next. clock_offset_s: the built-in one's clock minus its sources' time; None when unknown.
    """

    name: str
    is_built_in: bool
    state: AuthorityState
    message: str = ""
    retry_at: datetime | None = None
    latency_s: float | None = None
    certificate: bytes = b""
    clock_offset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Authorities:
    """built_in: None when there is none. clock: how the built-in one's clock stands. pools: the tokens, by name."""

    engine: Engine
    pools: Mapping[str, TokenPool]
    outside: TimestampClient
    built_in: TimestampSettings | None
    clock: Callable[[], ClockStanding] | None

    def standings(self) -> Iterator[AuthorityStanding]:
        """In order of preference: with outside authorities the built-in one is last, and stamps no signature."""
        now_s, now = asyncio.get_running_loop().time(), self.engine.utc_now()
        yield from (_outside(tsa, now_s, now) for tsa in self.outside.authorities)
        if self.built_in is not None:
            yield self._built_in(self.built_in, now)

    def _built_in(self, settings: TimestampSettings, now: datetime) -> AuthorityStanding:
        state, message, certificate = AuthorityState.READY, "", b""
        try:
            credential = self.engine.credentials.resolve(settings.credential, _APPLIANCES_OWN)
            certificate = credential.certificate
            self.engine.credentials.require_usable(credential, now)
            message = self.pools[credential.token_name].problem
            state = AuthorityState.OPEN if message else AuthorityState.READY
        except SignerError as error:
            state, message = AuthorityState.OPEN, error.message
        clock = self.clock() if self.clock is not None else None
        if clock is not None and not clock.state.issues:
            state, message = AuthorityState.CLOCK_UNTRUSTED, clock.message
        offset_s = None if clock is None else clock.offset_s
        return AuthorityStanding(BUILT_IN_NAME, True, state, message, certificate=certificate, clock_offset_s=offset_s)  # noqa: FBT003


def _outside(tsa: Tsa, now_s: float, now: datetime) -> AuthorityStanding:
    wait_s = tsa.health.wait_s(now_s)
    return AuthorityStanding(
        name=tsa.name,
        is_built_in=False,
        state=_STATES[tsa.health.state],
        message=tsa.past.failure,
        retry_at=now + timedelta(seconds=wait_s) if wait_s > 0 else None,
        latency_s=tsa.past.latency_s(now_s),
        certificate=tsa.past.certificate,
    )
