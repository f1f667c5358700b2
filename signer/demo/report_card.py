"""A class's report cards as PDF files, in the file structures that school software writes.

ISO 32000-2: classic cross-reference tables (7.5.4), cross-reference streams with object streams (7.5.7, 7.5.8), linearized files (Annex F).
Rules of the room: fonts are embedded and subset; the same class gives the same bytes; no two files are alike.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pikepdf
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from signer.demo.fonts import REGULAR, register_fonts
from signer.demo.pupils import Pupil, SchoolClass
from signer.demo.report_pages import PAGES

_FONT_SIZE = 11


class FileStructure(Enum):
    """How a PDF's objects are laid out in the file."""

    CLASSIC = "classic"
    OBJECT_STREAMS = "object-streams"
    CLASSIC_LINEARIZED = "classic-linearized"
    OBJECT_STREAMS_LINEARIZED = "object-streams-linearized"


@dataclass(frozen=True, slots=True)
class _Saving:
    object_streams: pikepdf.ObjectStreamMode
    linearize: bool


_SAVINGS = {
    FileStructure.OBJECT_STREAMS: _Saving(pikepdf.ObjectStreamMode.generate, linearize=False),
    FileStructure.CLASSIC_LINEARIZED: _Saving(pikepdf.ObjectStreamMode.disable, linearize=True),
    FileStructure.OBJECT_STREAMS_LINEARIZED: _Saving(pikepdf.ObjectStreamMode.generate, linearize=True),
}


def structure_of(pupil: Pupil) -> FileStructure:
    """Which structure a pupil's file has: all four by turns through the register."""
    structures = list(FileStructure)
    return structures[(pupil.number - 1) % len(structures)]


def write_class(directory: Path, school_class: SchoolClass) -> list[Path]:
    """Write one PDF a pupil, named by class, number and pupil code; returns the paths in the register's order."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for pupil in school_class.pupils:
        path = directory / f"{file_stem(school_class, pupil)}.pdf"
        path.write_bytes(render(school_class, pupil))
        paths.append(path)
    return paths


def file_stem(school_class: SchoolClass, pupil: Pupil) -> str:
    """The name, without extension, that a pupil's PDF and XML share."""
    return f"{school_class.name}-{pupil.number:02d}-{pupil.pupil_code}"


def render(school_class: SchoolClass, pupil: Pupil) -> bytes:
    """One pupil's report card: a PDF of four pages, 25 to 150 KB."""
    plain = _draw(school_class, pupil)
    saving = _SAVINGS.get(structure_of(pupil))
    if saving is None:
        return plain
    saved = io.BytesIO()
    with pikepdf.open(io.BytesIO(plain)) as pdf:
        pdf.save(saved, object_stream_mode=saving.object_streams, linearize=saving.linearize, deterministic_id=True)
    return saved.getvalue()


def _draw(school_class: SchoolClass, pupil: Pupil) -> bytes:
    register_fonts()
    drawn = io.BytesIO()
    canvas = Canvas(drawn, pagesize=A4, invariant=1, pageCompression=1, initialFontName=REGULAR, initialFontSize=_FONT_SIZE, lang="vi-VN")
    canvas.setTitle(f"Học bạ {pupil.full_name} – lớp {school_class.name}, năm học {school_class.school_year}")
    canvas.setAuthor(school_class.school.name)
    canvas.setSubject(f"Học bạ cấp tiểu học (DEMO), mã tra cứu {pupil.record_uuid}")
    canvas.setCreator("signer demo")
    for draw_page in PAGES:
        draw_page(canvas, school_class, pupil)
        canvas.showPage()
    canvas.save()
    return drawn.getvalue()
