"""The four pages of a primary report card (học bạ), as reportlab drawings: cover, pupil, subjects, qualities and signatures.

The form follows the annex of Circular 27/2020/TT-BGDĐT; margins and typeface follow Decree 30/2020 (A4, Times-like). Lengths are in
points, the origin is the page's lower left corner. Each page function draws one page and ends there: it neither opens nor closes pages.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Paragraph, Table

from signer.demo.fonts import BOLD, ITALIC, REGULAR
from signer.demo.portrait import draw_portrait
from signer.demo.pupils import Pupil, SchoolClass, SubjectResult, TermResult, TraitResult
from signer.errors import InternalError

PAGE_COUNT = 4
_WIDTH, _HEIGHT = A4
_LEFT: Final[float] = 20 * mm
_RIGHT: Final[float] = _WIDTH - 15 * mm
_BOTTOM: Final[float] = 14 * mm
_TOP: Final[float] = _HEIGHT - 18 * mm
_INK = colors.HexColor("#14213d")
_RED = colors.HexColor("#b3121d")
_GOLD = colors.HexColor("#c8973a")
_SHADE = colors.HexColor("#eef2f7")
_GREY = colors.HexColor("#6b7280")
_LINE = colors.HexColor("#5b6675")


@dataclass(frozen=True, slots=True)
class _Type:
    """How a line of text looks; size in points."""

    font: str
    size: float
    colour: Any = _INK


_BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=10.5, leading=13.5, textColor=_INK)
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=9.6, leading=12.2)
_CENTRED = ParagraphStyle("centred", parent=_SMALL, alignment=TA_CENTER)
_HEAD = ParagraphStyle("head", parent=_CENTRED, fontName=BOLD)
_RULES = ParagraphStyle("rules", parent=_BODY, alignment=TA_JUSTIFY, leading=15)
_GRID = [
    ("FONTNAME", (0, 0), (-1, -1), REGULAR),
    ("GRID", (0, 0), (-1, -1), 0.5, _LINE),
    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ("LEFTPADDING", (0, 0), (-1, -1), 4),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
    ("TOPPADDING", (0, 0), (-1, -1), 3.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
]

_GUIDANCE = (
    "Học bạ dùng để ghi kết quả tổng hợp đánh giá cuối năm học của học sinh. Giáo viên ghi đầy đủ các mục, nhận xét ngắn gọn.",
    "Mức đạt được của môn học: <b>T</b> – Hoàn thành tốt; <b>H</b> – Hoàn thành; <b>C</b> – Chưa hoàn thành.",
    "Mức đạt được về phẩm chất và năng lực: <b>T</b> – Tốt; <b>Đ</b> – Đạt; <b>C</b> – Cần cố gắng.",
    "Học bạ số được ký bằng chữ ký số của giáo viên chủ nhiệm, của hiệu trưởng và của nhà trường.",
    "Mọi sửa đổi sau khi ký đều làm chữ ký mất hiệu lực; muốn đính chính phải phát hành học bạ thay thế có mã tra cứu mới.",
    "Phụ huynh tra cứu học bạ bằng mã tra cứu in ở chân mỗi trang.",
)


def draw_cover(canvas: Any, school_class: SchoolClass, pupil: Pupil) -> None:
    """Page 1: whose record it is, and of which school."""
    school = school_class.school
    canvas.setStrokeColor(_GOLD)
    canvas.setLineWidth(2.2)
    canvas.rect(13 * mm, 13 * mm, _WIDTH - 26 * mm, _HEIGHT - 26 * mm)
    canvas.setLineWidth(0.7)
    canvas.rect(15 * mm, 15 * mm, _WIDTH - 30 * mm, _HEIGHT - 30 * mm)
    middle = _WIDTH / 2
    _centred(canvas, middle, _HEIGHT - 34 * mm, "BỘ GIÁO DỤC VÀ ĐÀO TẠO", _Type(BOLD, 15))
    _centred(canvas, middle, _HEIGHT - 42 * mm, school.department.upper(), _Type(REGULAR, 12))
    _emblem(canvas, middle, _HEIGHT - 82 * mm)
    _centred(canvas, middle, _HEIGHT - 132 * mm, "HỌC BẠ", _Type(BOLD, 46, _RED))
    _centred(canvas, middle, _HEIGHT - 146 * mm, "CẤP TIỂU HỌC", _Type(BOLD, 20))
    _centred(canvas, middle, _HEIGHT - 168 * mm, pupil.full_name.upper(), _Type(BOLD, 17))
    rows = (
        ("Mã học sinh", pupil.pupil_code),
        ("Số định danh cá nhân", pupil.personal_number),
        ("Trường", school.name),
        ("Xã (phường)", school.commune),
        ("Tỉnh (thành phố)", school.province),
    )
    _fields(canvas, 40 * mm, _HEIGHT - 186 * mm, _WIDTH - 40 * mm, rows)
    _centred(canvas, middle, 34 * mm, f"Năm học {school_class.school_year}", _Type(ITALIC, 13))
    _footer(canvas, pupil, 1, margin=20 * mm)


def draw_pupil(canvas: Any, school_class: SchoolClass, pupil: Pupil) -> None:
    """Page 2: the pupil, the schools attended and how to read the record."""
    _centred(canvas, _WIDTH / 2, _TOP - 6 * mm, "THÔNG TIN HỌC SINH", _Type(BOLD, 16, _RED))
    portrait = ImageReader(io.BytesIO(draw_portrait(str(pupil.record_uuid), pupil.gender)))
    canvas.drawImage(portrait, _LEFT, _TOP - 56 * mm, 30 * mm, 40 * mm)
    canvas.setStrokeColor(_LINE)
    canvas.setLineWidth(0.6)
    canvas.rect(_LEFT, _TOP - 56 * mm, 30 * mm, 40 * mm)
    first = (
        ("Họ và tên", pupil.full_name),
        ("Giới tính", pupil.gender.value),
        ("Ngày, tháng, năm sinh", f"{pupil.birth_date:%d/%m/%Y}"),
        ("Dân tộc", pupil.ethnic_group),
        ("Quốc tịch", "Việt Nam"),
    )
    _fields(canvas, _LEFT + 38 * mm, _TOP - 20 * mm, _RIGHT, first)
    second = (
        ("Nơi sinh", pupil.birthplace),
        ("Số định danh cá nhân", pupil.personal_number),
        ("Nơi ở hiện nay", pupil.address),
        ("Họ và tên cha", f"{pupil.father.name} – {pupil.father.job}"),
        ("Họ và tên mẹ", f"{pupil.mother.name} – {pupil.mother.job}"),
    )
    y = _fields(canvas, _LEFT, _TOP - 66 * mm, _RIGHT, second)
    _centred(canvas, _WIDTH / 2, y - 6 * mm, "QUÁ TRÌNH HỌC TẬP", _Type(BOLD, 13, _RED))
    heads = ("Năm học", "Lớp", "Tên trường, địa chỉ", "Số đăng bộ", "Ngày nhập học")
    place = f"{school_class.school.name}, {school_class.school.commune}"
    attended = (school_class.school_year, school_class.name, place, f"{pupil.number:03d}/TH", "05/09/2025")
    rows = [[_p(head, _HEAD) for head in heads], [_p(text, _CENTRED) for text in attended], *([""] * 5 for _ in range(4))]
    table = Table(rows, [26 * mm, 16 * mm, 71 * mm, 28 * mm, 34 * mm], [None, None, *[9 * mm] * 4], style=[*_GRID, _shade(0)])
    y = _place(canvas, table, y - 10 * mm)
    _centred(canvas, _WIDTH / 2, y - 12 * mm, "HƯỚNG DẪN SỬ DỤNG HỌC BẠ", _Type(BOLD, 13, _RED))
    y -= 17 * mm
    for number, text in enumerate(_GUIDANCE, start=1):
        y = _place(canvas, Paragraph(f"{number}. {text}", _RULES), y) - 2.5 * mm
    _footer(canvas, pupil, 2)


def draw_subjects(canvas: Any, school_class: SchoolClass, pupil: Pupil) -> None:
    """Page 3: level, mark and comment of each subject, at the end of the first term and of the year."""
    _heading(canvas, school_class, pupil)
    y = _section(canvas, _TOP - 26 * mm, "1. Các môn học và hoạt động giáo dục")
    first_row = ["Môn học và hoạt động giáo dục", "Cuối học kì I", "", "", "Cuối năm học", "", ""]
    second_row = ["", "Mức đạt được", "Điểm KTĐK", "Nhận xét", "Mức đạt được", "Điểm KTĐK", "Nhận xét"]
    rows = [[_p(text, _HEAD) for text in row] for row in (first_row, second_row)]
    rows += [_subject_row(subject) for subject in pupil.subjects]
    spans = [("SPAN", (0, 0), (0, 1)), ("SPAN", (1, 0), (3, 0)), ("SPAN", (4, 0), (6, 0))]
    widths = [27 * mm, 13.5 * mm, 13.5 * mm, 47 * mm, 13.5 * mm, 13.5 * mm, 47 * mm]
    y = _place(canvas, Table(rows, widths, style=[*_GRID, *spans, _shade(0), _shade(1)]), y)
    note = "T: Hoàn thành tốt; H: Hoàn thành; C: Chưa hoàn thành. KTĐK: kiểm tra định kì; dấu “–”: môn không có bài kiểm tra định kì."
    _place(canvas, Paragraph(f"<i>{note}</i>", _SMALL), y - 2 * mm)
    _footer(canvas, pupil, 3)


def draw_summary(canvas: Any, school_class: SchoolClass, pupil: Pupil) -> None:
    """Page 4: qualities, competences, the year's result, and where three people sign."""
    _heading(canvas, school_class, pupil)
    y = _section(canvas, _TOP - 26 * mm, "2. Những phẩm chất chủ yếu")
    y = _place(canvas, _trait_table(pupil.qualities, pupil.quality_comment), y)
    y = _section(canvas, y - 7 * mm, "3. Những năng lực cốt lõi")
    competences = pupil.general_competences + pupil.specific_competences
    y = _place(canvas, _trait_table(competences, pupil.competence_comment), y)
    results = (
        ("4. Đánh giá kết quả giáo dục", pupil.overall),
        ("5. Khen thưởng", pupil.award or "Không"),
        ("6. Hoàn thành chương trình lớp học", f"Đã hoàn thành, được lên lớp {school_class.grade + 1}"),
    )
    y = _fields(canvas, _LEFT, y - 9 * mm, _RIGHT, results)
    date = school_class.signed_on
    where = f"{school_class.school.commune}, ngày {date.day:02d} tháng {date.month:02d} năm {date.year}"
    left, right = _LEFT + 40 * mm, _RIGHT - 40 * mm
    _centred(canvas, right, y - 4 * mm, where, _Type(ITALIC, 11))
    _signature_place(canvas, left, y - 11 * mm, ("XÁC NHẬN CỦA HIỆU TRƯỞNG", "(Ký, ghi rõ họ tên và đóng dấu)"), school_class.principal)
    _signature_place(canvas, right, y - 11 * mm, ("GIÁO VIÊN CHỦ NHIỆM", "(Ký, ghi rõ họ tên)"), school_class.homeroom_teacher)
    _footer(canvas, pupil, 4)


