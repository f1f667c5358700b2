"""Where an element stands in a document's bytes.

The document is well-formed and without document type (`reading`), so `<` stands for itself in markup alone, in comments, in CDATA sections
and in processing instructions. Blank the last three, and every `<` left begins a tag (or the XML declaration): the n-th start tag of a name
is the n-th element of that name in document order.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lxml import etree

from signer.errors import InternalError
from signer.formats.xml.reading import Element, XmlDocument
from signer.formats.xml.values import Place

_HIDING: Final = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
_DECLARATION: Final = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml\s[^>]*\?>")
_AFTER_NAME: Final = frozenset(b" \t\r\n/>")
_TAG_END: Final = re.compile(rb"""(?:[^<>"']|"[^"]*"|'[^']*')*>""")


def place_inside(document: XmlDocument, element: Element) -> Place:
    """Where a last child of the element is inserted."""
    markup = _markup(document.content)
    name = _qualified_name(element)
    start = _start(document, markup, element, name)
    tag = _TAG_END.match(markup, start + 1)
    if tag is None:
        raise InternalError("a start tag without end in a well-formed document")
    if markup[tag.end() - 2] == ord("/"):
        return Place(tag.end() - 2, name)
    return Place(_end_tag(markup, name, tag.end()))


def place_around_root(document: XmlDocument) -> Place:
    """Where the root element begins and ends."""
    markup = _markup(document.content)
    return Place(markup.index(b"<", _after_declaration(document.content)), end=markup.rindex(b">") + 1)


def _markup(content: bytes) -> bytes:
    """The document with everything blank in which a `<` begins no tag; offsets stay. An XML declaration may be left, being no tag."""
    if _has(content, b"!", b"<!", 0) or _has(content, b"?", b"<?", _after_declaration(content)):
        return _HIDING.sub(lambda found: b" " * len(found[0]), content)
    return content


def _has(content: bytes, rare: bytes, whole: bytes, start: int) -> bool:
    """Looking for `whole` alone stops at every tag."""
    return content.find(rare, start) >= 0 and content.find(whole, start) >= 0


def _after_declaration(content: bytes) -> int:
    declaration = _DECLARATION.match(content)
    return declaration.end() if declaration else 0


def _start(document: XmlDocument, markup: bytes, element: Element, name: str) -> int:
    """Of the element's start tag: the first, the second, … of that name, counted from the document's end, where records are signed."""
    opening, end = b"<" + name.encode(), len(markup)
    namesakes = [each for each in document.root.iter(f"{{*}}{name.rpartition(':')[2]}") if each.prefix == element.prefix]
    for each in reversed(namesakes):
        start = markup.rindex(opening, 0, end)
        while markup[start + len(opening)] not in _AFTER_NAME:
            start = markup.rindex(opening, 0, start)
        if each is element:
            return start
        end = start
    raise InternalError("an element of the tree has no start tag in the document")


def _end_tag(markup: bytes, name: str, after: int) -> int:
    """Of the end tag that closes what was opened before `after`."""
    depth = 1
    for found in _tags(name).finditer(markup, after):
        if found[0].startswith(b"</"):
            depth -= 1
            if depth == 0:
                return found.start()
        elif not found[0].endswith(b"/>"):
            depth += 1
    raise InternalError("an element of the tree has no end tag in the document")


@lru_cache(maxsize=256)
def _tags(name: str) -> re.Pattern[bytes]:
    """Start and end tags of a name."""
    return re.compile(rb"""</?%s(?=[\s/>])(?:[^<>"']|"[^"]*"|'[^']*')*>""" % re.escape(name.encode()))


def _qualified_name(element: Element) -> str:
    local = etree.QName(element).localname
    return f"{element.prefix}:{local}" if element.prefix else local
