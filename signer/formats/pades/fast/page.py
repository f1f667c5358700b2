"""The first page, which carries the widget of a new field (ISO 32000-2 7.7.3, 12.5.2)."""

from __future__ import annotations

from typing import Final

from signer.formats.pades.fast.changes import Changes
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.objects import Objects
from signer.formats.pades.fast.syntax import Dictionary, read_references

_DEPTH_MAX: Final = 16


def find_first_page(objects: Objects, catalog: Dictionary) -> Dictionary:
    """The page with index 0, by the first branch of the page tree; HandOver when that is not a page."""
    number = catalog.reference(b"Pages")
    for depth in range(_DEPTH_MAX):
        node = objects.dictionary(number or 0)
        kind = node.values.get(b"Type")
        if kind == b"/Page" and depth:
            return node
        if kind != b"/Pages" or not node.integer(b"Count"):
            break
        if depth == 0 and node.indirect(b"Resources"):
            objects.dictionary(node.reference(b"Resources") or 0)  # pyHanko reads them, so they must be readable
        number = _first_kid(objects, node)
    raise HandOver(FallbackReason.PAGE)


def _first_kid(objects: Objects, node: Dictionary) -> int:
    if b"Kids" not in node.values:
        raise HandOver(FallbackReason.PAGE)
    kids = objects.array(node.reference(b"Kids") or 0).value if node.indirect(b"Kids") else node.values[b"Kids"]
    numbers = read_references(kids)
    if not numbers:
        raise HandOver(FallbackReason.PAGE)
    return numbers[0]


def add_annotation(objects: Objects, page: Dictionary, annotation_number: int, changes: Changes) -> None:
    """Names the widget in the page's /Annots, which may be missing, direct or an object of its own."""
    reference = b"%d 0 R" % annotation_number
    if b"Annots" not in page.values:
        changes.of(page)
        changes.put(page, b"Annots", b"[" + reference + b"]")
    elif page.indirect(b"Annots"):
        annotations = objects.array(page.reference(b"Annots") or 0)
        changes.of(annotations)
        changes.append(annotations, reference)
    else:
        changes.of(page)
        changes.append(page.array(b"Annots"), reference)