PAGES = (draw_cover, draw_pupil, draw_subjects, draw_summary)


def _p(text: str, style: Any) -> Any:
    return Paragraph(escape(text), style)


def _shade(row: int) -> tuple[Any, ...]:
    return ("BACKGROUND", (0, row), (-1, row), _SHADE)


def _subject_row(subject: SubjectResult) -> list[Any]:
    def term(result: TermResult) -> list[Any]:
        score = "–" if result.score is None else str(result.score)
        return [_p(result.level.value, _CENTRED), _p(score, _CENTRED), _p(result.comment, _SMALL)]

    return [_p(subject.name, ParagraphStyle("subject", parent=_SMALL, fontName=BOLD)), *term(subject.first_term), *term(subject.year)]


def _trait_table(traits: tuple[TraitResult, ...], comment: str) -> Any:
    rows = [[_p(text, _HEAD) for text in ("Nội dung đánh giá", "Cuối học kì I", "Cuối năm học", "Nhận xét")]]
    rows += [[_p(t.name, _SMALL), _p(t.first_term.value, _CENTRED), _p(t.year.value, _CENTRED), ""] for t in traits]
    rows[1][3] = _p(comment, _BODY)
    style = [*_GRID, ("SPAN", (3, 1), (3, -1)), ("VALIGN", (3, 1), (3, 1), "TOP"), _shade(0)]
    return Table(rows, [52 * mm, 28 * mm, 28 * mm, 67 * mm], style=style)


