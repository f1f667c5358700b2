"""Streams that hold structure: cross-references and objects (ISO 32000-2 7.3.8, 7.4.4).

Flate or nothing, a direct /Length that is exact, and a bound on what is unpacked, told beforehand.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.syntax import SPACE, Dictionary, read_dictionary

_begin: Final = re.compile(SPACE + rb"*+stream\r?\n").match
_end: Final = re.compile(SPACE + rb"*+endstream" + SPACE + rb"*+endobj").match
_FLATE: Final = frozenset((b"/FlateDecode", b"[/FlateDecode]", b"[ /FlateDecode ]"))


def read_stream(document: bytes, at: int, owner: int) -> tuple[Dictionary, bytes]:
    """The stream object whose '<<' stands at `at`: its dictionary and its bytes as they are in the file."""
    dictionary = read_dictionary(document, at, owner)
    begin = _begin(document, dictionary.end)
    length = dictionary.integer(b"Length")
    if begin is None or length is None or _end(document, begin.end() + length) is None:
        raise HandOver(FallbackReason.STREAM)
    return dictionary, document[begin.end() : begin.end() + length]


def unpack(dictionary: Dictionary, packed: bytes, bytes_max: int) -> bytes:
    """What the stream holds, at most `bytes_max` of it; predictors are the caller's.

    Raises:
        HandOver: another filter, broken data, or more than `bytes_max`.
    """
    filters = dictionary.values.get(b"Filter")
    if filters is None:
        unpacked = packed
    elif filters in _FLATE:
        unpacked = _inflate(packed, bytes_max)
    else:
        raise HandOver(FallbackReason.STREAM)
    if len(unpacked) > bytes_max:
        raise HandOver(FallbackReason.TOO_LARGE)
    return unpacked


def _inflate(packed: bytes, bytes_max: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        unpacked = inflater.decompress(packed, bytes_max + 1)
    except zlib.error as error:
        raise HandOver(FallbackReason.STREAM) from error
    if not inflater.eof:
        raise HandOver(FallbackReason.TOO_LARGE if len(unpacked) > bytes_max else FallbackReason.STREAM)
    return unpacked
