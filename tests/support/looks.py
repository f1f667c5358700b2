"""Visible signatures for tests: the font that tools/setup.sh installs, drawn images, and artworks made of both."""

from __future__ import annotations

import subprocess
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from signer.documents.settings import AppearanceSettings
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.appearance.compose import compose
from signer.formats.pades.appearance.face import Face
from signer.formats.pades.appearance.picture import Picture
from signer.formats.pades.appearance.text import checked
from signer.model import Appearance, AppearanceStyle, FieldPlacement, PageRectangle

FONT = AppearanceSettings().font
LINES = ("Ký bởi: Nguyễn Thị Hiệu Trưởng", "Trường Tiểu học Thử Nghiệm")
BLUE = (24, 44, 178)
RED = (200, 20, 20)
BELOW = PageRectangle(1, 320, 90, 180, 70)


@cache
def face() -> Face:
    return Face(FONT.read_bytes())


@cache
def signature_png(width: int = 640, height: int = 260) -> bytes:
    """Blue strokes on transparent ground."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    points = [(width * (step / 24), height * (0.5 + 0.42 * (-1) ** step * (1 - step / 30))) for step in range(25)]
    draw.line(points, fill=(*BLUE, 255), width=max(2, width // 70), joint="curve")
    return _png(image)


@cache
def seal_png(side: int = 480) -> bytes:
    """A red ring on transparent ground."""
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    edge = side // 40
    ImageDraw.Draw(image).ellipse((edge, edge, side - edge, side - edge), outline=(*RED, 230), width=side // 16)
    return _png(image)


def _png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def artwork(
    style: AppearanceStyle = AppearanceStyle.PERSON,
    lines: tuple[str, ...] = LINES,
    *,
    picture: Picture | None = None,
    size: tuple[float, float] | None = (180, 70),
) -> Artwork:
    return compose(style, checked(lines), picture, face(), size)


def visible(field: str = "GVCN", rectangle: PageRectangle | None = BELOW) -> FieldPlacement:
    """A placement that is shown there."""
    return FieldPlacement(field, appearance=Appearance(AppearanceStyle.PERSON, LINES, "", rectangle))


def text_of(document: bytes, folder: Path, page: int = 1) -> str:
    """What pdftotext reads of a page, annotations included; white space as single spaces, so that wrapping is no matter."""
    file = folder / "text.pdf"
    file.write_bytes(document)
    done = subprocess.run(["pdftotext", "-f", str(page), "-l", str(page), str(file), "-"], capture_output=True, check=True)
    return " ".join(done.stdout.decode().split())


def rendered(document: bytes, folder: Path, page: int = 1, *, dots_an_inch: int = 72) -> Image.Image:
    """A page as pdftoppm shows it: at 72 dots an inch a pixel is a point."""
    file, picture = folder / "page.pdf", folder / "page"
    file.write_bytes(document)
    command = ["pdftoppm", "-r", str(dots_an_inch), "-f", str(page), "-l", str(page), "-singlefile", "-png", str(file), str(picture)]
    subprocess.run(command, capture_output=True, check=True)
    with Image.open(picture.with_suffix(".png")) as image:
        return image.convert("RGB")
