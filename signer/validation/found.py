"""A verified PDF taken apart for `long_term`: who signed and stamped it, what its DSS holds, and what that covers.

Bounded: certificates of one signature, and certificates and answers of a DSS, are counted; each path and each answer is judged once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import extract_certificate_info
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from signer.errors import CertificateRevoked, VerificationFailed
from signer.formats.status.answer import Terms
from signer.formats.status.loading import load, load_all
from signer.formats.status.path import Path, find_path
from signer.formats.status.question import Question
from signer.model import Level
from signer.validation.judging import gen_time
from signer.validation.stored import STORED_MAX, StoredAnswers
from signer.validation.trust import TrustAnchors

_CERTIFICATES_MAX: Final = 64
_TIMESTAMP: Final = "/DocTimeStamp"


@dataclass(frozen=True, slots=True)
class Chain:
    """The path of one signer or timestamp authority. covered: for each certificate but the anchor, whether the document holds its status.

    is_timestamp: whose anchors it leads to. at: the moment proven for it, aware.
    """

    path: Path
    is_timestamp: bool
    at: datetime
    covered: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose certificate has to be covered. others: the certificates that came along."""

    certificate: x509.Certificate
    others: tuple[x509.Certificate, ...]
    is_timestamp: bool
    at: datetime


