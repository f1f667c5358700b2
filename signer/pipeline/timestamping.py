"""The built-in time-stamping authority as the path's Timestamper: its key is used through `key_use` like any other.

Each timestamp is journalled under ids of its own (school none, request `timestamp`, document = what is signed, in hex), so the journal
accounts for every use of the authority's key. Serial numbers are reserved durably in blocks; what a crash leaves of a block is never used.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError, TimestampUnavailable
from signer.journal.model import Intent, Outcome, OutcomeKind
from signer.model import Credential, SignatureKey
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.key_use import KeyUse, use_key
from signer.pipeline.request import Request
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

    async def stamp(self, imprints: Sequence[bytes], digest_algorithm: DigestAlgorithm) -> list[Stamp | SignerError]:
        """A TimeStampToken for each imprint, by verified uses of the authority's key; TimestampUnavailable in place of one says why."""
        try:
            built = self._current()
            serials = await self._take_serials(len(imprints))
            return await self._sign(built, self._engine.utc_now(), serials, imprints, digest_algorithm)
        except SignerError as error:
            return [_unavailable(error) for _ in imprints]

    async def _sign(
        self, built: _Built, gen_time: datetime, serials: Sequence[int], imprints: Sequence[bytes], digest_algorithm: DigestAlgorithm
    ) -> list[Stamp | SignerError]:
        template = built.template
        infos = [
            template.tst_info(imprint, digest_algorithm, serial, gen_time, None) for serial, imprint in zip(serials, imprints, strict=True)
        ]
        attributes = [template.signed_attributes(info) for info in infos]
        digests = [hashlib.new(template.algorithm.digest.value, each).digest() for each in attributes]
        signatures = await self._use_key(built, digests)
        return [
            _unavailable(signature)
            if isinstance(signature, SignerError)
            else Stamp(template.assemble(info, attribute, signature), gen_time)
            for info, attribute, signature in zip(infos, attributes, signatures, strict=True)
        ]

    async def _use_key(self, built: _Built, digests: Sequence[bytes]) -> list[bytes | SignerError]:
        engine = self._engine
        clock_s = asyncio.get_running_loop().time
        request = Request(_APPLIANCE, _APPLIANCES_OWN, _REQUEST_ID, clock_s() + _PATIENCE_S, clock_s)
        intents = [_intent(built, digest) for digest in digests]
        uses = await use_key(engine.ledger, engine.keys[built.credential.token_name], built.credential, request, intents)
        outcomes = [
            Outcome(intent.key, used.attempt, OutcomeKind.RELEASED, b"", hashlib.sha256(used.signature.signature).digest())
            for intent, used in zip(intents, uses, strict=True)
            if isinstance(used, KeyUse)
        ]
        if outcomes:
            await engine.ledger.settle(outcomes)
        return [used.signature.signature if isinstance(used, KeyUse) else used for used in uses]

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

    async def _take_serials(self, count: int) -> list[int]:
        async with self._refill:
            taken = list(itertools.islice(self._serials, count))
            if len(taken) < count:
                reserved = await self._serial_source.reserve_serials(max(_SERIALS_AT_ONCE, count))
                self._serials = iter(reserved)
                taken += itertools.islice(self._serials, count - len(taken))
            return taken


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


def _unavailable(error: SignerError) -> SignerError:
    if isinstance(error, TimestampUnavailable):
        return error.copy()
    return TimestampUnavailable(
        f"the built-in authority could not stamp: {error.message}", retry_after_s=error.retry_after_s, cause=error.reason.value
    )
