"""`signer keys` against the real daemon: what a Department's operator types, from a spreadsheet of teachers to a key that is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.e2e.test_cli_lists import run
from tests.support.bureau import TOKEN, Office, answer, office
from tests.support.daemon import SCHOOL, World
from tests.support.worlds import copy_of

TEACHERS = """\
credential,person,common_name,organization,units,user_id
ngan,p1,Nguyễn Thị Ngân,UBND tỉnh Thử Nghiệm,SỞ GDĐT;TRƯỜNG TH LÊ VĂN TÁM,CCCD:000000000001
hoa,p2,Trần Văn Hòa,UBND tỉnh Thử Nghiệm,SỞ GDĐT; TRƯỜNG TH LÊ VĂN TÁM ,CCCD:000000000002
"""


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(copy_of(pristine_world, tmp_path_factory.mktemp("cli-keys") / "it")) as made:
        yield made


def keys(desk: Office, *arguments: str, code: int = 0) -> Any:
    """What a verb prints as JSON."""
    done = run(desk.world, desk.running, "keys", *arguments, "--json", client="operator")
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


def listed(desk: Office) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in keys(desk, "list", "--school", SCHOOL)["credentials"]}


def test_a_spreadsheet_of_teachers_becomes_keys_that_sign(desk: Office, tmp_path: Path) -> None:
    people, requests, issued = tmp_path / "teachers.csv", tmp_path / "requests", tmp_path / "issued"
    people.write_text(TEACHERS, encoding="utf-8-sig")
    order = ("generate", "--from", str(people), "--token", TOKEN, "--school", SCHOOL, "--kind", "ec-p256", "--storage", "wrapped")
    assert [made["credential"] for made in keys(desk, *order, "--out", str(requests))["keys"]] == ["ngan", "hoa"]
    assert [made["replayed"] for made in keys(desk, *order, "--out", str(requests))["keys"]] == [True, True]
    asked = x509.load_pem_x509_csr((requests / "hoa.csr").read_bytes())
    units = asked.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert [unit.value for unit in units] == ["SỞ GDĐT", "TRƯỜNG TH LÊ VĂN TÁM"]
    issued.mkdir()
    for request in requests.iterdir():
        csr = x509.load_pem_x509_csr(request.read_bytes())
        (issued / f"{request.stem}.crt").write_bytes(answer(csr.public_bytes(Encoding.DER)))
    assert {row["credential"] for row in keys(desk, "import", str(issued), "--dry-run")["certificates"]} == {"ngan", "hoa"}
    assert listed(desk)["ngan"]["state"] == "AWAITING_CERTIFICATE"
    keys(desk, "import", str(issued))
    found = listed(desk)["ngan"]
    assert (found["state"], found["usable"], found["key_storage"], found["person"]) == ("ACTIVE", True, "WRAPPED", "p1")
    assert found["days_left"] in {1824, 1825}
    assert found["key_usage"] == "digitalSignature, nonRepudiation"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("credential,name\na,b\n", "unknown column 'name'"),
        ("credential\na\n", "column 'common_name' is missing"),
        ("credential,common_name\na,\n", "line 2"),
        ("credential,common_name\na,b,c\n", "line 2"),
    ],
)
def test_a_spreadsheet_that_does_not_fit_is_refused_before_anything_is_sent(
    text: str, complaint: str, desk: Office, tmp_path: Path
) -> None:
    people = tmp_path / "teachers.csv"
    people.write_text(text, encoding="utf-8")
    done = run(desk.world, desk.running, "keys", "generate", "--from", str(people), "--token", TOKEN, client="operator")
    assert done.returncode == 2
    assert complaint in done.stderr


def test_a_key_is_renewed_paused_and_destroyed(desk: Office, tmp_path: Path) -> None:
    subject = ("--common-name", "TRƯỜNG TIỂU HỌC LÊ VĂN TÁM", "--unit", "SỞ GDĐT", "--kind", "ec-p256")
    keys(desk, "generate", "stamp", "--token", TOKEN, "--school", SCHOOL, *subject, "--out", str(tmp_path))
    certificate = tmp_path / "stamp.crt"
    request = x509.load_pem_x509_csr((tmp_path / "stamp.csr").read_bytes()).public_bytes(Encoding.DER)
    certificate.write_bytes(answer(request))
    assert keys(desk, "import", str(certificate))["certificates"][0]["credential"] == "stamp"
    again = keys(desk, "csr", "stamp", "--out", str(tmp_path / "again"))["keys"][0]
    assert x509.load_pem_x509_csr(Path(again["request"]).read_bytes()).public_key() == x509.load_der_x509_csr(request).public_key()
    assert keys(desk, "renew", "stamp", "--overlap", "30", "--out", str(tmp_path))["keys"][0]["credential"] == "stamp.r2"
    assert keys(desk, "disable", "stamp", "--reason", "lost")["state"] == "SUSPENDED"
    assert keys(desk, "enable", "stamp")["state"] == "ACTIVE"
    asked = run(desk.world, desk.running, "keys", "destroy", "stamp", client="operator")
    assert asked.returncode == 1, "without an answer nothing is destroyed"
    assert listed(desk)["stamp"]["state"] == "ACTIVE"
    assert keys(desk, "destroy", "stamp", "--yes")["state"] == "DESTROYED"
    assert keys(desk, "enable", "stamp", code=4)["error"]["reason"] == "STATE_REFUSED"


def test_what_failed_is_told_and_shown_by_the_exit_code(desk: Office, tmp_path: Path) -> None:
    result = keys(desk, "generate", "gvcn", "--token", TOKEN, "--school", SCHOOL, "--out", str(tmp_path), code=1)["keys"][0]
    assert result["problem"].startswith("ID_TAKEN")
    assert not list(tmp_path.iterdir())
    denied = run(desk.world, desk.running, "keys", "generate", "mine", "--token", TOKEN, client="school")
    assert denied.returncode == 4


def test_the_list_reads_well_in_vietnamese(desk: Office) -> None:
    done = run(desk.world, desk.running, "keys", "list", "--lang", "vi", client="operator")
    assert done.returncode == 0
    assert "Còn (ngày)" in done.stdout
    assert "Nguyễn Thị gvcn (DEMO)" in done.stdout
