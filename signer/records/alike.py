"""Records of one markup, such as a class's: what the layout finds in one of them, and then in all by their texts alone.

A layout's XPath may ask for a text's value. Whose values it asks for is read from its form (`compared_in`), and such texts stay where
others have marks: what is found is found in records that have the same text there. Where an XPath computes, records are read one by one.
What a record says of itself, and whether results are finished, is asked of each record's own texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from signer.formats.xml.alike.learning import Marked, text_number
from signer.model import SlotRequest
from signer.records.examination import Expectation, SlotJudge, fitting_request, identify
from signer.records.layout import Identifiers, Layout
from signer.records.layout_checks import expressions_of
from signer.records.reading import Element, Identity, Record, recognise

_NAME: Final = r"[A-Za-z_][\w.\-]*+(?<!-)"
_COMPARED: Final = rf"({_NAME})\s*=\s*(?:'[^']*+'|\"[^\"]*+\"|\$subject\b)"
_OF_MARKUP: Final = re.compile(
    rf"(?:\s++|/++|\[(?:[0-9]++|last\(\))\]|[\[\]()|]|not(?=\()|(?<=[/\[(|:])\*|@?{_COMPARED}"
    rf"|(?:self::|@)?(?!(?:div|mod)\b){_NAME}(?!\s*[(:=]))+"
)
_COMPARISON: Final = re.compile(rf"(@?){_COMPARED}")
_OF_ATTRIBUTE: Final = re.compile(r"@[A-Za-z_][\w.\-]*+")
_XML_SPACE: Final = b" \t\r\n"


class _DependsOnText(Exception):
    """What is asked of a record with marks depends on a text."""


def compared_names(layouts: Iterable[Layout]) -> frozenset[str]:
    """Names of the elements whose values are asked for by a layout's XPaths."""
    return frozenset(name for layout in layouts for _, expression in expressions_of(layout) for name in compared_in(expression) or ())


@lru_cache(maxsize=1024)
def compared_in(expression: str) -> frozenset[str] | None:
    """Of which elements' values it depends what an XPath finds; of no text beside them. None where that can't be said from its form.

    Names, paths, positions, what is there, and whether an element's value is a certain text: no computing, no functions.
    """
    if _OF_MARKUP.fullmatch(expression) is None or ("|" in expression and "=" in expression):
        return None
    return frozenset(found[2] for found in _COMPARISON.finditer(expression) if not found[1])


@dataclass(frozen=True, slots=True)
class RecordPattern:
    """A fit record but for its identity. places: by an identifier's XPath, its texts. filled: texts that must not be blank."""

    layout: Layout
    request: SlotRequest
    places: Mapping[str, tuple[int, ...]]
    filled: tuple[int, ...]

    def identity(self, texts: Sequence[bytes], expectation: Expectation) -> Identity | None:
        """Whose record this one is, if it is fit; None when something is wrong with it, and the whole of it has to be looked at.

        texts: of a record of the same markup. expectation: the one that the pattern was learnt for.
        """
        if not all(texts[number].strip(_XML_SPACE) for number in self.filled):
            return None
        identity, findings = identify(_Texts(self.places, texts), self.layout, expectation)
        return None if findings else identity


class _Texts:
    """What a record says where (`reading.Values`)."""

    def __init__(self, places: Mapping[str, tuple[int, ...]], texts: Sequence[bytes]) -> None:
        self._places = places
        self._texts = texts

    def find(self, expression: str) -> Sequence[object]:
        return self._places[expression]

    def values(self, expression: str) -> set[str]:
        return {self._texts[number].decode().strip() for number in self._places[expression]} - {""}


def record_pattern(marked: Marked, expectation: Expectation, layouts: Sequence[Layout], judge: SlotJudge) -> RecordPattern | None:
    """Learn from a record with marks; None when it is unfit, or when more than its identity and blanks depends on its texts.

    judge: asked for every signature that must stand. Raises DocumentUnsupported where an identifier is more than one text.
    """
    record = _MarkedRecord(marked)
    try:
        layout = recognise(record, layouts)
        request = fitting_request(record, layout, expectation, judge) if layout else None
        if layout is None or request is None:
            return None
        places = _places(record, layout.identifiers)
    except _DependsOnText:
        return None
    return RecordPattern(layout, request, places, tuple(record.filled))


def _places(record: _MarkedRecord, identifiers: Identifiers) -> dict[str, tuple[int, ...]]:
    paths = {getattr(identifiers, name) for name in identifiers.__slots__ if name != "supplementary"}
    places = {path: record.numbers(path) for path in paths}
    if identifiers.supplementary:
        places.setdefault(identifiers.supplementary, tuple(range(len(record.find(identifiers.supplementary)))))  # for being there
    return places


class _MarkedRecord(Record):
    """A record with marks. filled: the texts that were asked for not being blank."""

    def __init__(self, marked: Marked) -> None:
        super().__init__(marked.finder)
        self._kept = marked.kept
        self.filled: dict[int, None] = {}

    def numbers(self, expression: str) -> tuple[int, ...]:
        """Which texts the elements have that a layout's XPath finds."""
        return tuple(text_number(each) for each in self.find(expression))

    def lacking(self, entries: str, need: str) -> list[Element]:
        self.filled |= dict.fromkeys(self.numbers(f"({entries})/{need}"))
        return self.find(f"({entries})[not({need})]")

    def text_at(self, expression: str, element: Element) -> str:
        if not _OF_ATTRIBUTE.fullmatch(expression):
            raise _DependsOnText
        return super().text_at(expression, element)

    def _evaluate(self, expression: str, variables: Mapping[str, str]) -> list[Element]:
        compared = compared_in(expression)
        if compared is None or not compared <= self._kept:
            raise _DependsOnText
        return super()._evaluate(expression, variables)
