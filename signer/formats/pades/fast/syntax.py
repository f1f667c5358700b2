"""PDF objects read in place (ISO 32000-2 7.2, 7.3): where a value begins and ends, not what it means.

A `Dictionary` or `Array` is a piece of a buffer. What is not changed is copied as bytes, so nothing is lost by reading and writing.

Rules:
- one compiled expression takes a run of keys with their values, up to a value that nests; quantifiers are possessive, so reading takes
  linear time;
- only common spellings are taken. All else (rare escapes, '#' in keys, odd spacing of references) is handed over: pyHanko's reader must
  read whatever is read here, in the same way;
- a token that goes on where it should end (`/Na#me`, `R1`, `truest`) leaves a rest that is no token, and so is handed over; numbers,
  whose rest could be a number, look ahead;
- nested values are read as carefully as outer ones: a broken or ambiguous one anywhere in an object we copy is handed over;
- earlier signatures hold thousands of hex digits: they are checked in one piece, never by an expression.
"""

from __future__ import annotations

import re
from binascii import Error as NotHex
from binascii import unhexlify
from collections.abc import Iterator
from typing import Final, NamedTuple

from signer.formats.pades.fast.fallback import FallbackReason, HandOver


def many(body: bytes, count: bytes = b"*") -> bytes:
    """An expression for `body` over and over, possessive; count: a quantifier.

    The body is made atomic because Python before 3.11.5 (Debian 12 has 3.11.2) leaves the position inside a last round that failed
    (CPython issue 106052).
    """
    return rb"(?:(?>" + body + rb"))" + count + rb"+"


SPACE: Final = rb"[\x00\t\n\f\r ]"
_REGULAR: Final = rb"[!\"$&'*-.0-;=?-Z\\^-z|~]"  # visible ASCII but the delimiters and '#'
_REFERENCE: Final = rb"[1-9]\d{0,8}[\t\n\r ]\d{1,5}[\t\n\r ]R\b"
_NUMBER: Final = rb"[+-]?(?:\d{1,15}+(?:\.\d{0,15}+)?|\.\d{1,15}+)(?![^\x00\t\n\f\r ()<>\[\]{}/%])"
_NAME: Final = rb"/" + many(_REGULAR + rb"++|\#[0-9A-Fa-f]{2}", rb"+")
_LITERAL: Final = rb"\([^()\\]*+" + many(rb"\\(?:[nrtbf()\\]|[0-3][0-7]{2})[^()\\]*+") + rb"\)"
_HEX_SHORT: Final = rb"<" + many(rb"[0-9A-Fa-f]{16}", rb"{0,7}") + many(rb"[0-9A-Fa-f]{2}", rb"{0,7}") + rb">"
_SCALAR: Final = rb"|".join((_REFERENCE, _NAME, _NUMBER, _LITERAL, _HEX_SHORT, rb"(?:true|false|null)\b"))
_ARRAY: Final = rb"\[" + many(SPACE + rb"*+(?:" + _SCALAR + rb")") + SPACE + rb"*+\]"
_SIMPLE: Final = rb"(?>" + _SCALAR + rb"|" + _ARRAY + rb")"
_KEY: Final = SPACE + rb"*+/(" + _REGULAR + rb"++)" + SPACE + rb"*+"

_simple_entries: Final = re.compile(many(_KEY + _SIMPLE) + rb"(?:" + SPACE + rb"*+(>>))?").match
_each_entry: Final = re.compile(_KEY + rb"(" + _SIMPLE + rb")").findall
_entry: Final = re.compile(_KEY + rb"(?:(" + _SIMPLE + rb")|)").match
_key: Final = re.compile(_KEY).match
_item: Final = re.compile(SPACE + rb"*+(?:(" + _SIMPLE + rb")|(\])|)").match
_simple: Final = re.compile(_SIMPLE).match
_comment: Final = re.compile(SPACE + rb"*+%[^\r\n]*+[\r\n]").match
_parenthesis: Final = re.compile(rb"[()]|\\(?:[nrtbf()\\]|[0-3][0-7]{2})|(\\)").search
_reference: Final = re.compile(rb"([1-9]\d{0,8})[\t\n\r ]0[\t\n\r ]R").fullmatch
_references: Final = re.compile(rb"\[" + many(SPACE + rb"*+[1-9]\d{0,8}[\t\n\r ]0[\t\n\r ]R\b") + SPACE + rb"*+\]").fullmatch
_reference_numbers: Final = re.compile(rb"(\d+)[\t\n\r ]0[\t\n\r ]R").findall
_integer: Final = re.compile(rb"\d{1,10}").fullmatch

_DEPTH_MAX: Final = 24
_HEX_DIGITS_MAX: Final = 1 << 20  # as many as the complete path reads in one piece


class Array(NamedTuple):
    """`text[start:end]` is the array with its brackets. owner: number of the indirect object it stands in, 0 for a trailer."""

    owner: int
    text: bytes
    start: int
    end: int

    @property
    def value(self) -> bytes:
        """The array's bytes."""
        return self.text[self.start : self.end]


