"""A TrueType font, and the subset of it that a document carries (ISO 32000-2 9.7.4, 9.8, 9.9, 9.10.3)."""

from __future__ import annotations

import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from fontTools import subset
from fontTools.ttLib import TTFont, TTLibError

from signer.errors import ConfigError, InvalidArgument
from signer.formats.pades.appearance.artwork import Part

_KEPT: Final = frozenset(("head", "hhea", "hmtx", "maxp", "loca", "glyf"))
"""What a PDF reader needs of an embedded TrueType font whose codes are glyph numbers; hints are left out, they double the size."""
_FOR_SUBSETTING: Final = frozenset(("cmap", "post", "GlyphOrder"))
"""What tells glyphs apart until their numbers are settled."""
_BFCHARS_MAX: Final = 100  # 9.10.3: entries of one block
_TAG_LETTERS: Final = 6
_FLAGS_SYMBOLIC: Final = 4
_DIGITS: Final = frozenset("0123456789")
_MANY_DIGITS: Final = 5
_SUBSETS_KEPT: Final = 64

PACK_LEVEL: Final = 9


class Face:
    """A font's file, read once. Not shared between threads."""

    def __init__(self, content: bytes) -> None:
        """Raises ConfigError when it can't be embedded."""
        try:
            self._font: Any = TTFont(BytesIO(content), lazy=True)
            self._names: dict[int, str] = self._font.getBestCmap() or {}
            self._em: int = self._font["head"].unitsPerEm
            if "glyf" not in self._font or "fvar" in self._font:
                raise ConfigError(
                    "the font of visible signatures has no TrueType outlines of one weight; configure a .ttf file under [appearance]"
                )
            self._advances: Any = self._font["hmtx"]
            self._outlines: Any = self._font["glyf"]
        except (TTLibError, KeyError, ValueError) as error:
            raise ConfigError("the font of visible signatures is no TrueType font; configure a .ttf file under [appearance]") from error
        self._content = content
        self._embedded: OrderedDict[tuple[str, int], Embedded] = OrderedDict()

    def require(self, text: str) -> None:
        """InvalidArgument for the first character the font lacks."""
        for character in text:
            if ord(character) not in self._names:
                raise InvalidArgument(
                    f"the font of visible signatures has no {character!r} (U+{ord(character):04X}); leave it out, or configure another "
                    "font under [appearance]",
                    field="plan.pades.appearance.lines",
                )

    def width(self, text: str) -> float:
        """Of a line, in ems."""
        return float(sum(self._advances[self._names[ord(character)]][0] for character in text)) / self._em

    def extent(self, text: str) -> tuple[float, float]:
        """How far the letters reach above and below the base line, in ems; those of capital letters at least."""
        outlines = [self._outlines[self._names[ord(character)]] for character in {*text, "H", "p"} if ord(character) in self._names]
        drawn = [outline for outline in outlines if outline.numberOfContours]
        above = max((outline.yMax for outline in drawn), default=0)
        below = max((-outline.yMin for outline in drawn), default=0)
        return above / self._em, max(0, below) / self._em

    def embed(self, text: str, first: int) -> Embedded:
        """The subset that writes `text`, as parts numbered from `first` on: the Type 0 font is the first of them.

        A text with many digits, such as a time, gets all ten: with the next second's it has the same letters, and the subset is at hand.
        """
        digits = set(text) & _DIGITS
        letters = "".join(sorted({*text, *(_DIGITS if len(digits) >= _MANY_DIGITS else ())}))
        found = self._embedded.get((letters, first))
        if found is None:
            found = self._embedded[letters, first] = self._subset(letters, first)
            if len(self._embedded) > _SUBSETS_KEPT:
                self._embedded.popitem(last=False)
        self._embedded.move_to_end((letters, first))
        return found

    def _subset(self, text: str, first: int) -> Embedded:
        font: Any = TTFont(BytesIO(self._content), recalcTimestamp=False)
        for table in set(font.keys()) - _KEPT - _FOR_SUBSETTING:
            del font[table]
        names = self._names
        options = subset.Options(hinting=False, layout_features=[], notdef_outline=True, recalc_timestamp=False, name_IDs=[])
        maker = subset.Subsetter(options)
        maker.populate(unicodes={ord(character) for character in text})
        maker.subset(font)
        glyphs = {character: font.getGlyphID(names[ord(character)]) for character in sorted(set(text))}
        advances = [font["hmtx"][name][0] for name in font.getGlyphOrder()]
        metrics = _Metrics.of(font)
        for table in (_FOR_SUBSETTING - {"GlyphOrder"}) & set(font.keys()):
            del font[table]
        out = BytesIO()
        font.save(out, reorderTables=False)
        return Embedded(glyphs, _parts(out.getvalue(), metrics, [round(advance * 1000 / self._em) for advance in advances], glyphs, first))


