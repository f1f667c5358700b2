"""pyHanko's validation of an archived PDF: all it knows beside the file is the root.

Nothing is fetched, and no certificate passes without revocation data: what the DSS lacks, the signature lacks.

- `judged`: long-term validation (EN 319 102-1 5.6.3), which this pyHanko does for signatures with a timestamp of their own alone;
- `valid_now`: every signature and timestamp as of now, with its difference analysis.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from io import BytesIO

from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation.ades import AdESLTAValidationResult, ades_lta_validation, simulate_future_ades_lta_validation
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature, async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

_TIMESTAMP = "/DocTimeStamp"


def _spec(root: bytes) -> PdfSignatureValidationSpec:
    anchors = SimpleTrustManager.build(trust_roots=[x509.Certificate.load(root)])
    policy = CertValidationPolicySpec(trust_manager=anchors, revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO))
    return PdfSignatureValidationSpec(
        SignatureValidationSpec(
            cert_validation_policy=policy,
            ts_cert_validation_policy=policy,
            revinfo_gathering_policy=RevocationInfoGatheringSpec(RevinfoOnlineFetchingRule.LOCAL_ONLY),
            key_usage_settings=KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"}),
        )
    )


def judged(document: bytes, root: bytes, at: datetime | None = None) -> list[str]:
    """The indication of each signature, oldest first, document timestamps left out: `PASSED.OK` is what one hopes for.

    at: as if it were validated then, years later.
    """
    return asyncio.run(_judged(document, root, at))


async def _judged(document: bytes, root: bytes, at: datetime | None) -> list[str]:
    reader = PdfFileReader(BytesIO(document))
    return [str((await _one(each, root, at)).ades_subindic) for each in reader.embedded_signatures if each.sig_object_type != _TIMESTAMP]


async def _one(signature: EmbeddedPdfSignature, root: bytes, at: datetime | None) -> AdESLTAValidationResult:
    if at is None:
        return await ades_lta_validation(signature, _spec(root))
    return await simulate_future_ades_lta_validation(signature, _spec(root), at)


def valid_now(document: bytes, root: bytes) -> list[bool]:
    """Whether each signature and document timestamp is valid and trusted, oldest first, changes after it included."""
    return asyncio.run(_valid_now(document, root))


async def _valid_now(document: bytes, root: bytes) -> list[bool]:
    reader = PdfFileReader(BytesIO(document))
    rules = {"trust_roots": [x509.Certificate.load(root)], "allow_fetching": False, "revocation_mode": "require"}
    context = DocumentSecurityStore.read_dss(reader).as_validation_context(rules)
    found = []
    for each in reader.embedded_signatures:
        if each.sig_object_type == _TIMESTAMP:
            stamp = await async_validate_pdf_timestamp(each, context)
            found.append(stamp.valid and stamp.intact and stamp.trusted and stamp.modification_level is not ModificationLevel.OTHER)
        else:
            found.append((await async_validate_pdf_signature(each, context, context)).bottom_line)
    return found
