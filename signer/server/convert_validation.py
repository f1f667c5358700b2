"""Between ValidationService's messages and values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from signer.errors import CertificateExpired, CertificateNotYetValid, CertificateRevoked, CertificateStatusUnavailable, InvalidArgument
from signer.formats.status.answer import Answer
from signer.model import Profile, RecordSlot
from signer.pipeline.signer_check import Verdict
from signer.pipeline.verification import Judgement, Manner
from signer.server import convert
from signer.telemetry.metrics import CertificateVerdict
from signer.trust.admit import warnings
from signer.trust.anchor import Anchor, TrustPurpose
from signer.trust.known import recognise
from signer.v1 import common_pb2, validation_pb2
from signer.validation.report import (
    Changes,
    Coverage,
    Indication,
    RevocationReport,
    RevocationStatus,
    SignatureKind,
    SignatureReport,
    SlotReport,
    TimestampReport,
)
from signer.validation.summary import Language, summary

_INDICATIONS = {each: validation_pb2.Indication.Value(f"INDICATION_{each.name}") for each in Indication}
_STATUSES = {each: validation_pb2.RevocationStatus.Value(f"REVOCATION_STATUS_{each.name}") for each in RevocationStatus}
_SLOTS = {each: common_pb2.RecordSlot.Value(f"RECORD_SLOT_{each.name}") for each in RecordSlot}
PURPOSES: dict[Any, TrustPurpose] = {validation_pb2.TrustPurpose.Value(f"TRUST_PURPOSE_{each.name}"): each for each in TrustPurpose}
_PURPOSE_NUMBERS = {purpose: number for number, purpose in PURPOSES.items()}
_CHANGES: dict[Changes, Any] = {
    Changes.NONE: validation_pb2.CHANGE_KIND_NONE,
    Changes.SIGNATURES_AND_EVIDENCE: validation_pb2.CHANGE_KIND_LATER_SIGNATURES,
    Changes.FORMS_AND_SIGNATURES: validation_pb2.CHANGE_KIND_ALLOWED,
    Changes.ANNOTATIONS: validation_pb2.CHANGE_KIND_ALLOWED,
    Changes.FORBIDDEN: validation_pb2.CHANGE_KIND_FORBIDDEN,
    Changes.UNKNOWN: validation_pb2.CHANGE_KIND_UNSPECIFIED,
}
_WHOLE = frozenset({Coverage.DOCUMENT, Coverage.REVISION})


def manner(options: validation_pb2.ValidationOptions, field: str) -> Manner:
    """How documents are judged. InvalidArgument for a moment that is none. field: the options' own name."""
    at: datetime | None = None
    if options.HasField("at_time"):
        try:
            at = options.at_time.ToDatetime(UTC)
        except (ValueError, OverflowError) as error:
            raise InvalidArgument(f"{field}.at_time is no moment", field=f"{field}.at_time") from error
    return Manner(at, options.offline, options.record_rules, options.detached_content or None)


def report(judged: Judgement, document_sha256: bytes) -> validation_pb2.ValidationReport:
    """A document's report."""
    found = judged.report
    return validation_pb2.ValidationReport(
        indication=_INDICATIONS[found.indication] if found.signatures else validation_pb2.INDICATION_UNSPECIFIED,
        signatures=[_signature(each) for each in found.signatures],
        slots=[_slot(each) for each in found.slots],
        document_sha256=document_sha256,
        summary_vi=summary(found, Language.VIETNAMESE),
        summary_en=summary(found, Language.ENGLISH),
        validation_time=convert.timestamp(judged.at),
    )


def _signature(found: SignatureReport) -> validation_pb2.SignatureReport:
    message = validation_pb2.SignatureReport(
        signature_name=found.name,
        indication=_INDICATIONS[found.indication],
        sub_indication=_sub_indication(found.sub_indication),
        profile=convert.PROFILE_NUMBERS.get(found.profile or Profile.DIGEST, 0),
        level=convert.LEVEL_NUMBERS[found.level] if found.level else common_pb2.LEVEL_UNSPECIFIED,
        algorithm=convert.ALGORITHM_NUMBERS[found.algorithm] if found.algorithm else common_pb2.SIGNATURE_ALGORITHM_UNSPECIFIED,
        chain=[convert.certificate_info(each) for each in found.certificates[1:]],
        covers_whole=found.coverage in _WHOLE,
        later_changes=_CHANGES[found.changes],
        slot=_SLOTS[found.slot] if found.slot else common_pb2.RECORD_SLOT_UNSPECIFIED,
        messages=[f"{problem[:1].upper()}{problem[1:]}." for problem in found.problems],
    )
    if found.certificate:
        message.signer.CopyFrom(convert.certificate_info(found.certificate))
    if found.claimed_time is not None:
        message.claimed_time.CopyFrom(convert.timestamp(found.claimed_time))
    if found.proven_time is not None:
        message.proven_time.CopyFrom(convert.timestamp(found.proven_time))
    if found.timestamp is not None:
        message.timestamps.append(_timestamp(found.timestamp, is_archive=found.kind is SignatureKind.DOCUMENT_TIMESTAMP))
    if found.revocation is not None:
        message.revocation.CopyFrom(_revocation(found.revocation))
    return message


