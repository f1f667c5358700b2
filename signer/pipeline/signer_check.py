"""Step 2, the certificate that is to sign (circular 15/2025 art. 5): looked at before its key is used, once per credential and window.

 a. path     it is valid now, and chains to a CA believed for signing, every link verified
 b. usage    it is meant for signing documents
 c. status   neither it nor a CA above it is revoked: OCSP first, CRL second

What was found holds for every document until an answer is to be asked for anew (`[revocation] cache_s_max`, and the answers' own validity).
"Revoked" is never remembered, and ends what was remembered. Where nobody can tell, levels above B-T are refused; below, `[revocation]
unknown_status` decides: what it lets through is counted, logged and journalled, and the CAs are asked again behind the documents' backs, so
that no class waits for a CA that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.documents.wire import Trust
from signer.errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateRevoked,
    CertificateStatusUnavailable,
    CertificateUnusable,
    DeadlineExceeded,
    SignerError,
    VerificationFailed,
)
from signer.formats.status.answer import Answer
from signer.formats.status.loading import load_all
from signer.formats.status.path import Path, find_path
from signer.model import Credential
from signer.pipeline.doors import StatusDoor
from signer.pipeline.request import Request
from signer.revocation.settings import RevocationSettings, UnknownStatus
from signer.telemetry.metrics import CertificateVerdict, Metrics
from signer.validation.usage import unfit_for_documents

_PATIENCE_S: Final = 10.0
"""How long documents wait for CAs that don't answer, where they may be signed without."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a certificate. path: None when there is none. answers: of its `questions`, as far as they are good.

    problem: why it must not sign, or why nobody can tell; None when it may.
    """

    outcome: CertificateVerdict
    path: Path | None = None
    answers: tuple[Answer, ...] = ()
    problem: SignerError | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    verdict: Verdict
    asked: datetime
    until: datetime


_Key = tuple[bytes, tuple[bytes, ...]]


class SignerCheck:
    """Owned by the event loop. trust: whom signers are believed under, now.

    on_unknown: told once of a credential that is let through from now on, and why, until its CAs can tell again.
    """

    def __init__(
        self,
        status: StatusDoor,
        trust: Callable[[], Trust],
        settings: RevocationSettings,
        metrics: Metrics,
        utc_now: Callable[[], datetime],
        *,
        on_unknown: Callable[[str, str], None] = lambda _credential, _why: None,
    ) -> None:
        self._status = status
        self._trust = trust
        self._settings = settings
        self._metrics = metrics
        self._utc_now = utc_now
        self._on_unknown = on_unknown
        self._known: dict[_Key, _Known] = {}
        self._asking: dict[_Key, asyncio.Task[Verdict]] = {}

    async def require(self, request: Request, credential: Credential, *, is_long_term: bool, documents: int) -> None:
        """Raises unless the credential may sign so many documents now. No key was used.

        Raises:
            CertificateUnusable: it is not meant for documents, or chains to no CA that is believed.
            CertificateExpired, CertificateNotYetValid: by its dates.
            CertificateRevoked: a verified answer says so.
            CertificateStatusUnavailable: nobody can tell, and that is not good enough.
            DeadlineExceeded: the request's deadline came first.
        """
        verdict = await self._verdict(request, credential, is_long_term=is_long_term)
        if verdict.problem is None:
            return
        if not self.may_sign(verdict, is_long_term=is_long_term):
            raise verdict.problem.copy()
        self._metrics.signed_without_status.inc(documents)

    def may_sign(self, verdict: Verdict, *, is_long_term: bool) -> bool:
        """By the configured policy."""
        if verdict.outcome is CertificateVerdict.UNKNOWN:
            return not is_long_term and self._settings.unknown_status is UnknownStatus.ALLOW
        return verdict.outcome is CertificateVerdict.GOOD

    async def judge(self, certificate: x509.Certificate, others: Sequence[bytes], deadline_s: float, *, fresh: bool = False) -> Verdict:
        """All three steps. fresh: CAs are asked whatever is remembered. Raises DeadlineExceeded alone."""
        path: Path | None = None
        try:
            _require_valid(certificate, self._utc_now())
            path = self._path(certificate, others)
            _require_usage(certificate)
            asked = (self._status.answer(question, deadline_s, fresh=fresh) for question in path.questions)
            answers = await asyncio.gather(*asked)
        except DeadlineExceeded:
            raise
        except CertificateRevoked as revoked:
            self._forget_revoked(certificate, revoked.metadata["serial"])
            verdict = Verdict(CertificateVerdict.REVOKED, path, problem=revoked)
        except CertificateStatusUnavailable as unknown:
            verdict = Verdict(CertificateVerdict.UNKNOWN, path, problem=unknown)
        except SignerError as unfit:
            verdict = Verdict(CertificateVerdict.UNFIT, path, problem=unfit)
        else:
            verdict = Verdict(CertificateVerdict.GOOD, path, tuple(answers))
        self._metrics.certificate_checks.labels(outcome=verdict.outcome.value).inc()
        return verdict

    def good_at(self, credential: Credential) -> datetime | None:
        """When its CAs last said that it may sign; None when they were not asked, or what is known now is something else."""
        known = self._known.get((credential.certificate, credential.chain))
        return known.asked if known is not None and known.verdict.outcome is CertificateVerdict.GOOD else None

    def forget(self) -> None:
        """Other CAs are believed from now on."""
        self._known.clear()

    async def _verdict(self, request: Request, credential: Credential, *, is_long_term: bool) -> Verdict:
        key = (credential.certificate, credential.chain)
        known = self._known.get(key)
        if known is not None and self._utc_now() < known.until:
            return known.verdict
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, credential))
            task.add_done_callback(lambda _done: self._asking.pop(key, None))
        if known is not None and known.verdict.problem is not None and self.may_sign(known.verdict, is_long_term=is_long_term):
            return known.verdict
        try:
            async with asyncio.timeout_at(request.deadline_s):
                return await asyncio.shield(task)
        except TimeoutError:
            raise DeadlineExceeded("the deadline came before the CA's answer about the signer; repeat with the same ids") from None

    async def _ask(self, key: _Key, credential: Credential) -> Verdict:
        certificate = x509.load_der_x509_certificate(credential.certificate)
        patience_s = asyncio.get_running_loop().time() + _PATIENCE_S
        try:
            verdict = await self.judge(certificate, credential.chain, patience_s)
        except DeadlineExceeded:
            why = CertificateStatusUnavailable(f"no CA told within {_PATIENCE_S:g} s whether a certificate is revoked", retry_after_s=5.0)
            verdict = Verdict(CertificateVerdict.UNKNOWN, problem=why)
        before = self._known.get(key)
        self._remember(key, verdict)
        is_news = before is None or before.verdict.outcome is not CertificateVerdict.UNKNOWN
        if is_news and verdict.problem is not None and self.may_sign(verdict, is_long_term=False):
            self._on_unknown(credential.id, verdict.problem.message)
        return verdict

    def _remember(self, key: _Key, verdict: Verdict) -> None:
        self._known.pop(key, None)
        now = self._utc_now()
        if verdict.outcome is CertificateVerdict.GOOD:
            until = min([now + timedelta(seconds=self._settings.cache_s_max), *(answer.good_until for answer in verdict.answers)])
            self._known[key] = _Known(verdict, now, until)
        elif verdict.outcome is CertificateVerdict.UNKNOWN:
            self._known[key] = _Known(verdict, now, now + timedelta(seconds=self._settings.pause_s))
        while len(self._known) > self._settings.cache_entries_max:
            del self._known[next(iter(self._known))]

    def _forget_revoked(self, certificate: x509.Certificate, serial: str) -> None:
        """Verdicts about the certificate, and those that rest on the revoked one, which may be a CA above it."""
        own = certificate.public_bytes(Encoding.DER)
        for key in [key for key, known in self._known.items() if key[0] == own or _rests_on(known.verdict, serial)]:
            del self._known[key]

    def _path(self, certificate: x509.Certificate, others: Sequence[bytes]) -> Path:
        trust = self._trust()
        if not trust.signing:
            raise CertificateStatusUnavailable("no CA is believed for signing, so nobody vouches for the signer; see `signer trust`")
        try:
            return find_path(
                certificate, load_all(tuple(others)), load_all(trust.signing), self._utc_now(), configured=load_all(trust.intermediates)
            )
        except VerificationFailed as error:
            raise CertificateUnusable(
                f"the signer's certificate chains to no CA that is believed for signing; compare `signer trust check`: {error.message}"
            ) from error


def _rests_on(verdict: Verdict, serial: str) -> bool:
    return verdict.path is not None and any(question.serial == serial for question in verdict.path.questions)


def _require_valid(certificate: x509.Certificate, now: datetime) -> None:
    if now > certificate.not_valid_after_utc:
        raise CertificateExpired(f"the signer's certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}; renew it")
    if now < certificate.not_valid_before_utc:
        raise CertificateNotYetValid(f"the signer's certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")


def _require_usage(certificate: x509.Certificate) -> None:
    why = unfit_for_documents(certificate)
    if why:
        raise CertificateUnusable(f"the signer's certificate must not sign documents: {why}")
