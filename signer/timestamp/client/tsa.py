from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import DigestAlgorithm
from signer.errors import ConfigError, TimestampInvalid
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics
from signer.timestamp.client.failure import BLAMELESS, AskFailed, Failure
from signer.timestamp.client.gate import Gate
from signer.timestamp.client.health import Admission
from signer.timestamp.client.past import Past
from signer.timestamp.client.question import Question
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
        self._gate = Gate(settings)
        self.health = self._gate.health
        self._settings = settings
        self._metrics = metrics
        self._utc_now = utc_now
        self.policies = frozenset((*settings.policy_oids, settings.request_policy_oid)) - {""}
        self.past = Past()
        self._roots = _load_certificates(settings)
        self._tls = tls_context(settings)
        self._transport: Transport | None = None
        self._duration = metrics.tsa_request_duration_seconds.labels(tsa=self.name)
        self._granted = metrics.tsa_requests.labels(tsa=self.name, outcome=_GRANTED)
        metrics.tsa_state.labels(tsa=self.name).set_function(lambda: float(self.health.state))

    def start(self) -> None:
        """Opens its connections when they are needed. Call it inside the event loop."""
        self._transport = Transport(self._settings, self._tls)

    async def close(self) -> None:
        """Closes its connections."""
        if self._transport is not None:
            self._transport.close()

    async def ask(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float, policy_oid: str = "") -> VerifiedTimestamp:
        """A timestamp over the imprint, verified in full, or AskFailed.

        deadline_s: on the loop's clock. policy_oid: what it must be under; empty: one of those accepted.
        """
        clock_s = asyncio.get_running_loop().time
        self._gate.require_open(clock_s())
        if self._transport is None:
            raise AskFailed(Failure.NO_TIME, "the client is not started")
        request = self._request(imprint, digest_algorithm, policy_oid)
        verify = partial(self._verified, request, {policy_oid} if policy_oid else self.policies)
        question = Question(
            self._gate, self._transport, build_request(request), verify, deadline_s=deadline_s, timeout_s=self._settings.timeout_s
        )
        try:
            stamped = await question.timestamp()
        except AskFailed as failed:
            self._judge(question.admission, failed, clock_s())
            raise
        except BaseException:
            if question.admission is not None:
                self.health.abandoned(question.admission)
            raise
        else:
            self._judge(question.admission, None, clock_s())
            self.past.granted(stamped.authority, clock_s() - question.left_s, clock_s())
            self._duration.observe(clock_s() - question.left_s)
            return stamped
        finally:
            question.end()

    def _request(self, imprint: bytes, digest_algorithm: DigestAlgorithm, policy_oid: str) -> TimestampRequest:
        """With a nonce and for certificates, without which no answer could be verified."""
        return TimestampRequest(
            imprint,
            digest_algorithm,
            nonce=secrets.randbits(_NONCE_BITS),
            policy_oid=policy_oid or self._settings.request_policy_oid or None,
            with_certificates=True,
        )

    def _verified(self, request: TimestampRequest, policies: Collection[str], answer: bytes) -> VerifiedTimestamp:
        # On the loop, 0.2 ms each: a thread takes nearly twice the CPU, and made the loop's longest pause grow from 4 to 14 ms.
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

    def _judge(self, admission: Admission | None, failed: AskFailed | None, now_s: float) -> None:
        """What one ended question means for the next. admission: None when it never left. failed: None when it was answered well."""
        if admission is None:
            return
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
        counter = self._metrics.tsa_requests.labels(tsa=self.name, outcome=failed.failure.value) if failed else self._granted
        counter.inc()
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
