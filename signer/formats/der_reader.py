"""A strict DER reader: what is not the one canonical encoding is refused, so two readers can't see two meanings.

Rules of the file:
- Pure, and safe on any bytes: every failure is DerError, which says what was expected and at which offset of the enclosing content.
- DerError stays inside: the room that reads turns it into its own error, because only that room knows what was being read.
- Elements keep their original encoding, so what was signed is hashed as it came.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

_LENGTH_OCTETS_MAX = 4
_LONG_TAG = 0x1F
_SHORT_LENGTH_MAX = 0x7F
_OID_BYTES_MAX = 128
_TRUE = 0xFF
_GENERALIZED_TIME: Final = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z")
_UTC_TIME: Final = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_PIVOT_YEAR = 50


class DerError(ValueError):
    """The bytes are not the DER that was expected; the text says what was wrong and where."""


class Element(NamedTuple):
    """One element as it was read: `encoded` is all of it, `content` what follows its length."""

    tag: int
    content: bytes
    encoded: bytes

    def children(self) -> Reader:
        """Read the elements inside."""
        return Reader(self.content)


class Reader:
    """Takes elements off the front of some content, one after the other."""

    __slots__ = ("_data", "_offset")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self._offset == len(self._data)

    def take(self, tag: int | None = None) -> Element:
        """The next element, which must be there and have this tag (None: any)."""
        data, start = self._data, self._offset
        if start >= len(data):
            raise DerError(f"element missing at offset {start}")
        found = data[start]
        if found & _LONG_TAG == _LONG_TAG:
            raise DerError(f"long-form tag at offset {start}")
        if tag is not None and found != tag:
            raise DerError(f"tag {found:#04x} instead of {tag:#04x} at offset {start}")
        begin = start + 2
        if begin <= len(data) and data[start + 1] <= _SHORT_LENGTH_MAX:
            end = begin + data[start + 1]
        else:
            begin, end = self._long_bounds(start + 1)
        if end > len(data):
            raise DerError(f"content cut short: {end - begin} bytes announced at offset {begin}, {len(data) - begin} there")
        self._offset = end
        return Element(found, data[begin:end], data[start:end])

    def _long_bounds(self, offset: int) -> tuple[int, int]:
        """Where content begins and ends whose length is in the long form (X.690 §8.1.3.5)."""
        if offset >= len(self._data):
            raise DerError(f"length missing at offset {offset}")
        count = self._data[offset] & 0x7F
        octets = self._data[offset + 1 : offset + 1 + count]
        if not 0 < count <= _LENGTH_OCTETS_MAX or len(octets) != count:
            raise DerError(f"indefinite, oversized or cut length at offset {offset}")
        size = int.from_bytes(octets)
        if octets[0] == 0 or size <= _SHORT_LENGTH_MAX:
            raise DerError(f"length not minimal at offset {offset}")
        begin = offset + 1 + count
        return begin, begin + size

    def take_if(self, tag: int) -> Element | None:
        """The next element if it has this tag, else None and nothing is read."""
        if self._offset < len(self._data) and self._data[self._offset] == tag:
            return self.take(tag)
        return None

    def rest(self) -> list[Element]:
        """All elements that are left."""
        found = []
        while not self.at_end:
            found.append(self.take())
        return found

    def end(self) -> None:
        """Nothing may be left."""
        if not self.at_end:
            raise DerError(f"{len(self._data) - self._offset} bytes left over at offset {self._offset}")


def read(data: bytes, tag: int | None = None) -> Element:
    """The one element that `data` consists of, with this tag (None: any)."""
    reader = Reader(data)
    element = reader.take(tag)
    reader.end()
    return element


def integer(element: Element) -> int:
    """Value of an INTEGER (of an element that was read as one, under whatever tag)."""
    content = element.content
    if not content:
        raise DerError("INTEGER without content")
    if len(content) > 1 and ((content[0] == 0 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80)):  # noqa: PLR2004 - sign bit
        raise DerError("INTEGER not minimal")
    return int.from_bytes(content, signed=True)


def boolean(element: Element) -> bool:
    """Value of a BOOLEAN: 00 or FF."""
    if element.content not in (b"\x00", b"\xff"):
        raise DerError(f"BOOLEAN of {element.content.hex()!r}")
    return element.content[0] == _TRUE


def oid(element: Element) -> str:
    """Dotted form of an OBJECT IDENTIFIER."""
    return _dotted(element.content)


@lru_cache(maxsize=512)
def _dotted(content: bytes) -> str:
    if len(content) > _OID_BYTES_MAX:
        raise DerError(f"OBJECT IDENTIFIER of {len(content)} bytes")
    arcs: list[int] = []
    arc, fresh = 0, True
    for octet in content:
        if fresh and octet == 0x80:  # noqa: PLR2004 - X.690 §8.19.2: no leading 80
            raise DerError("OBJECT IDENTIFIER arc not minimal")
        arc, fresh = arc << 7 | octet & 0x7F, octet < 0x80  # noqa: PLR2004
        if fresh:
            arcs.append(arc)
            arc = 0
    if not arcs or not fresh:
        raise DerError("OBJECT IDENTIFIER cut short")
    first = min(arcs[0] // 40, 2)
    return ".".join(str(number) for number in (first, arcs[0] - first * 40, *arcs[1:]))


def generalized_time(element: Element) -> datetime:
    """Aware UTC time of a DER GeneralizedTime; what is finer than a microsecond is cut off."""
    match = _GENERALIZED_TIME.fullmatch(element.content)
    if match is None:
        raise DerError(f"GeneralizedTime of {element.content!r}")
    *fields, fraction = match.groups()
    return _moment([int(field) for field in fields], int((fraction or b"")[:6].ljust(6, b"0")))


def utc_time(element: Element) -> datetime:
    """Aware UTC time of a DER UTCTime, 1950 to 2049 (RFC 5280 §4.1.2.5.1)."""
    match = _UTC_TIME.fullmatch(element.content)
    if match is None:
        raise DerError(f"UTCTime of {element.content!r}")
    year, *fields = (int(field) for field in match.groups())
    return _moment([year + (1900 if year >= _PIVOT_YEAR else 2000), *fields], 0)


def _moment(fields: list[int], microsecond: int) -> datetime:
    year, month, day, hour, minute, second = fields
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)
    except ValueError as impossible:
        raise DerError(f"impossible time: {impossible}") from impossible
