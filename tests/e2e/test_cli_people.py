"""`signer people` against the real daemon: what a Department's operator types, from a spreadsheet to one who acts for another."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_cli_lists import run
from tests.support.bureau import Office, office
from tests.support.daemon import SCHOOL, World
from tests.support.worlds import copy_of

DEPARTMENT = f"""\
person;name;email;role;school;year;class;subject;until
lan;Nguyễn Thị Lan;lan@truong.example;GVCN;{SCHOOL};2025-2026;1A;;31/05/2099
lan;;;giáo viên bộ môn;{SCHOOL};2025;1A;TOAN;
hoa;Trần Văn Hòa;;Hiệu trưởng;{SCHOOL};;;;

tam;Lê Văn Tám;;;;;;;
"""


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(copy_of(pristine_world, tmp_path_factory.mktemp("cli-people") / "it")) as made:
        yield made


def people(desk: Office, *arguments: str, code: int = 0) -> Any:
    """What a verb prints as JSON."""
    done = run(desk.world, desk.running, "people", *arguments, "--json", client="operator")
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout or "null")


def test_a_spreadsheet_is_tried_applied_and_then_changes_nothing(desk: Office, tmp_path: Path) -> None:
    file = tmp_path / "department.csv"
    file.write_text(DEPARTMENT, encoding="utf-8-sig")
    tried = people(desk, "import", str(file), "--dry-run")
    assert (tried["applied"], tried["read"], tried["created"]) == (False, 4, 4)
    assert people(desk, "import", str(file))["applied"]
    assert people(desk, "import", str(file), "--end-missing")["results"] == []
    shown = people(desk, "show", "lan")
    assert {(role["role"], role["class"], role["subject"], role["year"]) for role in shown["roles"]} == {
        ("homeroom-teacher", "1A", None, 2025),
        ("subject-teacher", "1A", "TOAN", 2025),
    }
    [homeroom] = [role for role in shown["roles"] if role["role"] == "homeroom-teacher"]
    assert homeroom["end"] == "2099-05-31T17:00:00+00:00", "the last day still counts, in Vietnam"
    assert [one["id"] for one in people(desk, "list", "--school", SCHOOL, "--role", "HT")["people"]] == ["hoa"]


def test_bad_rows_are_all_told_at_once_by_line_and_field_and_nothing_is_changed(desk: Office, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    rows = ["new,New,GVCN,,", "a b,B,GVCN,1A,", "c,C,thầy giáo,1A,", "d,D,GVCN,1A,31.02.2026", "e,E,GVCN,1A,,,surplus"]
    file.write_text("person,name,role,class,until,school\n" + "\n".join(f"{row},{SCHOOL}" for row in rows), encoding="utf-8")
    told = people(desk, "import", str(file), code=1)
    assert (told["applied"], told["refused"]) == (False, 5)
    assert {row["line"]: row["field"] for row in told["results"] if row["effect"] == "refused"} == {
        2: "assignment.class_id",
        3: "person.person_id",
        4: "row",
        5: "row",
        6: "row",
    }
    in_words = run(desk.world, desk.running, "people", "import", str(file), "--lang", "vi", client="operator")
    assert "từ chối" in in_words.stdout
    assert "Chưa thay đổi gì" in in_words.stderr
    unknown = tmp_path / "unknown.csv"
    unknown.write_text("person,marks\nx,9\n", encoding="utf-8")
    refused = run(desk.world, desk.running, "people", "import", str(unknown), client="operator")
    assert refused.returncode == 2
    assert "'marks'" in refused.stderr
    utf16 = tmp_path / "utf16.csv"
    utf16.write_bytes(DEPARTMENT.encode("utf-16"))
    assert run(desk.world, desk.running, "people", "import", str(utf16), client="operator").returncode == 2


def test_somebody_acts_for_another_until_it_is_ended(desk: Office) -> None:
    people(desk, "add", "vang", "--name", "Người Vắng")
    people(desk, "add", "thay", "--name", "Người Thay")
    people(desk, "assign", "vang", "--role", "GVCN", "--school", SCHOOL, "--year", "2025", "--class", "2B", "--from", "2025-09-05")
    order = ("delegate", "vang", "thay", "--role", "GVCN", "--school", SCHOOL, "--until", "31/12/2098", "--reason", "QĐ 12")
    [made] = people(desk, *order)["delegations"]
    assert (made["from_person"], made["to_person"], made["reason"]) == ("vang", "thay", "QĐ 12")
    assert [one["id"] for one in people(desk, "delegations", "--person", "thay")["delegations"]] == [made["id"]]
    people(desk, "end-delegation", made["id"])
    assert people(desk, "delegations", "--person", "thay")["delegations"] == []
    [role] = people(desk, "roles", "--person", "vang")["roles"]
    people(desk, "end-role", role["id"])
    assert people(desk, "roles", "--person", "vang")["roles"] == []
    assert len(people(desk, "roles", "--person", "vang", "--all")["roles"]) == 1
    people(desk, "delegate", "thay", "vang", "--role", "HT", "--school", SCHOOL, "--until", "2099-01-01", code=2)


def test_codes_for_all_without_factors_go_into_a_file_of_their_own(desk: Office, tmp_path: Path) -> None:
    for name in ("m1", "m2", "off"):
        people(desk, "add", name, "--name", name.upper())
        people(desk, "assign", name, "--role", "VT", "--school", "s-codes")
    people(desk, "disable", "off")
    assert people(desk, "code", "m1")["code"].count("-") == 3
    file = tmp_path / "codes.csv"
    assert people(desk, "codes", "--school", "s-codes", "--out", str(file))["codes"] == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert {row["person"] for row in rows} == {"m1", "m2"}
    assert len({row["code"] for row in rows}) == 2
    assert {one["factors_state"] for one in people(desk, "list", "--factors", "code-issued", "--school", "s-codes")["people"]} == {
        "code-issued"
    }
    people(desk, "codes", "--school", "s-codes", "--out", str(file), code=2)
    assert not people(desk, "enable", "off")["disabled"]
