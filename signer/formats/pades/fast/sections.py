"""One cross-reference section: a table with its trailer, or a stream (ISO 32000-2 7.5.4, 7.5.5, 7.5.8).

Only generation 0 is taken for objects in use: report cards know no other, and pyHanko's rules for the others are many.
"""

from __future__ import annotations

import re
from itertools import chain, pairwise
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.predictor import unpack_rows
from signer.formats.pades.fast.streams import read_stream
from signer.formats.pades.fast.syntax import SPACE, Dictionary, many, read_dictionary

Location: TypeAlias = int | tuple[int, int] | None
"""Where an object is: an offset in the file, or the number of an object stream and the index in it; None if it is free."""

_ENTRIES_MAX: Final = 1 << 17
_OBJECTS_MAX: Final = (1 << 23) - 1  # Annex C: what readers can be expected to take
_EOL: Final = rb"(?:\r\n|\n|\r)"
_table: Final = re.compile(SPACE + rb"*+xref *" + _EOL).match
_subsection: Final = re.compile(rb"(\d{1,9}) (\d{1,9}) ?" + _EOL).match
_rows: Final = re.compile(many(rb"\d{10} (?:00000 n|(?:00000|00001|65535) f)(?: \n|\r\n| \r)")).fullmatch
_ROW_BYTES: Final = 20
_trailer: Final = re.compile(SPACE + rb"*+trailer" + SPACE + rb"*+").match

_stream_object: Final = re.compile(SPACE + rb"*+([1-9]\d{0,8}) 0 obj" + SPACE + rb"*+").match
_widths: Final = re.compile(rb"\[ *1 +([1-8]) +([0-2]) *\]").fullmatch
_index: Final = re.compile(rb"\[ *+" + many(rb"\d{1,9}+(?:[ \r\n]++|(?=\]))", rb"+") + rb"\]").fullmatch
_FREE, _IN_FILE, _IN_STREAM = range(3)
_LAYOUT: Final = Struct(">BQH")  # type, offset or stream number, generation or index


class Section(NamedTuple):
    """stream_number: of the cross-reference stream, None for a table. freed: objects but 0 that are marked free. prev: offset or None."""

    stream_number: int | None
    trailer: Dictionary
    size: int
    prev: int | None
    locations: dict[int, Location]
    freed: list[int]


def read_section(document: bytes, at: int) -> Section:
    """The section at offset `at`; HandOver when there is none or not as the standard says."""
    table = _table(document, at)
    if table is not None:
        return _read_table(document, table.end())
    return _read_stream(document, at)


def _section(stream_number: int | None, trailer: Dictionary, subsections: list[tuple[int, int]], entries: list[Location]) -> Section:
    """Pairs the entries with their object numbers; no number may come twice or lie beyond /Size, and object 0 is free."""
    size = trailer.integer(b"Size")
    if size is None or size > _OBJECTS_MAX or any(first + count > size for first, count in subsections):
        raise HandOver(FallbackReason.XREF)
    numbers = chain.from_iterable([range(first, first + count) for first, count in subsections])
    locations = dict(zip(numbers, entries, strict=True))
    if locations.get(0) is not None or len(locations) != len(entries):
        raise HandOver(FallbackReason.XREF)
    freed = [number for number, location in locations.items() if location is None and number] if None in entries else []
    return Section(stream_number, trailer, size, trailer.integer(b"Prev"), locations, freed)


def _read_table(document: bytes, at: int) -> Section:
    subsections: list[tuple[int, int]] = []
    entries: list[Location] = []
    while (header := _subsection(document, at)) is not None:
        first, count = int(header[1]), int(header[2])
        at = header.end() + count * _ROW_BYTES
        rows = document[header.end() : at]
        if len(rows) != count * _ROW_BYTES or _rows(rows) is None:
            raise HandOver(FallbackReason.XREF)
        subsections.append((first, count))
        columns = rows.split()
        entries += [int(offset) if kind == b"n" else None for offset, kind in zip(columns[::3], columns[2::3], strict=True)]
    trailer = _trailer(document, at)
    if trailer is None:
        raise HandOver(FallbackReason.XREF)
    return _section(None, read_dictionary(document, trailer.end(), 0), subsections, entries)


def _read_stream(document: bytes, at: int) -> Section:
    header = _stream_object(document, at)
    if header is None:
        raise HandOver(FallbackReason.XREF)
    stream, packed = read_stream(document, header.end(), 0)
    widths = _widths(stream.values.get(b"W", b""))
    if stream.values.get(b"Type") != b"/XRef" or widths is None:
        raise HandOver(FallbackReason.XREF)
    subsections = _read_index(stream)
    count = sum(count for _, count in subsections)
    if count > _ENTRIES_MAX:
        raise HandOver(FallbackReason.TOO_LARGE)
    second_bytes, third_bytes = int(widths[1]), int(widths[2])
    rows, row_bytes = unpack_rows(stream, packed, count, 1 + second_bytes + third_bytes)
    entries = _read_rows(rows, row_bytes, second_bytes, third_bytes)
    section = _section(int(header[1]), stream, subsections, entries)
    _check_own_number(section, header.start(1))
    return section


def _check_own_number(section: Section, at: int) -> None:
    """No other object has the stream's number, nor will a new one: strict readers don't let a cross-reference stream be replaced."""
    number = section.stream_number or 0
    if number >= section.size or section.locations.get(number) not in {None, at}:
        raise HandOver(FallbackReason.XREF)


def _read_index(stream: Dictionary) -> list[tuple[int, int]]:
    """First number and count of each subsection (7.5.8.2)."""
    index = stream.values.get(b"Index")
    if index is None:
        return [(0, stream.integer(b"Size") or 0)]
    numbers = [int(number) for number in index[1:-1].split()] if _index(index) else []
    if not numbers or len(numbers) % 2:
        raise HandOver(FallbackReason.XREF)
    subsections = list(zip(numbers[::2], numbers[1::2], strict=True))
    if any(first + count > following for (first, count), (following, _) in pairwise(subsections)):
        raise HandOver(FallbackReason.XREF)
    return subsections


def _read_rows(rows: bytes, row_bytes: int, second_bytes: int, third_bytes: int) -> list[Location]:
    """What each row says (7.5.8.3, table 18). Rows end with their three columns; columns of any width are copied into one layout."""
    size = _LAYOUT.size
    layout = bytearray(size * (len(rows) // row_bytes))
    second, third = row_bytes - third_bytes - second_bytes, row_bytes - third_bytes
    layout[0::size] = rows[second - 1 :: row_bytes]
    for column in range(second_bytes):
        layout[9 - second_bytes + column :: size] = rows[second + column :: row_bytes]
    for column in range(third_bytes):
        layout[size - third_bytes + column :: size] = rows[third + column :: row_bytes]
    return [_location(*row) for row in _LAYOUT.iter_unpack(layout)]


def _location(kind: int, second: int, third: int) -> Location:
    if kind == _IN_STREAM:
        return second, third
    if kind == _IN_FILE and not third:
        return second
    if kind == _FREE:
        return None
    raise HandOver(FallbackReason.XREF)
