"""A class of invented Vietnamese pupils, the same for the same seed.

Content follows the report card of Circular 27/2020/TT-BGDĐT (grade 1): levels per subject and term, qualities, competences, the year's
summary. Rules of the room: nobody here exists (the personal numbers begin with 000, which is no province; school, commune and province are
made up); no two pupils of a class are alike; values only, no I/O.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from dataclasses import dataclass
from enum import Enum

from signer.demo import phrases

CLASS_SIZE = 35
_PROVINCE_OF_NOBODY = "000"


class Gender(Enum):
    """As printed; the personal number's fourth digit for births from 2000 to 2099 is in `_CENTURY_DIGITS`."""

    BOY = "Nam"
    GIRL = "Nữ"


_CENTURY_DIGITS = {Gender.BOY: "2", Gender.GIRL: "3"}


class Level(Enum):
    """Level reached in a subject (Circular 27 art. 7): the value is what stands in the record."""

    EXCELLENT = "T"
    DONE = "H"


class Rating(Enum):
    """Rating of a quality or competence (Circular 27 art. 6): the value is what stands in the record."""

    GOOD = "T"
    PASS = "Đ"


@dataclass(frozen=True, slots=True)
class School:
    """An invented school. code: the Ministry's MA_TRUONG."""

    code: str
    name: str
    commune: str
    province: str
    department: str


@dataclass(frozen=True, slots=True)
class TermResult:
    """One subject at the end of one term. score: periodic test mark, 1 to 10, or None where the subject has no test."""

    level: Level
    score: int | None
    comment: str


@dataclass(frozen=True, slots=True)
class SubjectResult:
    """One subject over the year. teacher_id: the subject teacher's identifier in the record, for GVBM slots."""

    code: str
    name: str
    teacher_id: str
    teacher: str
    first_term: TermResult
    year: TermResult


@dataclass(frozen=True, slots=True)
class TraitResult:
    """One quality or competence at the end of the first term and of the year."""

    code: str
    name: str
    first_term: Rating
    year: Rating


@dataclass(frozen=True, slots=True)
class Guardian:
    """A parent as printed on the pupil's page."""

    name: str
    job: str


@dataclass(frozen=True, slots=True)
class Pupil:
    """One pupil with the year's results. number: 1-based place in the class register. award: empty when there is none."""

    number: int
    full_name: str
    gender: Gender
    birth_date: dt.date
    birthplace: str
    ethnic_group: str
    address: str
    father: Guardian
    mother: Guardian
    personal_number: str
    pupil_code: str
    record_uuid: uuid.UUID
    height_cm: int
    weight_kg: int
    days_absent: int
    subjects: tuple[SubjectResult, ...]
    qualities: tuple[TraitResult, ...]
    general_competences: tuple[TraitResult, ...]
    specific_competences: tuple[TraitResult, ...]
    quality_comment: str
    competence_comment: str
    overall: str
    award: str


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """A class at the end of its school year; signed_on is the date printed above the signature places."""

    school: School
    name: str
    grade: int
    school_year: str
    homeroom_teacher: str
    principal: str
    signed_on: dt.date
    pupils: tuple[Pupil, ...]


DEMO_SCHOOL = School(
    code="00000101",
    name="Trường Tiểu học Hoa Gạo (DEMO)",
    commune="Xã Suối Mây",
    province="Tỉnh Sao Khuê",
    department="Sở Giáo dục và Đào tạo Tỉnh Sao Khuê",
)
HOMEROOM_TEACHER = "Nguyễn Thị Thuỳ Dương"
PRINCIPAL = "Đặng Quốc Vượng"
_SPECIALISTS = {"GIAO_DUC_THE_CHAT": "Lê Đình Khoẻ", "AM_NHAC": "Phạm Thị Ngân Hà", "MI_THUAT": "Võ Hoạ Mi"}


def generate_class(seed: int = 2026, size: int = CLASS_SIZE, name: str = "1A") -> SchoolClass:
    """The class for this seed: `size` pupils in the register's order."""
    rng = random.Random(f"{seed}/{name}")  # noqa: S311 - repeatable by intent, nothing secret comes of it
    names: dict[str, Gender] = {}
    while len(names) < size:
        gender = rng.choice(list(Gender))
        names.setdefault(_full_name(rng, gender), gender)
    pupils = tuple(_pupil(rng, number, full_name, gender) for number, (full_name, gender) in enumerate(names.items(), start=1))
    return SchoolClass(
        school=DEMO_SCHOOL,
        name=name,
        grade=1,
        school_year="2025 – 2026",
        homeroom_teacher=HOMEROOM_TEACHER,
        principal=PRINCIPAL,
        signed_on=dt.date(2026, 5, 28),
        pupils=pupils,
    )


