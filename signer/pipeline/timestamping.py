"""The built-in time-stamping authority as the path's Timestamper: its key is used through `key_use` like any other.

Each timestamp is journalled under ids of its own (school none, request `timestamp`, document = what is signed, in hex), so the journal
accounts for every use of the authority's key. Serial numbers are reserved durably in blocks; what a crash leaves of a block is never used.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError, TimestampUnavailable
from signer.journal.model import Intent, Outcome, OutcomeKind
from signer.model import Credential, SignatureKey
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.key_use import use_key
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
            authority = Authority(built.template, _Sign(engine, built), self._serial, lambda: gen_time)
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


@dataclass(frozen=True, slots=True)
class _Sign:
    """The authority's `sign` door: a journalled key use."""

    engine: Engine
    built: _Built

    async def __call__(self, digest: bytes) -> bytes:
        engine, built = self.engine, self.built
        clock_s = asyncio.get_running_loop().time
        request = Request(_APPLIANCE, _APPLIANCES_OWN, _REQUEST_ID, clock_s() + _PATIENCE_S, clock_s)
        key = SignatureKey(_APPLIANCES_OWN, _REQUEST_ID, digest.hex())
        intent = Intent(
            key=key,
            fingerprint=hashlib.sha256(digest).digest(),
            client_id=_APPLIANCE,
            credential_id=built.credential.id,
            certificate_serial=built.certificate_serial,
            algorithm=built.template.algorithm,
            digest=digest,
            plan=_PLAN,
        )
        (used,) = await use_key(engine.ledger, engine.keys[built.credential.token_name], built.credential, request, [intent])
        if isinstance(used, SignerError):
            raise used
        signature = used.signature.signature
        outcome = Outcome(key, used.attempt, OutcomeKind.RELEASED, b"", hashlib.sha256(signature).digest())
        await engine.ledger.settle([outcome])
        return signature
