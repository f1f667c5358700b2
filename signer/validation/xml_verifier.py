"""One signature of an XML document after the other, each judged by itself; see `xml` for the ceremony."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree
from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate

from signer.algorithms import SignatureAlgorithm
from signer.errors import DocumentTooCostly, DocumentUnsupported, InvalidArgument, SignerError
from signer.formats.xml.canonical import canonicalize
from signer.formats.xml.reading import Element
from signer.formats.xml.search import Finder
from signer.model import Level, Profile, SlotRequest
from signer.validation.chains import ChainQuestion, judge_chain
from signer.validation.indication import Finding
from signer.validation.report import Changes, Coverage, Indication, SignatureKind, SignatureReport, TimestampReport
from signer.validation.trust import TrustAnchors
from signer.validation.xml_coverage import coverage, is_as_expected
from signer.validation.xml_key import find_signer
from signer.validation.xml_references import CoveredReference, Standing, judge_references
from signer.validation.xml_signature import Malformed, SignatureParts, Unsupported, take_apart
from signer.validation.xml_statements import Statements, read_statements
from signer.validation.xml_timestamps import judge_timestamp

WORK_BYTES_MAX: Final = 1_000_000_000
"""Of the document, times references, as if each covered all of it: some seconds of canonicalisation."""

_STANDINGS: Final = {
    Standing.CHANGED: Finding(AdESFailure.HASH_FAILURE, "what the signature covers was changed after signing"),
    Standing.AMBIGUOUS: Finding(AdESFailure.FORMAT_FAILURE, "an Id that the signature references is there more than once"),
    Standing.NOT_FOUND: Finding(AdESIndeterminate.SIGNED_DATA_NOT_FOUND, "something that the signature references is not there"),
    Standing.NOT_READ: Finding(AdESIndeterminate.SIG_CONSTRAINTS_FAILURE, "a reference is of a kind that is not judged here"),
}
_MISPLACED: Final = Finding(
    AdESFailure.FORMAT_FAILURE, "the signature is not in its slot, or does not reference exactly what its slot signs"
)
_NO_CERTIFICATE: Final = Finding(AdESIndeterminate.NO_SIGNING_CERTIFICATE_FOUND, "the signature does not hold its signer's certificate")
_WRONG_KEY: Final = Finding(AdESFailure.SIG_CRYPTO_FAILURE, "the signature was not made with the key of its certificate, or was changed")
_OTHER_CERTIFICATE: Final = Finding(
    AdESIndeterminate.NO_SIGNING_CERTIFICATE_FOUND, "its XAdES properties name another certificate than the one whose key made it"
)
_NO_TIME: Final = Finding(AdESIndeterminate.SIG_CONSTRAINTS_FAILURE, "the signature does not sign its signing time, as a record's must")
_BAD_TIMESTAMP: Final = "its timestamp is not valid or not trusted, so it proves no time"
_COMMENTS: Final = "comments stand in what is signed: the signature does not cover them, and a reader that stops at one sees another text"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A signature whose key is known. own: what is wrong with itself, whoever made it."""

    name: str
    parts: SignatureParts
    said: Statements
    covered: Coverage
    own: tuple[Finding, ...]
    signer: bytes
    has_comments: bool


