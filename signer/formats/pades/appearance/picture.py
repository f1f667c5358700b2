"""A PNG as an image XObject (ISO 32000-2 8.9.5) with its transparency as a soft mask (11.6.5.2).

Every signed document carries it, so it is kept small: no finer than print shows, few colours, transparency in 16 steps. Signature images
and seals are ink of one colour on transparent ground: some kilobytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageChops, ImageStat

from signer.errors import DocumentDamaged, DocumentTooLarge, InvalidArgument
from signer.formats.pades.appearance.artwork import Part
from signer.formats.pades.appearance.face import packed
from signer.formats.pades.appearance.png import BYTES_MAX, size_of

_PIXELS_AN_INCH: Final = 300
_POINTS_AN_INCH: Final = 72
_COLOURS: Final = 64
_SEEN_FROM: Final = 48
"""Opacity, of 255: below it a pixel's own colour can't be told from another one."""
_ONE_INK_WITHIN: Final = 32
"""Difference in any of red, green and blue, of 255, that is a pen's or a scanner's, not another ink's."""
_OPAQUE: Final = 255
_IMAGE: Final = b"/Type /XObject /Subtype /Image /Width %d /Height %d "


@dataclass(frozen=True, slots=True)
class Picture:
    """An image at a width on paper. width, height: points."""

    png: bytes
    width: float
    height: float

    @classmethod
    def of(cls, png: bytes, width: float) -> Picture:
        """With the height that follows from the image; raises as `size_of`."""
        across, down = size_of(png)
        return cls(png, width, width * down / across)

    def embed(self, first: int) -> tuple[Part, Part]:
        """The image and its mask, parts `first` and on. InvalidArgument when the PNG is damaged."""
        try:
            with Image.open(BytesIO(self.png), formats=("PNG",)) as opened:
                image = opened.convert("RGBA")
        except (OSError, ValueError, SyntaxError) as error:
            raise InvalidArgument("the image is damaged; export it again as PNG", field="image") from error
        scale = _PIXELS_AN_INCH / _POINTS_AN_INCH * self.width / image.width
        if scale < 1:
            size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
            image = image.convert("RGBa").resize(size, Image.Resampling.HAMMING).convert("RGBA")  # rings no edge
        return self._colours(image, first), self._mask(image.getchannel("A"))

    @staticmethod
    def _colours(image: Image.Image, first: int) -> Part:
        """Its inks, by number. Where little of it is seen it has the mean ink, all over if it is of one ink: nothing is left to pack."""
        seen = image.getchannel("A").point(lambda alpha: _OPAQUE if alpha >= _SEEN_FROM else 0)
        ink = _ink(image, seen)
        ground = Image.new("RGB", image.size, ink)
        ground.paste(image.convert("RGB"), mask=seen)
        plain = Image.new("RGB", image.size, ink)
        if ImageChops.difference(ground, plain).point(lambda apart: apart > _ONE_INK_WITHIN and _OPAQUE).getbbox() is None:
            ground = plain
        inks = ground.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        used = 1 + int(inks.getextrema()[1])  # type: ignore[arg-type]  # of one band
        palette = bytes(inks.getpalette() or ())[: 3 * used]
        entries = _IMAGE % image.size + b"/ColorSpace [/Indexed /DeviceRGB %d <%b>]\n/BitsPerComponent 8 /SMask %%d 0 R " % (
            used - 1,
            palette.hex().encode("ascii"),
        )
        return packed(entries, inks.tobytes(), (first + 1,))

    @staticmethod
    def _mask(alpha: Image.Image) -> Part:
        """Transparency, four bits a pixel."""
        width, height = alpha.size
        steps = alpha.point(lambda value: (value + 8) // 17).tobytes()
        rows = (steps[at : at + width] + b"\0" * (width % 2) for at in range(0, width * height, width))
        nibbles = b"".join(bytes(left << 4 | right for left, right in zip(row[::2], row[1::2], strict=True)) for row in rows)
        return packed(_IMAGE % alpha.size + b"/ColorSpace /DeviceGray /BitsPerComponent 4 ", nibbles)


def require_stamp(png: bytes, width: float) -> None:
    """Takes a PNG apart as signing will.

    Raises:
        DocumentTooLarge: more bytes or pixels than images may have.
        DocumentDamaged: it is no PNG, or a broken one.
        InvalidArgument: nothing of it is transparent, so it would hide what it stands on.
    """
    if len(png) > BYTES_MAX:
        raise DocumentTooLarge(f"the image has {len(png)} bytes, more than {BYTES_MAX}; export it smaller", limitBytes=BYTES_MAX)
    try:
        Picture.of(png, width).embed(1)
    except InvalidArgument as error:
        raise DocumentDamaged(error.message) from error
    with Image.open(BytesIO(png), formats=("PNG",)) as opened:
        lowest, _highest = opened.convert("RGBA").getchannel("A").getextrema()
    if lowest == _OPAQUE:
        raise InvalidArgument("nothing of the image is transparent, so it would hide what it stands on; cut its ground out", field="png")


def _ink(image: Image.Image, seen: Image.Image) -> tuple[int, int, int]:
    """Its mean colour where it is seen; black where it is not."""
    if seen.getbbox() is None:
        return 0, 0, 0
    red, green, blue = (round(mean) for mean in ImageStat.Stat(image.convert("RGB"), mask=seen).mean)
    return red, green, blue
