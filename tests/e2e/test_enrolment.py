"""From a person to somebody who signs, and to one who signs no more; and that a person's key signs in their roles alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import KeyKind
from signer.client import KeyOutcome, NewKey, PeopleClient, SignerClient, Subject
from signer.errors import InvalidArgument, RecordUnfit, RoleRefused
from signer.model import KeyStorage, Role
from signer.people.client import Window
from signer.people.person import Assignment, Delegation, Person, Scope
from signer.v1 import common_pb2, credential_pb2, plan_pb2
from tests.e2e.test_cli_lists import run
from tests.e2e.test_sign_xml import record
from tests.support.bureau import TOKEN, Office, answer, office, spec
from tests.support.calls import refused, sign_digests, sign_document
from tests.support.daemon import SCHOOL, World
from tests.support.worlds import copy_of

NOW = datetime.now(UTC)
HOMEROOM = common_pb2.ROLE_HOMEROOM_TEACHER


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(copy_of(pristine_world, tmp_path_factory.mktemp("enrolment") / "it")) as made:
        yield made


@pytest.fixture(scope="module")
def client(desk: Office) -> Iterator[SignerClient]:
    pki = desk.world.pki
    address = f"localhost:{desk.running.port}"
    with SignerClient(address, ca=pki / "tls-ca.crt", certificate=pki / "operator.crt", key=pki / "operator.key") as made:
        yield made


def new_key(person_id: str, **changes: Any) -> NewKey:
    fields: dict[str, Any] = {"school_id": SCHOOL, "kind": KeyKind.EC_P256, "storage": KeyStorage.WRAPPED, "person_id": person_id}
    return NewKey(changes.pop("credential_id", person_id), TOKEN, **(fields | changes))


def enrolled(client: SignerClient, *keys: NewKey) -> dict[str, KeyOutcome]:
    return {each.person_id: each.key for each in client.people.enrol(keys)}


def test_people_get_keys_under_their_names_that_wait_for_certificate_and_activation(client: SignerClient, desk: Office) -> None:
    for name in ("e1", "e2", "off"):
        client.people.add(Person(name, f"Nguyễn Thị {name.upper()}"))
    client.people.change(replace(client.people.get("off").info.person, disabled=True))
    made = enrolled(client, new_key("e1"), new_key("nobody"), new_key("off"), new_key("e2", subject=Subject("Tên riêng")))
    reasons = {name: key.error.reason.value for name, key in made.items() if key.error}
    assert reasons == {"nobody": "PERSON_NOT_FOUND", "off": "ROLE_REFUSED"}
    names = {name: x509.load_der_x509_csr(made[name].request).subject.rfc4514_string() for name in ("e1", "e2")}
    assert "CN=Nguyễn Thị E1" in names["e1"]
    assert "CN=Tên riêng" in names["e2"]
    again = enrolled(client, new_key("e1", credential_id="another-id"))["e1"]
    assert (again.replayed, again.credential_id) == (True, "e1"), "nobody has two keys of a kind"
    assert all(outcome.error is None for outcome in client.keys.bring([answer(made[name].request) for name in ("e1", "e2")]))
    credential = desk.credential("e1")
    assert (credential.person_id, credential.activation) == ("e1", credential_pb2.ACTIVATION_MODE_SAD)
    assert credential.state == credential_pb2.CREDENTIAL_STATE_ACTIVE
    assert enrolled(client, new_key("e1"))["e1"].request == b"", "what is certified asks for nothing"
    assert client.people.get("e1").credential_ids == ("e1",)
    with pytest.raises(InvalidArgument):
        enrolled(client, new_key("e1"), new_key("e1", credential_id="twice"))


def test_a_school_is_enrolled_and_a_person_revoked_on_the_command_line(client: SignerClient, desk: Office, tmp_path: Path) -> None:
    for name in ("c1", "c2"):
        client.people.add(Person(name, name.upper()))
        client.people.assign(Assignment("", name, Role.HOMEROOM_TEACHER, Scope("s-cli", 2025, "1A")))

    def people(*arguments: str, code: int = 0) -> Any:
        done = run(desk.world, desk.running, "people", *arguments, "--json", client="operator")
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout)

    order = ("enrol", "--school", "s-cli", "--role", "GVCN", "--token", TOKEN, "--organization", "TRƯỜNG", "--out", str(tmp_path))
    assert {key["credential"] for key in people(*order)["keys"]} == {"c1", "c2"}
    request = x509.load_pem_x509_csr((tmp_path / "c1.csr").read_bytes())
    assert "O=TRƯỜNG" in request.subject.rfc4514_string()
    assert [one.error for one in client.keys.bring([answer(request.public_bytes(Encoding.DER))])] == [None]
    revoked = people("revoke", "c1", "--yes", "--reason", "left")
    assert revoked["credentials"] == [{"credential": "c1", "state": "DESTROYED", "problem": None}]
    assert people("show", "c1")["disabled"]
    assert people("revoke", "c1", "--yes", code=0)["disabled"], "a repeat finishes what was begun"
    again = people("enrol", "c1", "c2", "--school", "s-cli", "--token", TOKEN, "--out", str(tmp_path), code=1)["keys"]
    assert {key["credential"]: (key["problem"] or "").partition(":")[0] for key in again} == {"c1": "ROLE_REFUSED", "c2": ""}


def plan(credential_id: str, **more: Any) -> plan_pb2.SigningPlan:
    wanted = plan_pb2.RecordPlan(role=HOMEROOM, **more)
    return plan_pb2.SigningPlan(
        credential_id=credential_id, profile=common_pb2.PROFILE_MINISTRY_XML, level=common_pb2.LEVEL_B_B, record=wanted
    )


@pytest.fixture(scope="module")
def school(desk: Office) -> grpc.Channel:
    return desk.channel("school")


@pytest.fixture(scope="module")
def teachers(client: SignerClient, desk: Office) -> PeopleClient:
    """Keys that need no activation, so that roles alone decide: of the teacher of 1A, of another teacher, and of nobody known."""
    for name in ("lan", "hoa"):
        client.people.add(Person(name, name.upper()))
    client.people.assign(Assignment("", "lan", Role.HOMEROOM_TEACHER, Scope(SCHOOL, 2025, "1A")))
    client.people.assign(Assignment("", "hoa", Role.HOMEROOM_TEACHER, Scope(SCHOOL, 2025, "1B")))
    desk.enrol(*(spec(f"k-{name}", person_id=name) for name in ("lan", "hoa", "stranger")))
    return client.people


@pytest.mark.usefixtures("teachers")
def test_a_persons_key_signs_in_the_persons_role_and_class_alone(school: grpc.Channel) -> None:
    signed = sign_document(school, record(0), plan=plan("k-lan"))
    assert (signed.info.role, signed.info.acting_for_person_id) == (HOMEROOM, "")
    for wrong in (
        plan("k-stranger"),
        plan("k-lan", class_id="1B"),
        plan("k-lan", school_year=2024),
        plan("k-lan", delegation_id="made-up"),
    ):
        with refused(RoleRefused):
            sign_document(school, record(1), plan=wrong)
    with refused(RecordUnfit) as caught:
        sign_document(school, record(1), plan=plan("k-hoa"))
    assert caught.value.metadata["finding"] == "ROLE_NOT_ASSIGNED", "the record is of class 1A, which the plan did not say"


def test_who_acts_for_another_says_so_and_the_result_and_the_journal_name_whom(
    teachers: PeopleClient, school: grpc.Channel, desk: Office, tmp_path: Path
) -> None:
    lent = Delegation("", "lan", "hoa", Role.HOMEROOM_TEACHER, SCHOOL, valid=Window(NOW - timedelta(days=1), NOW + timedelta(days=1)))
    delegation = teachers.delegate(lent)
    signed = sign_document(school, record(2), plan=plan("k-hoa", delegation_id=delegation.id))
    assert signed.info.acting_for_person_id == "lan"
    with sqlite3.connect(f"file:{desk.world.folder}/journal.db?mode=ro", uri=True) as connection:
        bodies = [row[0].decode() for row in connection.execute("SELECT body FROM journal_entry WHERE kind='intent'")]
    [intent] = [json.loads(body) for body in bodies if f'"delegation":"{delegation.id}"' in body]
    assert (intent["actingFor"], intent["delegation"], intent["credential"]) == ("lan", delegation.id, "k-hoa")
    (tmp_path / "record.xml").write_bytes(record(4))
    order = (
        "sign",
        str(tmp_path / "record.xml"),
        "--school",
        SCHOOL,
        "--credential",
        "k-hoa",
        "--level",
        "b-b",
        "--role",
        "homeroom-teacher",
    )
    assert run(desk.world, desk.running, *order, "--delegation", delegation.id).returncode == 0
    teachers.end_delegation(delegation.id)
    with refused(RoleRefused):
        sign_document(school, record(3), plan=plan("k-hoa", delegation_id=delegation.id))


def test_a_disabled_person_signs_nothing_whatever_it_is(teachers: PeopleClient, school: grpc.Channel) -> None:
    there = teachers.get("hoa").info.person
    disabled = teachers.change(replace(there, disabled=True)).person
    with refused(RoleRefused):
        sign_digests(school, {"d": bytes(32)}, credential_id="k-hoa")
    teachers.change(replace(disabled, disabled=False))
    assert sign_digests(school, {"d": bytes(32)}, credential_id="k-hoa").results[0].status.code == 0
