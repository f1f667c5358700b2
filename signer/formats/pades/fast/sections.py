"""One cross-reference section: a table with its trailer, or a stream (ISO 32000-2 7.5.4, 7.5.5, 7.5.8).

Only generation 0 is taken for objects in use: report cards know no other, and pyHanko's rules for the others are many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final, TypeAlias

from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.streams import read_stream, unpack
from signer.formats.pades.fast.syntax import SPACE, Dictionary, read_dictionary

Location: TypeAlias = int | tuple[int, int]
"""Where an object is: an offset in the file, or the number of an object stream and the index in it."""

_ENTRIES_MAX: Final = 1 << 17
_EOL: Final = rb"(?:\r\n|\n|\r)"
_table: Final = re.compile(SPACE + rb"*+xref *" + _EOL).match
_subsection: Final = re.compile(rb"(\d{1,9}) (\d{1,9}) ?" + _EOL).match
_rows: Final = re.compile(rb"(\d{10}) (?:00000 (n)|(?:00000|00001|65535) f)(?: \n|\r\n| \r)").findall
_ROW_BYTES: Final = 20
_trailer: Final = re.compile(SPACE + rb"*+trailer" + SPACE + rb"*+").match

_stream_object: Final = re.compile(SPACE + rb"*+([1-9]\d{0,8}) 0 obj" + SPACE + rb"*+").match
_widths: Final = re.compile(rb"\[ *1 +([1-5]) +([0-2]) *\]").fullmatch
_index: Final = re.compile(rb"\[ *+(?:\d{1,9}+(?:[ \r\n]++|(?=\])))++\]").fullmatch
_predictors: Final = re.compile(rb"1[0-5]").fullmatch
_UP: Final = b"\x02"
_FREE, _IN_FILE, _IN_STREAM = range(3)


@dataclass(frozen=True, slots=True)
class Section:
    """stream_number: of the cross-reference stream, None for a table. freed: objects but 0 that are marked free. prev: offset or None."""

    stream_number: int | None
    trailer: Dictionary
    size: int
    prev: int | None
    locations: dict[int, Location]
    freed: frozenset[int]


def read_section(document: bytes, at: int) -> Section:
    """The section at offset `at`; HandOver when there is none or not as the standard says."""
    table = _table(document, at)
    if table is not None:
        return _read_table(document, table.end())
    return _read_stream(document, at)


def _section(
    stream_number: int | None, trailer: Dictionary, subsections: list[tuple[int, int]], entries: Iterable[Location | None]
) -> Section:
    """Pairs the entries (None: free) with their object numbers; no number may come twice or lie beyond /Size."""
    size = trailer.integer(b"Size")
    if size is None or any(first + count > size for first, count in subsections):
        raise HandOver(FallbackReason.XREF)
    numbers = chain.from_iterable(range(first, first + count) for first, count in subsections)
    everything = dict(zip(numbers, entries, strict=True))
    locations = {number: location for number, location in everything.items() if location is not None}
    if 0 in locations or len(everything) != sum(count for _, count in subsections):
        raise HandOver(FallbackReason.XREF)
    freed = frozenset() if len(everything) <= len(locations) + 1 else everything.keys() - locations.keys() - {0}
    return Section(stream_number, trailer, size, trailer.integer(b"Prev"), locations, frozenset(freed))


def _read_table(document: bytes, at: int) -> Section:
    subsections: list[tuple[int, int]] = []
    entries: list[Location | None] = []
    while (header := _subsection(document, at)) is not None:
        first, count = int(header[1]), int(header[2])
        at = header.end() + count * _ROW_BYTES
        rows = _rows(document, header.end(), at)
        if len(rows) != count:
            raise HandOver(FallbackReason.XREF)
        subsections.append((first, count))
        entries += [int(offset) if in_use else None for offset, in_use in rows]
    trailer = _trailer(document, at)
    if trailer is None:
        raise HandOver(FallbackReason.XREF)
    return _section(None, read_dictionary(document, trailer.end(), 0), subsections, entries)


def _read_stream(document: bytes, at: int) -> Section:
    header = _stream_object(document, at)
    if header is None:
        raise HandOver(FallbackReason.XREF)
    stream, packed = read_stream(document, header.end(), 0)
    widths = _widths(stream.raw(b"W") or b"")
    if stream.raw(b"Type") != b"/XRef" or widths is None:
        raise HandOver(FallbackReason.XREF)
    subsections = _read_index(stream)
    second, third = int(widths[1]), int(widths[2])
    rows = _read_rows(stream, packed, 1 + second + third, sum(count for _, count in subsections))
    return _section(int(header[1]), stream, subsections, _locations(rows, 8 * second, 8 * third))


def _read_index(stream: Dictionary) -> list[tuple[int, int]]:
    """First number and count of each subsection (7.5.8.2)."""
    index = stream.raw(b"Index")
    if index is None:
        return [(0, stream.integer(b"Size") or 0)]
    if _index(index) is None:
        raise HandOver(FallbackReason.XREF)
    numbers = [int(number) for number in index[1:-1].split()]
    if len(numbers) % 2:
        raise HandOver(FallbackReason.XREF)
    subsections = list(zip(numbers[::2], numbers[1::2], strict=True))
    if any(first + count > following for (first, count), (following, _) in pairwise(subsections)):
        raise HandOver(FallbackReason.XREF)
    return subsections


def _read_rows(stream: Dictionary, packed: bytes, width: int, count: int) -> Iterator[int]:
    """The rows as big-endian integers of `width` bytes."""
    if count > _ENTRIES_MAX:
        raise HandOver(FallbackReason.TOO_LARGE)
    predicted = _has_predictor(stream, width)
    stride = width + predicted
    rows = unpack(stream, packed, count * stride)
    if len(rows) != count * stride:
        raise HandOver(FallbackReason.STREAM)
    integers = (int.from_bytes(rows[at : at + width], "big") for at in range(stride - width, len(rows), stride))
    if not predicted:
        return integers
    if rows[::stride] != _UP * count:
        raise HandOver(FallbackReason.STREAM)
    return _added_up(integers, width)


def _has_predictor(stream: Dictionary, width: int) -> bool:
    """Whether rows are predicted as in PNG (7.4.4.4), the only kind we take, over columns that are our rows."""
    if b"DecodeParms" not in stream.spans:
        return False
    parameters = stream.dictionary(b"DecodeParms")
    if parameters.raw(b"Predictor") in {None, b"1"}:
        return False
    if (
        not parameters.spans.keys() <= {b"Predictor", b"Columns"}
        or _predictors(parameters.raw(b"Predictor") or b"") is None
        or parameters.integer(b"Columns") != width
    ):
        raise HandOver(FallbackReason.STREAM)
    return True


def _added_up(rows: Iterable[int], width: int) -> Iterator[int]:
    """Each row added to the one above, byte by byte modulo 256: PNG's filter type Up.

    All bytes of a row at once: their low seven bits are added without a carry into the neighbour, the top bits by exclusive or.
    """
    low = int.from_bytes(b"\x7f" * width, "big")
    top = int.from_bytes(b"\x80" * width, "big")
    above = 0
    for row in rows:
        above = ((above & low) + (row & low)) ^ ((above ^ row) & top)
        yield above


def _locations(rows: Iterable[int], second_bits: int, third_bits: int) -> Iterator[Location | None]:
    """What each row says (7.5.8.3, table 18)."""
    second_mask, third_mask = (1 << second_bits) - 1, (1 << third_bits) - 1
    for row in rows:
        kind = row >> second_bits + third_bits
        second, third = row >> third_bits & second_mask, row & third_mask
        if kind == _IN_STREAM:
            yield second, third
        elif kind == _IN_FILE and not third:
            yield second
        elif kind == _FREE:
            yield None
        else:
            raise HandOver(FallbackReason.XREF)
