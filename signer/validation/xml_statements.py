"""What a signature says of itself, as far as it signs that too: the Ministry's SigningTime, XAdES properties and timestamps.

EN 319 132-1 5.2 and 5.3, baseline signatures 6.3. A statement counts only where it stands in the very signature and one of its references
covers it: whatever is beside that, anybody may have written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signer.errors import DocumentUnsupported
from signer.formats.xml.canonical import canonicalize
from signer.formats.xml.names import CANONICALIZATIONS, DIGESTS, DS, TYPE_SIGNED_PROPERTIES, XADES, Canonicalization
from signer.formats.xml.reading import Element
from signer.formats.xml.search import is_within
from signer.model import Profile
from signer.validation.xml_references import CoveredReference, Standing
from signer.validation.xml_signature import Malformed, SignatureParts, unbase64

TIMESTAMPS_MAX: Final = 8
_DS: Final = f"{{{DS}}}"
_XADES: Final = f"{{{XADES}}}"
_SIGNED: Final = f"{_XADES}SignedSignatureProperties/"
_CERTIFICATES: Final = (f"{_SIGNED}{_XADES}SigningCertificateV2/{_XADES}Cert", f"{_SIGNED}{_XADES}SigningCertificate/{_XADES}Cert")
_TIMESTAMP: Final = f"{_XADES}UnsignedProperties/{_XADES}UnsignedSignatureProperties/{_XADES}SignatureTimeStamp"
SIGNATURE_PROPERTIES: Final = (f"{_DS}SignatureProperties", "SignatureProperties")
SIGNATURE_PROPERTY: Final = (f"{_DS}SignatureProperty", "SignatureProperty")
"""In no namespace as well: much signing software in Vietnam writes them under xmlns=""."""


@dataclass(frozen=True, slots=True)
class EmbeddedTimestamp:
    """token: a TimeStampToken, DER, not verified yet. stamped: the octets that it must cover."""

    token: bytes
    stamped: bytes


@dataclass(frozen=True, slots=True)
class Statements:
    """What is said and signed.

    profile: None for a plain XMLDSig. claimed_time: aware, None where none is signed. certificate_digests: of the certificate that XAdES
    properties name as the signer's, by the algorithm's name. timestamps: over the signature's value, not signed themselves.
    """

    profile: Profile | None = None
    claimed_time: datetime | None = None
    certificate_digests: tuple[tuple[str, bytes], ...] = ()
    timestamps: tuple[EmbeddedTimestamp, ...] = ()

    def names(self, certificate: bytes) -> bool:
        """Whether XAdES properties say that this certificate, DER, is the signer's."""
        return any(hashlib.new(algorithm, certificate).digest() == digest for algorithm, digest in self.certificate_digests)


def read_statements(signature: SignatureParts, references: Sequence[CoveredReference]) -> Statements:
    """Everything that a signature says under its own protection. Raises Malformed for XAdES properties that it doesn't sign."""
    qualifying = [found for each in signature.objects for found in each.iterchildren(f"{_XADES}QualifyingProperties")]
    if qualifying:
        return _read_xades(signature, references, qualifying)
    times = [time for each in signature.objects for time in _signing_times(each)]
    signed = [time for time in times if any(is_within(time, each) for each in _own(signature, references))]
    if len(signed) != 1:
        return Statements()
    return Statements(Profile.MINISTRY_XML, _time(signed[0]))


def _own(signature: SignatureParts, references: Sequence[CoveredReference]) -> Iterator[Element]:
    for each in references:
        if each.standing is Standing.INTACT and each.element is not None and is_within(each.element, signature.element):
            yield each.element


def _signing_times(signature_object: Element) -> Iterator[Element]:
    for properties in signature_object.iterchildren(*SIGNATURE_PROPERTIES):
        for each in properties.iterchildren(*SIGNATURE_PROPERTY):
            yield from each.iterchildren("{*}SigningTime")


def _read_xades(signature: SignatureParts, references: Sequence[CoveredReference], qualifying: list[Element]) -> Statements:
    if len(qualifying) > 1 or not signature.id or qualifying[0].get("Target") != f"#{signature.id}":
        raise Malformed("its XAdES properties are there twice, or are another signature's")
    properties = qualifying[0].findall(f"{_XADES}SignedProperties")
    covering = [each for each in references if each.parts.type == TYPE_SIGNED_PROPERTIES]
    if len(properties) != 1 or len(covering) != 1 or covering[0].element is not properties[0]:
        raise Malformed("its XAdES properties are not signed by it")
    time = properties[0].find(f"{_SIGNED}{_XADES}SigningTime")
    stamps = qualifying[0].findall(_TIMESTAMP)
    if len(stamps) > TIMESTAMPS_MAX:
        raise Malformed(f"it holds more than {TIMESTAMPS_MAX} timestamps")
    return Statements(
        Profile.XADES,
        None if time is None else _time(time),
        tuple(_certificate_digests(properties[0])),
        tuple(_timestamp(signature, each) for each in stamps),
    )


def _certificate_digests(properties: Element) -> Iterator[tuple[str, bytes]]:
    for path in _CERTIFICATES:
        for each in properties.iterfind(f"{path}/{_XADES}CertDigest"):
            method, value = each.find(f"{_DS}DigestMethod"), each.find(f"{_DS}DigestValue")
            algorithm = None if method is None else DIGESTS.get(method.get("Algorithm", ""))
            if algorithm is not None and value is not None:
                yield algorithm.value, unbase64(value)


def _timestamp(signature: SignatureParts, element: Element) -> EmbeddedTimestamp:
    tokens = element.findall(f"{_XADES}EncapsulatedTimeStamp")
    method = element.find(f"{_DS}CanonicalizationMethod")
    uri = Canonicalization.C14N_10.value if method is None else method.get("Algorithm", "")
    allowed = {f"{_DS}CanonicalizationMethod", f"{_XADES}EncapsulatedTimeStamp"}
    if len(tokens) != 1 or uri not in CANONICALIZATIONS or any(each.tag not in allowed for each in element.iterchildren("*")):
        raise Malformed("a timestamp of it has a form that is not accepted here")
    try:
        return EmbeddedTimestamp(unbase64(tokens[0]), canonicalize(signature.value_element, CANONICALIZATIONS[uri]))
    except DocumentUnsupported as error:
        raise Malformed("what its timestamp covers has no canonical form") from error


def _time(element: Element) -> datetime | None:
    return None if len(element) else time_of(element.text or "")


def time_of(text: str) -> datetime | None:
    """None for what is no time with an offset."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
