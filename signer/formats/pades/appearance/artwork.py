"""A finished appearance: PDF objects that refer to one another by distance, to be written into any document at any number."""

from __future__ import annotations

from dataclasses import dataclass

from signer.errors import InvalidArgument

_SHRUNK = 1 - 1e-4


@dataclass(frozen=True, slots=True)
class Box:
    """left, bottom, right, top in points; left < right and bottom < top."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        """Points."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Points."""
        return self.top - self.bottom

    def written(self) -> bytes:
        """Four numbers as in a PDF array, to a thousandth of a point."""
        return b" ".join(write_number(each) for each in (self.left, self.bottom, self.right, self.top))

    def holds(self, other: Box) -> bool:
        """Whether `other` lies inside; a thousandth of a point more is no matter."""
        slack = 0.001
        return (
            self.left - slack <= other.left
            and self.bottom - slack <= other.bottom
            and other.right <= self.right + slack
            and other.top <= self.top + slack
        )


def write_number(value: float) -> bytes:
    """A PDF number with at most three decimals."""
    return b"%d" % round(value) if abs(value - round(value)) < 0.0005 else f"{value:.3f}".rstrip("0").encode("ascii")  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Part:
    """One object. dictionary: its bytes, with a `%d` for the number of each part in `refers`. stream: None for an object without one."""

    dictionary: bytes
    refers: tuple[int, ...] = ()
    stream: bytes | None = None

    def written(self, first: int) -> bytes:
        """The object's value, part 0 having the number `first`."""
        dictionary = self.dictionary % tuple(first + part for part in self.refers)
        return dictionary if self.stream is None else b"%b\nstream\n%b\nendstream" % (dictionary, self.stream)


@dataclass(frozen=True, slots=True)
class Artwork:
    """An appearance, prepared.

    form: the form XObject's dictionary but for /BBox, which is written first, and its content. It is part 0; `parts` are 1 and on. width,
    height: points that the content fills, from 0, 0. stands_in_corner: where nothing else is said it stands at the top right of page 1;
    otherwise it must be told where. may_shrink: False for what has its actual size or none.
    """

    form: Part
    parts: tuple[Part, ...]
    width: float
    height: float
    stands_in_corner: bool
    may_shrink: bool

    @property
    def streams(self) -> tuple[bytes, ...]:
        """What it puts into every document as it is."""
        return tuple(part.stream for part in (self.form, *self.parts) if part.stream)

    def objects(self, first: int, width: float, height: float) -> list[tuple[int, bytes]]:
        """Number and value of every object, for a rectangle of that size; the form has the number `first`.

        Raises InvalidArgument when it must not be shrunk and does not fit.
        """
        view = self._view(width, height)
        form = b"<< /BBox [%b]\n%b" % (view.written(), self.form.written(first))
        return [(first, form), *((first + at, part.written(first)) for at, part in enumerate(self.parts, 1))]

    def _view(self, width: float, height: float) -> Box:
        """The part of form space that fills the rectangle: all of the content in its middle, shrunk if it must be, never enlarged."""
        scale = min(1.0, width / self.width, height / self.height)
        if scale < _SHRUNK and not self.may_shrink:
            raise InvalidArgument(
                f"a seal is shown in its actual size, {self.width:.0f} by {self.height:.0f} points, and the place has {width:.0f} by "
                f"{height:.0f}; give it more room",
                field="plan.pades.appearance.rectangle",
            )
        beside, below = (width / scale - self.width) / 2, (height / scale - self.height) / 2
        return Box(-beside, -below, self.width + beside, self.height + below)
