"""What benches sign: report cards of four pages, 30 to 60 KB, no two alike, in the four file structures of the demo; and records in XML.

Lighter than the demo's own cards (63 to 85 KB), because the promise names that size. They are made once and kept in
var/bench/documents.
"""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path
from statistics import median

import pikepdf
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from signer.demo.fonts import BOLD, REGULAR, register_fonts
from signer.demo.ministry_xml import render_xml
from signer.demo.pupils import CLASS_SIZE, Pupil, SchoolClass, generate_class

_LEFT, _TOP, _LEADING = 56, 780, 17
_LINE_CHARACTERS = 84
_PHOTO_LEFT, _PHOTO_BOTTOM = 450, 690
_PHOTO_WIDTHS_PX = (30, 110)
_SAVINGS = (
    None,
    (pikepdf.ObjectStreamMode.generate, False),
    (pikepdf.ObjectStreamMode.disable, True),
    (pikepdf.ObjectStreamMode.generate, True),
)
"""Object streams and linearization, by turns; None: the classic file as reportlab writes it."""


def plain_documents(folder: Path, count: int) -> Path:
    """A folder of exactly count unsigned report cards."""
    wanted = folder / f"plain-{count}"
    if not wanted.exists():
        making = folder / f"making-{count}"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        for number in range(count):
            (making / f"{number:04}.pdf").write_bytes(_report_card(number))
        making.rename(wanted)
    return wanted


def records(folder: Path, count: int) -> Path:
    """A folder of exactly count unsigned records in the Ministry's XML, 20 KB each."""
    wanted = folder / f"records-{count}"
    if not wanted.exists():
        making = folder / f"making-records-{count}"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        for number in range(count):
            school_class, pupil = _pupil(number)
            (making / f"{number:04}.xml").write_bytes(render_xml(school_class, pupil))
        making.rename(wanted)
    return wanted


def sizes_kb(folder: Path) -> dict[str, float]:
    """Of the documents of a folder, in kilobytes (1,000 bytes)."""
    sizes = [path.stat().st_size / 1e3 for path in folder.iterdir()]
    return {"least": round(min(sizes), 1), "median": round(median(sizes), 1), "greatest": round(max(sizes), 1)}


def _report_card(number: int) -> bytes:
    plain = _draw(*_pupil(number))
    saving = _SAVINGS[number % len(_SAVINGS)]
    if saving is None:
        return plain
    saved = io.BytesIO()
    with pikepdf.open(io.BytesIO(plain)) as pdf:
        pdf.save(saved, object_stream_mode=saving[0], linearize=saving[1], deterministic_id=True)
    return saved.getvalue()


_CLASSES: dict[int, SchoolClass] = {}


def _pupil(number: int) -> tuple[SchoolClass, Pupil]:
    school_class = _CLASSES.setdefault(number // CLASS_SIZE, generate_class(number // CLASS_SIZE, name=f"{number // CLASS_SIZE + 1}A"))
    return school_class, school_class.pupils[number % CLASS_SIZE]


def _draw(school_class: SchoolClass, pupil: Pupil) -> bytes:
    register_fonts()
    drawn = io.BytesIO()
    canvas = Canvas(drawn, pagesize=A4, invariant=1, pageCompression=1, initialFontName=REGULAR, lang="vi-VN")
    canvas.setTitle(f"Học bạ {pupil.full_name}")
    canvas.drawImage(_photograph(pupil), _PHOTO_LEFT, _PHOTO_BOTTOM, width=72, height=96)
    for title, lines in _pages(school_class, pupil):
        canvas.setFont(BOLD, 15)
        canvas.drawString(_LEFT, _TOP, title)
        canvas.setFont(REGULAR, 11)
        for row, line in enumerate(lines):
            canvas.drawString(_LEFT, _TOP - (row + 2) * _LEADING, line[:_LINE_CHARACTERS])
        canvas.showPage()
    canvas.save()
    return drawn.getvalue()


def _photograph(pupil: Pupil) -> ImageReader:
    """As heavy as a scanned face; it shows none."""
    rng = random.Random(pupil.pupil_code)  # noqa: S311 - repeatable by intent
    width = rng.randint(*_PHOTO_WIDTHS_PX)
    encoded = io.BytesIO()
    Image.frombytes("L", (width, width), rng.randbytes(width * width)).save(encoded, "JPEG", quality=50)
    return ImageReader(encoded)


def _pages(school_class: SchoolClass, pupil: Pupil) -> list[tuple[str, list[str]]]:
    school = school_class.school
    who = [
        pupil.full_name,
        f"{pupil.gender.value}, {pupil.birth_date:%d/%m/%Y}, {pupil.birthplace}",
        f"Dân tộc: {pupil.ethnic_group}",
        pupil.address,
        f"Số định danh: {pupil.personal_number}",
        f"Mã tra cứu: {pupil.record_uuid}",
    ]
    subjects = [
        f"{subject.name} ({subject.teacher}): {term.level.value} {term.score or ''} – {term.comment}"
        for subject in pupil.subjects
        for term in (subject.first_term, subject.year)
    ]
    traits = [*pupil.qualities, *pupil.general_competences, *pupil.specific_competences]
    qualities = [f"{trait.name}: {trait.year.value}" for trait in traits]
    summary = [pupil.quality_comment, pupil.competence_comment, pupil.overall, pupil.award]
    signers = [school_class.homeroom_teacher, school_class.principal]
    return [
        ("HỌC BẠ CẤP TIỂU HỌC (DEMO)", [school.department, school.name, school.commune, school.province, school_class.name, *who]),
        ("Các môn học và hoạt động giáo dục", subjects),
        ("Phẩm chất và năng lực", [*qualities, *summary, *signers]),
        ("Xác nhận của nhà trường", [school.name, school_class.school_year, f"{school_class.signed_on:%d/%m/%Y}", *who]),
    ]
