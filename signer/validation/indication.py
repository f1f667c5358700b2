"""From what pyHanko found to an ETSI EN 319 102-1 indication: one table, first failing row decides, every failing row is told.

Changes that a signature forbids, and coverage of less than a revision, count as FORMAT_FAILURE, as other European validators do: the
standard has no sub-indication of its own for them, and they must never read as "perhaps".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from asn1crypto.x509 import Certificate
from cryptography import x509
from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate, AdESStatus, AdESSubIndic
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation.status import (
    ModificationInfo,
    PdfSignatureStatus,
    SignatureCoverageLevel,
    SignatureStatus,
    TimestampSignatureStatus,
)

from signer.validation.report import Changes, Coverage, Indication
from signer.validation.trust import TrustAnchors
from signer.validation.usage import unfit_for_documents

COVERAGES: Final = {
    SignatureCoverageLevel.ENTIRE_FILE: Coverage.DOCUMENT,
    SignatureCoverageLevel.ENTIRE_REVISION: Coverage.REVISION,
    SignatureCoverageLevel.CONTIGUOUS_BLOCK_FROM_START: Coverage.PARTIAL,
    SignatureCoverageLevel.UNCLEAR: Coverage.PARTIAL,
}
CHANGES: Final = {
    ModificationLevel.NONE: Changes.NONE,
    ModificationLevel.LTA_UPDATES: Changes.SIGNATURES_AND_EVIDENCE,
    ModificationLevel.FORM_FILLING: Changes.FORMS_AND_SIGNATURES,
    ModificationLevel.ANNOTATIONS: Changes.ANNOTATIONS,
    ModificationLevel.OTHER: Changes.FORBIDDEN,
}
INDICATIONS: Final = {
    AdESStatus.PASSED: Indication.TOTAL_PASSED,
    AdESStatus.INDETERMINATE: Indication.INDETERMINATE,
    AdESStatus.FAILED: Indication.TOTAL_FAILED,
}
_TRUST_PROBLEMS: Final[dict[AdESSubIndic, str]] = {
    AdESIndeterminate.NO_CERTIFICATE_CHAIN_FOUND: "no chain leads from the signer's certificate to a trust anchor",
    AdESIndeterminate.OUT_OF_BOUNDS_NO_POE: "the signer's certificate was not valid at the time verified, and no timestamp proves another",
    AdESIndeterminate.CHAIN_CONSTRAINTS_FAILURE: "the signer's certificate is self-signed or not meant for signing documents",
    AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE: "an algorithm or key that is no longer accepted was used",
    AdESIndeterminate.REVOKED_NO_POE: "the signer's certificate is revoked",
    AdESIndeterminate.REVOKED_CA_NO_POE: "a CA certificate of the chain is revoked",
    AdESIndeterminate.NO_SIGNING_CERTIFICATE_FOUND: "the signature does not hold its signer's certificate",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One failing row."""

    sub_indication: AdESSubIndic
    problem: str

    @property
    def indication(self) -> Indication:
        """The standard's indication for the sub-indication."""
        return INDICATIONS[self.sub_indication.status]


def findings(status: SignatureStatus, trust: TrustAnchors) -> Iterator[Finding]:
    """Everything that keeps a signature from passing, gravest first."""
    if not status.intact:
        yield Finding(AdESFailure.HASH_FAILURE, "the bytes that the signature covers were changed after signing")
    if not status.valid:
        yield Finding(AdESFailure.SIG_CRYPTO_FAILURE, "the signature was not made with the key of its certificate")
    if isinstance(status, ModificationInfo):
        yield from _change_findings(status)
    if isinstance(status, PdfSignatureStatus) and not status.seed_value_ok:
        yield Finding(AdESIndeterminate.SIG_CONSTRAINTS_FAILURE, "the signature breaks the rules of its signature field")
    yield from trust_findings(status, trust)


def _change_findings(status: ModificationInfo) -> Iterator[Finding]:
    if coverage(status) is Coverage.PARTIAL:
        yield Finding(AdESFailure.FORMAT_FAILURE, "the signature does not cover the whole of its revision")
    elif changes(status) is Changes.FORBIDDEN or status.docmdp_ok is False:
        yield Finding(AdESFailure.FORMAT_FAILURE, "the document was changed after signing in a way that the signature does not allow")


def trust_findings(status: SignatureStatus, trust: TrustAnchors) -> Iterator[Finding]:
    """What keeps the signer's certificate from being believed."""
    indication = status.trust_problem_indic
    if indication is not None:
        name = indication.standard_name
        yield Finding(indication, _TRUST_PROBLEMS.get(indication, f"the signer's certificate can't be relied on ({name})"))
    elif any(_is_weak(certificate) and not trust.names(certificate) for certificate in path(status)):
        problem = "a certificate of the chain is signed with SHA-1 and is not among the configured ones"
        yield Finding(AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE, problem)
    if indication is None and not isinstance(status, TimestampSignatureStatus) and (why := _unfit(status.signing_cert.dump())):
        yield Finding(AdESIndeterminate.CHAIN_CONSTRAINTS_FAILURE, f"the signer's certificate is not meant for signing documents: {why}")


def is_trusted(status: SignatureStatus, trust: TrustAnchors) -> bool:
    """Intact, valid, and chained to an anchor by certificates we accept."""
    return status.trusted and not any(trust_findings(status, trust))


def path(status: SignatureStatus) -> tuple[Certificate, ...]:
    """From the signer's certificate up, the anchor's last; empty when there is no trusted chain."""
    if status.validation_path is None or status.trust_problem_indic is not None:
        return ()
    certificates: list[Certificate] = list(status.validation_path.iter_certs(include_root=True))
    return tuple(reversed(certificates))


def coverage(status: SignatureStatus | ModificationInfo) -> Coverage:
    """How much of the file the signature covers; UNKNOWN for what is no PDF's."""
    return Coverage.UNKNOWN if not isinstance(status, ModificationInfo) or status.coverage is None else COVERAGES[status.coverage]


def changes(status: SignatureStatus | ModificationInfo) -> Changes:
    """What was added after the signature; UNKNOWN for what is no PDF's."""
    level = status.modification_level if isinstance(status, ModificationInfo) else None
    return Changes.UNKNOWN if level is None else CHANGES[level]


@lru_cache(maxsize=256)
def _unfit(certificate: bytes) -> str:
    try:
        return unfit_for_documents(x509.load_der_x509_certificate(certificate))
    except ValueError:
        return "it is not well-formed"


def _is_weak(certificate: Certificate) -> bool:
    algorithm: str = certificate["signature_algorithm"]["algorithm"].native
    return certificate.self_signed == "no" and algorithm.startswith("sha1")