class XmlVerifier:
    """Judges the signatures of one document, which is left as it is."""

    def __init__(self, finder: Finder, trust: TrustAnchors, at: datetime, detached: bytes | None = None) -> None:
        """at: aware; InvalidArgument if not. detached: what a signature in a file of its own is to."""
        if at.utcoffset() is None:
            raise InvalidArgument("the moment to verify at needs a time zone", field="at")
        self.finder = finder
        self._trust = trust
        self._at = at
        self._detached = detached
        self._work_bytes = 0

    def judge(self, signature: Element, expected: SlotRequest | None = None) -> SignatureReport:
        """One ds:Signature of the document.

        expected: where it must stand and what it must reference, as a record's slot asks; None for anything. Raises DocumentTooCostly when
        it and the ones before it reference too much.
        """
        name = signature.get("Id") or self.finder.root.getroottree().getpath(signature)
        try:
            return self._judge(name, take_apart(signature), expected)
        except Malformed as malformed:
            return _failed(name, Finding(AdESFailure.FORMAT_FAILURE, f"the signature can't be read: {malformed.text}"))
        except Unsupported as unsupported:
            weak = AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE if unsupported.is_weak else AdESIndeterminate.SIG_CONSTRAINTS_FAILURE
            return _failed(name, Finding(weak, f"the signature is not judged: {unsupported.text}"))
        except DocumentUnsupported as unsupported:
            return _failed(name, Finding(AdESIndeterminate.SIG_CONSTRAINTS_FAILURE, f"the signature is not judged: {unsupported.message}"))
        except (SignerError, MemoryError):
            raise
        except Exception:  # noqa: BLE001  # certificates are strangers' bytes too: whatever reading them raises, this signature is unreadable
            return _failed(name, Finding(AdESFailure.FORMAT_FAILURE, "the signature can't be read"))

    def _judge(self, name: str, parts: SignatureParts, expected: SlotRequest | None) -> SignatureReport:
        self._count_work(parts)
        references = judge_references(self.finder, parts, self._detached)
        is_expected = expected is not None and is_as_expected(self.finder, parts, references, expected)
        own = list(_reference_findings(references))
        if expected is not None and not is_expected:
            own.append(_MISPLACED)
        octets = canonicalize(parts.signed_info, parts.method, with_comments=parts.with_comments)
        signer = find_signer(parts.certificates, octets, parts.value, parts.algorithm)
        if signer is None:
            own.append(_WRONG_KEY if parts.certificates else _NO_CERTIFICATE)
            return _failed(name, *_gravest_first(own), algorithm=parts.algorithm)
        said = read_statements(parts, references)
        if said.certificate_digests and not said.names(signer):
            own.append(_OTHER_CERTIFICATE)
        if expected is not None and said.claimed_time is None:
            own.append(_NO_TIME)
        covered = coverage(parts, references)
        if is_expected and covered is Coverage.PARTIAL:
            covered = Coverage.DOCUMENT
        return self._report(_Seen(name, parts, said, covered, tuple(own), signer, self._have_comments(references)))

    def _have_comments(self, references: Sequence[CoveredReference]) -> bool:
        if b"<!--" not in self.finder.document.content:
            return False
        return any(each.element is not None and next(each.element.iter(etree.Comment), None) is not None for each in references)

    def _count_work(self, parts: SignatureParts) -> None:
        self._work_bytes += len(self.finder.document.content) * len(parts.references)
        if self._work_bytes > WORK_BYTES_MAX:
            raise DocumentTooCostly("the XML's signatures reference more than is digested for one document; verify it in parts")

    def _report(self, seen: _Seen) -> SignatureReport:
        timestamp = self._timestamp(seen.said)
        proven = timestamp.time if timestamp is not None and timestamp.valid else None
        moment = proven or self._at
        others = tuple(each for each in seen.parts.certificates if each != seen.signer)
        standing = judge_chain(ChainQuestion(seen.signer, others, self._trust, moment))
        found = _gravest_first([*seen.own, *standing.findings])
        fields = dict(standing.facts)
        fields["problems"] = tuple(each.problem for each in found)
        fields["problems"] += (_BAD_TIMESTAMP,) if seen.said.timestamps and proven is None else ()
        fields["problems"] += (_COMMENTS,) if seen.has_comments else ()
        fields["indication"] = found[0].indication if found else Indication.TOTAL_PASSED
        fields["sub_indication"] = found[0].sub_indication.standard_name if found else ""
        fields["intact"] = seen.covered is not Coverage.UNKNOWN
        fields["trusted"] = fields["trusted"] and fields["intact"]
        return SignatureReport(
            name=seen.name,
            kind=SignatureKind.SIGNATURE,
            claimed_time=seen.said.claimed_time,
            best_time=moment,
            proven_time=proven,
            timestamp=timestamp,
            level=_level(seen, timestamped=proven is not None),
            coverage=seen.covered,
            changes=Changes.NONE if seen.covered is Coverage.DOCUMENT else Changes.UNKNOWN,
            profile=seen.said.profile,
            algorithm=seen.parts.algorithm,
            **fields,
        )

    def _timestamp(self, said: Statements) -> TimestampReport | None:
        """The first that stands, else the first that can be read."""
        judged = [judge_timestamp(each, self._trust, self._at) for each in said.timestamps]
        readable = [each for each in judged if each is not None]
        return next((each for each in readable if each.valid), readable[0] if readable else None)


def _level(seen: _Seen, *, timestamped: bool) -> Level | None:
    """XAdES B-B: time and certificate are signed (EN 319 132-1 6.3); B-T: and stamped. The Ministry's B-B: time, name, certificate."""
    if seen.said.claimed_time is None:
        return None
    if seen.said.profile is Profile.MINISTRY_XML:
        return Level.B_B if seen.parts.subject_name else None
    if not seen.said.names(seen.signer):
        return None
    return Level.B_T if timestamped else Level.B_B


def _reference_findings(references: Sequence[CoveredReference]) -> Iterator[Finding]:
    standings = {each.standing for each in references}
    yield from (finding for standing, finding in _STANDINGS.items() if standing in standings)


def _gravest_first(found: list[Finding]) -> list[Finding]:
    return sorted(found, key=lambda each: each.indication is not Indication.TOTAL_FAILED)


def _failed(name: str, *found: Finding, algorithm: SignatureAlgorithm | None = None) -> SignatureReport:
    return SignatureReport(
        name,
        SignatureKind.SIGNATURE,
        found[0].indication,
        found[0].sub_indication.standard_name,
        algorithm=algorithm,
        problems=tuple(each.problem for each in found),
    )
