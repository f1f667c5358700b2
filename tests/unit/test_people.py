"""People, roles and delegations in the store: all or nothing, journalled without names, and what they may do at each moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from signer.control.people import People
from signer.errors import (
    AssignmentNotFound,
    ChangedMeanwhile,
    DelegationNotFound,
    IdTaken,
    InvalidArgument,
    PersonNotFound,
    RequestIdReused,
    RoleRefused,
)
from signer.journal import Journal, PeopleStore, RoleFilter
from signer.model import Role
from signer.people.client import ALWAYS, Window
from signer.people.person import Assignment, Delegation, Person, Scope
from signer.people.revision import PeopleRevision, Revised
from signer.store import open_engine
from tests.support.stores import Store

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LAN, HOA = Person("lan", "Nguyễn Thị Lan", "lan@truong.example"), Person("hoa", "Trần Thị Hoa")
CLASS_1A = Scope("s1", 2025, "1A")


@pytest.fixture
async def people(store: Store) -> AsyncIterator[People]:
    journal = Journal(store.url)
    await journal.start()
    yield People(PeopleStore(journal), asyncio.get_running_loop().time)
    await journal.stop()


def role(person_id: str, kind: Role = Role.HOMEROOM_TEACHER, scope: Scope = CLASS_1A, valid: Window = ALWAYS) -> Assignment:
    return Assignment("", person_id, kind, scope, valid)


def lending(**changes: object) -> Delegation:
    made = Delegation("", "lan", "hoa", Role.HOMEROOM_TEACHER, "s1", valid=Window(NOW, NOW + DAY), reason="QĐ 12")
    return replace(made, **changes)  # type: ignore[arg-type]


async def two_people(people: People) -> None:
    for person in (LAN, HOA):
        await people.add("operator", person)


async def test_a_person_is_added_once_changed_by_etag_and_never_by_an_old_one(people: People) -> None:
    made = await people.add("operator", LAN)
    assert await people.add("operator", LAN) == made == await people.find("lan")
    with pytest.raises(IdTaken):
        await people.add("operator", replace(LAN, email=""))
    changed = await people.change("operator", replace(made, display_name="Nguyễn Thị Lân"))
    assert (changed.display_name, changed.etag) == ("Nguyễn Thị Lân", "2")
    with pytest.raises(ChangedMeanwhile):
        await people.change("operator", made)
    with pytest.raises(PersonNotFound):
        await people.change("operator", replace(HOA, etag="1"))


@pytest.mark.parametrize(
    "wrong",
    [Person("001199000001", "A"), Person("a", ""), Person("a", "A\nB"), Person("a", "A", "nobody"), Person("a", "A" * 201)],
)
async def test_a_person_without_name_or_with_a_personal_number_for_id_is_refused(people: People, wrong: Person) -> None:
    with pytest.raises(InvalidArgument):
        await people.add("operator", wrong)


async def test_a_role_holds_for_its_scope_and_time_alone_and_what_is_changed_holds_at_once(people: People) -> None:
    await two_people(people)
    with pytest.raises(RoleRefused):
        await people.require("lan", Role.HOMEROOM_TEACHER, CLASS_1A, NOW)
    given = await people.assign("operator", "r1", role("lan", valid=Window(NOW, None)))
    right = await people.require("lan", Role.HOMEROOM_TEACHER, CLASS_1A, NOW)
    assert (right.assignment, right.acting_for) == (given, "")
    for kind, scope, at in (
        (Role.PRINCIPAL, CLASS_1A, NOW),
        (Role.HOMEROOM_TEACHER, replace(CLASS_1A, school_id="s2"), NOW),
        (Role.HOMEROOM_TEACHER, replace(CLASS_1A, class_id="1B"), NOW),
        (Role.HOMEROOM_TEACHER, replace(CLASS_1A, class_id=""), NOW),
        (Role.HOMEROOM_TEACHER, replace(CLASS_1A, school_year=2024), NOW),
        (Role.HOMEROOM_TEACHER, CLASS_1A, NOW - DAY),
    ):
        with pytest.raises(RoleRefused):
            await people.require("lan", kind, scope, at)
    with pytest.raises(RoleRefused):
        await people.require("nobody", Role.HOMEROOM_TEACHER, CLASS_1A, NOW)
    ended = await people.end_assignment("operator", given.id, NOW)
    assert ended == await people.end_assignment("operator", given.id, NOW + DAY), "what has ended is not made longer"
    with pytest.raises(RoleRefused):
        await people.require("lan", Role.HOMEROOM_TEACHER, CLASS_1A, NOW)


async def test_a_disabled_person_may_nothing(people: People) -> None:
    made = await people.add("operator", LAN)
    await people.assign("operator", "r1", role("lan"))
    assert len(await people.held("lan", NOW)) == 1
    await people.change("operator", replace(made, disabled=True))
    assert await people.held("lan", NOW) == ()


async def test_who_left_lends_what_they_had_within_the_delegations_bounds(people: People) -> None:
    await two_people(people)
    await people.assign("operator", "r1", role("lan", valid=Window(None, NOW - DAY)))
    made = await people.delegate("operator", "d1", lending(), NOW)
    right = await people.require("hoa", Role.HOMEROOM_TEACHER, CLASS_1A, NOW, made.id)
    assert (right.acting_for, right.person_id) == ("lan", "hoa")
    for delegation_id, scope, at in (("", CLASS_1A, NOW), (made.id, CLASS_1A, NOW + DAY), (made.id, replace(CLASS_1A, class_id="1B"), NOW)):
        with pytest.raises(RoleRefused):
            await people.require("hoa", Role.HOMEROOM_TEACHER, scope, at, delegation_id)
    with pytest.raises(RoleRefused):
        await people.require("lan", Role.HOMEROOM_TEACHER, CLASS_1A, NOW, made.id)
    await people.end_delegation("operator", made.id, NOW)
    with pytest.raises(RoleRefused):
        await people.require("hoa", Role.HOMEROOM_TEACHER, CLASS_1A, NOW, made.id)


async def test_nothing_can_be_lent_that_nobody_had(people: People) -> None:
    await two_people(people)
    wrong: list[dict[str, object]] = [
        {},
        {"to_person_id": "lan"},
        {"valid": Window(NOW, None)},
        {"role": Role.OPERATOR},
        {"school_id": "s2"},
    ]
    for changes in wrong:
        with pytest.raises(InvalidArgument):
            await people.delegate("operator", "", lending(**changes), NOW)
    await people.assign("operator", "r1", role("lan"))
    with pytest.raises(InvalidArgument):
        await people.delegate("operator", "", lending(class_ids=frozenset({"1B"})), NOW)
    with pytest.raises(PersonNotFound):
        await people.delegate("operator", "", lending(to_person_id="nobody"), NOW)
    with pytest.raises(DelegationNotFound):
        await people.end_delegation("operator", "none", NOW)
    with pytest.raises(AssignmentNotFound):
        await people.end_assignment("operator", "none", NOW)


async def test_a_repeated_request_makes_nothing_twice_and_other_content_is_refused(people: People) -> None:
    await two_people(people)
    first = await people.assign("operator", "r1", role("lan"))
    assert await people.assign("operator", "r1", role("lan")) == first
    with pytest.raises(RequestIdReused):
        await people.assign("operator", "r1", role("hoa"))
    assert (await people.assign("another", "r1", role("lan"))).id != first.id, "request ids are each client's own"
    lent = await people.delegate("operator", "d1", lending(), NOW)
    assert await people.delegate("operator", "d1", lending(), NOW) == lent
    assert await people.store.find_delegation(lent.id) == lent


async def test_a_revision_is_all_or_nothing_and_never_over_anothers_change(people: People) -> None:
    made = await people.add("operator", LAN)
    stale = replace(made, display_name="other")
    for revised in (
        (Revised(replace(HOA, etag="1")), Revised(made)),
        (Revised(replace(HOA, etag="1")), Revised(replace(made, etag="2"), stale)),
    ):
        with pytest.raises((IdTaken, ChangedMeanwhile)):
            await people.store.revise("operator", PeopleRevision(people=revised))
        assert await people.store.find("hoa") is None


async def test_pages_hold_each_of_a_school_once_whatever_is_asked_for(people: People) -> None:
    names = [f"p{number:02}" for number in range(11)]
    roles = [
        Assignment(f"a-{name}-{kind.value}", name, kind, Scope(f"s{index % 2}", 2025, "1A", "TOAN"), Window(NOW, NOW + DAY))
        for index, name in enumerate(names)
        for kind in (Role.SUBJECT_TEACHER, Role.HOMEROOM_TEACHER)
    ]
    revision = PeopleRevision([Revised(Person(name, name, etag="1")) for name in names], [Revised(each) for each in roles])
    await people.apply("operator", revision)
    store, found = people.store, list[str]()
    while page := await store.people(RoleFilter(school_id="s1", after=found[-1] if found else ""), 2):
        found += [each.id for each in page]
    assert found == names[1::2]
    assert len(await store.people(RoleFilter(), 100)) == len(names)
    assert [each.id for each in await store.assignments(RoleFilter(person_id="p03", role=Role.SUBJECT_TEACHER), 9)] == [
        "a-p03-subject-teacher"
    ]
    assert await store.assignments(RoleFilter(valid_at=NOW + DAY), 9) == []
    assert len(await store.assignments(RoleFilter(valid_at=NOW), 99)) == len(roles)


async def test_the_journal_says_who_may_what_and_names_nobody(people: People, store: Store) -> None:
    await two_people(people)
    given = await people.assign("operator", "r1", role("lan"))
    await people.delegate("operator", "d1", lending(), NOW)
    await people.end_assignment("operator", given.id, NOW)
    with open_engine(store.url).connect() as connection:
        bodies = [
            row[0].decode() for row in connection.exec_driver_sql("SELECT body FROM journal_entry WHERE kind='note' ORDER BY entry_index")
        ]
    kinds = [body.split('"note":"')[1].split('"')[0] for body in bodies]
    assert kinds[-5:] == ["person-added", "person-added", "role-given", "delegation-made", "role-changed"]
    assert not any(secret in body for body in bodies for secret in ("Lan", "Hoa", "@"))
    assert '"class":"1A"' in bodies[-3]
    assert '"until":"2026-05-01' in bodies[-1]
