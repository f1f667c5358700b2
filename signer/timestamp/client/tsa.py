from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import DigestAlgorithm
from signer.errors import ConfigError, TimestampInvalid
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics
from signer.timestamp.client.failure import BLAMELESS, AskFailed, Failure
from signer.timestamp.client.health import Admission, Health, TsaState
from signer.timestamp.client.pace import Pace
from signer.timestamp.client.past import Past
from signer.timestamp.client.transport import Transport, tls_context
from signer.timestamp.settings import TsaSettings
from signer.timestamp.tsp import TimestampRequest, build_request, parse_response
from signer.timestamp.verify import VerifiedTimestamp, verify_timestamp

_log = get_logger(__name__)
_NONCE_BITS = 64
_GRANTED = "granted"
_NO_TIMESTAMP = {"status": Failure.REFUSED, "response": Failure.NOT_AN_ANSWER}
"""Where `parse_response` stopped: there was no timestamp to lie with."""


class Tsa:
    """One outside authority: asked in its turn, believed only where its answer stands.

    utc_now: our clock, aware. policies: those configured for it, dotted; empty: any. Owned by the event loop.
    """

    def __init__(self, settings: TsaSettings, metrics: Metrics, utc_now: Callable[[], datetime]) -> None:
        self.name = settings.name
        self.health = Health(settings.failures_max, settings.pause_s_max, settings.quarantine_s)
        self._settings = settings
        self._metrics = metrics
        self._utc_now = utc_now
        self.policies = frozenset((*settings.policy_oids, settings.request_policy_oid)) - {""}
        self.past = Past()
        self._roots = _load_certificates(settings)
        self._tls = tls_context(settings)
        self._pace = Pace(settings.per_second_max)
        self._turns = asyncio.Semaphore(settings.concurrency_max)
        self._transport: Transport | None = None
        metrics.tsa_state.labels(tsa=self.name).set_function(lambda: float(self.health.state))

    def start(self) -> None:
        """Opens its connections when they are needed. Call it inside the event loop."""
        self._transport = Transport(self._settings, self._tls)

    async def close(self) -> None:
        """Closes its connections."""
        if self._transport is not None:
            await self._transport.close()

    async def ask(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float, policy_oid: str = "") -> VerifiedTimestamp:
        """A timestamp over the imprint, verified in full, or AskFailed.

        deadline_s: on the loop's clock. policy_oid: what it must be under; empty: one of those accepted.
        """
        clock_s = asyncio.get_running_loop().time
        self._require_open(clock_s())
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._turns.acquire()
        except TimeoutError:
            raise AskFailed(Failure.NO_TIME, "the deadline came before its turn") from None
        try:
            self._require_open(clock_s())
            await self._await_pace(deadline_s)
            admission = self._require_admission(clock_s())
            return await self._asked(admission, TimestampRequest(imprint, digest_algorithm, policy_oid=policy_oid or None), deadline_s)
        finally:
            self._turns.release()

    def _require_open(self, now_s: float) -> None:
        if (wait_s := self.health.wait_s(now_s)) > 0:
            raise self._paused(wait_s)

    def _require_admission(self, now_s: float) -> Admission:
        admission = self.health.admit(now_s)
        if admission is None:
            raise self._paused(self.health.wait_s(now_s) or 1.0)
        return admission

    def _paused(self, wait_s: float) -> AskFailed:
        why = "quarantined" if self.health.state is TsaState.QUARANTINED else "left alone after failures"
        return AskFailed(Failure.PAUSED, f"{why} for another {wait_s:.0f} s", retry_after_s=wait_s)

    async def _await_pace(self, deadline_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s + self._pace.wait_s(now_s) >= deadline_s:
            raise AskFailed(Failure.NO_TIME, "the deadline comes before its turn at per_second_max")
        if (wait_s := self._pace.take(now_s)) > 0:
            await asyncio.sleep(wait_s)

    async def _asked(self, admission: Admission, wanted: TimestampRequest, deadline_s: float) -> VerifiedTimestamp:
        """One question that was admitted: its answer is judged, and the authority with it."""
        clock_s = asyncio.get_running_loop().time
        started_s = clock_s()
        try:
            stamped = await self._exchange(wanted, deadline_s)
        except AskFailed as failed:
            self._judge(admission, failed, clock_s())
            raise
        except BaseException:
            self.health.abandoned(admission)
            raise
        self._judge(admission, None, clock_s())
        self.past.granted(stamped.authority, clock_s() - started_s, clock_s())
        self._metrics.tsa_request_duration_seconds.labels(tsa=self.name).observe(clock_s() - started_s)
        return stamped

    async def _exchange(self, wanted: TimestampRequest, deadline_s: float) -> VerifiedTimestamp:
        """One request, with a nonce and for certificates, without which no answer could be verified."""
        if self._transport is None:
            raise AskFailed(Failure.NO_TIME, "the client is not started")
        policies = {wanted.policy_oid} if wanted.policy_oid else self.policies
        policy_oid = wanted.policy_oid or self._settings.request_policy_oid or None
        request = replace(wanted, nonce=secrets.randbits(_NONCE_BITS), policy_oid=policy_oid, with_certificates=True)
        own_deadline_s = asyncio.get_running_loop().time() + self._settings.timeout_s
        try:
            async with asyncio.timeout_at(min(deadline_s, own_deadline_s)):
                answer = await self._transport.post(build_request(request))
        except TimeoutError:
            if deadline_s < own_deadline_s:
                raise AskFailed(Failure.NO_TIME, "the deadline came before its answer") from None
            raise AskFailed(Failure.TIMED_OUT, f"no whole answer within {self._settings.timeout_s:g} s") from None
        return self._verified(answer, request, policies)

    def _verified(self, answer: bytes, request: TimestampRequest, policies: Collection[str]) -> VerifiedTimestamp:
        # On the loop, 0.3 ms each: a thread takes nearly twice the CPU, and made the loop's longest pause grow from 4 to 14 ms.
        try:
            timestamp = parse_response(answer)
            if len(timestamp) > self._settings.timestamp_bytes_max:
                raise AskFailed(Failure.NOT_AN_ANSWER, f"its timestamp has {len(timestamp)} bytes; see timestamp_bytes_max")
            return verify_timestamp(
                timestamp,
                imprint=request.imprint,
                digest_algorithm=request.digest_algorithm,
                nonce=request.nonce,
                policies=policies,
                trusted_roots=self._roots,
                now=self._utc_now(),
                window=timedelta(seconds=self._settings.window_s),
            )
        except TimestampInvalid as invalid:
            check = invalid.metadata.get("check", "encoding")
            raise AskFailed(_NO_TIMESTAMP.get(check, Failure.LIED), invalid.message, check=check) from invalid

    def _judge(self, admission: Admission, failed: AskFailed | None, now_s: float) -> None:
        """What one ended question means for the next. failed: None when it was answered well."""
        before = self.health.state
        if failed is not None:
            self.past.failed(failed.text)
        if failed is None:
            self.health.succeeded(admission)
        elif failed.failure is Failure.LIED:
            self.health.lied(now_s)
            self._metrics.tsa_lies.labels(tsa=self.name, check=failed.check).inc()
            _log.error("timestamp authority lied", tsa=self.name, check=failed.check, message=failed.text)
        elif failed.failure in BLAMELESS:
            self.health.abandoned(admission)
        else:
            self.health.failed(admission, now_s, failed.retry_after_s)
            _log.info("timestamp authority failed", tsa=self.name, failure=failed.failure.value, message=failed.text)
        self._metrics.tsa_requests.labels(tsa=self.name, outcome=failed.failure.value if failed else _GRANTED).inc()
        if self.health.state is not before:
            _log.warning("timestamp authority's state changed", tsa=self.name, state=self.health.state.name.lower())


def _load_certificates(settings: TsaSettings) -> tuple[bytes, ...]:
    """DER of all CAs its timestamps are believed under; ConfigError names the file that can't be read."""
    certificates: list[bytes] = []
    for file in settings.ca_files:
        try:
            found = x509.load_pem_x509_certificates(file.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(f"stamping.servers[{settings.name}].ca_files: {file} is no PEM file of certificates: {error}") from error
        certificates += [certificate.public_bytes(Encoding.DER) for certificate in found]
    return tuple(dict.fromkeys(certificates))
