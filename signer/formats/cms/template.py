from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

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


def content_hints(description: str) -> bytes:
    """ContentHints for id-data that a description, such as a MIME type, says more about (RFC 2634 §2.9, EN 319 122-1 §5.2.4.1). DER."""
    return der.sequence(der.utf8_string(description), der.oid(ids.ID_DATA))


@dataclass(frozen=True, slots=True)
class CmsTemplate:
    """A SignedData with one signer, all of it encoded but what a single signature adds.

    algorithm: of the signature. signing_time: whether signed attributes carry one (CAdES does; PAdES keeps it in the PDF, EN 319 142-1
    §6.3). content_type: dotted. signature_bytes_max: the longest signature the certificate's key makes.

    The private fields are runs of bytes in the order of RFC 5652 §5: what stands before the content, the certificates, what a SignerInfo
    begins with, its algorithm; and the signed attributes that all signatures have.
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

    @classmethod
    def build(
        cls,
        certificate: bytes,
        chain: tuple[bytes, ...],
        algorithm: SignatureAlgorithm,
        *,
        content_type: str = ids.ID_DATA,
        signing_time: bool = False,
        hint: str = "",
    ) -> CmsTemplate:
        """Encode everything that is the same for each signature of this certificate.

        certificate, chain: DER; all of them are embedded, each once. hint: for `content_hints`; empty to leave the attribute out. Raises
        CertificateUnusable for what is no certificate and AlgorithmUnsupported when the certificate's key is not of the algorithm's family.
        """
        signer = SignerCertificate.read(certificate)
        if signer.family is not algorithm.family:
            raise AlgorithmUnsupported(f"{algorithm.value} can't be made with the certificate's {signer.family.value} key")
        digest_identifier = ids.DIGEST_IDENTIFIERS[algorithm.digest]
        attributes = (
            attribute(ids.ID_CONTENT_TYPE, der.oid(content_type)),
            attribute(ids.ID_SIGNING_CERTIFICATE_V2, signing_certificate_v2(signer, algorithm.digest)),
            *((attribute(ids.ID_CONTENT_HINTS, content_hints(hint)),) if hint else ()),
        )
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
        before, after = _cut_at_digest(self._attributes, signing_time, digest.size_bytes)
        return before + message_digest + after

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
        content_bytes = None if content is None else len(content)
        before, after = self.around(signed_attributes, signature, timestamp=timestamp, content_bytes=content_bytes)
        return before + (content or b"") + after

    def around(
        self, signed_attributes: bytes, signature: bytes, *, timestamp: bytes | None = None, content_bytes: int | None
    ) -> tuple[bytes, bytes]:
        """What stands before and after a content of so many bytes, which need not be at hand.

        content_bytes: None when detached: the two make the whole. The rest as `assemble`.
        """
        tail = self._certificates + der.tlv(der.SET, self._signer_info(signed_attributes, signature, timestamp))
        encapsulated, behind_bytes = self._content_type, content_bytes or 0
        if content_bytes is not None:
            octets = der.opening(der.OCTET_STRING, content_bytes)
            encapsulated += der.opening(der.CONTEXT_CONSTRUCTED, len(octets) + content_bytes) + octets
        head = self._head + der.opening(der.SEQUENCE, len(encapsulated) + behind_bytes) + encapsulated
        behind_bytes += len(tail)
        head = der.opening(der.SEQUENCE, len(head) + behind_bytes) + head
        head = _ID_SIGNED_DATA + der.opening(der.CONTEXT_CONSTRUCTED, len(head) + behind_bytes) + head
        return der.opening(der.SEQUENCE, len(head) + behind_bytes) + head, tail

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


@lru_cache(maxsize=256)
def _cut_at_digest(attributes: tuple[bytes, ...], signing_time: datetime | None, digest_size_bytes: int) -> tuple[bytes, bytes]:
    """Signed attributes, cut into what stands before and after the digest's bytes; once for all that are signed at one time.

    Where message-digest sorts among the others depends on its length and type alone, so any digest shows it: encodings of different
    length differ in their length octets, those of the same length in the attribute's type, both of which come first.
    """
    message_digest = attribute(ids.ID_MESSAGE_DIGEST, der.octet_string(bytes(digest_size_bytes)))
    timed = () if signing_time is None else (attribute(ids.ID_SIGNING_TIME, der.time(signing_time)),)
    ordered = sorted((*attributes, *timed, message_digest))
    behind = b"".join(ordered[ordered.index(message_digest) + 1 :])
    whole = der.set_of(*ordered)
    return whole[: len(whole) - len(behind) - digest_size_bytes], behind
