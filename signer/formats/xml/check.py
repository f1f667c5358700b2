"""What a document worker answered, held against the document: it parses what strangers send, so nothing it says is taken for granted.

The digests of what is signed are its word: only a parser could tell. What it can't do is write anything into the signed file but them, nor
have anything signed but a SignedInfo of ours.
"""

from __future__ import annotations

import re
from typing import Final

from signer.errors import InternalError
from signer.formats.xml.identity import is_signature_id
from signer.formats.xml.names import CANONICALIZATIONS, ENVELOPED_SIGNATURE
from signer.formats.xml.values import Examined, Place

_TAG: Final = re.compile(rb"""[^\s<>&"'/=!?]+""")
_TRANSFORMS: Final = frozenset({*CANONICALIZATIONS, ENVELOPED_SIGNATURE})
_TRANSFORMS_MAX: Final = 2
"""Enveloped-signature and one canonicalisation."""


def check(document: bytes, examined: Examined) -> None:
    """InternalError unless a signature may be made from this."""
    if not is_signature_id(examined.id) or examined.canonicalization not in CANONICALIZATIONS or not examined.references:
        raise _refused("names no signature of ours")
    for reference in examined.references:
        if len(reference.digest) != reference.digest_algorithm.size_bytes or not _are_ours(reference.transforms):
            raise _refused("has a reference that is none of ours")
    if examined.place is not None and not _is_place(document, examined.place):
        raise _refused("names a place that is none")


def _are_ours(transforms: tuple[str, ...]) -> bool:
    return len(transforms) <= _TRANSFORMS_MAX and _TRANSFORMS.issuperset(transforms)


def _is_place(document: bytes, place: Place) -> bool:
    if place.end:
        return 0 <= place.offset < place.end <= len(document) and document[place.offset] == ord("<") and document[place.end - 1] == ord(">")
    if not place.tag:
        return place.offset > 0 and document[place.offset : place.offset + 2] == b"</"
    tag = place.tag.encode()
    start = document.rfind(b"<", 0, max(place.offset, 0))
    is_named = document.startswith(tag, start + 1) and document[start + 1 + len(tag) : start + 2 + len(tag)] in b" \t\r\n/"
    return start >= 0 and document[place.offset : place.offset + 2] == b"/>" and _TAG.fullmatch(tag) is not None and is_named


def _refused(what: str) -> InternalError:
    return InternalError(f"a document worker's answer {what}; the document was not signed")
