"""Finding elements in a stranger's document: by a location path that can't be made costly, and by an Id that is the only one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import Final, TypeAlias, cast

from lxml import etree

from signer.errors import DocumentUnsupported, InvalidArgument
from signer.formats.xml.digests import Digests
from signer.formats.xml.names import DS, XML
from signer.formats.xml.reading import Element, XmlDocument

ID_NAMES: Final = ("Id", "ID", "id", f"{{{XML}}}id")
"""What implementations take for an Id. An element is found by any of them, and so the value must be the only one over all of them."""

Attribute: TypeAlias = etree._ElementUnicodeResult  # noqa: SLF001 - lxml names the type of such values nowhere else

_NAME: Final = r"[\w.\-]+"
_STEP: Final = rf"(?:{_NAME}:)?(?:{_NAME}|\*)(?:\[(?:[0-9]+|@(?:{_NAME}:)?{_NAME}\s*=\s*(?:'[^']*'|\"[^\"]*\"))\])*"
_PATH: Final = re.compile(rf"//?{_STEP}(?://?{_STEP})*")
_PATH_LENGTH_MAX: Final = 1024
_COUNTED_IN_BYTES: Final = 2
"""So many values are looked for in the bytes; for more of them every attribute is taken once."""
_DESCENTS_MAX: Final = 2
_ID: Final = re.compile(rf"(?!\d){_NAME}")
_ALL_VALUES: Final = etree.XPath("//@*", smart_strings=False)
_ATTRIBUTES: Final = etree.XPath("//@*", smart_strings=True)
SIGNATURE: Final = f"{{{DS}}}Signature"


class Finder:
    """Looks into one document, which is left as it is. What was found and digested once is remembered."""

    def __init__(self, document: XmlDocument, digests: Digests | None = None) -> None:
        self.document = document
        self.digests = digests or Digests()
        self.root = document.root
        self._content = document.content
        self._counts: dict[str, int] = {}

    @cached_property
    def _values(self) -> list[str]:
        """The value of every attribute."""
        return cast("list[str]", _ALL_VALUES(self.root))

    @cached_property
    def _is_plain(self) -> bool:
        """Whether names and digits in attributes are written as themselves: no character reference is anywhere."""
        return b"&#" not in self._content

    def by_path(self, path: str, field: str) -> list[Element]:
        """The elements on a location path; its prefixes are the root's. InvalidArgument, naming `field`, for any other XPath."""
        try:
            return cast("list[Element]", _compiled(path, self._namespaces, field)(self.root))
        except etree.XPathEvalError as error:
            raise InvalidArgument("has a prefix that the document's root does not declare", field=field) from error

    @cached_property
    def _namespaces(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((prefix, uri) for prefix, uri in self.root.nsmap.items() if prefix and uri))

    def one_by_path(self, path: str, field: str) -> Element:
        """The one element on a location path. DocumentUnsupported when there is none, or more."""
        found = self.by_path(path, field)
        if len(found) != 1:
            problem = "has no element" if not found else "has more than one element"
            raise DocumentUnsupported(f"the XML {problem} at {path}; name one that is there once", path=path)
        return found[0]

    def by_id(self, value: str) -> list[Element]:
        """Every element with that Id, whatever the attribute is called."""
        return self._by_id.get(value, [])

    @cached_property
    def _by_id(self) -> dict[str, list[Element]]:
        """Asking each element for four names takes five times as long as taking every attribute and looking at its own."""
        found: dict[str, list[Element]] = {}
        for value in cast("list[Attribute]", _ATTRIBUTES(self.root)):
            if value.attrname in ID_NAMES:
                elements = found.setdefault(str(value), [])
                element = value.getparent()
                if element is not None and not any(element is each for each in elements[-1:]):
                    elements.append(element)
        return found

    def one_by_id(self, value: str) -> Element:
        """The one element with that Id. DocumentUnsupported when there is none, or more: verifiers would differ about which is meant."""
        found = self.by_id(value)
        if len(found) != 1:
            problem = "no element has" if not found else "more than one element has"
            raise DocumentUnsupported(f"{problem} the Id {value!r} that is referenced; it must be there once", id=value)
        return found[0]

    def has_id(self, element: Element, value: str) -> bool:
        """Whether it is the one element with that Id."""
        if self._count(value) == 1:
            return any(element.get(name) == value for name in ID_NAMES)
        found = self.by_id(value)
        return len(found) == 1 and found[0] is element

    def is_once(self, value: str) -> bool:
        """Whether one attribute alone has this value, whatever it is called. value: of an attribute of the document."""
        return (is_id(value) and self._count(value) == 1) or self._values.count(value) == 1

    def _count(self, value: str) -> int:
        """How many attributes have that value, or rather more. value: an Id, see `is_id`."""
        found = self._counts.get(value)
        if found is None:
            is_cheaper_in_bytes = self._is_plain and len(self._counts) < _COUNTED_IN_BYTES
            found = self._counts[value] = self._count_in_bytes(value) if is_cheaper_in_bytes else self._values.count(value)
        return found

    def _count_in_bytes(self, value: str) -> int:
        encoded = value.encode()
        return self._content.count(b'"%s"' % encoded) + (self._content.count(b"'%s'" % encoded) if b"'" in self._content else 0)

    def signatures(self) -> Iterator[Element]:
        """Every ds:Signature, in document order."""
        return self.root.iter(SIGNATURE)

    def free_id(self, wanted: str) -> str:
        """An Id that no attribute's value contains: the one wanted, lengthened where need be."""
        return lengthened(
            wanted, lambda id_: id_.encode() in self._content if self._is_plain else any(id_ in value for value in self._values)
        )


def lengthened(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """An Id that is not taken: the one wanted, or a longer one."""
    while is_taken(wanted):
        wanted += "x"
    return wanted


def is_id(value: str) -> bool:
    """Whether it can stand in a URI's fragment as it is."""
    return _ID.fullmatch(value) is not None


def is_within(element: Element, outer: Element) -> bool:
    """Whether it is `outer` or stands inside of it."""
    return element is outer or any(each is outer for each in element.iterancestors())


@lru_cache(maxsize=1024)
def _compiled(path: str, namespaces: tuple[tuple[str, str], ...], field: str) -> etree.XPath:
    """Names, positions and attributes alone: no function whose time has no bound, and few steps that look everywhere."""
    if len(path) > _PATH_LENGTH_MAX or path.count("//") > _DESCENTS_MAX or _PATH.fullmatch(path) is None:
        raise InvalidArgument(
            "is no absolute location path of names, positions and [@attribute='value'], such as /HOC_BA/DANH_SACH_THONG_TIN_KY[1]/GVCN",
            field=field,
        )
    try:
        return etree.XPath(path, namespaces=dict(namespaces), smart_strings=False)
    except etree.XPathSyntaxError as error:
        raise InvalidArgument("is no XPath 1.0", field=field) from error
