"""Verify every signature of a CMS (RFC 5652), CAdES or plain (EN 319 122-1), attached or detached.

One document, in this order:
1. DER, or PEM around it; it must be SignedData;
2. what is signed: what it holds, or what the caller brings; both must be the same where both are there;
3. each signer info by itself: digest, signature, chain, timestamp, at its moment (`judging`). One that can't be read is reported as failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from asn1crypto import cms, pem
from asn1crypto.core import Void
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko.sign.validation.status import StandardCMSSignatureStatus

from signer.errors import DocumentDamaged, DocumentEmpty, DocumentTooCostly, DocumentUnsupported, InvalidArgument, SignerError
from signer.model import Profile
from signer.validation.indication import INDICATIONS
from signer.validation.judging import algorithm, facts, judge_in_time, level
from signer.validation.policy import SIGNATURES, SIGNER_KEY_USAGE, context
from signer.validation.report import Coverage, DocumentReport, Indication, SignatureKind, SignatureReport
from signer.validation.stored import StoredAnswers
from signer.validation.trust import TrustAnchors

SIGNERS_MAX: Final = 100
_UNREADABLE: Final = "the signature can't be read"


def verify_cms(encoded: bytes, trust: TrustAnchors, at: datetime | None = None, content: bytes | None = None) -> DocumentReport:
    """Judge every signature of a CMS.

    Args:
        encoded: ContentInfo, DER or PEM.
        trust: whom to believe.
        at: the moment to verify at, aware; None for now.
        content: what a detached signature signs; None when it is not at hand.

    Raises:
        DocumentError: it can't be read, is no SignedData, or has more than SIGNERS_MAX signers.
        InvalidArgument: `at` has no zone.
    """
    moment = at or datetime.now(UTC)
    if moment.utcoffset() is None:
        raise InvalidArgument("the moment to verify at needs a time zone", field="at")
    with reading():
        return judge_cms(signed_data(encoded), trust, moment, content)


@contextmanager
def reading() -> Iterator[None]:
    """Lets our errors through; whatever else a parser of strangers' bytes raises means that the CMS is damaged, or too costly."""
    try:
        yield
    except SignerError:
        raise
    except MemoryError as error:
        raise DocumentTooCostly("reading the CMS takes more memory than the limit") from error
    except Exception as error:
        raise DocumentDamaged("the CMS is broken or truncated; get it again from its source") from error


def signed_data(encoded: bytes) -> cms.SignedData:
    """The SignedData of a ContentInfo. Run inside `reading()`."""
    if not encoded:
        raise DocumentEmpty("the CMS has no bytes; send the signature itself")
    info = cms.ContentInfo.load(pem.unarmor(encoded)[2] if pem.detect(encoded) else encoded, strict=True)
    if info["content_type"].native != "signed_data":
        raise DocumentUnsupported("the CMS is no signature (SignedData)")
    return info["content"]


def stored_answers(signed: cms.SignedData) -> StoredAnswers:
    """The CRLs and OCSP answers it carries (RFC 5652 10.2.1, RFC 5940)."""
    choices = () if isinstance(signed["crls"], Void) else tuple(signed["crls"])
    crls = [choice.chosen.dump() for choice in choices if choice.name == "certificate_list"]
    others = [choice.chosen for choice in choices if choice.name == "other"]
    return StoredAnswers.read([each["other_rev_info"].dump() for each in others], crls)


@dataclass(frozen=True, slots=True)
class _View:
    """What all signers of a CMS are judged by. content: None when nobody has it. problem: why nothing of it can pass; empty for nothing."""

    signed: cms.SignedData
    trust: TrustAnchors
    at: datetime
    content: bytes | None
    problem: str = ""


