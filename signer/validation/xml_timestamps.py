"""Whether a timestamp over an XML signature's value stands, and whose it is (RFC 3161, EN 319 422)."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime

from asn1crypto import cms
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.status import TimestampSignatureStatus

from signer.validation.indication import is_trusted
from signer.validation.judging import CLOCKS_APART_MAX, timestamp_report
from signer.validation.policy import SIGNATURES, context
from signer.validation.report import TimestampReport
from signer.validation.trust import TrustAnchors
from signer.validation.xml_statements import EmbeddedTimestamp


def judge_timestamp(timestamp: EmbeddedTimestamp, trust: TrustAnchors, at: datetime) -> TimestampReport | None:
    """None for one that can't be read."""
    try:
        return asyncio.run(_judge(timestamp, trust, at))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # a parser of strangers' bytes: whatever it raises, this timestamp is unreadable
        return None


async def _judge(timestamp: EmbeddedTimestamp, trust: TrustAnchors, at: datetime) -> TimestampReport:
    token: cms.SignedData = cms.ContentInfo.load(timestamp.token, strict=True)["content"]
    validation = context(trust.timestamping_certificates, trust.intermediate_certificates, at)
    arguments = await validate_tst_signed_data(
        token, validation, lambda algorithm: hashlib.new(algorithm, timestamp.stamped).digest(), SIGNATURES
    )
    status = TimestampSignatureStatus(**arguments)
    stands = is_trusted(status, trust) and status.timestamp <= at + CLOCKS_APART_MAX
    return timestamp_report(status, token, trust, valid=stands)
