"""Where on its page a visible signature stands. Both paths ask here, so that they agree on what is refused."""

from __future__ import annotations

from typing import Final

from signer.errors import InvalidArgument
from signer.formats.pades.appearance.artwork import Artwork, Box
from signer.model import PageRectangle

RECTANGLE: Final = "plan.pades.appearance.rectangle"
_MARGIN_PT: Final = 28.35
"""Of the style's own place, from the right and upper edge: 1 cm."""
_HIDDEN_FLAGS: Final = 2 | 32
"""Hidden and NoView (ISO 32000-2 table 167)."""


def page_index(rectangle: PageRectangle | None, pages: int) -> int:
    """Which page, from 0; InvalidArgument when the document has no such page."""
    number = 1 if rectangle is None else rectangle.page
    index = number - 1 if number > 0 else pages + number
    if number == 0 or not 0 <= index < pages:
        raise InvalidArgument(f"the document has {pages} pages, no page {number}; correct the page", field=f"{RECTANGLE}.page")
    return index


def place_new(artwork: Artwork, rectangle: PageRectangle | None, page: Box, *, is_rotated: bool) -> Box:
    """Where a new field stands on a page that shows `page` (its crop box); InvalidArgument when it can't stand there.

    is_rotated: the page is shown turned, so that its upper right corner is not where people look for it.
    """
    if rectangle is not None:
        box = Box(rectangle.x, rectangle.y, rectangle.x + rectangle.width, rectangle.y + rectangle.height)
    elif not artwork.stands_in_corner:
        raise InvalidArgument(
            "this style has no place of its own: give a rectangle, or name an existing visible signature field", field=RECTANGLE
        )
    elif is_rotated:
        raise InvalidArgument("page 1 is rotated, so the style's own place is not at its top right: give a rectangle", field=RECTANGLE)
    else:
        right, top = page.right - _MARGIN_PT, page.top - _MARGIN_PT
        box = Box(right - artwork.width, top - artwork.height, right, top)
    if not page.holds(box):
        raise InvalidArgument(
            f"the rectangle reaches beyond its page, which shows x {page.left:g} to {page.right:g} and y {page.bottom:g} to {page.top:g} "
            "points; correct it",
            field=RECTANGLE,
        )
    return box


def place_in_field(rectangle: PageRectangle | None, box: Box | None, flags: int) -> Box:
    """An existing field's own place. box: None for one without extent. InvalidArgument when nothing can be shown there."""
    if rectangle is not None:
        raise InvalidArgument(
            "the document has this field already, with a place of its own: leave the rectangle out, or name a new field", field=RECTANGLE
        )
    if box is None or flags & _HIDDEN_FLAGS:
        raise InvalidArgument(
            "the document has this field already, and it is invisible: name a visible or a new field, or leave the appearance out",
            field="field_name",
        )
    return box


def box_of(numbers: tuple[float, float, float, float]) -> Box | None:
    """A PDF rectangle, whichever corners it names (7.9.5); None when it has no extent."""
    left, right = sorted(numbers[::2])
    bottom, top = sorted(numbers[1::2])
    return Box(left, bottom, right, top) if left < right and bottom < top else None


def shown(media: Box | None, crop: Box | None) -> Box | None:
    """What of a page is shown: its crop box inside its media box (14.11.2)."""
    if media is None or crop is None:
        return media
    return box_of_overlap(media, crop)


def box_of_overlap(one: Box, other: Box) -> Box | None:
    """What both have in common."""
    left, bottom = max(one.left, other.left), max(one.bottom, other.bottom)
    right, top = min(one.right, other.right), min(one.top, other.top)
    return Box(left, bottom, right, top) if left < right and bottom < top else None
