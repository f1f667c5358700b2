"""A file's first and last line (ISO 32000-2 7.5.2, 7.5.5)."""

from __future__ import annotations

import re
from typing import Final

from signer.formats.pades.fast.fallback import FallbackReason, HandOver

_header: Final = re.compile(rb"%PDF-(1\.[0-7]|2\.0)[\r\n]").match
_ending: Final = re.compile(rb"[\r\n]startxref(?:\r\n|\n|\r)(\d{1,10})(?:\r\n|\n|\r)%%EOF(?:\r\n|\n|\r|\Z)\Z").search
_WINDOW_BYTES: Final = 40  # as long as the longest ending and a byte more


def read_version(document: bytes) -> bytes:
    """The version the header names, such as b"1.7"; HandOver when it does not stand at byte 0."""
    found = _header(document)
    if found is None:
        raise HandOver(FallbackReason.HEADER)
    return found[1]


def read_startxref(document: bytes) -> int:
    """Where the newest cross-reference section begins; HandOver unless the file ends with that and %%EOF."""
    found = _ending(document, max(0, len(document) - _WINDOW_BYTES))
    if found is None:
        raise HandOver(FallbackReason.ENDING)
    return int(found[1])
