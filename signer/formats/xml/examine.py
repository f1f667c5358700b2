from __future__ import annotations

from signer.formats.xml.reading import XmlDocument
from signer.formats.xml.values import Examined
from signer.model import SlotRequest


def examine(document: XmlDocument, request: SlotRequest) -> Examined:
    """Find the place for an enveloped signature, and digest what it signs.

    Args:
        document: as `reading.read` returned it.
        request: a reference whose uri is empty signs the whole document, but for the signature (its transforms name the enveloped-signature
            transform first); one without a target resolves to whichever element has the Id.

    Raises:
        InvalidArgument: place, target, canonicalisation or transform is none that is known here.
        FieldAlreadySigned: the place holds a signature.
        DocumentUnsupported: the place or a target isn't there, or a referenced Id is there twice.
        DocumentLocked: an earlier signature covers the place.
    """
    raise NotImplementedError


def examine_enveloping(document: XmlDocument, canonicalization: str) -> Examined:
    """Make the document's root the content of a signature's Object. Raises as `examine`."""
    raise NotImplementedError