def _sub_indication(name: str) -> Any:
    """Names of the standard that the contract does not have are left to the messages."""
    full = f"SUB_INDICATION_{name}"
    return validation_pb2.SubIndication.Value(full) if name and full in validation_pb2.SubIndication.keys() else 0  # noqa: SIM118


def _timestamp(found: TimestampReport, *, is_archive: bool) -> validation_pb2.TimestampReport:
    flawed = Indication.INDETERMINATE if found.intact else Indication.TOTAL_FAILED
    message = validation_pb2.TimestampReport(
        indication=_INDICATIONS[Indication.TOTAL_PASSED if found.valid else flawed],
        gen_time=convert.timestamp(found.time),
        policy_oid=found.policy_oid,
        archive=is_archive,
    )
    if found.certificate:
        message.authority.CopyFrom(convert.certificate_info(found.certificate))
    return message


def _slot(found: SlotReport) -> validation_pb2.RecordSlotReport:
    return validation_pb2.RecordSlotReport(
        slot=_SLOTS[found.slot],
        subject_id=found.subject_id,
        signature_name=found.signature,
        references_right=found.references_right,
        order_right=found.order_right,
    )


def _revocation(found: RevocationReport) -> validation_pb2.RevocationReport:
    message = validation_pb2.RevocationReport(status=_STATUSES[found.status], source=found.source)
    for field, moment in (("revocation_time", found.time), ("this_update", found.this_update), ("next_update", found.next_update)):
        if moment is not None:
            getattr(message, field).CopyFrom(convert.timestamp(moment))
    return message


def checked(verdict: Verdict, certificate: bytes, *, may_sign: bool, now: datetime) -> validation_pb2.CheckCertificateResponse:
    """What the check of a certificate came to."""
    above = () if verdict.path is None else verdict.path.certificates[1:]
    indication, sub_indication = _verdict(verdict)
    message = validation_pb2.CheckCertificateResponse(
        may_sign=may_sign,
        indication=_INDICATIONS[indication],
        sub_indication=_sub_indication(sub_indication),
        certificate=convert.certificate_info(certificate),
        chain=[convert.certificate_info(Anchor(each).der) for each in above],
        messages=[] if verdict.problem is None else [verdict.problem.message],
    )
    for each in above:
        message.messages.extend(f"{Anchor(each).subject}: {warning}" for warning in warnings(each, now))
    message.revocation.CopyFrom(_revocation(_checked_status(verdict)))
    return message


def _verdict(verdict: Verdict) -> tuple[Indication, str]:
    if verdict.outcome is CertificateVerdict.GOOD:
        return Indication.TOTAL_PASSED, ""
    if verdict.outcome is CertificateVerdict.REVOKED:
        return Indication.TOTAL_FAILED, "REVOKED"
    if verdict.outcome is CertificateVerdict.UNKNOWN:
        return Indication.INDETERMINATE, "TRY_LATER"
    if isinstance(verdict.problem, CertificateExpired):
        return Indication.TOTAL_FAILED, "EXPIRED"
    if isinstance(verdict.problem, CertificateNotYetValid):
        return Indication.INDETERMINATE, "NOT_YET_VALID"
    return Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND" if verdict.path is None else "CHAIN_CONSTRAINTS_FAILURE"


def _checked_status(verdict: Verdict) -> RevocationReport:
    if isinstance(verdict.problem, CertificateRevoked):
        time = verdict.problem.metadata.get("revocationTime", "")
        return RevocationReport(
            RevocationStatus.REVOKED, datetime.fromisoformat(time) if time else None, source=verdict.problem.metadata.get("source", "")
        )
    if verdict.answers:
        leaf: Answer = verdict.answers[0]
        return RevocationReport(RevocationStatus.GOOD, None, leaf.this_update, leaf.good_until, leaf.source)
    if verdict.path is not None and not isinstance(verdict.problem, CertificateStatusUnavailable):
        return RevocationReport(RevocationStatus.NOT_NEEDED)
    return RevocationReport(RevocationStatus.UNKNOWN)


def anchor(found: Anchor, now: datetime) -> validation_pb2.TrustAnchor:
    """A believed CA."""
    known = recognise(found.certificate)
    return validation_pb2.TrustAnchor(
        anchor_id=found.anchor_id,
        certificate=convert.certificate_info(found.der),
        purposes=sorted(_PURPOSE_NUMBERS[purpose] for purpose in found.purposes),
        known_as="" if known is None else known.known_as,
        warnings=list(warnings(found.certificate, now)),
    )
