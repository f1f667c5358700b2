from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from signer.algorithms import SignatureAlgorithm
from signer.errors import AlgorithmUnsupported, InternalError
from signer.formats import der
from signer.formats.cms import identifiers as ids
from signer.formats.cms.certificate import SignerCertificate
from signer.formats.cms.ess import signing_certificate_v2

_ID_SIGNED_DATA = der.oid(ids.ID_SIGNED_DATA)
_SIGNED_ATTRIBUTES = b"\xa0"
_UNSIGNED_ATTRIBUTES = 0xA1
_CERTIFICATES = 0
_LONGEST_TIME = datetime(9999, 12, 31, tzinfo=UTC)


def attribute(type_oid: str, value: bytes) -> bytes:
    """Attribute with one value (RFC 5652 §5.3). DER."""
    return der.sequence(der.oid(type_oid), der.set_of(value))


@dataclass(frozen=True, slots=True)
class CmsTemplate:
    """A SignedData with one signer, all of it encoded but what a single signature adds.

    algorithm: of the signature. signing_time: whether signed attributes carry one (CAdES does; PAdES keeps it in the PDF, EN 319 142-1
    §6.3). content_type: dotted. signature_bytes_max: the longest signature the certificate's key makes.

    The private fields are runs of bytes in the order of RFC 5652 §5: what stands before the content, the certificates, what a SignerInfo
    begins with, its algorithm; and the signed attributes cut at the digest.
    """

    algorithm: SignatureAlgorithm
    signing_time: bool
    content_type: str
    signature_bytes_max: int
    _head: bytes
    _content_type: bytes
    _certificates: bytes
    _signer_head: bytes
    _signature_algorithm: bytes
    _attributes: tuple[bytes, ...]
    _before_digest: bytes
    _after_digest: bytes

    @classmethod
    def build(
        cls,
        certificate: bytes,
        chain: tuple[bytes, ...],
        algorithm: SignatureAlgorithm,
        *,
        content_type: str = ids.ID_DATA,
        signing_time: bool = False,
    ) -> CmsTemplate:
        """Encode everything that is the same for each signature of this certificate.

        certificate, chain: DER; all of them are embedded, each once. Raises CertificateUnusable for what is no certificate and
        AlgorithmUnsupported when the certificate's key is not of the algorithm's family.
        """
        signer = SignerCertificate.read(certificate)
        if signer.family is not algorithm.family:
            raise AlgorithmUnsupported(f"{algorithm.value} can't be made with the certificate's {signer.family.value} key")
        digest_identifier = ids.DIGEST_IDENTIFIERS[algorithm.digest]
        attributes = (
            attribute(ids.ID_CONTENT_TYPE, der.oid(content_type)),
            attribute(ids.ID_SIGNING_CERTIFICATE_V2, signing_certificate_v2(signer, algorithm.digest)),
        )
        before_digest, after_digest = _cut_at_digest(attributes, algorithm.digest.size_bytes)
        return cls(
            algorithm=algorithm,
            signing_time=signing_time,
            content_type=content_type,
            signature_bytes_max=signer.signature_bytes_max,
            # RFC 5652 §5.1: version 3 for any other content than id-data.
            _head=der.integer(1 if content_type == ids.ID_DATA else 3) + der.set_of(digest_identifier),
            _content_type=der.oid(content_type),
            _certificates=der.implicit(_CERTIFICATES, der.set_of(*{certificate, *chain})),
            _signer_head=der.integer(1) + der.sequence(signer.issuer, signer.serial_number) + digest_identifier,
            _signature_algorithm=ids.SIGNATURE_IDENTIFIERS[algorithm],
            _attributes=attributes,
            _before_digest=before_digest,
            _after_digest=after_digest,
        )

    def without_certificates(self) -> CmsTemplate:
        """The same template embedding no certificate (RFC 3161 §2.4.1: certReq FALSE)."""
        return replace(self, _certificates=b"")

    def signed_attributes(self, message_digest: bytes, signing_time: datetime | None = None) -> bytes:
        """The signed attributes as they are hashed and signed: DER with the universal SET OF tag (RFC 5652 §5.4).

        message_digest: of the content, by `algorithm.digest`. signing_time: aware, given exactly when the template has one.
        """
        digest = self.algorithm.digest
        if len(message_digest) != digest.size_bytes:
            raise InternalError(f"a {digest.value} digest has {digest.size_bytes} bytes, not {len(message_digest)}")
        if (signing_time is not None) is not self.signing_time:
            raise InternalError("a signing time is given exactly when the template was built with one")
        if signing_time is None:
            return self._before_digest + message_digest + self._after_digest
        return der.set_of(
            *self._attributes,
            attribute(ids.ID_SIGNING_TIME, der.time(signing_time)),
            attribute(ids.ID_MESSAGE_DIGEST, der.octet_string(message_digest)),
        )

    def assemble(
        self,
        signed_attributes: bytes,
        signature: bytes,
        *,
        timestamp: bytes | None = None,
        content: bytes | None = None,
    ) -> bytes:
        """The ContentInfo: DER.

        signed_attributes: as `signed_attributes` returned them. signature: of their hash; DER Ecdsa-Sig-Value for ECDSA (RFC 5753 §7.2).
        timestamp: a TimeStampToken over `signature`, embedded as the unsigned attribute id-aa-timeStampToken (RFC 3161 appendix A).
        content: what was signed, None to leave it out (detached).
        """
        encapsulated = self._content_type if content is None else self._content_type + der.explicit(0, der.octet_string(content))
        signer_info = self._signer_info(signed_attributes, signature, timestamp)
        fields = (self._head, der.tlv(der.SEQUENCE, encapsulated), self._certificates, der.tlv(der.SET, signer_info))
        signed_data = der.tlv(der.SEQUENCE, b"".join(fields))
        return der.tlv(der.SEQUENCE, _ID_SIGNED_DATA + der.explicit(0, signed_data))

    def _signer_info(self, signed_attributes: bytes, signature: bytes, timestamp: bytes | None) -> bytes:
        unsigned_attributes = b"" if timestamp is None else der.tlv(_UNSIGNED_ATTRIBUTES, attribute(ids.ID_TIME_STAMP_TOKEN, timestamp))
        fields = (
            self._signer_head,
            _SIGNED_ATTRIBUTES,
            signed_attributes[1:],
            self._signature_algorithm,
            der.octet_string(signature),
            unsigned_attributes,
        )
        return der.tlv(der.SEQUENCE, b"".join(fields))

    def size_max(self, timestamp_bytes: int, content_bytes: int | None = None) -> int:
        """An upper bound of what `assemble` returns, in bytes, for reserving space.

        timestamp_bytes: the longest timestamp expected, 0 for none. content_bytes: of an embedded content, None when detached.
        """
        moment = _LONGEST_TIME if self.signing_time else None
        attributes = self.signed_attributes(bytes(self.algorithm.digest.size_bytes), moment)
        return len(
            self.assemble(
                attributes,
                bytes(self.signature_bytes_max),
                timestamp=bytes(timestamp_bytes) if timestamp_bytes else None,
                content=None if content_bytes is None else bytes(content_bytes),
            )
        )


def _cut_at_digest(attributes: tuple[bytes, ...], digest_size_bytes: int) -> tuple[bytes, bytes]:
    """Signed attributes without signing time, cut into what stands before and after the digest's bytes.

    Where message-digest sorts among the others depends on its length and type alone, so any digest shows it: encodings of different
    length differ in their length octets, those of the same length in the attribute's type, both of which come first.
    """
    message_digest = attribute(ids.ID_MESSAGE_DIGEST, der.octet_string(bytes(digest_size_bytes)))
    ordered = sorted((*attributes, message_digest))
    behind = b"".join(ordered[ordered.index(message_digest) + 1 :])
    whole = der.set_of(*ordered)
    return whole[: len(whole) - len(behind) - digest_size_bytes], behind
