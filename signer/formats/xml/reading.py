"""The one door for a stranger's XML: what is let in, and how much of it.

Bounds, beside the bytes that the caller lets through:
- MARKUP_MAX `<` and `=` in the document, so that many elements and attributes are counted before a tree is built of them;
- ATTRIBUTES_MAX attributes on an element and NAMESPACES_MAX namespace declarations in scope at once: canonicalisation takes time with the
  square of either;
- elements nested 255 deep, names of 50,000 and texts, comments and attributes of 10,000,000 bytes: libxml2's own limits, kept on;
- no document type at all, so no entity, no external subset, no default attribute; nothing is fetched, whatever the document names;
- XML 1.0 in UTF-8, as the Ministry has it: another encoding would mean another file behind the same signature.

A style sheet (`xml-stylesheet`) decides what a reader sees of a document and stands outside of most signatures: such a document can be
verified, which tells of it, but isn't signed here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from signer.errors import DocumentDamaged, DocumentEmpty, DocumentError, DocumentNotXml, DocumentTooCostly, DocumentUnsupported

Element = etree._Element  # noqa: SLF001 - lxml names the type of its elements nowhere else

MARKUP_MAX: Final = 1_000_000
ATTRIBUTES_MAX: Final = 256
NAMESPACES_MAX: Final = 32

_BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = (b"\xfe\xff", b"\xff\xfe", b"\x00", b"<\x00")
_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?P<q>["'])(?P<version>[^"'<>]*)(?P=q)"""
    rb"""(?:\s+encoding\s*=\s*(?P<e>["'])(?P<encoding>[^"'<>]*)(?P=e))?(?:\s+standalone\s*=\s*(?:"\w+"|'\w+'))?\s*\?>"""
)
_BEFORE_ROOT: Final = re.compile(rb"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_MARKUP: Final = re.compile(rb"\s*<")
_STYLE_SHEET: Final = re.compile(rb"<\?xml-stylesheet\b")
_DECLARED: Final = re.compile(rb"<\?xml\s")
_LIMITS: Final = frozenset(
    {etree.ErrorTypes.ERR_RESOURCE_LIMIT, etree.ErrorTypes.ERR_COMMENT_NOT_FINISHED, etree.ErrorTypes.ERR_NAME_TOO_LONG}
)
PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, collect_ids=False)
_NO_MEMORY: Final = "reading the XML takes more memory than one document may use; send it in parts"
_CROWDED: Final = etree.XPath(f"boolean(//*[@*[{ATTRIBUTES_MAX + 1}]])", smart_strings=False)
_TOO_BIG: Final = re.compile(r"too (?:big|long)|depth")


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """content: as it came. root: parsed, to be left as it is. has_style_sheet: it names one."""

    content: bytes
    root: Element
    has_style_sheet: bool = False


def read(content: bytes) -> XmlDocument:
    """Parse a stranger's XML.

    Raises:
        DocumentEmpty: zero bytes.
        DocumentNotXml: no markup where it would begin.
        DocumentUnsupported: a document type, another encoding than UTF-8, another version than 1.0.
        DocumentTooCostly: beyond the bounds of the room.
        DocumentDamaged: not well-formed.
    """
    if not content:
        raise DocumentEmpty("the document has no bytes; send the XML itself")
    has_style_sheet = _check_prolog(content)
    _check_amount(content)
    return XmlDocument(content, _parse(content), has_style_sheet)


def _check_prolog(content: bytes) -> bool:
    """Refuse what stands before the root and mustn't. Returns whether a style sheet is named there."""
    if content.startswith(_WIDE):
        raise DocumentUnsupported("the XML is not in UTF-8; save it as UTF-8 and send it again")
    at = len(_BOM) if content.startswith(_BOM) else 0
    if _DECLARED.match(content, at):
        at = _check_declaration(content, at)
    has_style_sheet = False
    if _MARKUP.match(content, at) is None:
        raise DocumentNotXml("the document is not XML: it does not begin with markup; send the XML itself")
    while (found := _BEFORE_ROOT.match(content, at)) is not None:
        has_style_sheet = has_style_sheet or _STYLE_SHEET.match(content, at) is not None
        at = found.end()
    if content.startswith(b"<!DOCTYPE", at):
        raise DocumentUnsupported("the XML has a document type (<!DOCTYPE …>), which can name entities and files; send it without one")
    return has_style_sheet


def _check_declaration(content: bytes, at: int) -> int:
    declaration = _DECLARATION.match(content, at)
    if declaration is None:
        raise DocumentDamaged('the XML declaration can\'t be read; begin with <?xml version="1.0" encoding="UTF-8"?> or without one')
    if declaration["version"] != b"1.0":
        raise DocumentUnsupported("the XML is of another version than 1.0; save it as XML 1.0")
    if declaration["encoding"] is not None and declaration["encoding"].lower() != b"utf-8":
        raise DocumentUnsupported("the XML declares another encoding than UTF-8; save it as UTF-8 and send it again")
    return declaration.end()


def _check_amount(content: bytes) -> None:
    if len(content) > MARKUP_MAX and (content.count(b"<") > MARKUP_MAX or content.count(b"=") > MARKUP_MAX):
        raise DocumentTooCostly(f"the XML has more than {MARKUP_MAX:,} tags or attributes; send it in parts", limit=MARKUP_MAX)


def _parse(content: bytes) -> Element:
    try:
        root: Element = etree.fromstring(content, PARSER)
    except etree.XMLSyntaxError as error:
        raise _refusal(error) from error
    except MemoryError as error:
        raise DocumentTooCostly(_NO_MEMORY) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise DocumentUnsupported("the XML has a document type; send it without one")
    if content.count(b"xmlns") > NAMESPACES_MAX:
        _check_namespaces(root)
    if len(content.split(b"=", ATTRIBUTES_MAX + 1)) > ATTRIBUTES_MAX + 1 and _CROWDED(root):  # which is quicker than counting
        raise DocumentTooCostly(f"the XML has an element with more than {ATTRIBUTES_MAX} attributes", limit=ATTRIBUTES_MAX)
    return root


def _check_namespaces(root: Element) -> None:
    in_scope = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "end-ns")):
        in_scope += 1 if event == "start-ns" else -1
        if in_scope > NAMESPACES_MAX:
            raise DocumentTooCostly(f"the XML declares more than {NAMESPACES_MAX} namespaces around an element", limit=NAMESPACES_MAX)


def _refusal(error: etree.XMLSyntaxError) -> DocumentError:
    """The parser's message may quote the document, so only its kind and its line are told."""
    code: int = error.code  # type: ignore[attr-defined]  # lxml's stubs lack it
    if code == etree.ErrorTypes.ERR_NO_MEMORY:
        return DocumentTooCostly(_NO_MEMORY)
    if code in _LIMITS and _TOO_BIG.search(error.msg or ""):
        return DocumentTooCostly(
            "the XML is nested too deeply, or a text, name or comment in it is too long; export it again from its source"
        )
    return DocumentDamaged(f"the XML is not well-formed (line {error.lineno}); export it again from its source", line=error.lineno or 0)