@dataclass(frozen=True)
class Found:
    """A verified document taken apart. now: what counts as the time of a signature without a timestamp."""

    reader: PdfFileReader
    trust: TrustAnchors
    now: datetime
    _known: dict[tuple[tuple[bytes, bytes], datetime], bool] = field(default_factory=dict)
    _paths: dict[Signer, Path] = field(default_factory=dict)

    @cached_property
    def signatures(self) -> tuple[EmbeddedPdfSignature, ...]:
        """Signatures and document timestamps, oldest first."""
        return tuple(sorted(self.reader.embedded_signatures, key=lambda each: each.signed_revision))

    @cached_property
    def stamps(self) -> tuple[tuple[Signer, ...], ...]:
        """Who stamped each: the authority of a document timestamp, or those of the timestamps over a signature's value."""
        return tuple(
            tuple(
                _signer(token, is_timestamp=True, at=gen_time(token))
                for token in ([each.signed_data] if _is_timestamp(each) else extract_tst_data_iter(each.signer_info, signed=False))
            )
            for each in self.signatures
        )

    @property
    def lacks_timestamp(self) -> bool:
        """Whether a signature has neither a timestamp of its own nor a document timestamp after it, by an authority that is believed."""
        return any(self._time(index) is None for index, each in enumerate(self.signatures) if not _is_timestamp(each))

    @cached_property
    def signers(self) -> tuple[Signer, ...]:
        """All signers and timestamp authorities."""
        found: list[Signer] = []
        for index, each in enumerate(self.signatures):
            if not _is_timestamp(each):
                found.append(_signer(each.signed_data, is_timestamp=False, at=self._time(index) or self.now))
            found += self.stamps[index]
        return tuple(found)

    def _time(self, index: int) -> datetime | None:
        """The first moment that a believed timestamp proves for a signature."""
        revision = self.signatures[index].signed_revision
        later = [
            stamps[0]
            for each, stamps in zip(self.signatures, self.stamps, strict=True)
            if _is_timestamp(each) and each.signed_revision > revision
        ]
        return min((each.at for each in (*self.stamps[index], *later) if self._is_believed(each)), default=None)

    def _is_believed(self, stamp: Signer) -> bool:
        try:
            self.path(stamp)
        except VerificationFailed:
            return False
        return True

    def chain(self, signer: Signer, *, allow_sha1: bool) -> Chain:
        """Its path and what of it the DSS covers; VerificationFailed or CertificateRevoked."""
        path = self.path(signer)
        terms = Terms(at=signer.at, now=self.now, allow_sha1=allow_sha1)
        return Chain(path, signer.is_timestamp, signer.at, tuple(self.covers(question, terms) for question in path.questions))

    def path(self, signer: Signer) -> Path:
        """To an anchor; VerificationFailed when there is none."""
        if signer not in self._paths:
            anchors = load_all(self.trust.timestamping if signer.is_timestamp else self.trust.signing)
            others = (*signer.others, *self.stored_certificates)
            configured = load_all(self.trust.intermediates)
            self._paths[signer] = find_path(signer.certificate, others, anchors, signer.at, configured=configured)
        return self._paths[signer]

    def levels(self) -> dict[str, Level]:
        """The signatures above B-T, by field."""
        found: dict[str, Level] = {}
        for index, each in enumerate(self.signatures):
            if _is_timestamp(each) or (at := self._time(index)) is None or not self._is_covered(index, at):
                continue
            is_sealed = any(
                _is_timestamp(other) and other.signed_revision > each.signed_revision and self._is_over_a_store(other)
                for other in self.signatures
            )
            found[str(each.field_name)] = Level.B_LTA if is_sealed else Level.B_LT
        return found

    def _is_covered(self, index: int, at: datetime) -> bool:
        signer = _signer(self.signatures[index].signed_data, is_timestamp=False, at=at)
        try:
            chains = [self.chain(each, allow_sha1=False) for each in (signer, *self.stamps[index])]
        except (VerificationFailed, CertificateRevoked):
            return False
        links = {link for chain in chains for link in chain.path.certificates[:-1]}
        return links <= self.certificates and all(all(chain.covered) for chain in chains)

    def _is_over_a_store(self, timestamp: EmbeddedPdfSignature) -> bool:
        root = self.reader.get_historical_root(timestamp.signed_revision)
        return "/DSS" in root

    @cached_property
    def store(self) -> DocumentSecurityStore | None:
        """The DSS, if there is one."""
        try:
            return DocumentSecurityStore.read_dss(self.reader)
        except NoDSSFoundError:
            return None

    @cached_property
    def stored_certificates(self) -> tuple[x509.Certificate, ...]:
        """Those of the DSS."""
        return () if self.store is None else _loaded(list(self.store.load_certs())[:STORED_MAX])

    @cached_property
    def certificates(self) -> frozenset[x509.Certificate]:
        """All that the document holds."""
        return frozenset((*self.stored_certificates, *(link for each in self.signers for link in (each.certificate, *each.others))))

    @cached_property
    def answers(self) -> StoredAnswers:
        """OCSP answers and CRLs of the DSS."""
        if self.store is None:
            return StoredAnswers()
        ocsps = _contents(self.store.ocsps, DecodePurpose.OCSP_RESPONSE)
        return StoredAnswers.read(ocsps, _contents(self.store.crls, DecodePurpose.CRL))

    def covers(self, question: Question, terms: Terms) -> bool:
        """Whether an answer of the DSS stands. CertificateRevoked when it says so."""
        key = (question.key, terms.at)
        if key not in self._known:
            self._known[key] = next(self.answers.answers(question, terms), None) is not None
        return self._known[key]


def _signer(signed_data: cms.SignedData, *, is_timestamp: bool, at: datetime) -> Signer:
    found = extract_certificate_info(signed_data)
    (certificate,) = _loaded([found.signer_cert])
    return Signer(certificate, _loaded(found.other_certs[:_CERTIFICATES_MAX]), is_timestamp, at)


def _loaded(certificates: Iterable[asn1_x509.Certificate]) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(load(each.dump()) for each in certificates)
    except ValueError as error:
        raise VerificationFailed("a certificate in the document is not well-formed, so nobody can vouch for it") from error


def _contents(references: list[object], purpose: DecodePurpose) -> Iterator[bytes]:
    for reference in references:
        yield bytes(reference.get_object().read_data(purpose))  # type: ignore[attr-defined]  # pyHanko is annotated in part


def _is_timestamp(signature: EmbeddedPdfSignature) -> bool:
    return bool(signature.sig_object_type == _TIMESTAMP)
