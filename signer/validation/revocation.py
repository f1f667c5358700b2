"""What revocation means for signatures that stand otherwise (EN 319 102-1 5.2.6, 5.5).

Pure: `questions` says which certificates' status decides, somebody finds it out (`StoredAnswers` from the document, a CA when there is one
to ask), and `settle` says what follows:
- revoked after the time proven for the signature: nothing; it was good when it was made;
- revoked otherwise: REVOKED_NO_POE, or REVOKED_CA_NO_POE for a CA above the signer;
- a timestamp, its own or a document timestamp over it, whose authority, or a CA above it, is revoked proves nothing, so a signature falls
  back to what is left without it;
- a CA that names where its status is told, and does not tell: TRY_LATER, if CAs were asked at all. Offline, or where nothing is named, the
  signature passes, and its report says that revocation is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final

from signer.errors import CertificateRevoked
from signer.formats.status.answer import Answer
from signer.formats.status.loading import load
from signer.formats.status.question import Question
from signer.model import Level
from signer.validation.report import DocumentReport, Indication, RevocationReport, RevocationStatus, SignatureKind, SignatureReport

EMBEDDED: Final = "embedded"
_R = RevocationStatus

Key = tuple[bytes, bytes]
"""`Question.key`."""


@dataclass(frozen=True, slots=True)
class KnownStatus:
    """What is known of one certificate. was_asked: its CA names places and was asked there, whatever came of it."""

    report: RevocationReport
    was_asked: bool = False


_UNKNOWN: Final = KnownStatus(RevocationReport(_R.UNKNOWN))


def good(answer: Answer) -> KnownStatus:
    """A verified "not revoked"."""
    return KnownStatus(RevocationReport(_R.GOOD, None, answer.this_update, answer.good_until, answer.source or EMBEDDED), was_asked=True)


def revoked(said: CertificateRevoked, source: str) -> KnownStatus:
    """A verified "revoked"."""
    time = said.metadata.get("revocationTime", "")
    return KnownStatus(RevocationReport(_R.REVOKED, datetime.fromisoformat(time) if time else None, source=source), was_asked=True)


def questions(report: DocumentReport) -> dict[Key, tuple[Question, datetime]]:
    """Whose status decides: of every trusted chain of signers and timestamp authorities, each certificate but the anchor.

    With the latest moment it is relied on at: who was not revoked then was not before either.
    """
    asked: dict[Key, tuple[Question, datetime]] = {}
    for signature in report.signatures:
        for chain, moment in _chains(signature):
            for question in _questions(chain):
                _question, latest = asked.get(question.key, (question, moment))
                asked[question.key] = question, max(moment, latest)
    return asked


def settle(report: DocumentReport, known: Mapping[Key, KnownStatus], at: datetime) -> DocumentReport:
    """The report with what is known of each certificate. at: the moment verified at."""
    seals = (each for each in report.signatures if each.kind is SignatureKind.DOCUMENT_TIMESTAMP)
    unproven = frozenset(seal.best_time for seal in seals if seal.best_time is not None and _is_revoked(seal.certificates, known))
    view = _View(known, unproven, at)
    return replace(report, signatures=tuple(_settle(signature, view) for signature in report.signatures))


@dataclass(frozen=True, slots=True)
class _View:
    """What all signatures of a document are settled by. unproven: the times of document timestamps whose authorities are revoked."""

    known: Mapping[Key, KnownStatus]
    unproven: frozenset[datetime]
    at: datetime

    def proves_nothing(self, signature: SignatureReport) -> bool:
        """Whether an authority that is revoked proved its time."""
        if signature.kind is not SignatureKind.SIGNATURE or signature.proven_time is None:
            return False
        own = signature.timestamp
        return _is_revoked(own.certificates, self.known) if own is not None and own.valid else signature.proven_time in self.unproven


def _settle(signature: SignatureReport, view: _View) -> SignatureReport:
    if not signature.certificates:
        return signature
    if view.proves_nothing(signature):
        signature = _without_timestamp(signature, view.at)
    told = _told(signature.certificates, view.known)
    worst = max(told, key=lambda each: _GRAVITY[each.report.status], default=KnownStatus(RevocationReport(_R.NOT_NEEDED)))
    signature = replace(signature, revocation=worst.report)
    if worst.report.status is _R.REVOKED:
        return _revoked(signature, worst.report, is_ca=told[0].report.status is not _R.REVOKED)
    if any(each.was_asked for each in told if each.report.status is _R.UNKNOWN):
        return _failing(signature, "TRY_LATER", "no CA told whether a certificate of the chain is revoked; try again later")
    return signature


_GRAVITY: Final = {_R.NOT_NEEDED: 0, _R.GOOD: 1, _R.UNKNOWN: 2, _R.REVOKED: 3}


def _revoked(signature: SignatureReport, report: RevocationReport, *, is_ca: bool) -> SignatureReport:
    when = report.time.isoformat(timespec="seconds") if report.time else "an unknown time"
    whose = "a CA certificate of the chain" if is_ca else "the signer's certificate"
    proven = signature.proven_time if signature.kind is SignatureKind.SIGNATURE else None
    if proven is not None and report.time is not None and proven < report.time:
        return _with_problem(signature, f"{whose} was revoked at {when}, after the time that is proven for the signature: it stands")
    return _failing(signature, "REVOKED_CA_NO_POE" if is_ca else "REVOKED_NO_POE", f"{whose} was revoked at {when}")


def _without_timestamp(signature: SignatureReport, at: datetime) -> SignatureReport:
    """The authority that proved its time is revoked: the signature has what it has without that timestamp."""
    stamp = signature.timestamp
    signature = replace(
        signature,
        timestamp=replace(stamp, valid=False) if stamp else None,
        proven_time=None,
        best_time=at,
        level=Level.B_B if signature.level else None,
    )
    signature = _with_problem(signature, "the certificate of the authority that stamped its time is revoked, so no time is proven")
    leaf = load(signature.certificates[0])
    if leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
        return signature
    problem = "the signer's certificate was not valid at the time verified, and no timestamp proves another"
    return _failing(signature, "OUT_OF_BOUNDS_NO_POE", problem)


def _failing(signature: SignatureReport, sub_indication: str, problem: str) -> SignatureReport:
    """INDETERMINATE, unless something graver or earlier was found."""
    signature = _with_problem(signature, problem)
    if signature.indication is not Indication.TOTAL_PASSED:
        return signature
    return replace(signature, indication=Indication.INDETERMINATE, sub_indication=sub_indication)


def _with_problem(signature: SignatureReport, problem: str) -> SignatureReport:
    return replace(signature, problems=(*signature.problems, problem))


def _is_revoked(chain: tuple[bytes, ...], known: Mapping[Key, KnownStatus]) -> bool:
    """The certificate, or a CA above it."""
    return any(each.report.status is _R.REVOKED for each in _told(chain, known))


def _told(chain: tuple[bytes, ...], known: Mapping[Key, KnownStatus]) -> list[KnownStatus]:
    return [known.get(question.key, _UNKNOWN) for question in _questions(chain)]


def _chains(signature: SignatureReport) -> Iterator[tuple[tuple[bytes, ...], datetime]]:
    if signature.best_time is not None:
        yield signature.certificates, signature.best_time
    if signature.timestamp is not None and signature.kind is SignatureKind.SIGNATURE:
        yield signature.timestamp.certificates, signature.timestamp.time


def _questions(chain: tuple[bytes, ...]) -> tuple[Question, ...]:
    return tuple(_question(*pair) for pair in pairwise(chain))


@lru_cache(maxsize=512)
def _question(certificate: bytes, issuer: bytes) -> Question:
    return Question(load(certificate), load(issuer))
