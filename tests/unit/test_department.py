"""The import of a Department: every row's effect and error, nothing by halves, and the same rows again change nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from signer.access.department import Difference, ImportedRow, Present, RowEffect, difference
from signer.model import Role
from signer.people.client import ALWAYS, Window
from signer.people.person import Assignment, Person, Scope

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING = Present({}, ())
LAN = Person("lan", "Nguyễn Thị Lan", "lan@truong.example")


def row(line: int, person: Person = LAN, class_id: str = "1A", valid: Window = ALWAYS, role: Role = Role.HOMEROOM_TEACHER) -> ImportedRow:
    return ImportedRow(line, person, Assignment("", person.id, role, Scope("s1", 2025, class_id), valid))


def applied(present: Present, made: Difference) -> Present:
    """What is there once it is applied."""
    people = dict(present.people) | {each.after.id: each.after for each in made.revision.people}
    roles = {each.id: each for each in present.assignments} | {each.after.id: each.after for each in made.revision.assignments}
    return Present(people, list(roles.values()))


def effects(made: Difference) -> list[RowEffect]:
    return [result.effect for result in made.results]


def test_a_row_says_what_it_changes_in_words() -> None:
    first = difference([row(2), row(3, class_id="1B")], NOTHING, NOW, end_missing=False)
    assert effects(first) == [RowEffect.CREATE, RowEffect.CREATE]
    assert first.results[0].changes == ("person: – → Nguyễn Thị Lan", "role: – → homeroom-teacher s1 2025 1A")
    assert first.results[1].changes == ("role: – → homeroom-teacher s1 2025 1B",)
    there = applied(NOTHING, first)
    married = replace(LAN, display_name="Trần Thị Lan", email="")
    second = difference([row(2, married, valid=Window(None, NOW + DAY))], there, NOW, end_missing=False)
    assert second.results[0].effect is RowEffect.UPDATE
    assert second.results[0].changes == (
        "display_name: Nguyễn Thị Lan → Trần Thị Lan",
        "homeroom-teacher s1 2025 1A, until: – → 2026-05-02T00:00:00Z",
    )
    assert applied(there, second).people["lan"] == replace(LAN, display_name="Trần Thị Lan", etag="2"), "an empty e-mail changes nothing"


def test_every_bad_row_is_named_with_its_field_and_refuses_the_whole() -> None:
    rows = [
        row(2),
        row(3, Person("001199000001", "A")),
        row(4, replace(LAN, display_name="Somebody else")),
        row(5),
        row(6, Person("hoa", "")),
        row(7, Person("minh", "Minh"), class_id=""),
        row(8, Person("minh", "Minh"), valid=Window(NOW, NOW - DAY)),
        ImportedRow(9, Person("ba", "Ba"), Assignment("", "other", Role.CLERK, Scope("s1"))),
        ImportedRow(10, Person("ba", "Ba"), Assignment("", "ba", Role.CLERK, Scope(""))),
    ]
    made = difference(rows, NOTHING, NOW, end_missing=False)
    assert made.is_refused
    fields = {result.line: result.error.metadata["field"] for result in made.results if result.error}
    assert fields == {
        3: "person.person_id",
        4: "person.display_name",
        5: "assignment",
        6: "person.display_name",
        7: "assignment.class_id",
        8: "assignment.valid",
        9: "assignment.person_id",
        10: "assignment.school_id",
    }
    assert "line 2" in str(made.results[2].error)


def test_a_persons_second_row_need_not_say_who_they_are_again() -> None:
    made = difference([row(2), row(3, Person("lan", ""), class_id="1B")], NOTHING, NOW, end_missing=False)
    assert effects(made) == [RowEffect.CREATE, RowEffect.CREATE]
    assert [each.after.display_name for each in made.revision.people] == ["Nguyễn Thị Lan"]


def test_a_disabled_person_stays_disabled_whatever_a_row_leaves_out() -> None:
    there = Present({"lan": replace(LAN, disabled=True, etag="3")}, ())
    assert effects(difference([ImportedRow(2, LAN)], there, NOW, end_missing=False)) == [RowEffect.UNCHANGED]
    off = difference([ImportedRow(2, replace(LAN, disabled=True))], Present({"lan": replace(LAN, etag="1")}, ()), NOW, end_missing=False)
    assert off.revision.people[0].after.disabled


def test_missing_roles_end_only_where_asked_and_only_in_the_schools_and_years_of_the_rows() -> None:
    others = [
        Assignment("gone", "lan", Role.HOMEROOM_TEACHER, Scope("s1", 2025, "1B")),
        Assignment("to-come", "lan", Role.CLERK, Scope("s1", 2025), Window(NOW + DAY, None)),
        Assignment("other-year", "lan", Role.HOMEROOM_TEACHER, Scope("s1", 2024, "1B")),
        Assignment("other-school", "lan", Role.HOMEROOM_TEACHER, Scope("s2", 2025, "1B")),
        Assignment("over", "lan", Role.HOMEROOM_TEACHER, Scope("s1", 2025, "1C"), Window(None, NOW)),
        Assignment("kept", "lan", Role.HOMEROOM_TEACHER, Scope("s1", 2025, "1A")),
    ]
    there = Present({"lan": replace(LAN, etag="1")}, others)
    assert effects(difference([row(2)], there, NOW, end_missing=False)) == [RowEffect.UNCHANGED]
    made = difference([row(2)], there, NOW, end_missing=True)
    assert [result.line for result in made.results if result.effect is RowEffect.END] == [0, 0]
    ended = {each.after.id: each.after.valid for each in made.revision.assignments}
    assert ended == {"gone": Window(None, NOW), "to-come": Window(NOW + DAY, NOW + DAY)}
    assert not ended["to-come"].holds_at(NOW + DAY)


def test_who_comes_back_has_a_new_role_from_now_on() -> None:
    over = Assignment("over", "lan", Role.HOMEROOM_TEACHER, Scope("s1", 2025, "1A"), Window(None, NOW - DAY))
    there = Present({"lan": replace(LAN, etag="1")}, [over])
    made = difference([row(2)], there, NOW, end_missing=False)
    [back] = made.revision.assignments
    assert (back.before, back.after.valid) == (None, Window(NOW, None))


NAMES = st.sampled_from(["lan", "hoa", "minh"])
MOMENTS = st.one_of(st.none(), st.integers(-3, 3).map(lambda days: NOW + days * DAY))
WINDOWS = st.builds(Window, MOMENTS, MOMENTS)
SCOPES = st.builds(Scope, st.sampled_from(["s1", "s2"]), st.sampled_from([2024, 2025]), st.sampled_from(["1A", "1B"]))
KEPT = st.builds(Assignment, st.uuids().map(str), NAMES, st.just(Role.HOMEROOM_TEACHER), SCOPES, WINDOWS)
ROWS = st.lists(st.tuples(NAMES, SCOPES, WINDOWS), max_size=6).map(
    lambda values: [
        ImportedRow(line, Person(name, name.title()), Assignment("", name, Role.HOMEROOM_TEACHER, scope, valid))
        for line, (name, scope, valid) in enumerate(values, 2)
    ]
)


@given(ROWS, st.lists(KEPT, max_size=5), st.booleans())
def test_the_same_rows_again_change_nothing_and_a_row_that_passed_holds(rows: list[ImportedRow], kept: list[Assignment], end: bool) -> None:
    there = Present({name: Person(name, name, etag="1") for name in ("lan", "hoa")}, kept)
    made = difference(rows, there, NOW, end_missing=end)
    assert len([result for result in made.results if result.line]) == len(rows)
    if made.is_refused:
        return
    then = applied(there, made)
    again = difference(rows, then, NOW + timedelta(seconds=1), end_missing=end)
    assert not again.revision.people
    assert not again.revision.assignments
    assert set(effects(again)) <= {RowEffect.UNCHANGED}
    for each in rows:
        assert each.assignment is not None
        wanted = each.assignment
        roles = [role.valid for role in then.assignments if (role.person_id, role.scope) == (each.person.id, wanted.scope)]
        begins_later = wanted.valid.start is None and any(valid.start and valid.start > NOW for valid in roles)
        assert begins_later or not wanted.valid.holds_at(NOW) or any(valid.holds_at(NOW) for valid in roles)