@dataclass(frozen=True, slots=True)
class Embedded:
    """glyphs: each character's code. parts: see `Face.embed`."""

    glyphs: dict[str, int]
    parts: tuple[Part, ...]

    def written(self, line: str) -> bytes:
        """The line as a string operand: two bytes a character."""
        return b"<" + b"".join(b"%04X" % self.glyphs[character] for character in line) + b">"


@dataclass(frozen=True, slots=True)
class _Metrics:
    """Of the font descriptor, in thousandths of an em."""

    name: bytes
    box: bytes
    ascent: int
    descent: int

    @classmethod
    def of(cls, font: Any) -> _Metrics:
        head, lines = font["head"], font["hhea"]

        def milli(value: int) -> int:
            return round(value * 1000 / int(head.unitsPerEm))

        box = b"%d %d %d %d" % tuple(milli(value) for value in (head.xMin, head.yMin, head.xMax, head.yMax))
        return cls(b"SignatureText", box, milli(lines.ascent), milli(lines.descent))


def _parts(file: bytes, metrics: _Metrics, widths: Sequence[int], glyphs: dict[str, int], first: int) -> tuple[Part, ...]:
    name = _tag(file) + b"+" + metrics.name
    to_unicode = packed(b"", _to_unicode(glyphs))
    return (
        Part(
            b"<< /Type /Font /Subtype /Type0 /BaseFont /%b /Encoding /Identity-H\n/DescendantFonts [%%d 0 R] /ToUnicode %%d 0 R >>" % name,
            (first + 1, first + 4),
        ),
        Part(
            b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%b /CIDToGIDMap /Identity\n/CIDSystemInfo << /Registry (Adobe) "
            b"/Ordering (Identity) /Supplement 0 >>\n/DW 1000 /W [0 [%b]] /FontDescriptor %%d 0 R >>"
            % (name, b" ".join(b"%d" % width for width in widths)),
            (first + 2,),
        ),
        Part(
            b"<< /Type /FontDescriptor /FontName /%b /Flags %d /FontBBox [%b]\n/ItalicAngle 0 /Ascent %d /Descent %d /CapHeight %d "
            b"/StemV 80 /FontFile2 %%d 0 R >>" % (name, _FLAGS_SYMBOLIC, metrics.box, metrics.ascent, metrics.descent, metrics.ascent),
            (first + 3,),
        ),
        packed(b"/Length1 %d " % len(file), file),
        to_unicode,
    )


def _tag(file: bytes) -> bytes:
    """Six capital letters that differ where the subset does (9.9.2)."""
    number = int.from_bytes(hashlib.sha256(file).digest()[:8])
    return bytes(ord("A") + number // 26**place % 26 for place in range(_TAG_LETTERS))


def _to_unicode(glyphs: dict[str, int]) -> bytes:
    """The CMap that lets people search and copy what is shown."""
    rows = [b"<%04X> <%b>" % (glyph, character.encode("utf-16-be").hex().upper().encode()) for character, glyph in glyphs.items()]
    blocks = [rows[at : at + _BFCHARS_MAX] for at in range(0, len(rows), _BFCHARS_MAX)]
    return b"\n".join(
        (
            b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            b"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            b"/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
            b"1 begincodespacerange <0000> <FFFF> endcodespacerange",
            *(b"%d beginbfchar\n%b\nendbfchar" % (len(block), b"\n".join(block)) for block in blocks),
            b"endcmap CMapName currentdict /CMap defineresource pop end end",
        )
    )


def packed(entries: bytes, content: bytes, refers: tuple[int, ...] = ()) -> Part:
    """A stream packed by Flate; entries: further ones of its dictionary, with a space or line end behind."""
    stream = zlib.compress(content, PACK_LEVEL)
    return Part(b"<< %b/Filter /FlateDecode /Length %d >>" % (entries, len(stream)), refers, stream)
