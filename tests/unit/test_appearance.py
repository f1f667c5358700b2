"""What visible signatures are made of: equal input gives equal bytes, every Vietnamese letter is drawn and read, nothing is drawn wrong."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from signer.demo.fonts import vietnamese_letters
from signer.errors import ConfigError, InvalidArgument
from signer.formats.pades.appearance.artwork import Artwork, Box, write_number
from signer.formats.pades.appearance.face import Face
from signer.formats.pades.appearance.picture import Picture
from signer.formats.pades.appearance.png import SIDE_PX_MAX
from signer.formats.pades.appearance.text import checked, fit
from signer.formats.pades.appearance.wording import own_wording
from signer.model import AppearanceStyle
from tests.support import looks, pdfs
from tests.unit.test_pades_visible import fast

PLACE = (480.0, 300.0)


def shown_on_a_page(artwork: Artwork) -> bytes:
    """A blank page with the artwork in PLACE."""
    blank = pikepdf.new()
    blank.add_blank_page(page_size=(600, 400))
    out = BytesIO()
    blank.save(out)
    return fast(out.getvalue(), looks.visible(rectangle=looks.BELOW.__class__(1, 50, 50, *PLACE)), artwork)


def test_equal_input_gives_equal_bytes_in_another_process_too() -> None:
    program = (
        "from tests.support import looks; from signer.formats.pades.appearance.picture import Picture; import hashlib; "
        "made = looks.artwork(picture=Picture.of(looks.signature_png(), 120)); "
        "print(hashlib.sha256(repr(made).encode()).hexdigest())"
    )
    told = {subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout for _ in range(2)}
    assert len(told) == 1
    assert looks.artwork() == looks.artwork()


def test_every_vietnamese_letter_in_every_tone_is_read_back_and_drawn(tmp_path: Path) -> None:
    letters = sorted(vietnamese_letters())
    lines = tuple("".join(letters[at : at + 40]) for at in range(0, len(letters), 40))
    signed = shown_on_a_page(looks.artwork(lines=lines, size=PLACE))
    assert looks.text_of(signed, tmp_path).split() == list(lines)
    assert len({_drawn(letter) for letter in letters}) == len(letters)


def _drawn(letter: str) -> bytes:
    """The outline that is embedded for a letter: no two Vietnamese letters share one."""
    return looks.artwork(lines=(letter,), size=PLACE).parts[3].stream or b""


def test_decomposed_letters_are_written_composed() -> None:
    assert checked(["Nguye\u0302\u0303n\u00a0Thị "]) == ("Nguyễn Thị",)


HOSTILE = {
    "control": "a\x07b",
    "delete": "a\x7f",
    "line end": "a\nb",
    "line separator": "a\u2028b",
    "right-to-left mark": "a\u200fb",
    "override": "a\u202eb",
    "zero width joiner": "a\u200db",
    "byte order mark": "\ufeffa",
    "lone surrogate": "a\ud800",
    "private use": "a\ue000",
    "not a character": "a\uffff",
    "combining mark": "x\u0301",
    "hebrew": "שלום",
    "arabic": "سلام",
    "too long": "x" * 201,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_text_that_would_be_drawn_wrong_is_refused_by_line(case: str) -> None:
    with pytest.raises(InvalidArgument, match="line 2 "):
        checked(["Ký bởi", HOSTILE[case]])


def test_twelve_lines_are_the_most() -> None:
    assert len(checked(["x"] * 12)) == 12
    with pytest.raises(InvalidArgument, match="at most 12 lines"):
        checked(["x"] * 13)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_text_is_drawn_or_refused(lines: list[str]) -> None:
    try:
        made = looks.artwork(lines=tuple(lines), size=PLACE)
    except InvalidArgument:
        return
    assert made.form.stream


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text("Nguyễn ẲắgjQ", min_size=1, max_size=60), min_size=1, max_size=6),
    st.floats(20, 400),
    st.floats(10, 200),
)
def test_fitted_text_lies_within_its_box_and_keeps_its_words(lines: list[str], width: float, height: float) -> None:
    given_lines = checked(lines)
    try:
        fitted = fit(given_lines, looks.face(), width, height)
    except InvalidArgument:
        return
    assert fitted.width <= width
    assert fitted.height <= height
    assert " ".join(fitted.lines).split() == " ".join(given_lines).split()
    assert all(looks.face().width(line) * fitted.size <= width for line in fitted.lines)


def test_a_letter_the_font_lacks_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"U\+4F60"):
        looks.artwork(lines=("học bạ 你",))


@pytest.mark.parametrize("content", [b"", b"no font", b"\x00\x01\x00\x00" + b"\xff" * 60, b"OTTO" + b"\x00" * 60])
def test_a_file_that_is_no_font_is_the_operator_s_to_mend(content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"\[appearance\]"):
        Face(content)


def test_an_image_keeps_its_proportions_its_colour_and_its_transparency(tmp_path: Path) -> None:
    picture = Picture.of(looks.signature_png(3000, 1200), 120)
    assert (picture.width, picture.height) == (120, 48)
    artwork = looks.artwork(lines=(), picture=picture, size=PLACE)
    with pikepdf.open(BytesIO(shown_on_a_page(artwork))) as pdf:
        assert pdf.Root.AcroForm is not None
        image = pdf.Root.AcroForm.Fields[0].AP.N.Resources.XObject.I
        assert (int(image.Width), int(image.Height)) == (500, 200)
    page = looks.rendered(shown_on_a_page(artwork), tmp_path)
    colours = {colour for _count, colour in page.getcolors(1 << 20) or []}
    assert (255, 255, 255) in colours
    assert any(abs(red - looks.BLUE[0]) < 12 and abs(blue - looks.BLUE[2]) < 12 for red, _green, blue in colours)  # type: ignore[misc]
    assert not any(red < 60 and blue < 60 for red, _green, blue in colours)  # type: ignore[misc]


def test_images_are_kept_small() -> None:
    for png, width in ((looks.signature_png(3000, 1200), 120), (looks.seal_png(2000), 102)):
        made = looks.artwork(AppearanceStyle.PERSON, (), picture=Picture.of(png, width))
        assert sum(len(value) for _number, value in made.objects(1, 180, 70)) < 9_000


def test_a_seal_stands_in_its_actual_size() -> None:
    picture = Picture.of(looks.seal_png(), 102)
    made = looks.artwork(AppearanceStyle.ORGANISATION, (), picture=picture, size=None)
    assert (made.width, made.height, made.may_shrink) == (102, 102, False)
    beside = looks.artwork(AppearanceStyle.ORGANISATION, looks.LINES, picture=picture, size=(300, 110))
    assert beside.form.stream
    for size in ((101.0, 110.0), (110.0, 101.0), (102.0, 102.0)):
        with pytest.raises(InvalidArgument):
            looks.artwork(AppearanceStyle.ORGANISATION, looks.LINES, picture=picture, size=size)


def test_an_organisation_without_its_seal_and_a_stamp_of_nothing_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="seal"):
        looks.artwork(AppearanceStyle.ORGANISATION)
    for lines in ((), ("",), (" ", "")):
        with pytest.raises(InvalidArgument, match="nothing"):
            looks.artwork(lines=lines)


def _png(width: int, height: int) -> bytes:
    out = BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 40, _png(SIDE_PX_MAX + 1, 1), _png(1, SIDE_PX_MAX + 1), _png(1, 1) + b"\0" * (1 << 20)],
    ids=["empty", "header alone", "gif", "wide", "high", "long"],
)
def test_what_is_no_image_of_ours_is_refused_by_its_header(content: bytes) -> None:
    with pytest.raises(InvalidArgument):
        Picture.of(content, 100)


@settings(max_examples=60, deadline=None)
@given(st.integers(24, 400), st.binary(min_size=1, max_size=12))
def test_a_damaged_image_is_drawn_or_refused(at: int, junk: bytes) -> None:
    png = looks.signature_png(64, 32)
    picture = Picture(png[:at] + junk + png[at + len(junk) :], 40, 20)
    try:
        assert len(picture.embed(1)) == 2
    except InvalidArgument:
        return


@given(st.floats(-14_400, 14_400))
def test_numbers_are_written_as_pdf_has_them(value: float) -> None:
    written = write_number(value)
    assert b"e" not in written
    assert float(written) == pytest.approx(value, abs=0.00051)


@given(st.floats(1, 2000), st.floats(1, 2000))
def test_a_view_has_the_rectangle_s_proportions_and_holds_the_whole_artwork(width: float, height: float) -> None:
    artwork = looks_small()
    (_number, form), *_ = artwork.objects(1, width, height)
    left, bottom, right, top = (float(each) for each in form.split(b"[", 1)[1].split(b"]", 1)[0].split())
    assert (right - left) * height == pytest.approx((top - bottom) * width, rel=1e-3, abs=0.01 * max(width, height))
    assert Box(left, bottom, right, top).holds(Box(0, 0, artwork.width, artwork.height))
    assert right - left >= min(width, artwork.width) - 0.01


def looks_small() -> Artwork:
    """Made once: only its measures matter."""
    return _SMALL


_SMALL = looks.artwork(lines=("x",), size=(180, 70))


def test_a_style_s_own_wording_says_who_and_when() -> None:
    moment = datetime(2026, 5, 30, 1, 15, 9, tzinfo=UTC).astimezone(pdfs.HANOI)
    when = "Thời gian ký: 30/05/2026 08:15:09 +07:00"
    assert own_wording(AppearanceStyle.CERTIFIED_COPY, "TRƯỜNG A", moment) == ("SAO Y", "TRƯỜNG A", when)
    assert own_wording(AppearanceStyle.ANNEX, "TRƯỜNG A", moment) == ("TRƯỜNG A", when)
    assert own_wording(AppearanceStyle.PERSON, "x", moment) == own_wording(AppearanceStyle.ORGANISATION, "x", moment) == ()
