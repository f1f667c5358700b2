"""The rows of a cross-reference stream, with PNG's predictor taken back (ISO 32000-2 7.4.4.4)."""

from __future__ import annotations

import re
from typing import Final

from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.streams import unpack
from signer.formats.pades.fast.syntax import Dictionary, read_dictionary

_png: Final = re.compile(rb"1[0-5]").fullmatch
_UP: Final = b"\x02"
_PARAMETERS: Final = frozenset((b"Predictor", b"Columns"))


def unpack_rows(stream: Dictionary, packed: bytes, count: int, width: int) -> tuple[bytes, int]:
    """`count` rows whose last `width` bytes count, and how long a row is: with a predictor, a byte we ignore comes first.

    Raises:
        HandOver: another number of bytes, or another predictor than PNG's Up, which is what everybody writes.
    """
    predicted = _has_predictor(stream, width)
    row_bytes = width + predicted
    rows = unpack(stream, packed, count * row_bytes)
    if len(rows) != count * row_bytes:
        raise HandOver(FallbackReason.STREAM)
    if not predicted:
        return rows, row_bytes
    if rows[::row_bytes] != _UP * count:
        raise HandOver(FallbackReason.STREAM)
    return _added_up(rows, row_bytes), row_bytes


def _has_predictor(stream: Dictionary, width: int) -> bool:
    if b"DecodeParms" not in stream.values:
        return False
    parameters = read_dictionary(stream.values[b"DecodeParms"], 0, stream.owner)
    predictor = parameters.values.get(b"Predictor", b"1")
    if predictor == b"1":
        return False
    if not parameters.values.keys() <= _PARAMETERS or _png(predictor) is None or parameters.integer(b"Columns") != width:
        raise HandOver(FallbackReason.STREAM)
    return True


def _added_up(rows: bytes, row_bytes: int) -> bytes:
    """Each row added to all rows above it, byte by byte modulo 256.

    All rows at once, as one big number: adding it to itself shifted down by a row adds up pairs of rows, then by two rows fours, and so
    on. Bytes must not carry into their neighbours: their low seven bits are added, their top bits by exclusive or.
    """
    low = int.from_bytes(b"\x7f" * len(rows), "big")
    top = int.from_bytes(b"\x80" * len(rows), "big")
    total = int.from_bytes(rows, "big")
    shift = row_bytes * 8
    while shift < len(rows) * 8:
        above = total >> shift
        total = ((total & low) + (above & low)) ^ ((total ^ above) & top)
        shift *= 2
    return total.to_bytes(len(rows), "big")
