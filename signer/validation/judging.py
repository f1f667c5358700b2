"""What PDF and CMS signatures have in common: a CMS signer info, judged at the time that is proven for it.

In this order: a timestamp of its own that stands, or a later proof, gives the moment; without either it is the moment verified at. The
signer's certificate is judged at that moment, the timestamp authority's at the moment verified at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from asn1crypto import cms
from asn1crypto.x509 import Certificate
from cryptography.x509 import load_der_x509_certificate
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter, get_signing_cert_attr
from pyhanko.sign.validation.status import SignatureStatus, StandardCMSSignatureStatus, TimestampSignatureStatus

from signer.algorithms import SignatureAlgorithm
from signer.model import Level
from signer.validation import names
from signer.validation.indication import findings, is_trusted, path
from signer.validation.report import Indication, TimestampReport
from signer.validation.trust import TrustAnchors

names.install()

CLOCKS_APART_MAX: Final = timedelta(minutes=5)
_PADDINGS: Final = {"rsassa_pkcs1v15": "rsa-pkcs1", "rsassa_pss": "rsa-pss", "ecdsa": "ecdsa"}


@dataclass(frozen=True, slots=True)
class Judged:
    """moment: judged at. timestamp: its own, if it has one. is_stamped: it stands. proven: the earliest time proven, None for none."""

    status: StandardCMSSignatureStatus
    moment: datetime
    timestamp: TimestampReport | None
    is_stamped: bool
    proven: datetime | None

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong without being the signature's fault."""
        lies = self.timestamp is not None and not self.is_stamped
        return ("its timestamp is not valid or not trusted, so it proves no time",) if lies else ()


async def judge_in_time(
    signer_info: cms.SignerInfo,
    validate: Callable[[datetime], Awaitable[StandardCMSSignatureStatus]],
    trust: TrustAnchors,
    at: datetime,
    later: datetime | None = None,
) -> Judged:
    """A signature at its moment. validate: judges it as of a moment. later: what a timestamp over all of it proves, None for nothing."""
    token = next(extract_tst_data_iter(signer_info, signed=False), None)
    stamped = None if token is None else gen_time(token)
    in_time = stamped is not None and stamped <= at + CLOCKS_APART_MAX
    moment = stamped if stamped is not None and in_time else later or at
    status = await validate(moment)
    stamp = status.timestamp_validity
    stands = stamp is not None and in_time and is_trusted(stamp, trust)
    proven = stamped if stands else later
    if not stands and moment != (later or at):
        moment = later or at
        status = await validate(moment)
    timestamp = None if stamp is None or token is None else timestamp_report(stamp, token, trust, valid=stands)
    return Judged(status, moment, timestamp, stands, proven)


def timestamp_report(status: TimestampSignatureStatus, token: cms.SignedData, trust: TrustAnchors, *, valid: bool) -> TimestampReport:
    """What a verified token says."""
    certificate: Certificate = status.signing_cert
    return TimestampReport(
        time=status.timestamp,
        valid=valid,
        authority=subject(certificate),
        intact=status.intact and status.valid,
        certificate=certificate.dump(),
        policy_oid=token["encap_content_info"]["content"].parsed["policy"].dotted,
        certificates=_chain(status, trust),
    )


def facts(status: SignatureStatus, trust: TrustAnchors) -> dict[str, Any]:
    """The fields of a `SignatureReport` that every format fills alike."""
    found = tuple(findings(status, trust))
    certificate: Certificate = status.signing_cert
    trusted = is_trusted(status, trust)
    return {
        "indication": found[0].indication if found else Indication.TOTAL_PASSED,
        "sub_indication": found[0].sub_indication.standard_name if found else "",
        "signer": subject(certificate),
        "serial_number": f"{certificate.serial_number:X}",
        "intact": status.intact and status.valid,
        "trusted": trusted,
        "chain": tuple(subject(link) for link in path(status)) if trusted else (),
        "problems": tuple(finding.problem for finding in found),
        "certificate": certificate.dump(),
        "certificates": _chain(status, trust),
    }


def _chain(status: SignatureStatus, trust: TrustAnchors) -> tuple[bytes, ...]:
    return tuple(link.dump() for link in path(status)) if is_trusted(status, trust) else ()


def level(signer_info: cms.SignerInfo, *, timestamped: bool) -> Level | None:
    """B-B: the signing certificate in the signed attributes (EN 319 122-1 6.3). B-T: and a valid timestamp. None: neither."""
    if get_signing_cert_attr(signer_info["signed_attrs"]) is None:
        return None
    return Level.B_T if timestamped else Level.B_B


def algorithm(signer_info: cms.SignerInfo) -> SignatureAlgorithm | None:
    """None for one that is not used here."""
    try:
        mechanism = signer_info["signature_algorithm"].signature_algo
        digest = signer_info["digest_algorithm"]["algorithm"].native
        return SignatureAlgorithm(f"{_PADDINGS.get(mechanism, mechanism)}-{digest}")
    except ValueError:
        return None


def gen_time(token: cms.SignedData) -> datetime:
    """What a timestamp says; it is not verified here."""
    time: datetime = token["encap_content_info"]["content"].parsed["gen_time"].native
    return time


def subject(certificate: Certificate) -> str:
    """RFC 4514 where the name is well-formed, else as asn1crypto reads it."""
    return _rfc4514(certificate.dump()) or str(certificate.subject.human_friendly)


@lru_cache(maxsize=256)
def _rfc4514(certificate: bytes) -> str:
    try:
        return load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError:
        return ""
