"""PDF objects read in place (ISO 32000-2 7.2, 7.3): where a value begins and ends, not what it means.

A `Dictionary` or `Array` is a piece of a buffer with the places of its values. What is not changed is copied as bytes, so nothing is
lost by reading and writing.

Rules:
- one compiled expression takes a key with its value, unless the value nests; quantifiers are possessive, so reading takes linear time;
- only common spellings are taken. All else (rare escapes, '#' in keys, odd spacing of references) is handed over: pyHanko's reader must
  read whatever is read here, in the same way;
- nested values are read as carefully as outer ones: a broken or ambiguous one anywhere in an object we copy is handed over;
- earlier signatures hold thousands of hex digits: they are checked in one piece, never by an expression.
"""

from __future__ import annotations

import re
from binascii import Error as NotHex
from binascii import unhexlify
from dataclasses import dataclass
from typing import Final

from signer.formats.pades.fast.fallback import FallbackReason, HandOver

SPACE: Final = rb"[\x00\t\n\f\r ]"
_END: Final = rb"(?![^\x00\t\n\f\r ()<>\[\]{}/%])"  # a token ends before white space, a delimiter or the end of the buffer
_REGULAR: Final = rb"[!\"$&'*-.0-;=?-Z\\^-z|~]"  # visible ASCII but the delimiters and '#'
_REFERENCE: Final = rb"[1-9]\d{0,8}[\t\n\r ]\d{1,5}[\t\n\r ]R" + _END
_NUMBER: Final = rb"[+-]?(?:\d{1,15}+(?:\.\d{0,15}+)?|\.\d{1,15}+)" + _END
_NAME: Final = rb"/(?:" + _REGULAR + rb"|\#[0-9A-Fa-f]{2})++" + _END
_FLAT: Final = rb"|".join((_REFERENCE, _NUMBER, _NAME))
_LITERAL: Final = rb"\([^()\\]*+(?:\\(?:[nrtbf()\\]|[0-3][0-7]{2})[^()\\]*+)*+\)"
_HEX_SHORT: Final = rb"<(?:[0-9A-Fa-f]{2}){0,64}+>"
_ARRAY: Final = rb"\[(?:" + SPACE + rb"*+(?>" + _FLAT + rb"))*+" + SPACE + rb"*+\]"
_SIMPLE: Final = rb"(?>" + rb"|".join((_FLAT, _ARRAY, _LITERAL, _HEX_SHORT, rb"(?:true|false|null)" + _END)) + rb")"

_entry: Final = re.compile(SPACE + rb"*+/(" + _REGULAR + rb"++)" + _END + SPACE + rb"*+(?:(" + _SIMPLE + rb")|)").match
_item: Final = re.compile(SPACE + rb"*+(" + _SIMPLE + rb")").match
_simple: Final = re.compile(_SIMPLE).match
_gap: Final = re.compile(SPACE + rb"*+").match
_comment: Final = re.compile(SPACE + rb"*+%[^\r\n]*+[\r\n]").match
_dictionary_end: Final = re.compile(SPACE + rb"*+>>").match
_array_end: Final = re.compile(SPACE + rb"*+\]").match
_parenthesis: Final = re.compile(rb"[()]|\\(?:[nrtbf()\\]|[0-3][0-7]{2})|(\\)").search
_reference: Final = re.compile(rb"([1-9]\d{0,8})[\t\n\r ]0[\t\n\r ]R").fullmatch
_references: Final = re.compile(rb"\[(?:" + SPACE + rb"*+[1-9]\d{0,8}[\t\n\r ]0[\t\n\r ]R" + _END + rb")*+" + SPACE + rb"*+\]").fullmatch
_reference_numbers: Final = re.compile(rb"(\d+)[\t\n\r ]0[\t\n\r ]R").findall
_integer: Final = re.compile(rb"\d{1,10}").fullmatch

_DEPTH_MAX: Final = 24
_HEX_DIGITS_MAX: Final = 1 << 20  # as many as the complete path reads in one piece


@dataclass(frozen=True, slots=True)
class Array:
    """`text[start:end]` is the array with its brackets. owner: number of the indirect object it stands in, 0 for a trailer."""

    owner: int
    text: bytes
    start: int
    end: int

    def references(self) -> list[int]:
        """The object numbers of an array that holds nothing but references to generation 0."""
        array = self.text[self.start : self.end]
        if _references(array) is None:
            raise HandOver(FallbackReason.SYNTAX)
        return [int(number) for number in _reference_numbers(array)]