def _full_name(rng: random.Random, gender: Gender) -> str:
    middle, given = {
        Gender.BOY: (phrases.MIDDLE_NAMES_BOY, phrases.GIVEN_NAMES_BOY),
        Gender.GIRL: (phrases.MIDDLE_NAMES_GIRL, phrases.GIVEN_NAMES_GIRL),
    }[gender]
    return f"{rng.choice(phrases.FAMILY_NAMES)} {rng.choice(middle)} {rng.choice(given)}"


def _pupil(rng: random.Random, number: int, full_name: str, gender: Gender) -> Pupil:
    birth_date = dt.date(2019, 1, 1) + dt.timedelta(days=rng.randrange(365))
    strength = rng.random()
    subjects = tuple(_subject(rng, subject, strength) for subject in phrases.SUBJECTS)
    overall, award = _summary(subjects)
    return Pupil(
        number=number,
        full_name=full_name,
        gender=gender,
        birth_date=birth_date,
        birthplace=f"{DEMO_SCHOOL.commune}, {DEMO_SCHOOL.province}",
        ethnic_group=rng.choice(phrases.ETHNIC_GROUPS),
        address=f"{rng.choice(phrases.HAMLETS)}, {DEMO_SCHOOL.commune}, {DEMO_SCHOOL.province}",
        father=_father(rng, full_name),
        mother=Guardian(_full_name(rng, Gender.GIRL), rng.choice(phrases.JOBS)),
        personal_number=f"{_PROVINCE_OF_NOBODY}{_CENTURY_DIGITS[gender]}{birth_date:%y}{number:06d}",
        pupil_code=f"{DEMO_SCHOOL.code}25{number:04d}",
        record_uuid=uuid.UUID(bytes=rng.randbytes(16), version=4),
        height_cm=rng.randint(105, 128),
        weight_kg=rng.randint(16, 31),
        days_absent=rng.choice((0, 0, 0, 1, 1, 2, 4)),
        subjects=subjects,
        qualities=_traits(rng, phrases.QUALITIES, strength),
        general_competences=_traits(rng, phrases.GENERAL_COMPETENCES, strength),
        specific_competences=_traits(rng, phrases.SPECIFIC_COMPETENCES, strength),
        quality_comment=rng.choice(phrases.QUALITY_COMMENTS),
        competence_comment=rng.choice(phrases.COMPETENCE_COMMENTS),
        overall=overall,
        award=award,
    )


def _father(rng: random.Random, pupil_name: str) -> Guardian:
    family_name = pupil_name.split(maxsplit=1)[0]
    return Guardian(f"{family_name} {rng.choice(phrases.MIDDLE_NAMES_BOY)} {rng.choice(phrases.GIVEN_NAMES_BOY)}", rng.choice(phrases.JOBS))


def _subject(rng: random.Random, subject: phrases.SubjectPhrases, strength: float) -> SubjectResult:
    first_term, year = (_term(rng, subject, strength + bonus) for bonus in (0.0, 0.2))
    teacher = _SPECIALISTS.get(subject.code, HOMEROOM_TEACHER)
    return SubjectResult(subject.code, subject.name, f"GV_{subject.code}", teacher, first_term, year)


def _term(rng: random.Random, subject: phrases.SubjectPhrases, strength: float) -> TermResult:
    excellent = rng.random() < strength
    said = rng.choice(subject.excellent if excellent else subject.good)
    score = rng.randint(9, 10) if excellent else rng.randint(6, 8)
    level = Level.EXCELLENT if excellent else Level.DONE
    return TermResult(level, score if subject.scored else None, f"{said}. {rng.choice(subject.advice)}.")


def _traits(rng: random.Random, names: tuple[tuple[str, str], ...], strength: float) -> tuple[TraitResult, ...]:
    def rate(bonus: float) -> Rating:
        return Rating.GOOD if rng.random() < strength + bonus else Rating.PASS

    return tuple(TraitResult(code, name, rate(0.1), rate(0.3)) for code, name in names)


def _summary(subjects: tuple[SubjectResult, ...]) -> tuple[str, str]:
    """The year's overall result and award (Circular 27 art. 9 and 13), from the subjects' year levels."""
    excellent = sum(subject.year.level is Level.EXCELLENT for subject in subjects)
    if excellent == len(subjects):
        return "Hoàn thành xuất sắc", "Học sinh Xuất sắc"
    if excellent > len(subjects) // 2:
        return "Hoàn thành tốt", "Học sinh Tiêu biểu hoàn thành tốt trong học tập và rèn luyện"
    return "Hoàn thành", ""
