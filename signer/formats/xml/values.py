"""What a document worker tells about a place for a signature, and a signature that waits for its value: fit to travel and to keep."""

from __future__ import annotations

import base64

import msgspec

from signer.algorithms import DigestAlgorithm
from signer.formats.xml.signature_value import written


class Surroundings(msgspec.Struct, frozen=True, array_like=True):
    """What canonical forms inherit at a place.

    namespaces: prefix (empty for the default one) and URI of each namespace in scope. attributes: local name and value of each attribute of
    the xml namespace that holds there.
    """

    namespaces: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a signature is inserted, in bytes from the document's start.

    offset: what it is inserted before: the end tag of the element that takes it, the slash of that element's empty-element tag, or the
    start of what it envelops. tag: of the empty-element tag, else empty. end: where what it envelops ends; 0 when it envelops nothing.
    """

    offset: int = 0
    tag: str = ""
    end: int = 0


class Reference(msgspec.Struct, frozen=True, array_like=True):
    """One ds:Reference to data.

    uri: empty for the whole document. transforms: algorithm URIs. digest: of the octets that they yield. mime_type: of what is signed, as
    XAdES states it.
    """

    uri: str
    transforms: tuple[str, ...]
    digest_algorithm: DigestAlgorithm
    digest: bytes
    mime_type: str = "text/xml"


class Examined(msgspec.Struct, frozen=True, array_like=True):
    """A document ready for a signature.

    id: of the signature; no attribute of the document begins with it. canonicalization: algorithm URI, of SignedInfo and of what the
    signature says of itself. place: None for a signature that is a file of its own.
    """

    id: str
    canonicalization: str
    references: tuple[Reference, ...]
    surroundings: Surroundings = Surroundings()
    place: Place | None = None


class PreparedXml(msgspec.Struct, frozen=True, array_like=True):
    """A signature but for its value, its key and its timestamp.

    signed_info: canonical. inherited_bytes: how much of it is the start tag that the file has otherwise. value_tag: the canonical start tag
    of SignatureValue. coordinate_bytes: of an ECDSA signature's r and s each; 0 for RSA. objects: what follows KeyInfo and an enveloped
    document, up to the place of unsigned properties.
    """

    id: str
    canonicalization: str
    signed_info: bytes
    inherited_bytes: int
    value_tag: bytes
    coordinate_bytes: int
    objects: bytes
    place: Place | None

    @property
    def to_be_signed(self) -> bytes:
        """The bytes whose digest the key signs."""
        return self.signed_info

    def stamped_bytes(self, signature: bytes) -> bytes:
        """What a timestamp over the signature covers: SignatureValue, canonical (EN 319 132-1 5.3).

        signature: as tokens return it, DER for ECDSA.
        """
        name = self.value_tag[1:].replace(b">", b" ").split(b" ", 1)[0]
        return b"%s%s</%s>" % (self.value_tag, base64.b64encode(written(signature, self.coordinate_bytes)), name)
