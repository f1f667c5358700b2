"""The built-in time-stamping authority as the path's Timestamper: its key is used through `key_use` like any other.

Each timestamp is journalled under ids of its own (school none, request `timestamp`, document = what is signed, in hex), so the journal
accounts for every use of the authority's key. Serial numbers are reserved durably in blocks; what a crash leaves of a block is never used.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError, TimestampUnavailable
from signer.journal.model import Intent, Outcome, OutcomeKind
from signer.model import Credential, SignatureKey
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.key_use import KeyUse, use_key
from signer.pipeline.request import Request
from signer.timestamp.authority import Authority
from signer.timestamp.settings import TimestampSettings
from signer.timestamp.template import TimestampTemplate

_SERIALS_AT_ONCE = 1000
_PLAN = "rfc3161"
_PATIENCE_S = 30.0
_APPLIANCE = "signer"
_APPLIANCES_OWN = ""
_REQUEST_ID = "timestamp"


class SerialSource(Protocol):
    """Where serial numbers come from."""

    async def reserve_serials(self, count: int) -> range:
        """Numbers that nobody gets again, durably."""


@dataclass(frozen=True, slots=True)
class _Built:
    """The authority's credential as it is now, and its template."""

    credential: Credential
    certificate_serial: str
    template: TimestampTemplate


class BuiltInTimestamper:
    """Stamps with a key of our own. Owned by the event loop."""

    def __init__(self, engine: Engine, settings: TimestampSettings, serial_source: SerialSource) -> None:
        self._engine = engine
        self._settings = settings
        self._serial_source = serial_source
        self._serials: Iterator[int] = iter(())
        self._refill = asyncio.Lock()
        self._built: _Built | None = None
        self._sign: Callable[[bytes], Awaitable[bytes]] = _not_ready

    @property
    def timestamp_bytes_max(self) -> int:
        """The longest timestamp, for reserving room. Raises TimestampUnavailable while the authority's credential can't be used."""
        return self._current().template.size_max()

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float) -> Stamp:  # noqa: ARG002
        """A TimeStampToken, signed by a verified use of the authority's key. TimestampUnavailable says why there is none.

        A key use is brought to its end within the authority's own patience, whatever the deadline.
        """
        engine = self._engine
        try:
            built = self._current()
            gen_time = engine.utc_now()
            authority = Authority(built.template, self._sign, self._serial, lambda: gen_time)
            return Stamp(await authority.stamp(imprint, digest_algorithm), gen_time)
        except TimestampUnavailable:
            raise
        except SignerError as error:
            raise TimestampUnavailable(
                f"the built-in authority could not stamp: {error.message}", retry_after_s=error.retry_after_s, cause=error.reason.value
            ) from error

    def _current(self) -> _Built:
        """The template, built anew when the credential's certificate has changed."""
        engine, settings = self._engine, self._settings
        try:
            credential = engine.credentials.resolve(settings.credential, _APPLIANCES_OWN)
            validity = engine.credentials.require_usable(credential, engine.utc_now())
            if self._built is None or self._built.credential is not credential:
                algorithm = engine.credentials.choose_algorithm(credential, None)
                template = TimestampTemplate.build(
                    credential.certificate, credential.chain, algorithm, policy_oid=settings.policy_oid, accuracy_ms=settings.accuracy_ms
                )
                self._built = _Built(credential, validity.serial, template)
                self._sign = _SignTogether(engine, self._built)
        except TimestampUnavailable:
            raise
        except SignerError as error:
            raise TimestampUnavailable(f"the built-in authority's credential can't be used: {error.message}") from error
        return self._built

    async def _serial(self) -> int:
        async with self._refill:
            serial = next(self._serials, None)
            if serial is None:
                self._serials = iter(await self._serial_source.reserve_serials(_SERIALS_AT_ONCE))
                serial = next(self._serials)
            return serial


async def _not_ready(_digest: bytes) -> bytes:
    raise TimestampUnavailable("the authority's credential has not been seen yet")


class _SignTogether:
    """The authority's `sign` door. Digests asked for in one turn of the loop are one journalled key use: a lot costs one intent."""

    def __init__(self, engine: Engine, built: _Built) -> None:
        self._engine = engine
        self._built = built
        self._waiting: list[tuple[bytes, asyncio.Future[bytes]]] = []

    async def __call__(self, digest: bytes) -> bytes:
        """The signature of a digest by the authority's key."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append((digest, waiting))
        if len(self._waiting) == 1:
            loop.call_soon(self._begin)
        return await waiting

    def _begin(self) -> None:
        together, self._waiting = self._waiting, []
        self._engine.start_task(self._sign(together))

    async def _sign(self, together: list[tuple[bytes, asyncio.Future[bytes]]]) -> None:
        try:
            results = await self._use_key([digest for digest, _waiting in together])
        except SignerError as error:
            results = [error.copy() for _ in together]
        for (_digest, waiting), result in zip(together, results, strict=True):
            if waiting.done():
                continue
            if isinstance(result, SignerError):
                waiting.set_exception(result)
            else:
                waiting.set_result(result)

    async def _use_key(self, digests: Sequence[bytes]) -> list[bytes | SignerError]:
        engine, credential = self._engine, self._built.credential
        clock_s = asyncio.get_running_loop().time
        request = Request(_APPLIANCE, _APPLIANCES_OWN, _REQUEST_ID, clock_s() + _PATIENCE_S, clock_s)
        intents = [_intent(self._built, digest) for digest in digests]
        uses = await use_key(engine.ledger, engine.keys[credential.token_name], credential, request, intents)
        outcomes = [
            Outcome(intent.key, used.attempt, OutcomeKind.RELEASED, b"", hashlib.sha256(used.signature.signature).digest())
            for intent, used in zip(intents, uses, strict=True)
            if isinstance(used, KeyUse)
        ]
        if outcomes:
            await engine.ledger.settle(outcomes)
        return [used.signature.signature if isinstance(used, KeyUse) else used for used in uses]


def _intent(built: _Built, digest: bytes) -> Intent:
    return Intent(
        key=SignatureKey(_APPLIANCES_OWN, _REQUEST_ID, digest.hex()),
        fingerprint=hashlib.sha256(digest).digest(),
        client_id=_APPLIANCE,
        credential_id=built.credential.id,
        certificate_serial=built.certificate_serial,
        algorithm=built.template.algorithm,
        digest=digest,
        plan=_PLAN,
    )
