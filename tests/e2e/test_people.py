"""People over the contract: a Department's import, roles, delegations and codes, for operators alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from signer.access.department import ImportedRow, RowEffect
from signer.client import PeopleClient, SignerClient
from signer.errors import ChangedMeanwhile, IdTaken, InvalidArgument, PersonNotFound, RoleRefused
from signer.model import Role
from signer.people.client import Window
from signer.people.factor import FactorsState
from signer.people.person import Assignment, Delegation, Person, Scope
from tests.support.bureau import Office, office
from tests.support.daemon import SCHOOL, World
from tests.support.worlds import copy_of

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(copy_of(pristine_world, tmp_path_factory.mktemp("people") / "it")) as made:
        yield made


@pytest.fixture(scope="module")
def client(desk: Office) -> Iterator[SignerClient]:
    with connected(desk) as made:
        yield made


def connected(desk: Office, name: str = "operator") -> SignerClient:
    pki = desk.world.pki
    return SignerClient(f"localhost:{desk.running.port}", ca=pki / "tls-ca.crt", certificate=pki / f"{name}.crt", key=pki / f"{name}.key")


@pytest.fixture
def people(client: SignerClient) -> PeopleClient:
    return client.people


def teacher(person_id: str, line: int, *, class_id: str = "1A", name: str = "Nguyễn Thị Lan") -> ImportedRow:
    role = Assignment("", person_id, Role.HOMEROOM_TEACHER, Scope(SCHOOL, 2025, class_id))
    return ImportedRow(line, Person(person_id, name, f"{person_id}@truong.example"), role)


def test_an_import_shows_changes_nothing_by_halves_and_the_same_again_is_nothing(people: PeopleClient) -> None:
    rows = [teacher("im-1", 2), teacher("im-2", 3, class_id="1B")]
    dry = people.bring(rows, dry_run=True)
    assert (dry.applied, dry.read, dry.created) == (False, 2, 2)
    with pytest.raises(PersonNotFound):
        people.get("im-1")
    bad = people.bring([*rows, teacher("im-3", 4, class_id=""), teacher("im 4", 5)])
    assert (bad.applied, bad.refused) == (False, 2)
    assert {row.line: (row.error.reason.value, row.error.metadata["field"]) for row in bad.rows if row.error} == {
        4: ("INVALID_ARGUMENT", "assignment.class_id"),
        5: ("INVALID_ARGUMENT", "person.person_id"),
    }
    done = people.bring(rows)
    assert (done.applied, done.created, [row.effect for row in done.rows]) == (True, 2, [RowEffect.CREATE] * 2)
    again = people.bring(rows, end_missing=True)
    assert (again.applied, again.rows) == (True, ())
    moved = people.bring([teacher("im-1", 2, name="Trần Thị Lan")], end_missing=True)
    assert (moved.updated, moved.ended) == (1, 1)
    assert moved.rows[0].changes == ("display_name: Nguyễn Thị Lan → Trần Thị Lan",)
    [ended] = people.get("im-2").assignments
    assert ended.valid.end is not None


def test_people_roles_and_delegations_are_kept_listed_and_ended(people: PeopleClient) -> None:
    made = people.add(Person("op-1", "Lê Văn Tám"))
    assert people.add(Person("op-1", "Lê Văn Tám")) == made
    with pytest.raises(IdTaken):
        people.add(Person("op-1", "Another"))
    with pytest.raises(ChangedMeanwhile):
        people.change(Person("op-1", "Another", etag="7"))
    people.add(Person("op-2", "Phạm Thị Hoa"))
    role = Assignment("", "op-1", Role.SUBJECT_TEACHER, Scope("s-op", 2025, "6A", "TOAN"), Window(NOW - YEAR, NOW + YEAR))
    given = people.assign(role, request_id="r1")
    assert people.assign(role, request_id="r1") == given
    lent = Delegation("", "op-1", "op-2", Role.SUBJECT_TEACHER, "s-op", valid=Window(NOW, NOW + YEAR), reason="Nghỉ thai sản, QĐ 12")
    delegation = people.delegate(lent)
    assert [info.person.id for info in people.list("s-op")] == ["op-1"]
    assert list(people.assignments("s-op", role=Role.SUBJECT_TEACHER, valid_at=NOW)) == [given]
    assert list(people.delegations(person_id="op-2", valid_at=NOW)) == [delegation]
    file = people.get("op-1")
    assert (file.assignments, file.delegations) == ((given,), (delegation,))
    assert people.end_delegation(delegation.id, NOW + timedelta(hours=1)).valid.end == NOW + timedelta(hours=1)
    assert people.end_assignment(given.id).valid.end is not None
    with pytest.raises(InvalidArgument):
        people.delegate(Delegation("", "op-1", "op-2", Role.CLERK, "s-op", valid=Window(NOW, NOW + YEAR)))


def test_a_code_is_told_once_and_the_list_says_who_has_not_used_theirs(people: PeopleClient, desk: Office) -> None:
    people.add(Person("code-1", "A"))
    first, second = people.code("code-1"), people.code("code-1")
    assert first.code != second.code
    assert [info.person.id for info in people.list(factors_state=FactorsState.CODE_ISSUED)] == ["code-1"]
    with pytest.raises(PersonNotFound):
        people.code("nobody")
    everything = desk.world.folder.rglob("*")
    spelled = [code.code.reveal() for code in (first, second)]
    texts = [file.read_bytes() for file in everything if file.is_file()]
    assert not any(code.encode() in text for text in texts for code in (*spelled, *(each.replace("-", "") for each in spelled)))


def test_only_an_operator_looks_after_people(desk: Office) -> None:
    with connected(desk, "school") as school:
        for attempt in (
            lambda: school.people.get("lan"),
            lambda: list(school.people.list()),
            lambda: school.people.bring([teacher("x", 2)]),
            lambda: school.people.code("lan"),
        ):
            with pytest.raises(RoleRefused):
                attempt()
