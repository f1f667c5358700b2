"""The TrueType fonts that report cards embed: a Times-like face with every Vietnamese letter, from Debian's packages.

Decree 30/2020 asks for Times New Roman; Liberation Serif 2 has its metrics. DejaVu Serif stands in where only that one is installed.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from signer.errors import ConfigError

REGULAR = "RecordSerif"
BOLD = "RecordSerif-Bold"
ITALIC = "RecordSerif-Italic"


@dataclass(frozen=True, slots=True)
class FontFamily:
    """Where a Debian package puts a regular, a bold and an italic face."""

    package: str
    directory: Path
    regular: str
    bold: str
    italic: str

    def paths(self) -> dict[str, Path]:
        """The file of each face, by the name that reportlab shall know it under."""
        return {REGULAR: self.directory / self.regular, BOLD: self.directory / self.bold, ITALIC: self.directory / self.italic}


_TRUETYPE = Path("/usr/share/fonts/truetype")
_LIBERATION = ("LiberationSerif-Regular.ttf", "LiberationSerif-Bold.ttf", "LiberationSerif-Italic.ttf")
_CONDENSED = ("DejaVuSerifCondensed.ttf", "DejaVuSerifCondensed-Bold.ttf", "DejaVuSerifCondensed-Italic.ttf")
FAMILIES = (
    FontFamily("fonts-liberation2", _TRUETYPE / "liberation2", *_LIBERATION),
    FontFamily("fonts-liberation", _TRUETYPE / "liberation", *_LIBERATION),
    FontFamily("fonts-dejavu-extra", _TRUETYPE / "dejavu", *_CONDENSED),
    FontFamily("fonts-dejavu-core", _TRUETYPE / "dejavu", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSerif.ttf"),
)
"""In order of preference. Debian 12's fonts-liberation is version 1, without most Vietnamese letters: it is tried, and passed over."""


@functools.cache
def register_fonts() -> FontFamily:
    """Make REGULAR, BOLD and ITALIC known to reportlab, once a process, from the first family with every Vietnamese letter.

    Raises ConfigError naming the package to install if there is none.
    """
    for family in FAMILIES:
        faces = _load(family)
        if faces:
            for face in faces:
                pdfmetrics.registerFont(face)
            pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=ITALIC, boldItalic=BOLD)
            return family
    raise ConfigError(f"no font with Vietnamese letters in {_TRUETYPE}: apt-get install {FAMILIES[0].package} or {FAMILIES[-1].package}")


def _load(family: FontFamily) -> list[Any]:
    """The family's three faces, or nothing where a file or a letter is missing."""
    paths = family.paths()
    if not all(path.is_file() for path in paths.values()):
        return []
    faces = [TTFont(name, str(path)) for name, path in paths.items()]
    letters = {ord(letter) for letter in vietnamese_letters()}
    return faces if all(letters <= face.face.charToGlyph.keys() for face in faces) else []


def vietnamese_letters() -> frozenset[str]:
    """Every accented letter of Vietnamese in both cases, composed (NFC): 67 × 2."""
    vowels = "aăâeêioôơuưy"
    tones = ("", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323")
    toned = {unicodedata.normalize("NFC", vowel + tone) for vowel in vowels for tone in tones} - set("aeiouy")
    lower = toned | {"đ"}
    return frozenset(lower | {letter.upper() for letter in lower})
