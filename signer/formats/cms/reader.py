"""Reading a SignedData with one signer, as a TimeStampToken is (RFC 5652 §5, RFC 3161 §2.4.2): cut apart strictly, judged elsewhere.

What an authority sends with each of its timestamps alike (who it is, its certificates, its algorithms, most attributes) is cut apart once:
the same bytes always read the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from signer.formats import der
from signer.formats.cms.identifiers import ID_SIGNED_DATA
from signer.formats.der_reader import DerError, Element, Reader, integer, oid, read

_CONTEXT_0 = 0xA0
_CONTEXT_1 = 0xA1
_SIGNER_VERSION = 1
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """The one SignerInfo, its signer identified by issuer and serial number.

    issuer, serial_number: DER, as in the certificate. digest_oid: of content and attributes. signed_attributes: DER under the universal
    SET OF tag, as it was signed. attributes: the single value of each signed attribute, DER, by its dotted type. signature_oid: of
    signatureAlgorithm. signature: its value.
    """

    issuer: bytes
    serial_number: bytes
    digest_oid: str
    signed_attributes: bytes
    attributes: dict[str, bytes]
    signature_oid: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedData:
    """content_type: dotted. content: None when detached. certificates: DER, in the order in which they came."""

    content_type: str
    content: bytes | None
    certificates: tuple[bytes, ...]
    signer: SignerInfo


def read_signed_data(encoded: bytes) -> SignedData:
    """Read a ContentInfo with SignedData. Raises DerError for anything else, several signers included."""
    content_info = read(encoded, der.SEQUENCE).children()
    content_type = oid(content_info.take(der.OBJECT_IDENTIFIER))
    if content_type != ID_SIGNED_DATA:
        raise DerError(f"content type {content_type} is not SignedData")
    fields = read(content_info.take(_CONTEXT_0).content, der.SEQUENCE).children()
    content_info.end()
    fields.take(der.INTEGER)
    fields.take(der.SET)
    encapsulated = fields.take(der.SEQUENCE).children()
    certificates = fields.take_if(_CONTEXT_0)
    fields.take_if(_CONTEXT_1)
    signers = fields.take(der.SET).children()
    fields.end()
    content_type = oid(encapsulated.take(der.OBJECT_IDENTIFIER))
    content = encapsulated.take_if(_CONTEXT_0)
    encapsulated.end()
    signer = signers.take(der.SEQUENCE)
    signers.end()
    return SignedData(
        content_type,
        None if content is None else read(content.content, der.OCTET_STRING).content,
        () if certificates is None else _read_certificates(certificates.content),
        _read_signer(signer),
    )


def _read_signer(element: Element) -> SignerInfo:
    fields = element.children()
    version = integer(fields.take(der.INTEGER))
    if version != _SIGNER_VERSION:
        raise DerError(f"SignerInfo version {version}: only signers named by issuer and serial number are read")
    issuer, serial_number = _read_identifier(fields.take(der.SEQUENCE).content)
    digest_oid = _read_algorithm_oid(fields.take(der.SEQUENCE).content)
    signed_attributes = fields.take(_CONTEXT_0)
    signature_oid = _read_algorithm_oid(fields.take(der.SEQUENCE).content)
    signature = fields.take(der.OCTET_STRING).content
    fields.take_if(_CONTEXT_1)
    fields.end()
    # RFC 5652 §5.4: what is signed carries the SET OF tag, not the [0] it is sent under.
    signed = bytes((der.SET,)) + signed_attributes.encoded[1:]
    return SignerInfo(issuer, serial_number, digest_oid, signed, _read_attributes(signed_attributes), signature_oid, signature)


@lru_cache(maxsize=_REMEMBERED)
def _read_certificates(content: bytes) -> tuple[bytes, ...]:
    return tuple(choice.encoded for choice in Reader(content).rest() if choice.tag == der.SEQUENCE)


@lru_cache(maxsize=_REMEMBERED)
def _read_identifier(content: bytes) -> tuple[bytes, bytes]:
    """Issuer and serial number of IssuerAndSerialNumber."""
    fields = Reader(content)
    issuer, serial_number = fields.take(der.SEQUENCE).encoded, fields.take(der.INTEGER).encoded
    fields.end()
    return issuer, serial_number


@lru_cache(maxsize=_REMEMBERED)
def _read_algorithm_oid(content: bytes) -> str:
    return oid(Reader(content).take(der.OBJECT_IDENTIFIER))


def _read_attributes(element: Element) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for attribute in element.children().rest():
        kind, value = _read_attribute(attribute.content)
        if kind in found:
            raise DerError(f"signed attribute {kind} twice")
        found[kind] = value
    return found


@lru_cache(maxsize=_REMEMBERED)
def _read_attribute(content: bytes) -> tuple[str, bytes]:
    """Type and single value of an Attribute."""
    fields = Reader(content)
    kind = oid(fields.take(der.OBJECT_IDENTIFIER))
    values = fields.take(der.SET)
    fields.end()
    return kind, read(values.content).encoded
