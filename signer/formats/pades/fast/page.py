"""The page that carries the widget of a new field (ISO 32000-2 7.7.3, 12.5.2): the first one, or where a visible signature stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signer.errors import InvalidArgument
from signer.formats.pades.appearance.artwork import Box
from signer.formats.pades.appearance.place import page_index, shown
from signer.formats.pades.fast.changes import Changes
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.form import read_box
from signer.formats.pades.fast.objects import Objects
from signer.formats.pades.fast.syntax import Dictionary, read_references
from signer.model import PageRectangle

_DEPTH_MAX: Final = 16
_NODES_MAX: Final = 256
"""Nodes read on the way to a page; one further away is for the complete path."""
_INHERITED: Final = (b"MediaBox", b"CropBox", b"Rotate")


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
        number = _kids(objects, node)[0]
    raise HandOver(FallbackReason.PAGE)


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page. shows: what of it readers show (14.11.2). is_rotated: they show it turned."""

    page: Dictionary
    shows: Box
    is_rotated: bool


def find_page(objects: Objects, catalog: Dictionary, rectangle: PageRectangle | None) -> FoundPage:
    """The page of a rectangle, page 1 for none, by the counts of the page tree; HandOver when it is not found as usual."""
    node = objects.dictionary(catalog.reference(b"Pages") or 0)
    if node.indirect(b"Resources"):
        objects.dictionary(node.reference(b"Resources") or 0)
    try:
        left = page_index(rectangle, node.integer(b"Count") or 0)
    except InvalidArgument as error:
        raise HandOver(FallbackReason.PLACEMENT) from error
    if b"Parent" in node.values:
        raise HandOver(FallbackReason.PAGE)
    inherited: dict[bytes, bytes] = {}
    nodes_left = _NODES_MAX
    for _depth in range(_DEPTH_MAX):
        if node.values.get(b"Type") != b"/Pages":
            raise HandOver(FallbackReason.PAGE)
        inherited |= _inherited(node)
        kid, left, nodes_left = _kid_with(objects, node, left, nodes_left)
        if kid.values.get(b"Type") == b"/Page":
            return _found(kid, inherited | _inherited(kid))
        node = kid
    raise HandOver(FallbackReason.PAGE)


def _kid_with(objects: Objects, node: Dictionary, left: int, nodes_left: int) -> tuple[Dictionary, int, int]:
    """The child that holds the page after `left` others; how many of those are in it, and how many nodes may still be read."""
    for number in _kids(objects, node)[:nodes_left]:
        nodes_left -= 1
        kid = objects.dictionary(number)
        pages = _pages_in(kid)
        if left < pages:
            if kid.reference(b"Parent") != node.owner:
                break  # attributes are inherited downwards here, and looked for upwards by others
            return kid, left, nodes_left
        left -= pages
    raise HandOver(FallbackReason.PAGE)


def _pages_in(node: Dictionary) -> int:
    match node.values.get(b"Type"):
        case b"/Page":
            return 1
        case b"/Pages" if (count := node.integer(b"Count")) is not None:
            return count
        case _:
            raise HandOver(FallbackReason.PAGE)


def _inherited(node: Dictionary) -> dict[bytes, bytes]:
    return {key: node.values[key] for key in _INHERITED if key in node.values}


def _found(page: Dictionary, attributes: dict[bytes, bytes]) -> FoundPage:
    crop = read_box(attributes[b"CropBox"]) if b"CropBox" in attributes else None
    shows = shown(read_box(attributes.get(b"MediaBox", b"")), crop)
    if shows is None:
        raise HandOver(FallbackReason.PAGE)
    return FoundPage(page, shows, attributes.get(b"Rotate", b"0") != b"0")


def _kids(objects: Objects, node: Dictionary) -> list[int]:
    if b"Kids" not in node.values:
        raise HandOver(FallbackReason.PAGE)
    kids = objects.array(node.reference(b"Kids") or 0).value if node.indirect(b"Kids") else node.values[b"Kids"]
    numbers = read_references(kids)
    if not numbers:
        raise HandOver(FallbackReason.PAGE)
    return numbers


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