def _heading(canvas: Any, school_class: SchoolClass, pupil: Pupil) -> None:
    _text(canvas, _LEFT, _TOP - 2 * mm, school_class.school.name, _Type(REGULAR, 10))
    canvas.drawRightString(_RIGHT, _TOP - 2 * mm, f"Năm học {school_class.school_year}")
    _text(canvas, _LEFT, _TOP - 11 * mm, f"Họ và tên: {pupil.full_name}", _Type(BOLD, 13))
    canvas.drawRightString(_RIGHT, _TOP - 11 * mm, f"Lớp: {school_class.name}")
    health = f"Chiều cao: {pupil.height_cm} cm        Cân nặng: {pupil.weight_kg} kg        Số ngày nghỉ: {pupil.days_absent}"
    _text(canvas, _LEFT, _TOP - 18 * mm, health, _Type(REGULAR, 11))
    canvas.setStrokeColor(_GOLD)
    canvas.setLineWidth(1)
    canvas.line(_LEFT, _TOP - 5 * mm, _RIGHT, _TOP - 5 * mm)


def _section(canvas: Any, y: float, title: str) -> float:
    _text(canvas, _LEFT, y, title, _Type(BOLD, 12, _RED))
    return float(y - 3 * mm)


def _signature_place(canvas: Any, x: float, y: float, title: tuple[str, str], name: str) -> None:
    _centred(canvas, x, y, title[0], _Type(BOLD, 11.5))
    _centred(canvas, x, y - 5 * mm, title[1], _Type(ITALIC, 10))
    _centred(canvas, x, y - 34 * mm, name, _Type(BOLD, 11.5))


