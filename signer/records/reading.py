"""A parsed record, read through a layout: whose it is, and what stands in it under which Id."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol

from lxml import etree

from signer.formats.xml.search import Finder
from signer.records.layout import Layout
from signer.records.layout_checks import xpath
from signer.records.problem import Finding, Wording, found

Element = etree._Element  # noqa: SLF001 - lxml names the type of its elements nowhere else

SIGNATURE_TAG = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_UUID_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_PERSONAL_NUMBER = re.compile(r"[0-9]{12}")
_SCHOOL_YEAR = re.compile(r"(20[0-9]{2})(?![0-9])")
_NAMES = re.compile(r"(?:/[A-Za-z_][A-Za-z0-9_.\-]*)+")
_IDENTIFIER_MAX = 128
PUPIL_BYTES = 16


class Record:
    """One record, parsed once; what was found in it once is remembered."""

    def __init__(self, finder: Finder) -> None:
        self.root = finder.root
        self._finder = finder
        self._found: dict[str, list[Element]] = {}

    def find(self, expression: str, **variables: str) -> list[Element]:
        """The elements that a layout's XPath finds."""
        if variables:
            return self._evaluate(expression, variables)
        found = self._found.get(expression)
        if found is None:
            found = self._found[expression] = self._by_names(expression) if _is_of_names(expression) else self._evaluate(expression, {})
        return found

    def lacking(self, entries: str, need: str) -> list[Element]:
        """Which entries have no text at a relative path."""
        return self.find(f"({entries})[not({need}[normalize-space()])]")

    def text_at(self, expression: str, element: Element) -> str:
        """What a relative XPath finds first, as text."""
        result = xpath(expression)(element)
        first = (result[0] if result else "") if isinstance(result, list) else result
        return first if isinstance(first, str) else text_of(first) if isinstance(first, Element) else ""

    def values(self, expression: str) -> set[str]:
        """Every text that a layout's XPath finds, but empty ones."""
        return {text_of(each) for each in self.find(expression)} - {""}

    def _evaluate(self, expression: str, variables: Mapping[str, str]) -> list[Element]:
        result = xpath(expression)(self.root, **variables)
        return [each for each in result if isinstance(each, Element)] if isinstance(result, list) else []

    def _by_names(self, path: str) -> list[Element]:
        """Step by step, each taken once for all the paths that share it: most of a layout's do."""
        above, _, name = path.rpartition("/")
        if not above:
            return [self.root] if self.root.tag == name else []
        return [child for parent in self.find(above) for child in parent.iterchildren(name)]

    def path(self, element: Element) -> str:
        """Its absolute XPath, with positions and without values.

        Without prefixes: which namespace one stands for may differ from element to element.
        """
        path = self.root.getroottree().getpath(element)
        if ":" not in path:
            return path
        elements = [*reversed(list(element.iterancestors())), element]
        steps = path.split("/")[1:]
        return "".join(f"/{_position(each) if each.prefix else step}" for each, step in zip(elements, steps, strict=True))

    def has_id_once(self, value: str) -> bool:
        """Whether one attribute alone has this value, whatever it is called: verifiers differ in what an Id is."""
        return self._finder.is_once(value)

    def signatures(self) -> list[Element]:
        """Every XML signature, wherever it stands."""
        return list(self.root.iter(SIGNATURE_TAG))


@lru_cache(maxsize=1024)
def _is_of_names(expression: str) -> bool:
    """Whether it is a path of names alone, from the root downwards."""
    return _NAMES.fullmatch(expression) is not None


def _position(element: Element) -> str:
    return f"*[{1 + sum(1 for _ in element.itersiblings('*', preceding=True))}]"


def text_of(element: Element) -> str:
    """Its text, that of elements inside included, without white space around it."""
    return "".join(str(each) for each in element.itertext()).strip() if len(element) else (element.text or "").strip()


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose record it is. Empty, or 0, for what can't be read; record_uuid in lower case; school_year: its first calendar year.

    pupil: see `pupil_mark`. is_supplementary: the pupil is assessed once more in summer.
    """

    record_uuid: str = ""
    school_code: str = ""
    class_id: str = ""
    school_year: int = 0
    pupil: bytes = b""
    is_supplementary: bool = False


def pupil_mark(record_uuid: str, pupil_code: str) -> bytes:
    """Equal for two records of one UUID only if they are of one pupil; tells nobody who it is. Empty for no code."""
    return hashlib.sha256(f"{record_uuid}\0{pupil_code}".encode()).digest()[:PUPIL_BYTES] if pupil_code else b""


def recognise(record: Record, layouts: Iterable[Layout]) -> Layout | None:
    """The layout a record is of: the first one in the order given, which is that of their ids."""
    return next((layout for layout in layouts if _is_of(record, layout)), None)


def _is_of(record: Record, layout: Layout) -> bool:
    recognition = layout.recognition
    return (
        record.root.tag == recognition.root
        and all(record.find(each) for each in recognition.present)
        and not any(record.find(each) for each in recognition.absent)
    )


class Values(Protocol):
    """What stands where in a record."""

    def values(self, expression: str, /) -> set[str]:
        """Every text that a layout's XPath finds, but empty ones."""

    def find(self, expression: str, /) -> Sequence[object]:
        """What it finds."""


class IdentityReader:
    """Reads a record's identifiers, and gathers what is wrong with them."""

    def __init__(self, record: Values, layout: Layout) -> None:
        self._record = record
        self._layout = layout
        self.findings: list[Finding] = []

    def read(self) -> Identity:
        """What the record says of itself."""
        places = self._layout.identifiers
        self._require_personal_number(places.personal_number)
        year = _SCHOOL_YEAR.match(self._text(places.school_year))
        record_uuid = self._uuid(places.uuid)
        return Identity(
            record_uuid=record_uuid,
            school_code=self._text(places.school_code),
            class_id=self._text(places.class_id),
            school_year=int(year[1]) if year else 0,
            pupil=pupil_mark(record_uuid, self._text(places.pupil_code)),
            is_supplementary=bool(places.supplementary and self._record.find(places.supplementary)),
        )

    def _text(self, expression: str) -> str:
        """The one value there; empty for none or several."""
        values = self._record.values(expression)
        if len(values) > 1:
            self.findings.append(found(Wording.VALUES_DIFFER, expression, layout=self._layout.id))
            return ""
        value = values.pop() if values else ""
        return value if len(value) <= _IDENTIFIER_MAX else ""

    def _uuid(self, expression: str) -> str:
        text = self._text(expression)
        if _UUID_V4.fullmatch(text):
            return text.lower()
        self.findings.append(found(Wording.UUID_MALFORMED if text else Wording.UUID_MISSING, expression))
        return ""

    def _require_personal_number(self, expression: str) -> None:
        text = self._text(expression)
        if not _PERSONAL_NUMBER.fullmatch(text):
            self.findings.append(found(Wording.PERSONAL_NUMBER_MALFORMED if text else Wording.PERSONAL_NUMBER_MISSING, expression))


def is_accepted(layout: Layout, today: date) -> bool:
    """Whether records of the layout are accepted by now."""
    return today >= layout.valid_from
