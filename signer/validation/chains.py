"""Whether a certificate may sign documents and leads to an anchor, judged once for all the documents of a batch.

Judging costs milliseconds and a class is signed by few people, so a chain that stood is remembered with the time in which every certificate
concerned is valid; inside it the answer can't differ. What does not stand is never remembered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from asn1crypto.x509 import Certificate
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko.sign.validation.generic_cms import validate_cert_usage
from pyhanko.sign.validation.status import SignatureStatus

from signer.validation.indication import Finding, trust_findings
from signer.validation.judging import facts
from signer.validation.policy import SIGNER_KEY_USAGE, context
from signer.validation.trust import TrustAnchors

_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class ChainQuestion:
    """certificate: the signer's. others: what came along. All DER. moment: aware, no part of what is remembered."""

    certificate: bytes
    others: tuple[bytes, ...]
    trust: TrustAnchors
    moment: datetime = field(compare=False)


@dataclass(frozen=True, slots=True)
class SignerStanding:
    """Who signed, and whether that is to be believed. facts: as `judging.facts`; findings: what keeps it from being believed."""

    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]


class _Refused(Exception):
    """Carries a standing that is not to be remembered."""

    def __init__(self, standing: SignerStanding) -> None:
        super().__init__()
        self.standing = standing


def judge_chain(question: ChainQuestion) -> SignerStanding:
    """What is to be said of the signer of a signature that is itself in order; ValueError for what is no certificate."""
    try:
        standing, not_before, not_after = _stood(question)
    except _Refused as refused:
        return refused.standing
    return standing if not_before <= question.moment <= not_after else _standing(_judge(question), question.trust)


@lru_cache(maxsize=_REMEMBERED)
def _stood(question: ChainQuestion) -> tuple[SignerStanding, datetime, datetime]:
    """A chain not seen before, and since when and until when all of its certificates are valid together."""
    status = _judge(question)
    standing = _standing(status, question.trust)
    if standing.findings or status.validation_path is None:
        raise _Refused(standing)
    links = list(status.validation_path.iter_certs(include_root=True))
    return standing, max(each.not_valid_before for each in links), min(each.not_valid_after for each in links)


def _standing(status: SignatureStatus, trust: TrustAnchors) -> SignerStanding:
    return SignerStanding(facts(status, trust), tuple(trust_findings(status, trust)))


def _judge(question: ChainQuestion) -> SignatureStatus:
    certificate = Certificate.load(question.certificate, strict=True)
    trust = question.trust
    validation = context(trust.signing_certificates, trust.intermediate_certificates, question.moment)
    validation.certificate_registry.register_multiple(list(_readable(question.others)))
    paths = validation.path_builder.async_build_paths_lazy(certificate)
    try:
        result = asyncio.run(validate_cert_usage(certificate, validation, SIGNER_KEY_USAGE, paths))
        problem, path = result.error_subindic, result.success_result or result.error_path
    except ValueError:
        problem, path = AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE, None
    return SignatureStatus(
        intact=True,
        valid=True,
        trust_problem_indic=problem,
        signing_cert=certificate,
        pkcs7_signature_mechanism="",
        md_algorithm="",
        validation_path=path,
        revocation_details=None,
        error_time_horizon=None,
        validation_time=question.moment,
        qualification_result=None,
    )


def _readable(certificates: Iterable[bytes]) -> Iterator[Certificate]:
    """Those that can be read to their last member: what else came along with a signature completes no chain."""
    for encoded in certificates:
        with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
            certificate = Certificate.load(encoded, strict=True)
            _ = certificate.native
            yield certificate
