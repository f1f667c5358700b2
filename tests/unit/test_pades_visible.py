"""Visible signatures by both paths: the same on the page, where they were asked to be, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image, ImageChops

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument
from signer.formats.pades import complete
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.appearance.picture import Picture
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.path import prepare_fast
from signer.formats.pades.prepare import prepare
from signer.formats.pades.update import PreparedUpdate, check
from signer.model import AppearanceStyle, FieldPlacement, PageRectangle
from tests.support import looks, pdfs
from tests.support.fastpath import extended, signed_fast
from tests.unit.test_pades_fast_agreement import description
from tests.unit.test_pades_fast_signatures import CHAIN, TEACHER, judged, pdfsig

VARIANTS = sorted(set(pdfs.VARIANTS) - {"hybrid", "junk after the end"})
A4 = (595.2756, 841.8898)


def fast(document: bytes, placement: FieldPlacement, artwork: Artwork) -> bytes:
    update = prepare_fast(document, placement, signing_time=pdfs.SIGNED_AT, contents_bytes=pdfs.CONTENTS_BYTES, artwork=artwork)
    return _checked(document, update)


def by_pyhanko(document: bytes, placement: FieldPlacement, artwork: Artwork) -> bytes:
    update = complete.prepare(
        document,
        placement,
        signing_time=pdfs.SIGNED_AT,
        contents_bytes=pdfs.CONTENTS_BYTES,
        digest_algorithm=DigestAlgorithm.SHA256,
        artwork=artwork,
    )
    return _checked(document, update)


def _checked(document: bytes, update: PreparedUpdate) -> bytes:
    check(len(document), update)
    return extended(document, update)


PATHS: dict[str, Callable[[bytes, FieldPlacement, Artwork], bytes]] = {"fast": fast, "complete": by_pyhanko}


def shown(signed: bytes, field_name: str) -> dict[str, object]:
    """All that is shown of a field, but for object numbers."""
    with pikepdf.open(BytesIO(signed)) as pdf:
        assert pdf.Root.AcroForm is not None
        field = next(field for field in pdf.Root.AcroForm.Fields if str(field.T) == field_name)
        page = next(number for number, page in enumerate(pdf.pages) if field.objgen in [one.objgen for one in page.obj.get("/Annots", [])])
        form = field.AP.N
        font = form.Resources.Font.F if "/Font" in form.Resources else None
        image = form.Resources.XObject.I if "/XObject" in form.Resources else None
        return {
            "page": page,
            "points at its page": field.P.objgen == pdf.pages[page].obj.objgen,
            "keys": sorted(field.keys()),
            "rectangle": [float(number) for number in field.Rect],
            "flags": int(field.F),
            "view": [float(number) for number in form.BBox],
            "content": form.read_bytes(),
            "font": font and font.DescendantFonts[0].FontDescriptor.FontFile2.read_bytes(),
            "unicode": font and font.ToUnicode.read_bytes(),
            "image": image and (image.read_bytes(), image.SMask.read_bytes()),
        }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("page", [1, -1])
def test_both_paths_show_the_same_on_the_same_page(variant: str, page: int) -> None:
    document = pdfs.VARIANTS[variant](1)
    placement = looks.visible("Chữ ký GVCN", PageRectangle(page, 320.5, 90.125, 180, 70))
    artwork = looks.artwork(picture=Picture.of(looks.signature_png(), 120))
    signed = {path: sign(document, placement, artwork) for path, sign in PATHS.items()}
    assert shown(signed["fast"], placement.field_name) == shown(signed["complete"], placement.field_name)
    one, other = (description(signed[path], placement.field_name) for path in PATHS)
    for said in (one, other):
        assert set(said.pop("field")) >= {"/AP", "/Rect"}  # type: ignore[call-overload]  # object numbers inside; compared above
    assert one == other


@pytest.mark.parametrize("path", PATHS)
def test_a_stamp_is_drawn_in_its_rectangle_and_nowhere_else(path: str, tmp_path: Path) -> None:
    document, rectangle = pdfs.report_card(pages=2), PageRectangle(2, 350, 20, 200, 60)
    artwork = looks.artwork(picture=Picture.of(looks.signature_png(), 120), size=(200, 60))
    signed = PATHS[path](document, looks.visible(rectangle=rectangle), artwork)
    before, after = (looks.rendered(each, tmp_path, 2) for each in (document, signed))
    changed = ImageChops.difference(before, after).getbbox()
    assert changed is not None
    left, upper, right, lower = changed
    height = before.height
    assert (left >= 349, upper >= height - 81, right <= 551, lower <= height - 19) == (True,) * 4
    assert right - left > 100
    inks: Any = after.crop((350, height - 80, 430, height - 20)).getcolors(80 * 60)
    assert any(blue > 150 and red < 80 for _count, (red, _green, blue) in inks)
    assert ImageChops.difference(looks.rendered(document, tmp_path), looks.rendered(signed, tmp_path)).getbbox() is None


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [(180, 70), (360, 140), (90, 140), (360, 35)])
def test_an_existing_field_shows_the_whole_of_it_in_its_own_proportions(path: str, size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    document = pdfs.with_empty_field(pdfs.report_card(), "GVCN", (100, 100, 100 + width, 100 + height))
    artwork = looks.artwork(AppearanceStyle.PERSON, (), picture=Picture.of(looks.seal_png(), 70), size=None)
    signed = PATHS[path](document, looks.visible(rectangle=None), artwork)
    box = ImageChops.difference(looks.rendered(document, tmp_path), looks.rendered(signed, tmp_path)).getbbox()
    assert box is not None
    left, upper, right, lower = box
    side = min(70, width, height)
    assert (right - left) == pytest.approx(side, rel=0.1, abs=3)
    assert (lower - upper) == pytest.approx(side, rel=0.1, abs=3)
    assert (left + right) / 2 == pytest.approx(100 + width / 2, abs=2)


def test_both_paths_fill_a_visible_field_alike() -> None:
    document = pdfs.with_empty_field(pdfs.report_card(), "GVCN", (100, 300, 50, 200))
    placement, artwork = looks.visible(rectangle=None), looks.artwork()
    one, other = (shown(sign(document, placement, artwork), "GVCN") for sign in PATHS.values())
    assert one == other


@pytest.mark.parametrize("style", [AppearanceStyle.ANNEX, AppearanceStyle.CERTIFIED_COPY])
@pytest.mark.parametrize("path", PATHS)
def test_annexes_and_copies_stand_at_the_top_right_of_page_1(path: str, style: AppearanceStyle, tmp_path: Path) -> None:
    artwork = looks.artwork(style, ("SAO Y", "TRƯỜNG TIỂU HỌC THỬ NGHIỆM", "Thời gian ký: 30/05/2026 08:15:00 +07:00"), size=None)
    signed = PATHS[path](pdfs.report_card(), looks.visible(rectangle=None), artwork)
    place = shown(signed, "GVCN")
    assert place["page"] == 0
    rectangle: Any = place["rectangle"]
    left, bottom, right, top = rectangle
    assert right == pytest.approx(A4[0] - 28.35, abs=0.01)
    assert top == pytest.approx(A4[1] - 28.35, abs=0.01)
    assert (right - left, top - bottom) == pytest.approx((artwork.width, artwork.height), abs=0.01)
    assert "TRƯỜNG TIỂU HỌC THỬ NGHIỆM" in looks.text_of(signed, tmp_path)


BEYOND = {
    "no such page": PageRectangle(5, 100, 100, 180, 70),
    "no such page from the end": PageRectangle(-5, 100, 100, 180, 70),
    "page 0": PageRectangle(0, 100, 100, 180, 70),
    "right of the page": PageRectangle(1, 500, 100, 180, 70),
    "below the page": PageRectangle(1, 100, -1, 180, 70),
    "above the page": PageRectangle(1, 100, 800, 180, 70),
    "everywhere": PageRectangle(1, -10_000, -10_000, 14_000, 14_000),
    "nowhere": PageRectangle(1, float("nan"), 100, 180, 70),
}


@pytest.mark.parametrize("where", BEYOND)
def test_a_place_that_the_document_does_not_have_is_refused_for_that_document(where: str) -> None:
    document, placement, artwork = pdfs.report_card(), looks.visible(rectangle=BEYOND[where]), looks.artwork()
    with pytest.raises(HandOver) as handed_over:
        fast(document, placement, artwork)
    assert handed_over.value.reason is FallbackReason.PLACEMENT
    with pytest.raises(InvalidArgument):
        by_pyhanko(document, placement, artwork)


def _refused(document: bytes, placement: FieldPlacement, artwork: Artwork, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        prepare(
            document,
            placement,
            signing_time=pdfs.SIGNED_AT,
            contents_bytes=4000,
            digest_algorithm=DigestAlgorithm.SHA256,
            artwork=artwork,
        )


def test_nothing_is_shown_where_it_could_not_be_seen_or_was_not_asked_to_be() -> None:
    card, artwork = pdfs.report_card(), looks.artwork()
    with_place = pdfs.with_empty_field(card, "GVCN", (50, 50, 200, 100))
    _refused(with_place, looks.visible(), artwork, "has this field already, with a place of its own")
    _refused(pdfs.with_empty_field(card, "GVCN"), looks.visible(rectangle=None), artwork, "invisible")
    _refused(pdfs.with_empty_field(card, "GVCN", (50, 50, 200, 100), F=6), looks.visible(rectangle=None), artwork, "invisible")
    _refused(card, looks.visible(rectangle=None), artwork, "no place of its own")
    seal = looks.artwork(AppearanceStyle.ORGANISATION, (), picture=Picture.of(looks.seal_png(), 102), size=None)
    _refused(pdfs.with_empty_field(card, "GVCN", (50, 50, 150, 150)), looks.visible(rectangle=None), seal, "actual size")
    turned = pdfs.edited(card, lambda pdf: pdf.pages[0].obj.update({"/Rotate": 90}))
    copy = looks.artwork(AppearanceStyle.CERTIFIED_COPY, ("SAO Y",), size=None)
    _refused(turned, looks.visible(rectangle=None), copy, "rotated")


def test_the_part_of_a_page_that_is_shown_bounds_a_rectangle() -> None:
    cropped = pdfs.edited(pdfs.report_card(), lambda pdf: setattr(pdf.pages[0], "cropbox", [100, 100, 400, 400]))
    artwork = looks.artwork()
    for sign in PATHS.values():
        assert shown(sign(cropped, looks.visible(rectangle=PageRectangle(1, 110, 110, 180, 70)), artwork), "GVCN")["page"] == 0
    _refused(cropped, looks.visible(rectangle=PageRectangle(1, 320, 90, 180, 70)), artwork, "beyond its page")


def test_pages_are_found_in_trees_of_any_shape() -> None:
    def graft(pdf: pikepdf.Pdf) -> None:
        """Pages 1 | 2 3 | 4 in three nodes, the middle one deeper."""
        root, pages = pdf.Root.Pages, [page.obj for page in pdf.pages]
        branches = []
        for part in (pages[:1], pages[1:3], pages[3:]):
            node = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Pages, Kids=pikepdf.Array(part), Count=len(part), Parent=root))
            for page in part:
                page["/Parent"] = node
            branches.append(node)
        root["/Kids"] = pikepdf.Array(branches)

    document, artwork = pdfs.edited(pdfs.report_card(), graft), looks.artwork()
    for page in (1, 2, 3, 4, -1, -2, -3, -4):
        placement = looks.visible(rectangle=PageRectangle(page, 320, 90, 180, 70))
        places = [shown(sign(document, placement, artwork), "GVCN") for sign in PATHS.values()]
        assert places[0] == places[1]
        assert places[0]["page"] == (page - 1 if page > 0 else 4 + page)


@pytest.mark.parametrize("structure", ["classic", "object streams"])
def test_a_visible_field_filled_after_other_signatures_leaves_them_standing(structure: str, tmp_path: Path) -> None:
    """The school's form has its places; teacher and principal fill them one after the other, a stamp on page 1 comes last."""
    document = pdfs.with_empty_field(pdfs.report_card(), "GVCN", (60, 60, 240, 130))
    if structure == "object streams":
        document = pdfs.object_streams(document)
    artwork = looks.artwork(picture=Picture.of(looks.signature_png(), 120))
    copy = looks.artwork(AppearanceStyle.CERTIFIED_COPY, ("SAO Y",), size=None)
    document = signed_fast(document, "CBQL", signer=TEACHER, chain=CHAIN)
    document = signed_fast(document, looks.visible(rectangle=None), signer=TEACHER, chain=CHAIN, artwork=artwork)
    judged(document)
    document = signed_fast(document, looks.visible("VANTHU", None), signer=TEACHER, chain=CHAIN, artwork=copy)
    judged(document)
    assert [report.count("Signature is Valid.") for report in pdfsig(document, tmp_path / "signed.pdf")] == [1, 1, 1]
    with pikepdf.open(BytesIO(document)) as pdf:
        assert pdf.check_pdf_syntax() == []


def test_a_visible_signature_costs_the_update_its_artwork_and_little_more() -> None:
    document, artwork = pdfs.report_card(), looks.artwork()
    invisible = prepare_fast(document, replace(looks.visible(), appearance=None), signing_time=_now(), contents_bytes=4000)
    seen = prepare_fast(document, looks.visible(), signing_time=_now(), contents_bytes=4000, artwork=artwork)
    parts = sum(len(value) for _number, value in artwork.objects(1, 180, 70))
    assert parts < 8_000
    assert len(seen.update) - len(invisible.update) < parts + 500


def _now() -> datetime:
    return pdfs.SIGNED_AT


def test_a_page_image_is_compared_with_itself(tmp_path: Path) -> None:
    """What the tests above look through must see: a page differs from a blank one."""
    image = looks.rendered(pdfs.report_card(), tmp_path)
    assert ImageChops.difference(image, Image.new("RGB", image.size, "white")).getbbox() is not None