class Dictionary(NamedTuple):
    """`text[start:end]` is the dictionary with its brackets; values: each key's value, as bytes. owner: as in Array."""

    owner: int
    text: bytes
    start: int
    end: int
    values: dict[bytes, bytes]

    def reference(self, key: bytes) -> int | None:
        """The object number of a value that is a reference to generation 0; None where the key is absent."""
        value = self.values.get(key)
        if value is None:
            return None
        found = _reference(value)
        if found is None:
            raise HandOver(FallbackReason.SYNTAX)
        return int(found[1])

    def indirect(self, key: bytes) -> bool:
        """Whether the key is there and its value looks like a reference; `reference` reads it."""
        return self.values.get(key, b"").endswith(b"R")

    def integer(self, key: bytes) -> int | None:
        """A value of digits only; None where the key is absent."""
        value = self.values.get(key)
        if value is None:
            return None
        if _integer(value) is None:
            raise HandOver(FallbackReason.SYNTAX)
        return int(value)

    def span(self, key: bytes) -> tuple[int, int]:
        """Where the value of a key which is there begins and ends in `text`."""
        name, value = b"/" + key, self.values[key]
        if self.text.count(name, self.start, self.end) == 1:
            start = self.text.index(value, self.text.index(name, self.start) + len(name))
            return start, start + len(value)
        return next(span for found, span in _spans(self.text, self.start) if found == key)

    def dictionary(self, key: bytes) -> Dictionary:
        """The direct dictionary that is the value of a key which is there, in place."""
        return read_dictionary(self.text, self.span(key)[0], self.owner)

    def array(self, key: bytes) -> Array:
        """The direct array that is the value of a key which is there, in place."""
        start, end = self.span(key)
        if self.text[start] != ord("["):
            raise HandOver(FallbackReason.OBJECT)
        return Array(self.owner, self.text, start, end)


def read_dictionary(text: bytes, at: int, owner: int, depth: int = _DEPTH_MAX) -> Dictionary:
    """The dictionary whose '<<' stands at `at`.

    Raises:
        HandOver: it is not one, or not as usual.
    """
    if not text.startswith(b"<<", at):
        raise HandOver(FallbackReason.OBJECT)
    start, at = at, at + 2
    entries: list[tuple[bytes, bytes]] = []
    while True:
        run = _simple_entries(text, at)
        if run is None:
            raise HandOver(FallbackReason.SYNTAX)
        end = run.end()
        entries += _each_entry(text, at, end)
        if run[2]:
            break
        nested = _key(text, end)
        if nested is None:
            at = _comment_end(text, end)
        else:
            at = _nested_end(text, nested.end(), depth)
            entries.append((nested[1], text[nested.end() : at]))
    values = dict(entries)
    if len(values) != len(entries):
        raise HandOver(FallbackReason.AMBIGUOUS)
    return Dictionary(owner, text, start, end, values)


def read_array(text: bytes, at: int, owner: int) -> Array:
    """The array whose '[' stands at `at`; HandOver when it is none."""
    if not text.startswith(b"[", at):
        raise HandOver(FallbackReason.OBJECT)
    simple = _simple(text, at)
    return Array(owner, text, at, _nested_end(text, at, _DEPTH_MAX) if simple is None else simple.end())


def read_references(array: bytes) -> list[int]:
    """The object numbers of an array that holds nothing but references to generation 0; HandOver for any other value."""
    if _references(array) is None:
        raise HandOver(FallbackReason.SYNTAX)
    return [int(number) for number in _reference_numbers(array)]


def read_items(array: bytes) -> list[bytes]:
    """The values of an array as bytes; HandOver when it is none."""
    if not array.startswith(b"["):
        raise HandOver(FallbackReason.OBJECT)
    return _read_items(array, 0, _DEPTH_MAX)[0]


def _spans(text: bytes, at: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Key and place of each value of a dictionary that `read_dictionary` took."""
    at += 2
    while True:
        entry = _entry(text, at)
        if entry is None:
            at = _comment_end(text, at)
            continue
        start, at = entry.span(2)
        if at < 0:
            start = entry.end()
            at = _nested_end(text, start, _DEPTH_MAX)
        yield entry[1], (start, at)


def _read_items(text: bytes, at: int, depth: int) -> tuple[list[bytes], int]:
    """The values of the array at `at`, and where it ends."""
    items: list[bytes] = []
    at += 1
    while (item := _item(text, at)) is not None and not item[2]:
        at = item.end()
        if item[1] is None:
            start, at = at, _nested_end(text, at, depth)
            items.append(text[start:at])
        else:
            items.append(item[1])
    if item is None:
        raise HandOver(FallbackReason.SYNTAX)
    return items, item.end()


def _nested_end(text: bytes, at: int, depth: int) -> int:
    """Where the value at `at` ends, which `_SIMPLE` did not take."""
    if depth == 0:
        raise HandOver(FallbackReason.NESTING)
    if text.startswith(b"<<", at):
        return read_dictionary(text, at, 0, depth - 1).end
    match text[at : at + 1]:
        case b"<":
            return _hex_end(text, at)
        case b"[":
            return _read_items(text, at, depth - 1)[1]
        case b"(":
            return _literal_end(text, at)
        case _:
            raise HandOver(FallbackReason.SYNTAX)


def _comment_end(text: bytes, at: int) -> int:
    comment = _comment(text, at)
    if comment is None:
        raise HandOver(FallbackReason.SYNTAX)
    return comment.end()


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
    while (found := _parenthesis(text, at)) is not None and not found[1]:
        at = found.end()
        if found[0] == b"(":
            depth += 1
        elif found[0] == b")":
            depth -= 1
            if depth == 0:
                return at
    raise HandOver(FallbackReason.SYNTAX)
