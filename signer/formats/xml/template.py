from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from signer.algorithms import SignatureAlgorithm
from signer.formats.insertions import Additions
from signer.formats.xml.values import Examined, PreparedXml


class XmlProfile(Enum):
    """What a signature says of itself: the Ministry's SigningTime, or XAdES."""

    MINISTRY = "ministry"
    XADES = "xades"


@dataclass(frozen=True, slots=True)
class XmlTemplate:
    """Signatures of one certificate, all of them made but what a single one adds."""

    @classmethod
    def build(cls, certificate: bytes, chain: tuple[bytes, ...], algorithm: SignatureAlgorithm, profile: XmlProfile) -> XmlTemplate:
        """certificate, chain: DER; all are embedded, pass an empty chain for the signer's alone. Raises as `CmsTemplate.build`."""
        raise NotImplementedError

    def prepare(self, document: bytes, examined: Examined, signing_time: datetime) -> PreparedXml:
        """The signature but for its value. InternalError when `examined`, of a worker that is not trusted, can't be of this document."""
        raise NotImplementedError

    def additions(self, prepared: PreparedXml, signature: bytes, timestamp: bytes | None = None) -> Additions:
        """What makes the signed file. signature: as tokens return it, DER for ECDSA. timestamp: a TimeStampToken, DER, for B-T."""
        raise NotImplementedError
