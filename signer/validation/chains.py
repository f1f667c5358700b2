"""Whether a certificate may sign documents and leads to an anchor, judged once for all the documents of a batch.

Judging costs milliseconds and a class is signed by few people, so a chain that stood is remembered with the time in which every certificate
concerned is valid; inside it the answer can't differ. What does not stand is never remembered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from asn1crypto.x509 import Certificate
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko.sign.validation.generic_cms import validate_cert_usage
from pyhanko.sign.validation.status import SignatureStatus

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


class _Refused(Exception):
    """Carries a status that is not to be remembered."""

    def __init__(self, status: SignatureStatus) -> None:
        super().__init__()
        self.status = status


def judge_chain(question: ChainQuestion) -> SignatureStatus:
    """What pyHanko says of the signer's certificate, as the status of a signature that is itself in order.

    Raises ValueError for what is no certificate.
    """
    try:
        status, not_before, not_after = _stood(question)
    except _Refused as refused:
        return refused.status
    return status if not_before <= question.moment <= not_after else _judge(question)


@lru_cache(maxsize=_REMEMBERED)
def _stood(question: ChainQuestion) -> tuple[SignatureStatus, datetime, datetime]:
    """A chain not seen before, and since when and until when all of its certificates are valid together."""
    status = _judge(question)
    if status.trust_problem_indic is not None or status.validation_path is None:
        raise _Refused(status)
    links = list(status.validation_path.iter_certs(include_root=True))
    return status, max(each.not_valid_before for each in links), min(each.not_valid_after for each in links)


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