@dataclass(frozen=True, slots=True)
class Dictionary:
    """`text[start:end]` is the dictionary with its brackets; spans: where each key's value begins and ends. owner: as in Array."""

    owner: int
    text: bytes
    start: int
    end: int
    spans: dict[bytes, tuple[int, int]]

    def raw(self, key: bytes) -> bytes | None:
        """The value's bytes, None where the key is absent."""
        span = self.spans.get(key)
        return None if span is None else self.text[span[0] : span[1]]

    def reference(self, key: bytes) -> int | None:
        """The object number of a value that is a reference to generation 0; None where the key is absent."""
        raw = self.raw(key)
        if raw is None:
            return None
        found = _reference(raw)
        if found is None:
            raise HandOver(FallbackReason.SYNTAX)
        return int(found[1])

    def indirect(self, key: bytes) -> bool:
        """Whether the key is there and its value looks like a reference; `reference` reads it."""
        span = self.spans.get(key)
        return span is not None and self.text[span[1] - 1] == ord("R")

    def integer(self, key: bytes) -> int | None:
        """A value of digits only; None where the key is absent."""
        raw = self.raw(key)
        if raw is None:
            return None
        if _integer(raw) is None:
            raise HandOver(FallbackReason.SYNTAX)
        return int(raw)

    def dictionary(self, key: bytes) -> Dictionary:
        """The direct dictionary that is the value of a key which is there."""
        return read_dictionary(self.text, self.spans[key][0], self.owner)

    def array(self, key: bytes) -> Array:
        """The direct array that is the value of a key which is there."""
        start, end = self.spans[key]
        if self.text[start] != ord("["):
            raise HandOver(FallbackReason.SYNTAX)
        return Array(self.owner, self.text, start, end)


def read_dictionary(text: bytes, at: int, owner: int, depth: int = _DEPTH_MAX) -> Dictionary:
    """The dictionary whose '<<' stands at `at`.

    Raises:
        HandOver: it is not one, or not as usual.
    """
    if depth == 0:
        raise HandOver(FallbackReason.NESTING)
    if not text.startswith(b"<<", at):
        raise HandOver(FallbackReason.OBJECT)
    spans: dict[bytes, tuple[int, int]] = {}
    start, at = at, at + 2
    while True:
        entry = _entry(text, at)
        if entry is None:
            comment = _comment(text, at)
            if comment is None:
                break
            at = comment.end()
            continue
        value, at = entry.span(2)
        if at < 0:
            value = entry.end()
            at = _nested_end(text, value, owner, depth)
        key = entry[1]
        if key in spans:
            raise HandOver(FallbackReason.AMBIGUOUS)
        spans[key] = (value, at)
    end = _dictionary_end(text, at)
    if end is None:
        raise HandOver(FallbackReason.SYNTAX)
    return Dictionary(owner, text, start, end.end(), spans)


def read_array(text: bytes, at: int, owner: int) -> Array:
    """The array whose '[' stands at `at`; HandOver when it is none."""
    if not text.startswith(b"[", at):
        raise HandOver(FallbackReason.OBJECT)
    simple = _simple(text, at)
    end = _nested_end(text, at, owner, _DEPTH_MAX) if simple is None else simple.end()
    return Array(owner, text, at, end)


def array_items(array: Array, depth: int = _DEPTH_MAX) -> list[tuple[int, int]]:
    """Where each value of an array begins and ends."""
    return _read_items(array.text, array.start, array.owner, depth)[0]


def _read_items(text: bytes, at: int, owner: int, depth: int) -> tuple[list[tuple[int, int]], int]:
    """The values of the array at `at`, and where it ends."""
    if depth == 0:
        raise HandOver(FallbackReason.NESTING)
    items: list[tuple[int, int]] = []
    at += 1
    while (end := _array_end(text, at)) is None:
        item = _item(text, at)
        if item is None:
            gap = _gap(text, at)
            value = gap.end() if gap else at
            at = _nested_end(text, value, owner, depth)
            items.append((value, at))
        else:
            items.append(item.span(1))
            at = item.end()
    return items, end.end()


def _nested_end(text: bytes, at: int, owner: int, depth: int) -> int:
    """Where the value at `at` ends, which `_SIMPLE` did not take."""
    first = text[at : at + 1]
    if first == b"<":
        if text.startswith(b"<<", at):
            return read_dictionary(text, at, owner, depth - 1).end
        return _hex_end(text, at)
    if first == b"[":
        return _read_items(text, at, owner, depth - 1)[1]
    if first == b"(":
        return _literal_end(text, at)
    raise HandOver(FallbackReason.SYNTAX)


def _hex_end(text: bytes, at: int) -> int:
    end = text.find(b">", at, at + _HEX_DIGITS_MAX)
    if end < 0:
        raise HandOver(FallbackReason.SYNTAX)
    try:
        unhexlify(text[at + 1 : end])
    except NotHex as error:
        raise HandOver(FallbackReason.SYNTAX) from error
    return end + 1


def _literal_end(text: bytes, at: int) -> int:
    """A literal string with balanced parentheses inside."""
    depth = 0
    while (found := _parenthesis(text, at)) is not None:
        at = found.end()
        token = found[0]
        if token == b"(":
            depth += 1
        elif token == b")":
            depth -= 1
            if depth == 0:
                return at
        elif found[1]:
            break
    raise HandOver(FallbackReason.SYNTAX)
