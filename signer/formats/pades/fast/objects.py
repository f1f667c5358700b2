"""Indirect objects by number, in the file or in an object stream (ISO 32000-2 7.3.10, 7.5.7)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.sections import Location
from signer.formats.pades.fast.streams import read_stream, unpack
from signer.formats.pades.fast.syntax import SPACE, Array, Dictionary, many, read_array, read_dictionary

_header: Final = re.compile(rb"([1-9]\d{0,8})[ \n\r]0[ \n\r]obj" + SPACE + rb"*+").match
_comments: Final = re.compile(many(rb"%[^\r\n]*+" + SPACE + rb"++")).match
_end: Final = re.compile(SPACE + rb"*+endobj").match
_blank: Final = re.compile(SPACE + rb"*+").fullmatch
_stream_index: Final = re.compile(rb"[\d \n\r\t]*+").fullmatch
_STREAM_BYTES_MAX: Final = 4 << 20
_READ_BYTES_MAX: Final = 16 << 20
_ALIKE_BYTES_MAX: Final = 1024
_ALIKE_KEPT: Final = 1024


class Objects:
    """Reads what is asked for, each object stream once; bounded in all it unpacks and reads for one document."""

    def __init__(self, document: bytes, locations: dict[int, Location]) -> None:
        self._document = document
        self._locations = locations
        self._streams: dict[int, _ObjectStream] = {}
        self._left_bytes = _READ_BYTES_MAX

    def dictionary(self, number: int) -> Dictionary:
        """The dictionary that is object `number`; HandOver when it is none, is missing or is not where it should be."""
        text, at, until = self._find(number)
        found = _read_alike(text, at, until, number)
        self._finish(found, until)
        return found

    def array(self, number: int) -> Array:
        """The array that is object `number`; HandOver as above."""
        text, at, until = self._find(number)
        found = read_array(text, at, number)
        self._finish(found, until)
        return found

    def _find(self, number: int) -> tuple[bytes, int, int | None]:
        """The buffer that holds the object, where its value begins, and what it may fill: None in the file, where `endobj` ends it."""
        location = self._locations.get(number)
        if location is None:
            raise HandOver(FallbackReason.OBJECT)
        if isinstance(location, int):
            return self._document, _value_start(self._document, location, number), None
        stream_number, index = location
        stream = self._streams.get(stream_number)
        if stream is None:
            stream = self._streams[stream_number] = self._read_object_stream(stream_number)
        return stream.text, *stream.room(number, index)

    def _finish(self, found: Dictionary | Array, until: int | None) -> None:
        """Nothing but white space follows the value, so no byte belongs to two objects.

        Nor does what comes next look like more of it: pyHanko reads on over comments and finds a `stream` in the next object.
        """
        if until is None:
            ended = _end(found.text, found.end) is not None
        else:
            ended = _blank(found.text, found.end, until) is not None and not found.text.startswith((b"s", b"%"), until)
        if not ended:
            raise HandOver(FallbackReason.OBJECT)
        self._spend(found.end - found.start)

    def _spend(self, read_bytes: int) -> None:
        self._left_bytes -= read_bytes
        if self._left_bytes < 0:
            raise HandOver(FallbackReason.TOO_LARGE)

    def _read_object_stream(self, number: int) -> _ObjectStream:
        location = self._locations.get(number)
        if not isinstance(location, int):
            raise HandOver(FallbackReason.OBJECT)
        dictionary, packed = read_stream(self._document, _value_start(self._document, location, number), number)
        first, count = dictionary.integer(b"First"), dictionary.integer(b"N")
        if dictionary.values.get(b"Type") != b"/ObjStm" or b"DecodeParms" in dictionary.values or first is None or count is None:
            raise HandOver(FallbackReason.STREAM)
        text = unpack(dictionary, packed, _STREAM_BYTES_MAX)
        self._spend(len(text))
        return _ObjectStream(text, first, count)


class _ObjectStream:
    """An unpacked object stream: pairs of object number and offset after `first`, then the objects."""

    def __init__(self, text: bytes, first: int, count: int) -> None:
        self.text = text
        self._first = first
        index = text[:first]
        if _stream_index(index) is None:
            raise HandOver(FallbackReason.STREAM)
        pairs = index.split()
        if len(pairs) != 2 * count:
            raise HandOver(FallbackReason.STREAM)
        self._numbers, self._offsets = pairs[::2], pairs[1::2]

    def room(self, number: int, index: int) -> tuple[int, int]:
        """Where the object begins in `text` and the next one or the end; it must come first at `index` of the stream's index."""
        try:
            if self._numbers.index(b"%d" % number) != index:
                raise HandOver(FallbackReason.OBJECT)
            following = self._first + int(self._offsets[index + 1]) if index + 1 < len(self._offsets) else len(self.text)
            return self._first + int(self._offsets[index]), following
        except ValueError as error:
            raise HandOver(FallbackReason.OBJECT) from error


def _read_alike(text: bytes, at: int, until: int | None, owner: int) -> Dictionary:
    """`read_dictionary`, once for dictionaries that are alike to the byte: a class's report cards differ little in their pages and forms.

    What is remembered is complete in its bytes, so that what follows them can't change what they mean; what is not, because it holds
    "endobj" itself, is read where it stands.
    """
    end = text.find(b"endobj", at, at + _ALIKE_BYTES_MAX) if until is None else until
    if at < end <= at + _ALIKE_BYTES_MAX:
        try:
            length, values = _read_once(text[at:end])
        except HandOver:
            pass  # nothing is refused for where it was cut
        else:
            return Dictionary(owner, text, at, at + length, values)
    return read_dictionary(text, at, owner)


@lru_cache(maxsize=_ALIKE_KEPT)
def _read_once(value: bytes) -> tuple[int, dict[bytes, bytes]]:
    found = read_dictionary(value, 0, 0)
    return found.end, found.values


def _value_start(document: bytes, at: int, number: int) -> int:
    """Where the value of the object at offset `at` begins, which must have that number and generation 0."""
    header = _header(document, at)
    if header is None or int(header[1]) != number:
        raise HandOver(FallbackReason.OBJECT)
    start = header.end()
    if document.startswith(b"%", start):
        comments = _comments(document, start)
        start = comments.end() if comments else start
    return start
