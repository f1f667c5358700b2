"""Lines of text: what can be written, and how it fits a box."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from signer.errors import InvalidArgument

LINES_MAX: Final = 12
LINE_CHARACTERS_MAX: Final = 200
SIZE_PT: Final = 10.0
"""Decree 30/2020; smaller only where the box asks for it."""
_SIZE_MIN_PT: Final = 4.0
_STEP_PT: Final = 0.5
_PITCH_MIN: Final = 1.15
_FIELD: Final = "plan.pades.appearance.lines"
_RIGHT_TO_LEFT: Final = frozenset(("R", "AL", "AN"))
_REFUSED: Final = {
    "Cc": "a control character",
    "Cf": "an invisible formatting character",
    "Cs": "half a character",
    "Co": "a character of private use",
    "Cn": "a character that Unicode does not have",
    "Zl": "a line separator; give each line by itself",
    "Zp": "a paragraph separator; give each line by itself",
    "Mn": "a combining mark that has no composed letter",
    "Mc": "a combining mark that has no composed letter",
    "Me": "a combining mark that has no composed letter",
}


class Measure(Protocol):
    """A font, as far as fitting needs it; everything in ems."""

    def width(self, text: str) -> float:
        """Of a line."""

    def extent(self, text: str) -> tuple[float, float]:
        """How far its letters reach above and below the base line."""


def checked(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines as they are written: composed (NFC), with plain spaces. InvalidArgument names the first line that can't be written."""
    if len(lines) > LINES_MAX:
        raise InvalidArgument(f"a visible signature has at most {LINES_MAX} lines, not {len(lines)}", field=_FIELD)
    return tuple(_checked(number, line) for number, line in enumerate(lines, 1))


def _checked(number: int, line: str) -> str:
    text = unicodedata.normalize("NFC", line)
    if len(text) > LINE_CHARACTERS_MAX:
        raise InvalidArgument(f"line {number} of the visible signature is longer than {LINE_CHARACTERS_MAX} characters", field=_FIELD)
    for character in text:
        why = _REFUSED.get(unicodedata.category(character))
        if why is None and unicodedata.bidirectional(character) in _RIGHT_TO_LEFT:
            why = "a letter written from right to left"
        if why is not None:
            raise InvalidArgument(
                f"line {number} of the visible signature holds {why} (U+{ord(character):04X}); leave it out", field=_FIELD
            )
    return "".join(" " if unicodedata.category(character) == "Zs" else character for character in text).strip()


@dataclass(frozen=True, slots=True)
class Fitted:
    """Text in a box. size: of the font, points. lines: as wrapped. pitch: points from base line to base line. above, below: of a line."""

    size: float
    lines: tuple[str, ...]
    pitch: float
    above: float
    below: float
    width: float

    @property
    def height(self) -> float:
        """Points from the top of the first line to the bottom of the last."""
        return self.above + self.below + (len(self.lines) - 1) * self.pitch


def fit(lines: Sequence[str], face: Measure, width: float, height: float) -> Fitted:
    """The lines in the largest size, up to SIZE_PT, in which they fit; wrapped at spaces. InvalidArgument when no legible size does."""
    size = SIZE_PT
    while size >= _SIZE_MIN_PT:
        fitted = wrap(lines, face, width, size)
        if fitted.height <= height and fitted.width <= width:
            return fitted
        size -= _STEP_PT
    raise InvalidArgument(
        f"the visible signature's text does not fit {width:.0f} by {height:.0f} points, not even at {_SIZE_MIN_PT:g} pt; give it more "
        "room, or fewer words",
        field=_FIELD,
    )


def wrap(lines: Sequence[str], face: Measure, width: float, size: float) -> Fitted:
    """The lines in that size, broken at spaces where they are wider; a single word may stay wider."""
    wrapped = tuple(piece for line in lines for piece in _wrap(line, face, width / size))
    above, below = face.extent("".join(wrapped))
    pitch = max(_PITCH_MIN, above + below)
    widest = max((face.width(line) for line in wrapped), default=0.0)
    return Fitted(size, wrapped, pitch * size, above * size, below * size, widest * size)


def _wrap(line: str, face: Measure, width: float) -> list[str]:
    pieces: list[str] = []
    current = ""
    for word in line.split(" "):
        longer = f"{current} {word}" if current else word
        if current and face.width(longer) > width:
            pieces.append(current)
            current = word
        else:
            current = longer
    return [*pieces, current]
