"""Signatures of one certificate, all of them made but what a single one adds. Parses nothing.

ds:Signature / SignedInfo, SignatureValue, KeyInfo, Object* (XMLDSig 4.2): SignedInfo is written in canonical form, and so are the parts of
the signature that it references; the file has the same text but for the start tags that inherit from around the signature.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import AlgorithmUnsupported, InternalError
from signer.formats.cms.certificate import SignerCertificate
from signer.formats.insertions import Additions, Insertion
from signer.formats.xml.check import check
from signer.formats.xml.identity import object_id, reference_id
from signer.formats.xml.key_info import key_info
from signer.formats.xml.markup import apex_tag, escape_value, start_tag
from signer.formats.xml.names import CANONICALIZATIONS, DIGEST_URIS, DS, SIGNATURE_URIS, TYPE_OBJECT, Canonicalization
from signer.formats.xml.signature_value import coordinate_bytes, written
from signer.formats.xml.statements import MinistryTime, Statement, Statements, XadesProperties, unsigned_properties
from signer.formats.xml.values import Examined, PreparedXml, Reference


class XmlProfile(Enum):
    """What a signature says of itself: the Ministry's SigningTime, or XAdES."""

    MINISTRY = "ministry"
    XADES = "xades"


@dataclass(frozen=True, slots=True)
class XmlTemplate:
    """Made once for a certificate, an algorithm and a profile. algorithm: of the signature; its digest is also that of its own parts."""

    algorithm: SignatureAlgorithm
    profile: XmlProfile
    _statements: Statements
    _coordinate_bytes: int
    _key_info: str

    @classmethod
    def build(cls, certificate: bytes, chain: tuple[bytes, ...], algorithm: SignatureAlgorithm, profile: XmlProfile) -> XmlTemplate:
        """Write everything that is the same for each signature of this certificate.

        certificate, chain: DER; all of them are embedded, each once. Raises CertificateUnusable for what is no certificate and
        AlgorithmUnsupported when the certificate's key is not of the algorithm's family.
        """
        signer = SignerCertificate.read(certificate)
        if signer.family is not algorithm.family:
            raise AlgorithmUnsupported(f"{algorithm.value} can't be made with the certificate's {signer.family.value} key")
        statements: Statements = MinistryTime() if profile is XmlProfile.MINISTRY else XadesProperties.of(certificate, algorithm.digest)
        return cls(algorithm, profile, statements, coordinate_bytes(certificate), key_info(certificate, chain, statements.prefix))

    def prepare(self, document: bytes, examined: Examined, signing_time: datetime) -> PreparedXml:
        """A signature but for its value.

        Args:
            document: as it came.
            examined: what was found in it; of a worker that is not trusted.
            signing_time: aware; the signature states it to the second.

        Raises:
            InternalError: `examined` can't be of this document; nothing may be signed from it.
        """
        check(document, examined)
        method = CANONICALIZATIONS[examined.canonicalization]
        statement = self._statements.make(examined, method, signing_time)
        own = {self._statements.prefix.rstrip(":"): DS}
        prefix = self._statements.prefix
        inherited = apex_tag(f"{prefix}SignedInfo", (), examined.surroundings, own, method)
        return PreparedXml(
            id=examined.id,
            canonicalization=examined.canonicalization,
            signed_info=(inherited + self._signed_info(examined, statement, method)).encode(),
            inherited_bytes=len(inherited.encode()),
            value_tag=apex_tag(f"{prefix}SignatureValue", (), examined.surroundings, own, method).encode(),
            coordinate_bytes=self._coordinate_bytes,
            objects=statement.text.encode(),
            place=examined.place,
        )

    def additions(self, prepared: PreparedXml, signature: bytes, timestamp: bytes | None = None) -> Additions:
        """What makes the signed file.

        signature: as tokens return it, DER for ECDSA. timestamp: a TimeStampToken, DER, for level B-T of XAdES. InternalError for one in a
        profile that has no place for it.
        """
        if timestamp is not None and self.profile is not XmlProfile.XADES:
            raise InternalError("only XAdES has a place for a timestamp")
        opening = self._opening(prepared, signature)
        unsigned = "" if timestamp is None else unsigned_properties(timestamp, prepared.canonicalization)
        closing = prepared.objects + f"{unsigned}{self._statements.after}</{self._statements.prefix}Signature>".encode()
        place = prepared.place
        if place is None:
            return Additions(b'<?xml version="1.0" encoding="UTF-8"?>\n' + opening + closing + b"\n", is_alone=True)
        if place.end:
            envelope = start_tag("ds:Object", (("Id", object_id(prepared.id)),), {}).encode()
            return Additions(b"", (Insertion(place.offset, opening + envelope), Insertion(place.end, b"</ds:Object>" + closing)))
        if place.tag:
            return Additions(b"", (Insertion(place.offset, b">%s<" % (opening + closing)), Insertion(place.offset + 1, place.tag.encode())))
        return Additions(b"", (Insertion(place.offset, opening + closing),))

    def _opening(self, prepared: PreparedXml, signature: bytes) -> bytes:
        """From the signature's start tag to KeyInfo."""
        prefix = self._statements.prefix
        head = start_tag(f"{prefix}Signature", (("Id", prepared.id),), {prefix.rstrip(":"): DS})
        value = base64.b64encode(written(signature, prepared.coordinate_bytes)).decode()
        tail = f"<{prefix}SignatureValue>{value}</{prefix}SignatureValue>{self._key_info}"
        return f"{head}<{prefix}SignedInfo>".encode() + prepared.signed_info[prepared.inherited_bytes :] + tail.encode()

    def _signed_info(self, examined: Examined, statement: Statement, method: Canonicalization) -> str:
        """All of it behind its start tag."""
        prefix = self._statements.prefix
        own_digest = hashlib.new(self.algorithm.digest.value, statement.canonical).digest()
        own = Reference(f"#{statement.id}", (method.value,), self.algorithm.digest, own_digest)
        data = (self._reference(each, self._attributes(examined, number)) for number, each in enumerate(examined.references, 1))
        return (
            f'<{prefix}CanonicalizationMethod Algorithm="{escape_value(examined.canonicalization)}"></{prefix}CanonicalizationMethod>'
            f'<{prefix}SignatureMethod Algorithm="{SIGNATURE_URIS[self.algorithm]}"></{prefix}SignatureMethod>'
            f"{''.join(data)}{self._reference(own, {'Type': statement.type})}</{prefix}SignedInfo>"
        )

    def _attributes(self, examined: Examined, number: int) -> dict[str, str]:
        """Of the n-th reference to data, beside its URI."""
        named = {"Id": reference_id(examined.id, number)} if self._statements.names_parts else {}
        return {**named, "Type": TYPE_OBJECT} if examined.place is not None and examined.place.end else named

    def _reference(self, reference: Reference, attributes: dict[str, str]) -> str:
        prefix = self._statements.prefix
        return (
            start_tag(f"{prefix}Reference", {**attributes, "URI": reference.uri}.items(), {})
            + _method(prefix, reference.transforms, reference.digest_algorithm)
            + f"{base64.b64encode(reference.digest).decode()}</{prefix}DigestValue></{prefix}Reference>"
        )


@lru_cache(maxsize=256)
def _method(prefix: str, transforms: tuple[str, ...], digest_algorithm: DigestAlgorithm) -> str:
    """How a reference is digested, up to the digest itself. transforms: known ones (`check`), so there are few such texts."""
    listed = "".join(f'<{prefix}Transform Algorithm="{escape_value(uri)}"></{prefix}Transform>' for uri in transforms)
    return (
        f"<{prefix}Transforms>{listed}</{prefix}Transforms>" if listed else ""
    ) + f'<{prefix}DigestMethod Algorithm="{DIGEST_URIS[digest_algorithm]}"></{prefix}DigestMethod><{prefix}DigestValue>'
