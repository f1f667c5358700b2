"""All cross-reference sections of a file as one view of its newest revision (ISO 32000-2 7.5.6, 7.5.8; linearized files: Annex F).

What is taken: sections of one kind, linked by /Prev, whose sizes never shrink, where the newest trailer holds all entries that older
ones have. Objects may be marked free in the oldest section only, and then are not used again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.sections import Location, Section, read_section
from signer.formats.pades.fast.syntax import Dictionary

_SECTIONS_MAX: Final = 256
_ENTRIES_MAX: Final = 1 << 17  # in all sections: some bytes of a stream can stand for as many
OF_ONE_SECTION: Final = frozenset((b"Prev", b"Length", b"Filter", b"DecodeParms", b"W", b"Type", b"Index", b"XRefStm"))
"""Trailer entries that describe their own section and are not inherited."""


@dataclass(frozen=True, slots=True)
class History:
    """startxref: offset of the newest section. is_stream: its kind. trailer: its dictionary. locations: of every object."""

    startxref: int
    is_stream: bool
    trailer: Dictionary
    size: int
    root: int
    locations: dict[int, Location]


def read_history(document: bytes, startxref: int) -> History:
    """Follows /Prev from the newest section to the oldest.

    Raises:
        HandOver: a section is not as usual, or they don't fit together.
    """
    newest = older = read_section(document, startxref)
    _check_trailer(newest, newest)
    locations = newest.locations
    seen = {startxref}
    entries = len(locations)
    while older.prev is not None:
        if older.prev in seen or len(seen) == _SECTIONS_MAX or older.freed:
            raise HandOver(FallbackReason.HISTORY)
        seen.add(older.prev)
        newer, older = older, read_section(document, older.prev)
        entries += len(older.locations)
        if entries > _ENTRIES_MAX:
            raise HandOver(FallbackReason.TOO_LARGE)
        _check_trailer(older, newest)
        if older.size > newer.size or older.stream_number in locations:
            raise HandOver(FallbackReason.HISTORY)
        locations = older.locations | locations
    if any(locations[number] is not None for number in older.freed):
        raise HandOver(FallbackReason.HISTORY)
    root = newest.trailer.reference(b"Root")
    if root is None:
        raise HandOver(FallbackReason.TRAILER)
    return History(startxref, newest.stream_number is not None, newest.trailer, newest.size, root, locations)


def _check_trailer(section: Section, newest: Section) -> None:
    keys = section.trailer.values.keys()
    if b"Encrypt" in keys:
        raise HandOver(FallbackReason.ENCRYPTED)
    if b"XRefStm" in keys or (section.stream_number is None) is not (newest.stream_number is None):
        raise HandOver(FallbackReason.XREF_KINDS)
    if section is not newest and not keys - OF_ONE_SECTION <= newest.trailer.values.keys():
        raise HandOver(FallbackReason.TRAILER)
