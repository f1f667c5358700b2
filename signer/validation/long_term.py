"""What a signed PDF lacks for a level: timestamps, certificates, and the status of certificates (EN 319 142-1 6.3, B-T to B-LTA).

One document, in this order:
1. every signature and timestamp is verified as `pdf` does: one that fails is not worth keeping, and refuses the document. One that is
   merely not provable any more (its certificate has expired since) goes on: that is what archiving is for;
2. a signature has its time when a timestamp of its own or a document timestamp after it says so, by an authority with a path to an anchor;
3. each signer and each timestamp authority gets a path to an anchor, valid at that time, over certificates of the signature, of the DSS and
   of the configuration;
4. each certificate on it is covered when the DSS holds a verified answer that was good at that time or made later.

A path also vouches for the addresses in its certificates; whoever calls them builds it anew, because this runs among strangers' bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from signer.errors import DocumentUnsigned, SignerError, VerificationFailed
from signer.formats.pades.reading import open_to_verify
from signer.formats.pades.refusal import refusals
from signer.model import Level
from signer.validation.found import Chain, Found
from signer.validation.pdf import verify_pdf
from signer.validation.report import DocumentReport, Indication, SignatureKind
from signer.validation.trust import TrustAnchors


@dataclass(frozen=True, slots=True)
class Examination:
    """lacks_timestamp: whether a signature has no proven time. is_complete: every certificate is in the document, and its status."""

    lacks_timestamp: bool
    chains: tuple[Chain, ...]
    is_complete: bool


def examine(document: bytes, trust: TrustAnchors, now: datetime, *, with_chains: bool, allow_sha1: bool = False) -> Examination:
    """What `document` has and lacks.

    Args:
        document: the PDF.
        trust: whom to believe.
        now: aware.
        with_chains: also steps 3 and 4; else `chains` is empty.
        allow_sha1: whether answers in the document may be signed with SHA-1.

    Raises:
        DocumentUnsigned: it has neither a signature nor a timestamp.
        VerificationFailed: one of them does not stand, or has no path.
        CertificateRevoked: an answer in the document says so.
        DocumentError: it can't be read.
    """
    _require_standing(verify_pdf(document, trust, now))
    with refusals():
        found = Found(open_to_verify(document), trust, now)
        if not with_chains:
            return Examination(found.lacks_timestamp, (), is_complete=False)
        chains = tuple(found.chain(each, allow_sha1=allow_sha1) for each in found.signers)
    held = found.certificates
    needed = {link for chain in chains for link in chain.path.certificates[:-1]}
    return Examination(found.lacks_timestamp, chains, needed <= held and all(all(chain.covered) for chain in chains))


def with_long_term(found: Found, report: DocumentReport) -> DocumentReport:
    """The report with the levels above B-T where they are reached.

    B-LT: the DSS covers the signer and its timestamp. B-LTA: and a document timestamp stands over a revision with a DSS.
    """
    if not any(one.level is Level.B_T for one in report.signatures):
        return report
    try:
        with refusals():
            levels = found.levels()
    except SignerError:
        return report  # one signature that can't be read hides no other's verdict
    raised = (replace(one, level=levels.get(one.name, one.level)) if one.level is Level.B_T else one for one in report.signatures)
    return replace(report, signatures=tuple(raised))


def _require_standing(report: DocumentReport) -> None:
    if not report.signatures:
        raise DocumentUnsigned("the PDF holds neither a signature nor a document timestamp; sign it first")
    for one in report.signatures:
        if one.indication is Indication.TOTAL_FAILED:
            raise VerificationFailed(f"signature {one.name!r} does not stand: {'; '.join(one.problems)}", fieldName=one.name)
        if one.kind is SignatureKind.SIGNATURE and one.timestamp is not None and not one.timestamp.intact:
            raise VerificationFailed(f"the timestamp of signature {one.name!r} is not over it, or was changed", fieldName=one.name)
