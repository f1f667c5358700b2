"""The OCSP answers and CRLs that a document holds, judged as those of a CA are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from signer.errors import CertificateRevoked, DocumentTooCostly
from signer.formats.status import crl, ocsp
from signer.formats.status.answer import Answer, AnswerRefused, Terms
from signer.formats.status.question import Question
from signer.validation.report import DocumentReport
from signer.validation.revocation import EMBEDDED, Key, KnownStatus, good, questions, revoked

STORED_MAX: Final = 256


@dataclass(frozen=True)
class StoredAnswers:
    """ocsps: DER. crls: parsed. Of each at most STORED_MAX."""

    ocsps: tuple[bytes, ...] = ()
    crls: tuple[crl.Crl, ...] = ()

    @classmethod
    def read(cls, ocsps: Iterable[bytes], crls: Iterable[bytes]) -> StoredAnswers:
        """Those that can be read. DocumentTooCostly for more than STORED_MAX."""
        return cls(tuple(_bounded(ocsps)), tuple(_readable(_bounded(crls))))

    def answers(self, question: Question, terms: Terms) -> Iterator[Answer]:
        """All that stand and say "not revoked". CertificateRevoked for one that says so."""
        for encoded in self.ocsps:
            try:
                yield ocsp.judge(encoded, question, terms)
            except AnswerRefused:
                continue
        for one in self.crls:
            try:
                yield crl.judge(one, question, terms)
            except AnswerRefused:
                continue

    def status(self, question: Question, terms: Terms) -> KnownStatus | None:
        """What the document says of a certificate; None for nothing."""
        try:
            answer = next(self.answers(question, terms), None)
        except CertificateRevoked as said:
            return revoked(said, EMBEDDED)
        return None if answer is None else good(answer)


def statuses(report: DocumentReport, stored: StoredAnswers, terms: Terms) -> dict[Key, KnownStatus]:
    """What the document says of each certificate that decides, as of when it is relied on. terms: `at` is not looked at."""
    found: dict[Key, KnownStatus] = {}
    for key, (question, moment) in questions(report).items():
        status = stored.status(question, replace(terms, at=moment))
        if status is not None:
            found[key] = status
    return found


def _bounded(encoded: Iterable[bytes]) -> Iterator[bytes]:
    for number, each in enumerate(encoded):
        if number >= STORED_MAX:
            raise DocumentTooCostly(f"the document holds more than {STORED_MAX} answers about certificates", limit=STORED_MAX)
        yield each


def _readable(encoded: Iterable[bytes]) -> Iterator[crl.Crl]:
    for each in encoded:
        try:
            yield crl.Crl.read(each)
        except AnswerRefused:
            continue
