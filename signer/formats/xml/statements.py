"""What a signature says of itself under its own protection: the Ministry's SigningTime, or XAdES SignedProperties.

Each is written once: the text in the file is the canonical form but for the start tag of the element that is referenced, which
inherits. Where exclusive C14N renders a namespace at an inner element, the file has it there as well, which changes nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from signer.algorithms import DigestAlgorithm
from signer.formats.xml.identity import reference_id, signed_properties_id, time_id
from signer.formats.xml.markup import apex_tag, escape_text, escape_value, start_tag
from signer.formats.xml.names import DIGEST_URIS, DS, TYPE_SIGNATURE_PROPERTIES, TYPE_SIGNED_PROPERTIES, XADES, Canonicalization
from signer.formats.xml.values import Examined

SIGNING_TIME_NAMESPACE: Final = "http://example.org/#signatureProperties"
"""Of the Ministry profile's SigningTime: XMLDSig wants another one than its own there, and this is what signers in Vietnam write."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One element that the signature references in itself.

    id, type: for its reference. canonical: its octets. text: what the file has, up to the place of unsigned properties.
    """

    id: str
    type: str
    canonical: bytes
    text: str


class Statements(Protocol):
    """A profile's way of saying when and with which certificate something was signed."""

    @property
    def prefix(self) -> str:
        """Of names in the XMLDSig namespace, with its colon; empty where it is the default namespace."""

    @property
    def names_parts(self) -> bool:
        """Whether references to data have Ids."""

    @property
    def after(self) -> str:
        """What ends the Object, behind unsigned properties."""

    def make(self, examined: Examined, method: Canonicalization, signing_time: datetime) -> Statement:
        """The statement for one signature."""


@dataclass(frozen=True, slots=True)
class MinistryTime:
    """SignatureProperty with SigningTime (XMLDSig 5.2), as the Ministry's guide has it."""

    prefix: str = ""
    names_parts: bool = False
    after: str = "</Object>"

    def make(self, examined: Examined, method: Canonicalization, signing_time: datetime) -> Statement:
        """The statement for one signature."""
        id_ = time_id(examined.id)
        attributes = (("Id", id_), ("Target", f"#{examined.id}"))
        time = f'<SigningTime xmlns="{SIGNING_TIME_NAMESPACE}">{seconds(signing_time)}</SigningTime></SignatureProperty>'
        canonical = apex_tag("SignatureProperty", attributes, examined.surroundings, {"": DS}, method) + time
        text = f"<Object><SignatureProperties>{start_tag('SignatureProperty', attributes, {})}{time}</SignatureProperties>"
        return Statement(id_, TYPE_SIGNATURE_PROPERTIES, canonical.encode(), text)


@dataclass(frozen=True, slots=True)
class XadesProperties:
    """SignedProperties of a XAdES baseline signature (EN 319 132-1 5.2, 6.3). certificate_digest: base64, by digest_algorithm."""

    digest_algorithm: DigestAlgorithm
    certificate_digest: str
    prefix: str = "ds:"
    names_parts: bool = True
    after: str = "</xades:QualifyingProperties></ds:Object>"

    @classmethod
    def of(cls, certificate: bytes, digest_algorithm: DigestAlgorithm) -> XadesProperties:
        """For signatures with a certificate, DER."""
        digest = hashlib.new(digest_algorithm.value, certificate).digest()
        return cls(digest_algorithm, base64.b64encode(digest).decode())

    def make(self, examined: Examined, method: Canonicalization, signing_time: datetime) -> Statement:
        """The statement for one signature."""
        id_ = signed_properties_id(examined.id)
        name, attributes = "xades:SignedProperties", (("Id", id_),)
        body = f"{self._signature_properties(method, signing_time)}{_data_formats(examined)}</xades:SignedProperties>"
        canonical = apex_tag(name, attributes, examined.surroundings, {"ds": DS, "xades": XADES}, method) + body
        opening = f'<ds:Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{examined.id}">'
        text = f"{opening}{start_tag(name, attributes, {})}{body}"
        return Statement(id_, TYPE_SIGNED_PROPERTIES, canonical.encode(), text)

    def _signature_properties(self, method: Canonicalization, signing_time: datetime) -> str:
        declared: Mapping[str, str] = {"ds": DS} if method.is_exclusive else {}
        return (
            f"<xades:SignedSignatureProperties><xades:SigningTime>{seconds(signing_time)}</xades:SigningTime>"
            "<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
            f"{start_tag('ds:DigestMethod', (('Algorithm', DIGEST_URIS[self.digest_algorithm]),), declared)}</ds:DigestMethod>"
            f"{start_tag('ds:DigestValue', (), declared)}{self.certificate_digest}</ds:DigestValue>"
            "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties>"
        )


def unsigned_properties(timestamp: bytes, canonicalization: str) -> str:
    """UnsignedProperties with a SignatureTimeStamp (EN 319 132-1 5.3). timestamp: a TimeStampToken, DER."""
    return (
        "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"
        f'<ds:CanonicalizationMethod Algorithm="{escape_value(canonicalization)}"></ds:CanonicalizationMethod>'
        f"<xades:EncapsulatedTimeStamp>{base64.b64encode(timestamp).decode()}</xades:EncapsulatedTimeStamp>"
        "</xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
    )


def _data_formats(examined: Examined) -> str:
    formats = "".join(
        f'<xades:DataObjectFormat ObjectReference="#{reference_id(examined.id, number)}">'
        f"<xades:MimeType>{escape_text(each.mime_type)}</xades:MimeType></xades:DataObjectFormat>"
        for number, each in enumerate(examined.references, 1)
    )
    return f"<xades:SignedDataObjectProperties>{formats}</xades:SignedDataObjectProperties>"


def seconds(time: datetime) -> str:
    """YYYY-MM-DDThh:mm:ss±hh:mm. time: aware."""
    return time.isoformat(timespec="seconds")
