import dataclasses
import datetime as dt
import hashlib
import re
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import reportlab
from lxml import etree
from reportlab.pdfbase.ttfonts import TTFont

from signer.demo import fonts
from signer.demo.ministry_xml import RecordLayout, render_xml, write_class_xml
from signer.demo.pupils import SchoolClass, generate_class
from signer.demo.report_card import FileStructure, render, structure_of, write_class
from signer.errors import ConfigError, InternalError

PUPILS_RENDERED = 8


@pytest.fixture(scope="module")
def school_class() -> SchoolClass:
    return generate_class(seed=7)


@pytest.fixture(scope="module")
def cards(school_class: SchoolClass, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    few = dataclasses.replace(school_class, pupils=school_class.pupils[:PUPILS_RENDERED])
    return write_class(tmp_path_factory.mktemp("cards"), few)


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def squeezed(text: str) -> str:
    """Text without white space, because pdftotext breaks lines where the page does."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFC", text))


def found(record: etree._Element, path: str) -> list[Any]:
    nodes = record.xpath(path)
    assert isinstance(nodes, list)
    return nodes


def cross_reference_at_end(data: bytes) -> bytes:
    offset = int(data.rpartition(b"startxref")[2].split()[0])
    return data[offset : offset + 200]


def test_a_seed_always_invents_the_same_class() -> None:
    assert generate_class(seed=3) == generate_class(seed=3)
    assert generate_class(seed=3).pupils != generate_class(seed=4).pupils


def test_a_class_has_35_pupils_and_no_two_share_a_name_or_an_identifier(school_class: SchoolClass) -> None:
    pupils = school_class.pupils
    assert len(pupils) == 35
    for identifiers in ([p.full_name for p in pupils], [p.record_uuid for p in pupils], [p.personal_number for p in pupils]):
        assert len(set(identifiers)) == 35


def test_a_pupil_has_a_version_4_uuid_and_a_12_digit_number_of_no_province(school_class: SchoolClass) -> None:
    for pupil in school_class.pupils:
        assert pupil.record_uuid.version == 4
        assert re.fullmatch(r"000[23]\d{8}", pupil.personal_number)


def test_a_large_class_still_has_distinct_12_digit_numbers() -> None:
    numbers = {pupil.personal_number for pupil in generate_class(size=300).pupils}
    assert len(numbers) == 300
    assert {len(number) for number in numbers} == {12}


def test_poppler_reads_every_card_as_four_a4_pages(cards: list[Path]) -> None:
    for card in cards:
        done = subprocess.run(["pdfinfo", card], check=True, capture_output=True, text=True)
        assert not done.stderr
        assert re.search(r"Pages:\s+4\n", done.stdout)
        assert "(A4)" in done.stdout


def test_every_word_on_a_card_can_be_extracted_with_its_diacritics(school_class: SchoolClass, cards: list[Path]) -> None:
    for pupil, card in zip(school_class.pupils, cards, strict=False):
        text = squeezed(run("pdftotext", "-raw", card, "-"))
        said = [pupil.full_name, pupil.full_name.upper(), pupil.father.name, pupil.mother.name, pupil.address, pupil.overall]
        said += [pupil.quality_comment, pupil.competence_comment, str(pupil.record_uuid), pupil.personal_number, "HỌC BẠ"]
        said += [result.comment for subject in pupil.subjects for result in (subject.first_term, subject.year)]
        assert [words for words in said if squeezed(words) not in text] == []


def test_the_fonts_in_use_have_every_vietnamese_letter() -> None:
    letters = fonts.vietnamese_letters()
    assert len(letters) == 134
    for path in fonts.register_fonts().paths().values():
        glyphs = TTFont("under-test", str(path)).face.charToGlyph
        assert [letter for letter in letters if ord(letter) not in glyphs] == []


def test_a_font_without_vietnamese_letters_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian 12's fonts-liberation is such a font: it printed boxes. Vera, which reportlab ships, is another."""
    without = fonts.FontFamily("font-without", Path(reportlab.__file__).parent / "fonts", "Vera.ttf", "VeraBd.ttf", "VeraIt.ttf")
    assert all(path.is_file() for path in without.paths().values())
    monkeypatch.setattr(fonts, "FAMILIES", (without, *fonts.FAMILIES))
    assert fonts.register_fonts.__wrapped__() != without


def test_missing_fonts_are_an_error_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = fonts.FontFamily("fonts-absent", Path("/nonexistent"), "a.ttf", "b.ttf", "c.ttf")
    monkeypatch.setattr(fonts, "FAMILIES", (absent,))
    with pytest.raises(ConfigError, match="apt-get install fonts-absent"):
        fonts.register_fonts.__wrapped__()


def test_every_font_is_embedded_and_subset(cards: list[Path]) -> None:
    for card in cards:
        rows = [line.split() for line in run("pdffonts", card).splitlines()[2:]]
        assert len(rows) >= 2
        assert {tuple(row[-5:-2]) for row in rows} == {("yes", "yes", "yes")}


def test_a_card_weighs_25_to_150_kb(cards: list[Path]) -> None:
    assert [card.stat().st_size for card in cards if not 25_000 <= card.stat().st_size <= 150_000] == []


def test_no_two_cards_are_alike(cards: list[Path]) -> None:
    assert len({hashlib.sha256(card.read_bytes()).digest() for card in cards}) == len(cards)
    assert len({card.stat().st_size for card in cards}) > len(cards) // 2


def test_classic_tables_and_cross_reference_streams_are_both_there_linearized_and_not(school_class: SchoolClass, cards: list[Path]) -> None:
    seen = set()
    for pupil, card in zip(school_class.pupils, cards, strict=False):
        data = card.read_bytes()
        classic = cross_reference_at_end(data).startswith(b"xref")
        assert classic != (b"/XRef" in data)
        assert classic != (b"/ObjStm" in data)
        with pikepdf.open(card) as pdf:
            assert pdf.check_pdf_syntax() == []
            linearized = pdf.is_linearized
        assert classic == (structure_of(pupil) in {FileStructure.CLASSIC, FileStructure.CLASSIC_LINEARIZED})
        seen.add((classic, linearized))
    assert seen == {(True, True), (True, False), (False, True), (False, False)}


def test_a_pupil_is_always_rendered_to_the_same_bytes(school_class: SchoolClass, cards: list[Path]) -> None:
    for pupil, card in zip(school_class.pupils[:4], cards, strict=False):
        assert render(school_class, pupil) == card.read_bytes()


def test_texts_too_long_for_the_form_are_an_error_not_a_spoiled_page(school_class: SchoolClass) -> None:
    talkative = dataclasses.replace(school_class.pupils[0], quality_comment="Em rất chăm ngoan. " * 500)
    with pytest.raises(InternalError, match="overflows"):
        render(school_class, talkative)


SLOTS = {
    RecordLayout.PRIMARY_V1: {
        "/HOC_BA/DANH_SACH_THONG_TIN_KY/GVCN": 1,
        "/HOC_BA/DANH_SACH_THONG_TIN_KY/CBQL": 1,
        "/HOC_BA/DANH_SACH_THONG_TIN_KY/KY_PHAT_HANH": 1,
        "//*[@Id='data']/self::DU_LIEU_HOC_BA": 1,
        "/HOC_BA/DU_LIEU_HOC_BA/*[self::THONG_TIN_CHUNG or self::QUA_TRINH_HOC_TAP or self::TONG_KET]": 3,
    },
    RecordLayout.MULTI_LEVEL: {
        "/HOC_BA/DANH_SACH_THONG_TIN_KY/GVCN": 1,
        "/HOC_BA/DANH_SACH_THONG_TIN_KY/DANH_SACH_GVBM/GVBM[@Id]": 8,
        "/HOC_BA/PHAT_HANH_HOC_BA//CBQL": 1,
        "/HOC_BA/PHAT_HANH_HOC_BA/KY_PHAT_HANH": 1,
        "//*[@Id='data']/self::DU_LIEU_HOC_BA": 1,
        "//*[@Id='data']//*[@Id='thongtinhocba']": 1,
        "//*[@Id='thongtinhocba']//DIEM_TONG_KET[@Id]": 8,
    },
}


@pytest.mark.parametrize("layout", RecordLayout)
def test_the_ministrys_slots_and_ids_stand_where_the_layout_says(school_class: SchoolClass, layout: RecordLayout) -> None:
    record = etree.fromstring(render_xml(school_class, school_class.pupils[0], layout))
    assert {path: len(found(record, path)) for path in SLOTS[layout]} == SLOTS[layout]


def test_each_subject_teachers_slot_leads_to_exactly_one_result(school_class: SchoolClass) -> None:
    record = etree.fromstring(render_xml(school_class, school_class.pupils[0], RecordLayout.MULTI_LEVEL))
    signed: list[str] = []
    for slot in found(record, "//DANH_SACH_GVBM/GVBM"):
        signed += found(record, f"//DIEM_TONG_KET[GVBM/MA_GVBM='{slot.get('Id')}']/@Id")
    assert len(signed) == len(set(signed)) == 8


@pytest.mark.parametrize("layout", RecordLayout)
def test_records_keep_the_ministrys_rules_of_writing(school_class: SchoolClass, layout: RecordLayout) -> None:
    for pupil in school_class.pupils:
        data = render_xml(school_class, pupil, layout)
        record = etree.fromstring(data)
        slots = {"GVBM", "GVCN", "CBQL", "KY_PHAT_HANH"}
        assert data.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
        assert 17_000 <= len(data) <= 22_000
        ids = found(record, "//@Id")
        assert len(ids) == len(set(ids))
        assert all(re.fullmatch(r"[A-Z0-9_]+", str(node.tag)) for node in record.iter())
        assert [node.tag for node in record.iter() if len(node) == 0 and not (node.text or "").strip() and node.tag not in slots] == []
        assert dt.datetime.fromisoformat(record.findtext(".//NGAY_LAP") or "").utcoffset() == dt.timedelta(hours=7)


def test_a_pupils_xml_and_pdf_share_their_names_and_identifiers(school_class: SchoolClass, cards: list[Path], tmp_path: Path) -> None:
    records = write_class_xml(tmp_path, school_class)
    assert [path.stem for path in records[:PUPILS_RENDERED]] == [path.stem for path in cards]
    first = etree.parse(records[0])
    assert first.findtext(".//MA_TRA_CUU_UUID") == str(school_class.pupils[0].record_uuid)
    assert first.findtext(".//SO_CCCD") == school_class.pupils[0].personal_number
