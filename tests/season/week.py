"""A Department's schools in the last week of May: who signs how many records at once, and when.

Everybody signs their part of a class in one sitting, the principal and the clerk all records of the school. The order is the
regulations': subject teachers, homeroom teacher, principal, seal. The evenings rise to the one before the deadline; within an
evening people come as in `tests.load.arrivals`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from tests.load.arrivals import intensity

DAY_S = 86_400.0
DAYS = 7
_EVENING_S = 17.5 * 3600, 23.0 * 3600
_SUBJECTS = 12


class SchoolKind(Enum):
    """The value is what the page calls it."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


class Signatory(Enum):
    """Whose visit it is; the value is what the page calls them."""

    SUBJECT_TEACHER = "a subject teacher's class"
    HOMEROOM_TEACHER = "a homeroom teacher's class"
    PRINCIPAL = "a principal's school"
    CLERK = "the seal on a school"


_CLASS_RECORDS = {SchoolKind.PRIMARY: 35, SchoolKind.SECONDARY: 45}
_EVENINGS = {
    Signatory.SUBJECT_TEACHER: (0.05, 0.15, 0.25, 0.30, 0.20, 0.05, 0.0),
    Signatory.HOMEROOM_TEACHER: (0.0, 0.05, 0.10, 0.20, 0.35, 0.25, 0.05),
    Signatory.PRINCIPAL: (0.0, 0.0, 0.0, 0.05, 0.15, 0.50, 0.30),
    Signatory.CLERK: (0.0, 0.0, 0.0, 0.0, 0.05, 0.35, 0.60),
}
"""Share of the visits on each day; the seventh is the deadline."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody signs so many records in one batch. at_s: since the week began. school: whose turn it is in the queue."""

    at_s: float
    school: str
    kind: SchoolKind
    signatory: Signatory
    records: int


def week(schools: int, seed: int = 2026) -> list[Visit]:
    """All visits of the week, in order of time; the same for the same arguments."""
    chance = random.Random(seed)  # noqa: S311
    return sorted(
        (visit for number in range(schools) for visit in _of_school(number, chance)), key=lambda visit: (visit.at_s, visit.school)
    )


def _of_school(number: int, chance: random.Random) -> Iterator[Visit]:
    kind = SchoolKind.PRIMARY if number % 3 else SchoolKind.SECONDARY
    school, in_class = f"{kind.value}-{number}", _CLASS_RECORDS[kind]
    classes = max(1, round(min(2500.0, max(300.0, chance.lognormvariate(6.6, 0.45))) / in_class))
    for _ in range(classes):
        for _ in range(_SUBJECTS if kind is SchoolKind.SECONDARY else 0):
            yield Visit(_moment(Signatory.SUBJECT_TEACHER, chance), school, kind, Signatory.SUBJECT_TEACHER, in_class)
        yield Visit(_moment(Signatory.HOMEROOM_TEACHER, chance), school, kind, Signatory.HOMEROOM_TEACHER, in_class)
    for signatory in (Signatory.PRINCIPAL, Signatory.CLERK):
        yield Visit(_moment(signatory, chance), school, kind, signatory, classes * in_class)


def _moment(signatory: Signatory, chance: random.Random) -> float:
    """A day by its share, and a time of that evening by how many come then (rejection)."""
    (day,) = chance.choices(range(DAYS), _EVENINGS[signatory])
    begin_s, end_s = _EVENING_S
    while chance.random() >= intensity(share := chance.random()):
        pass
    return day * DAY_S + begin_s + share * (end_s - begin_s)


def height_per_s(visits: list[Visit]) -> float:
    """Records a second that are asked for in the week's worst quarter of an hour."""
    quarters: dict[int, int] = {}
    for visit in visits:
        quarters[int(visit.at_s // 900)] = quarters.get(int(visit.at_s // 900), 0) + visit.records
    return max(quarters.values(), default=0) / 900
