"""Style, text and picture put together: what the form shows, in which proportions (Decree 30/2020, annex I and its article on copies)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signer.errors import InvalidArgument
from signer.formats.pades.appearance.artwork import Artwork, Box, Part, write_number
from signer.formats.pades.appearance.face import Embedded, Face, packed
from signer.formats.pades.appearance.picture import Picture
from signer.formats.pades.appearance.text import SIZE_PT, Fitted, fit, wrap
from signer.model import AppearanceStyle

_PADDING_PT: Final = 2.0
_GAP_PT: Final = 4.0
_TEXT_WIDTH_PT: Final = 220.0
"""Of text whose box nobody named: wider lines are wrapped."""
_PERSON_PT: Final = (170.0, 70.0)
"""A person's box where nobody named one."""
_BESIDE_FROM: Final = 1.5
"""Text stands beside the picture in a box of this width over height and more, below it in a narrower one."""
_PICTURE_SHARE: Final = 0.45
_IMAGE_FIELD: Final = "plan.pades.appearance.image_id"


def compose(
    style: AppearanceStyle, lines: Sequence[str], picture: Picture | None, face: Face | None, size: tuple[float, float] | None
) -> Artwork:
    """An appearance.

    Args:
        style: whose look.
        lines: as `text.checked` gives them; may be empty.
        picture: the signature image or the seal; None for text alone.
        face: the font; may be None where there is no text.
        size: width and height of the rectangle it is for, in points; None: as it comes out best.

    Raises:
        InvalidArgument: there is nothing to show, it does not fit, or the font lacks a letter.
    """
    written = face if any(lines) else None
    if written is not None:
        written.require("".join(lines))
    if style is AppearanceStyle.ORGANISATION and picture is None:
        raise InvalidArgument("an organisation's visible signature is its seal, and no image of one is enrolled here", field=_IMAGE_FIELD)
    if picture is None and written is None:
        raise InvalidArgument("the visible signature would show nothing: give lines of text, or enrol an image", field=_IMAGE_FIELD)
    room = Box(0, 0, *(size or _natural_size(style, lines, picture, written)))
    is_seal = style is AppearanceStyle.ORGANISATION
    if picture is None or written is None:
        spread = _Spread(_placed(picture, room, is_actual=is_seal) if picture else None, room if written else None)
    else:
        spread = _spread(picture, room, is_actual=is_seal)
    drawing = _Drawing()
    if picture is not None and spread.picture is not None:
        drawing.add_picture(picture, spread.picture)
    if written is not None and spread.text is not None:
        drawing.add_text(lines, written, spread.text)
    return Artwork(
        drawing.form(),
        tuple(drawing.parts),
        room.width,
        room.height,
        stands_in_corner=not style.takes_image,
        may_shrink=not is_seal,
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """Where picture and text go."""

    picture: Box | None
    text: Box | None


def _natural_size(style: AppearanceStyle, lines: Sequence[str], picture: Picture | None, face: Face | None) -> tuple[float, float]:
    """The size of a box that nobody named."""
    if picture is not None and face is None:
        return picture.width, picture.height
    if style is AppearanceStyle.PERSON or face is None:
        return _PERSON_PT
    text = wrap(lines, face, _TEXT_WIDTH_PT, SIZE_PT)
    width, height = text.width + 2 * _PADDING_PT, text.height + 2 * _PADDING_PT
    return (width, height) if picture is None else (picture.width + _GAP_PT + width, max(picture.height, height))


def _spread(picture: Picture, room: Box, *, is_actual: bool) -> _Spread:
    """Picture left and text right of it, or picture above and text below."""
    if room.width >= _BESIDE_FROM * room.height:
        share = picture.width if is_actual else room.width * _PICTURE_SHARE
        left = Box(0, 0, share, room.height)
        return _Spread(_placed(picture, left, is_actual=is_actual), _inner(share + _GAP_PT, 0, room.right, room.top))
    share = picture.height if is_actual else room.height * (1 - _PICTURE_SHARE)
    upper = Box(0, room.height - share, room.width, room.height)
    return _Spread(_placed(picture, upper, is_actual=is_actual), _inner(0, 0, room.right, room.height - share - _GAP_PT))


def _inner(left: float, bottom: float, right: float, top: float) -> Box:
    if left >= right or bottom >= top:
        raise InvalidArgument(
            "the rectangle has no room for text beside or below the image; make it larger", field="plan.pades.appearance.rectangle"
        )
    return Box(left, bottom, right, top)


def _placed(picture: Picture, room: Box, *, is_actual: bool) -> Box:
    """In the middle of the room, in its own proportions: in its actual size, or as large as fits."""
    scale = 1.0 if is_actual else min(room.width / picture.width, room.height / picture.height)
    width, height = picture.width * scale, picture.height * scale
    left, bottom = room.left + (room.width - width) / 2, room.bottom + (room.height - height) / 2
    box = Box(left, bottom, left + width, bottom + height)
    if not room.holds(box):
        raise InvalidArgument(
            f"a seal is shown in its actual size, {width:.0f} by {height:.0f} points; make the rectangle at least so large",
            field="plan.pades.appearance.rectangle",
        )
    return box


class _Drawing:
    """The form's content and what it needs, as it grows."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._resources: list[bytes] = []
        self._refers: list[int] = []
        self._drawn: list[bytes] = []

    def add_picture(self, picture: Picture, box: Box) -> None:
        self._add(b"/XObject << /I %d 0 R >>", picture.embed(1 + len(self.parts)), _draw_picture(box))

    def add_text(self, lines: Sequence[str], face: Face, room: Box) -> None:
        fitted = fit(lines, face, room.width - 2 * _PADDING_PT, room.height - 2 * _PADDING_PT)
        embedded = face.embed("".join(fitted.lines), 1 + len(self.parts))
        self._add(b"/Font << /F %d 0 R >>", embedded.parts, _draw_text(fitted, embedded, room))

    def _add(self, resource: bytes, parts: Sequence[Part], drawn: bytes) -> None:
        self._resources.append(resource)
        self._refers.append(1 + len(self.parts))
        self.parts += parts
        self._drawn.append(drawn)

    def form(self) -> Part:
        """Without the dictionary's beginning, which is written with /BBox (`Artwork.objects`)."""
        entries = b"/Type /XObject /Subtype /Form /Resources << %b >>\n" % b" ".join(self._resources)
        whole = packed(entries, b"\n".join(self._drawn), tuple(self._refers))
        return Part(whole.dictionary.removeprefix(b"<< "), whole.refers, whole.stream)


def _draw_picture(box: Box) -> bytes:
    numbers = b" ".join(write_number(value) for value in (box.width, 0, 0, box.height, box.left, box.bottom))
    return b"q %b cm /I Do Q" % numbers


def _draw_text(text: Fitted, font: Embedded, room: Box) -> bytes:
    """Black, from the left, in the middle of the room's height."""
    left = room.left + _PADDING_PT
    top = room.top - (room.height - text.height) / 2
    rows = [b"BT 0 g /F %b Tf %b TL %b %b Td" % tuple(map(write_number, (text.size, text.pitch, left, top - text.above)))]
    rows += [font.written(line) + b" Tj T*" for line in text.lines]
    return b"\n".join([*rows, b"ET"])