def judge_cms(signed: cms.SignedData, trust: TrustAnchors, at: datetime, content: bytes | None) -> DocumentReport:
    """The same for one that was read. Run inside `reading()`."""
    infos = list(signed["signer_infos"])
    if len(infos) > SIGNERS_MAX:
        raise DocumentTooCostly(f"the CMS has more than {SIGNERS_MAX} signers; verify it elsewhere", limit=SIGNERS_MAX)
    held = not isinstance(signed["encap_content_info"]["content"], Void)
    own = bytes(signed["encap_content_info"]["content"]) if held else None
    problem = "the signature holds other content than the one given" if held and content is not None and own != content else ""
    view = _View(signed, trust, at, own if held else content, problem)
    reports = tuple(_judge(number, info, view) for number, info in enumerate(infos))
    return DocumentReport(reports, () if reports else ("the document is not signed",))


def _judge(number: int, info: cms.SignerInfo, view: _View) -> SignatureReport:
    try:
        return asyncio.run(_judge_signer(number, info, view))
    except SignatureValidationError as error:
        sub = error.ades_subindication
        problem = f"{_UNREADABLE}: its form is not one that is accepted"
        return _unreadable(number, INDICATIONS[sub.status], sub.standard_name, problem)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # a parser of strangers' bytes: whatever it raises, this signature is unreadable
        return _unreadable(number, Indication.TOTAL_FAILED, "FORMAT_FAILURE", _UNREADABLE)


def _unreadable(number: int, indication: Indication, sub_indication: str, problem: str) -> SignatureReport:
    return SignatureReport(str(number), SignatureKind.SIGNATURE, indication, sub_indication, problems=(problem,))


async def _judge_signer(number: int, info: cms.SignerInfo, view: _View) -> SignatureReport:
    alone = _alone(info, view.signed)
    intermediates = view.trust.intermediate_certificates
    content = view.content

    async def validate(moment: datetime) -> StandardCMSSignatureStatus:
        return await async_validate_detached_cms(
            content or b"",
            alone,
            context(view.trust.signing_certificates, intermediates, moment),
            context(view.trust.timestamping_certificates, intermediates, view.at),
            key_usage_settings=SIGNER_KEY_USAGE,
            algorithm_policy=SIGNATURES,
        )

    judged = await judge_in_time(info, validate, view.trust, view.at)
    found = facts(judged.status, view.trust)
    found["problems"] += judged.problems
    reached = level(info, timestamped=judged.is_stamped)
    report = SignatureReport(
        name=str(number),
        kind=SignatureKind.SIGNATURE,
        best_time=judged.moment,
        proven_time=judged.proven,
        claimed_time=judged.status.signer_reported_dt,
        timestamp=judged.timestamp,
        level=reached,
        coverage=Coverage.DOCUMENT,
        profile=None if reached is None else Profile.CADES,
        algorithm=algorithm(info),
        **found,
    )
    return _without_content(report) if content is None else _with_problem(report, view.problem)


def _alone(info: cms.SignerInfo, signed: cms.SignedData) -> cms.SignedData:
    """The same with this signer only, as a detached one."""
    return cms.SignedData(
        {
            "version": signed["version"].native,
            "digest_algorithms": [info["digest_algorithm"]],
            "encap_content_info": {"content_type": signed["encap_content_info"]["content_type"].native},
            "certificates": signed["certificates"],
            "signer_infos": [info],
        }
    )


def _without_content(report: SignatureReport) -> SignatureReport:
    """Who signed is known, whether it was this is not: nobody has what was signed."""
    problem = "what the signature signs is not at hand; give it beside the signature"
    return replace(
        report,
        indication=Indication.INDETERMINATE,
        sub_indication="SIGNED_DATA_NOT_FOUND",
        coverage=Coverage.UNKNOWN,
        intact=False,
        trusted=False,
        chain=(),
        certificates=(),
        problems=(problem,),
    )


def _with_problem(report: SignatureReport, problem: str) -> SignatureReport:
    if not problem:
        return report
    return replace(
        report, indication=Indication.TOTAL_FAILED, sub_indication="HASH_FAILURE", intact=False, problems=(problem, *report.problems)
    )
