"""Places beside a text: the letters are found as people see them, and the stamp stands where the page shows it."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageChops
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentEmpty, DocumentEncrypted, DocumentNotPdf, DocumentUnsupported, InvalidArgument, RequestError
from signer.formats.pades.anchor import as_compared, placed
from signer.formats.pades.prepare import prepare
from signer.model import Appearance, AppearanceStyle, FieldPlacement, PageRectangle, TextAnchor
from tests.support import looks, pdfs
from tests.support.fastpath import extended

PRINCIPAL = "HIỆU TRƯỞNG (Ký, đóng dấu)"
A4 = (595, 842)


def page(*lines: tuple[float, float, str], pages: int = 1, size: float = 12) -> bytes:
    """Text in a subset font, as word processors embed it: letters by glyph, Unicode only in ToUnicode."""
    if "Serif" not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont("Serif", str(looks.FONT)))
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    for _ in range(pages):
        canvas.setFont("Serif", size)
        for x, y, text in lines:
            canvas.drawString(x, y, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def beside(text: str, *, occurrence: int = 1, dx: float = 0, dy: float = 0, size: tuple[float, float] = (120, 40)) -> FieldPlacement:
    anchor = TextAnchor(text, dx, dy, *size, occurrence)
    return FieldPlacement("CBQL", appearance=Appearance(AppearanceStyle.PERSON, looks.LINES, anchor=anchor))


def found(document: bytes, placement: FieldPlacement) -> PageRectangle:
    appearance = placed(document, placement).appearance
    assert appearance is not None
    assert appearance.anchor is None
    assert appearance.rectangle is not None
    return appearance.rectangle


def signed(document: bytes, placement: FieldPlacement) -> bytes:
    preparation = prepare(
        document,
        placement,
        signing_time=pdfs.SIGNED_AT,
        contents_bytes=pdfs.CONTENTS_BYTES,
        digest_algorithm=DigestAlgorithm.SHA256,
        artwork=looks.artwork(size=placement.appearance.size if placement.appearance else None),
    )
    return extended(document, preparation.update)


def test_a_vietnamese_text_in_a_subset_font_is_found_where_it_stands() -> None:
    place = found(page((72, 700, "KẾT QUẢ HỌC TẬP"), (320, 200, PRINCIPAL)), beside(PRINCIPAL, dx=5, dy=-60))
    assert place.page == 1
    assert place.x == pytest.approx(325, abs=1.5)
    assert place.y == pytest.approx(140, abs=4.5)  # descenders of the letters stand below the base line
    assert (place.width, place.height) == (120, 40)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_letters_and_marks_are_compared_composed(form: str, asked: str) -> None:
    document = page((72, 500, unicodedata.normalize(form, PRINCIPAL)))  # type: ignore[arg-type]
    assert found(document, beside(unicodedata.normalize(asked, PRINCIPAL))).x == pytest.approx(72, abs=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", ["HIỆU TRƯỞNG  (Ký)", "HIỆU\nTRƯỞNG (Ký)", " HIỆU TRƯỞNG\u00a0(Ký) "])
def test_white_space_and_line_ends_are_one_space(asked: str) -> None:
    document = page((72, 500, "HIỆU TRƯỞNG"), (80, 486, "(Ký)"))
    place = found(document, beside(asked))
    assert place.x == pytest.approx(72, abs=1.5)
    assert place.y == pytest.approx(497, abs=4.5), "of the line where it begins"


def test_occurrences_are_counted_over_the_pages_and_0_is_the_last() -> None:
    document = page((72, 700, "Ký tên"), (300, 700, "Ký tên"), pages=3)
    places = [found(document, beside("Ký tên", occurrence=number)) for number in (1, 2, 3, 6, 0)]
    assert [place.page for place in places] == [1, 1, 2, 3, 3]
    assert [round(place.x / 100) for place in places] == [1, 3, 1, 3, 3]


@pytest.mark.parametrize("occurrence", [0, 1, 2])
def test_a_text_that_is_not_there_is_told(occurrence: int) -> None:
    with pytest.raises(DocumentUnsupported, match="is not in the document"):
        placed(page((72, 700, "HIỆU PHÓ")), beside("HIỆU TRƯỞNG", occurrence=occurrence))


def test_a_text_that_is_not_there_so_often_is_told() -> None:
    with pytest.raises(DocumentUnsupported, match="1 times only"):
        placed(page((72, 700, PRINCIPAL)), beside(PRINCIPAL, occurrence=2))


def test_what_is_a_picture_of_a_text_has_none() -> None:
    out = BytesIO()
    canvas = Canvas(out)
    canvas.drawPath(canvas.beginPath())
    canvas.save()
    with pytest.raises(DocumentUnsupported):
        placed(out.getvalue(), beside("HIỆU TRƯỞNG"))


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("origin", [0, 50])
def test_turned_and_cropped_pages_keep_their_coordinates(turn: int, origin: int) -> None:
    def edit(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].obj["/Rotate"] = turn
        pdf.pages[0].obj["/CropBox"] = pikepdf.Array([origin, origin, 500, 800])

    place = found(pdfs.edited(page((320, 200, PRINCIPAL)), edit), beside(PRINCIPAL))
    assert place.x == pytest.approx(320, abs=1.5)
    assert place.y == pytest.approx(197, abs=4.5)


def test_the_stamp_is_drawn_below_its_text_and_nowhere_else(tmp_path: Path) -> None:
    document = page((320, 300, PRINCIPAL))
    after = looks.rendered(signed(document, beside(PRINCIPAL, dy=-60)), tmp_path)
    changed = ImageChops.difference(looks.rendered(document, tmp_path), after).getbbox()
    assert changed is not None
    left, upper, right, lower = changed
    height = after.height
    assert left >= 318
    assert right <= 442
    assert height - 300 + 18 <= upper < lower <= height - 300 + 66


def test_each_document_has_its_own_place() -> None:
    places = [found(page((72, y, "GVCN")), beside("GVCN")).y for y in (700, 400)]
    assert places[0] - places[1] == pytest.approx(300)


def test_a_place_beyond_the_page_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="beyond its page"):
        signed(page((500, 20, "GVCN")), beside("GVCN", dx=90))


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"", DocumentEmpty),
        (b"hello", DocumentNotPdf),
        (pdfs.encrypted(pdfs.report_card(), user="secret"), DocumentEncrypted),
    ],
)
def test_what_is_no_document_to_sign_is_called_what_it_is(document: bytes, error: type[RequestError]) -> None:
    with pytest.raises(error):
        placed(document, beside("GVCN"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=1, max_size=40), st.integers(0, 2000), st.booleans())
def test_any_damage_is_a_place_or_one_of_our_refusals(noise: bytes, at: int, cut: bool) -> None:
    whole = page((72, 700, PRINCIPAL))
    at %= len(whole)
    damaged = whole[:at] + noise + (b"" if cut else whole[at + len(noise) :])
    with suppress(RequestError):
        assert found(damaged, beside(PRINCIPAL)).page == 1


@given(st.text(max_size=30))
def test_comparing_twice_changes_nothing(text: str) -> None:
    assert as_compared(as_compared(text)) == as_compared(text)
