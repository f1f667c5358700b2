"""A drawn portrait of a pupil who does not exist, as a JPEG such as a school would scan.

It is the part of a report card that makes file sizes differ most: scans come in several sizes and qualities.
"""

from __future__ import annotations

import io
import random

from PIL import Image, ImageDraw, ImageFilter

from signer.demo.pupils import Gender

DRAWN_PX = (300, 400)
_SCANNED_PX = ((120, 160), (165, 220), (225, 300), (300, 400))
_SKINS = ("#f3d3b3", "#ecc39c", "#e3b58b", "#f7dcc4")
_HAIRS = ("#1c1512", "#2a1d16", "#33231a")
_BACKGROUNDS = ("#cfe3f5", "#bcd7ef", "#dbe7f2", "#e9eef3")
_SHIRTS = ("#fdfdfd", "#f4f7fb")
_TIES = ("#c8202c", "#1f4e9c", "#b5122b")
_GRAIN_STRENGTH = 0.06
_QUALITIES = (72, 80, 86, 90)


def draw_portrait(seed: str, gender: Gender) -> bytes:
    """JPEG bytes, 3:4, of 120 to 300 pixels' width; the same seed draws the same face."""
    rng = random.Random(seed)  # noqa: S311 - repeatable by intent, nothing secret comes of it
    image = Image.new("RGB", DRAWN_PX, rng.choice(_BACKGROUNDS))
    pen = ImageDraw.Draw(image)
    tilt = rng.randint(-4, 4)
    _body(pen, rng, tilt)
    _head(pen, rng, tilt, gender)
    width, height = rng.choice(_SCANNED_PX)
    image = image.filter(ImageFilter.GaussianBlur(0.8)).resize((width, height), Image.Resampling.LANCZOS)
    grain = Image.frombytes("L", (width, height), rng.randbytes(width * height)).convert("RGB")
    encoded = io.BytesIO()
    Image.blend(image, grain, _GRAIN_STRENGTH).save(encoded, "JPEG", quality=rng.choice(_QUALITIES))
    return encoded.getvalue()


def _body(pen: ImageDraw.ImageDraw, rng: random.Random, tilt: int) -> None:
    shirt, tie = rng.choice(_SHIRTS), rng.choice(_TIES)
    pen.rounded_rectangle((35, 318, 265, 480), radius=60, fill=shirt, outline="#c9d2dc", width=2)
    pen.rectangle((126 + tilt, 270, 174 + tilt, 335), fill="#dcae86")
    pen.polygon([(112, 312), (150, 352), (128, 372), (96, 328)], fill="#ffffff", outline="#c2ccd6")
    pen.polygon([(188, 312), (150, 352), (172, 372), (204, 328)], fill="#ffffff", outline="#c2ccd6")
    pen.polygon([(150, 346), (138, 366), (144, 400), (156, 400), (162, 366)], fill=tie)


def _head(pen: ImageDraw.ImageDraw, rng: random.Random, tilt: int, gender: Gender) -> None:
    skin, hair = rng.choice(_SKINS), rng.choice(_HAIRS)
    middle, width = 150 + tilt, rng.randint(62, 72)
    if gender is Gender.GIRL:
        pen.rounded_rectangle((middle - width - 16, 96, middle + width + 16, rng.randint(270, 318)), radius=64, fill=hair)
    pen.ellipse((middle - width - 10, 190, middle - width + 10, 226), fill=skin)
    pen.ellipse((middle + width - 10, 190, middle + width + 10, 226), fill=skin)
    pen.ellipse((middle - width - 8, 84, middle + width + 8, 230), fill=hair)
    pen.ellipse((middle - width, 112, middle + width, 296), fill=skin)
    fringe = rng.randint(140, 158)
    pen.chord((middle - width - 4, 86, middle + width + 4, 2 * fringe - 86), 180, 360, fill=hair)
    for side in (-1, 1):
        eye = middle + side * rng.randint(27, 30)
        pen.arc((eye - 15, 176, eye + 15, 194), 200, 340, fill=hair, width=4)
        pen.ellipse((eye - 8, 194, eye + 8, 212), fill="#201713")
        pen.ellipse((eye - 3, 197, eye + 2, 202), fill="#ffffff")
        pen.ellipse((middle + side * 44 - 12, 226, middle + side * 44 + 12, 242), fill="#eeb29a")
    pen.arc((middle - 8, 212, middle + 8, 234), 30, 150, fill="#b98562", width=3)
    pen.arc((middle - 24, 228, middle + 24, 228 + rng.randint(28, 36)), 25, 155, fill="#b23b3b", width=5)