def _fields(canvas: Any, left: float, y: float, right: float, rows: tuple[tuple[str, str], ...]) -> float:
    """Lines of `label: value` over a dotted rule; returns the next line's height."""
    for label, value in rows:
        _text(canvas, left, y, f"{label}: ", _Type(REGULAR, 11.5))
        start = left + canvas.stringWidth(f"{label}: ", REGULAR, 11.5)
        _text(canvas, start + 2, y, value, _Type(BOLD, 11.5))
        canvas.saveState()
        canvas.setStrokeColor(_LINE)
        canvas.setLineWidth(0.4)
        canvas.setDash(0.6, 2)
        canvas.line(start, y - 2.5, right, y - 2.5)
        canvas.restoreState()
        y -= 8.5 * mm
    return y


def _footer(canvas: Any, pupil: Pupil, page: int, *, margin: float = 10 * mm) -> None:
    y, right = margin, min(_RIGHT, _WIDTH - margin)
    _text(canvas, max(_LEFT, margin), y, "Mẫu trình diễn – học sinh không có thật (DEMO)", _Type(ITALIC, 8, _GREY))
    canvas.drawRightString(right, y, f"Mã tra cứu: {pupil.record_uuid} – Trang {page}/{PAGE_COUNT}")


def _emblem(canvas: Any, x: float, y: float) -> None:
    """An open book under a rising sun, in a wreath of dots: a school's emblem, nobody's in particular."""
    canvas.saveState()
    canvas.translate(x, y)
    canvas.setStrokeColor(_GOLD)
    canvas.setFillColor(colors.HexColor("#fdf6e3"))
    canvas.setLineWidth(2)
    canvas.circle(0, 0, 26 * mm, fill=1)
    canvas.setFillColor(_RED)
    for ray in range(13):
        canvas.saveState()
        canvas.rotate(ray * 15)
        canvas.rect(13.5 * mm, -0.7 * mm, 6 * mm, 1.4 * mm, stroke=0, fill=1)
        canvas.restoreState()
    canvas.wedge(-11 * mm, -11 * mm, 11 * mm, 11 * mm, 0, 180, stroke=0, fill=1)
    canvas.setFillColor(colors.white)
    canvas.setStrokeColor(_INK)
    canvas.setLineWidth(1.2)
    for side in (-1, 1):
        page = canvas.beginPath()
        page.moveTo(0, -3 * mm)
        page.curveTo(side * 5 * mm, 1 * mm, side * 12 * mm, 0, side * 17 * mm, -2 * mm)
        page.lineTo(side * 17 * mm, -14 * mm)
        page.curveTo(side * 12 * mm, -12 * mm, side * 5 * mm, -11 * mm, 0, -15 * mm)
        page.close()
        canvas.drawPath(page, stroke=1, fill=1)
        for line in range(3):
            height = (-4.5 - 2.6 * line) * mm
            canvas.line(side * 3.5 * mm, height, side * 14 * mm, height - 0.3 * mm)
    canvas.restoreState()


def _text(canvas: Any, x: float, y: float, text: str, face: _Type) -> None:
    canvas.setFillColor(face.colour)
    canvas.setFont(face.font, face.size)
    canvas.drawString(x, y, text)


def _centred(canvas: Any, x: float, y: float, text: str, face: _Type) -> None:
    canvas.setFillColor(face.colour)
    canvas.setFont(face.font, face.size)
    canvas.drawCentredString(x, y, text)


def _place(canvas: Any, flowable: Any, y: float) -> float:
    """Draw a flowable with its top at `y`, between the margins; returns where it ends. InternalError if that is below the page."""
    height: float = flowable.wrapOn(canvas, _RIGHT - _LEFT, y)[1]
    if y - height < _BOTTOM:
        raise InternalError("a report card's page overflows: its texts are longer than the form has room for")
    flowable.drawOn(canvas, _LEFT, y - height)
    return y - height
