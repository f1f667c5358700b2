"""How a document is signed: level, profile, options; and what its signature is known by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from signer.algorithms import DigestAlgorithm

SOURCE_DIGEST = DigestAlgorithm.SHA256
"""Documents are identified by their SHA-256, whatever digest the signature uses."""


class Level(Enum):
    """ETSI baseline level; the value is its name on the command line. The level asked for is given or the item fails."""

    B_B = "b-b"
    B_T = "b-t"
    B_LT = "b-lt"
    B_LTA = "b-lta"

    @property
    def is_long_term(self) -> bool:
        """Above B-T: with the status of every certificate in the document."""
        return self in (Level.B_LT, Level.B_LTA)


class Profile(Enum):
    """Which kind of signature; the value is its name on the command line."""

    PADES = "pades"
    CADES = "cades"
    XADES = "xades"
    MINISTRY_XML = "ministry-xml"
    DIGEST = "digest"
    CADES_DIGEST = "cades-digest"

    @property
    def is_of_digest(self) -> bool:
        """Of a document that only its digest is known of: not a profile of the contract."""
        return self in (Profile.DIGEST, Profile.CADES_DIGEST)


class Packaging(Enum):
    """How a CMS or XML signature and its data hang together; the value is its name on the command line."""

    ENVELOPED = "enveloped"
    ENVELOPING = "enveloping"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class CadesOptions:
    """packaging: DETACHED, or ENVELOPING (attached). content_type: a MIME type for content-hints; empty to leave them out."""

    packaging: Packaging = Packaging.DETACHED
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class XadesOptions:
    """reference_id: Id of the element to sign; empty for the document. canonicalization: algorithm URI.

    placement_xpath: of the element that takes an enveloped signature as its last child; empty for the root.
    """

    packaging: Packaging = Packaging.ENVELOPED
    reference_id: str = ""
    placement_xpath: str = ""
    canonicalization: str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


@dataclass(frozen=True, slots=True)
class XmlReference:
    """One ds:Reference to an element of the same document (XMLDSig 4.4.3).

    uri: `#` and the element's Id. target: absolute XPath, with positions, of the one element that it must resolve to. transforms: algorithm
    URIs in order; the last one, or C14N 1.0 by default, makes octets.
    """

    uri: str
    target: str
    digest_algorithm: DigestAlgorithm
    transforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """The XML signature that a slot of a document takes.

    place: absolute XPath, with positions, of the element that takes the Signature as its last child. references: what it signs beside its
    own properties. canonicalization: algorithm URI for SignedInfo.
    """

    place: str
    references: tuple[XmlReference, ...]
    canonicalization: str


@dataclass(frozen=True, slots=True)
class SignatureKey:
    """What identifies one signature for good: a repeat of the same key returns the stored outcome."""

    school_id: str
    request_id: str
    document_id: str


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Where one item's time went, in seconds."""

    queue_s: float = 0.0
    document_s: float = 0.0
    token_s: float = 0.0
    timestamp_s: float = 0.0
    journal_s: float = 0.0
