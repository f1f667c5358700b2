"""Four eyes and the register of records: from the first slot that is signed to a locked record's replacement, by people with factors."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import pty
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from signer.client import SignerClient
from signer.demo.pupils import DEMO_SCHOOL
from signer.demo.records import class_records, uuid_of, with_uuid
from signer.errors import (
    ApprovalEnded,
    ApprovalNotFound,
    ApprovalRequired,
    CalendarNotFound,
    FactorsRefused,
    InvalidArgument,
    RecordNotFound,
    RecordNotLocked,
    RecordReplaced,
    RequestIdReused,
    RoleRefused,
    SignerError,
    SubjectNotFound,
)
from signer.journal import NoteKind
from signer.model import RecordPlan, Role
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState, Decision
from signer.people.factor import Factor, FactorsState, PinFactor, TotpFactor
from signer.people.person import Assignment, Scope
from signer.records.calendar import regular_calendar
from signer.records.history import HistoryKind
from signer.records.states import RecordState
from signer.secrets import Secret
from signer.v1 import admin_keys_pb2, admin_pb2_grpc, common_pb2, plan_pb2, signature_pb2
from tests.e2e import test_cli_lists as lists
from tests.support.bureau import Office, office, spec
from tests.support.calls import TIMEOUT_S, fresh_id, our_errors, reason_of, sign_batch
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, World
from tests.support.holders import PIN, Holder, Holders, enrol, notes, target
from tests.support.rig import wait_until
from tests.support.worlds import copy_of

CLASS, YEAR, LATER_YEAR = "1A", 2025, 2040
ROLES = {
    "lan": (Role.HOMEROOM_TEACHER, Scope(SCHOOL, YEAR, CLASS)),
    "hoa": (Role.HOMEROOM_TEACHER, Scope(SCHOOL, YEAR, "1B")),
    "hanh": (Role.PRINCIPAL, Scope(SCHOOL)),
    "binh": (Role.VICE_PRINCIPAL, Scope(SCHOOL)),
    "thu": (Role.CLERK, Scope(SCHOOL)),
    "so": (Role.DEPARTMENT_OFFICER, Scope("")),
    "so2": (Role.DEPARTMENT_OFFICER, Scope("")),
    "op1": (Role.OPERATOR, Scope("")),
    "op2": (Role.OPERATOR, Scope("")),
    "op3": (Role.OPERATOR, Scope("")),
    "op4": (Role.OPERATOR, Scope("")),
    "khach": (Role.PRINCIPAL, Scope(OTHER_SCHOOL)),
}
TWO_OPERATORS = (frozenset({Role.OPERATOR}),) * 2


@dataclass(slots=True)
class Desk:
    """A daemon whose people have factors, and the clients who bring their words."""

    office: Office
    database: Path
    people: Mapping[str, Holder]
    _clients: dict[str, SignerClient] = field(default_factory=dict)

    def client(self, name: str = "school") -> SignerClient:
        if name not in self._clients:
            pki, port = self.office.world.pki, self.office.running.port
            self._clients[name] = SignerClient(
                f"localhost:{port}", ca=pki / "tls-ca.crt", certificate=pki / f"{name}.crt", key=pki / f"{name}.key"
            )
        return self._clients[name]

    @property
    def operator(self) -> SignerClient:
        return self.client("operator")

    def factors(self, person: str) -> list[Factor]:
        pin, code = self.people[person].factors()
        return [PinFactor(Secret(pin.pin)), TotpFactor(Secret(code.totp))]

    def say(self, approval: Approval, person: str, decision: Decision = Decision.AGREE, comment: str = "") -> Approval:
        client = self.client() if approval.school_id == SCHOOL else self.operator
        return client.approvals.decide(approval.id, person, decision, self.factors(person), comment)

    def sign(self, documents: Mapping[str, bytes], credential: str, role: Role, sad: bytes = b"") -> dict[str, bytes | str]:
        """What became of each: the signed record, or why not."""
        answered = sign_batch(
            self.office.channel("school"), documents, plan=record_plan(credential, role), activation=signature_pb2.Activation(sad=sad)
        )
        reasons = {result.document_id: reason_of(result.status) for result in answered.results if result.status.code}
        return {**answered.signed(), **reasons}

    def seal(self, documents: Mapping[str, bytes], **changes: Any) -> dict[str, bytes | str]:
        clerk = replace(self.people["thu"], credential_id="seal")
        wanted = target(clerk, [hashlib.sha256(each).digest() for each in documents.values()], record_plan("seal", Role.CLERK), **changes)
        given = Holders(self.office).authorize(self.people["thu"], wanted)
        return self.sign(documents, "seal", Role.CLERK, given.sad)

    def release(self, record: bytes) -> bytes:
        """A record with all its signatures."""
        for credential, role in (("gvcn", Role.HOMEROOM_TEACHER), ("cbql", Role.PRINCIPAL)):
            record = signed(self.sign({"r": record}, credential, role)["r"])
        return signed(self.seal({"r": record})["r"])

    def state(self, record_uuid: str) -> RecordState | None:
        return self.client().register.get(SCHOOL, record_uuid).record.state

    def lock(self) -> None:
        """The regulations' dates, which have passed; until then nothing locks."""
        self.operator.register.set_calendar(regular_calendar(YEAR))


def record_plan(credential: str, role: Role) -> plan_pb2.SigningPlan:
    return plan_pb2.SigningPlan(
        credential_id=credential,
        profile=common_pb2.PROFILE_MINISTRY_XML,
        level=common_pb2.LEVEL_B_B,
        record=plan_pb2.RecordPlan(role=common_pb2.Role.Value(f"ROLE_{role.name}")),
    )


def signed(outcome: bytes | str) -> bytes:
    assert isinstance(outcome, bytes), outcome
    return outcome


@contextlib.contextmanager
def raises(kind: type[SignerError]) -> Iterator[None]:
    with pytest.raises(kind):
        yield


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    world = copy_of(pristine_world, tmp_path_factory.mktemp("approvals") / "it")
    database = world.folder / "office.db"
    assignments = [Assignment(f"{person}-1", person, role, scope) for person, (role, scope) in ROLES.items()]
    asyncio.run(enrol(database, list(ROLES), assignments))
    schools = [{"id": SCHOOL, "code": DEMO_SCHOOL.code}]
    with office(
        world,
        journal={"url": f"sqlite:///{database}"},
        records={"schools": schools, "seal_in_person": True},
        activation={"refusal_s": 0.1, "tries_max": 3, "delay_s_max": 1},
    ) as made:
        yield Desk(made, database, {person: Holder(person, "") for person in ROLES})


@pytest.fixture(scope="module")
def released(desk: Desk) -> list[bytes]:
    """Records of one class, each signed by teacher, principal and clerk while nothing is locked."""
    records = {str(number): record.content for number, record in enumerate(class_records(seed=2031, size=4))}
    for credential, role in (("gvcn", Role.HOMEROOM_TEACHER), ("cbql", Role.PRINCIPAL)):
        records = {name: signed(each) for name, each in desk.sign(records, credential, role).items()}
    alone = desk.sign(records, "seal", Role.CLERK)
    assert set(alone.values()) == {"AUTHORIZATION_REQUIRED"}, "school software sealed by itself"
    sealed = desk.seal(records)
    found = [signed(sealed[name]) for name in records]
    assert {desk.state(uuid_of(each)) for each in found} == {RecordState.RELEASED}
    desk.lock()
    return found


def test_a_record_tells_who_signed_it_and_locks_with_its_year(desk: Desk, released: list[bytes]) -> None:
    found = desk.client().register.get(SCHOOL, uuid_of(released[0]))
    assert found.record.state is RecordState.LOCKED
    assert [slot.value for slot, _subject in found.record.slots if slot] == ["GVCN", "CBQL", "KY_PHAT_HANH"]
    assert [event.kind for event in found.events] == [HistoryKind.LOCKED, *[HistoryKind.SIGNED] * 3]
    seal = found.events[-1]
    assert (seal.credential_id, seal.person_id, seal.role) == ("seal", "thu", Role.CLERK)
    listed = list(desk.client().register.list(SCHOOL, YEAR, class_id=CLASS, states=[RecordState.LOCKED]))
    assert {each.record_uuid for each in listed} >= {uuid_of(each) for each in released}


@pytest.mark.usefixtures("released")
def test_a_locked_year_takes_no_new_record(desk: Desk) -> None:
    [late] = class_records(seed=2032, size=1)
    assert desk.sign({"late": late.content}, "gvcn", Role.HOMEROOM_TEACHER) == {"late": "RECORD_UNFIT"}
    [report] = desk.client().records.check([document("late", late.content)], RecordPlan(Role.HOMEROOM_TEACHER), school_id=SCHOOL).reports
    assert [finding.problem.name for finding in report.findings if finding.problem] == ["LOCKED"]


def test_a_correction_goes_from_teacher_to_principal_to_school_to_department(desk: Desk, released: list[bytes]) -> None:
    old, register = uuid_of(released[0]), desk.client().register
    replacement = with_uuid(class_records(seed=2031, size=1)[0].content, "5e7a8b8e-0f5c-4d0a-9a44-31a6a1a0c001")
    new, request_id, changes = uuid_of(replacement), fresh_id(), "Toán: 8 → 9 (canary-changes)"
    with raises(RoleRefused):
        register.correct(SCHOOL, old, new, "hoa", "another class's teacher", fresh_id())
    asked = register.correct(SCHOOL, old, new, "lan", "nhập nhầm điểm", request_id, changes=changes)
    assert register.correct(SCHOOL, old, new, "lan", "nhập nhầm điểm", request_id, changes=changes) == asked
    with raises(RequestIdReused):
        register.correct(SCHOOL, old, new, "lan", "another reason", request_id, changes=changes)
    with raises(RecordNotLocked):
        register.correct(SCHOOL, old, new, "lan", "once more", fresh_id())
    assert (desk.state(old), asked.shown) == (RecordState.CORRECTION_PENDING, changes)
    assert [step.title for step in asked.steps] == [
        "Hiệu trưởng duyệt đính chính",
        "Nhà trường xác nhận đính chính",
        "Sở GDĐT tiếp nhận báo cáo đính chính",
    ]
    with raises(RoleRefused):
        desk.say(asked, "binh")  # the principal's turn
    with raises(RoleRefused):
        desk.say(asked, "khach")  # another school's principal
    assert [each.id for each in desk.client().approvals.list(awaiting_person_id="hanh")] == [asked.id]
    desk.say(asked, "hanh")
    assert desk.sign({"r": replacement}, "gvcn", Role.HOMEROOM_TEACHER) == {"r": "RECORD_UNFIT"}
    desk.say(asked, "binh")
    granted = desk.say(asked, "so")
    assert (granted.state, granted.shown, desk.state(old)) == (ApprovalState.GRANTED, "", RecordState.CORRECTION_ALLOWED)
    desk.release(replacement)
    history = register.get(SCHOOL, new)
    assert [event.kind for event in history.events if event.kind is not HistoryKind.SIGNED] == [
        HistoryKind.LOCKED,
        HistoryKind.CORRECTION_REQUESTED,
        HistoryKind.APPROVAL_DECIDED,
        HistoryKind.APPROVAL_DECIDED,
        HistoryKind.APPROVAL_DECIDED,
        HistoryKind.REPORTED,
        HistoryKind.REPLACED,
    ]
    assert (history.record.replaces, desk.state(old), desk.state(new)) == (old, RecordState.REPLACED, RecordState.LOCKED)
    assert [each.state for each in history.approvals] == [ApprovalState.USED]
    with raises(RecordReplaced):
        register.correct(SCHOOL, old, "5e7a8b8e-0f5c-4d0a-9a44-31a6a1a0c002", "lan", "the replaced one", fresh_id())
    statements = [each for each in notes(desk.database, NoteKind.APPROVAL_DECIDED) if each["subject"] == asked.id]
    assert [(each["person"], each["role"], each["factors"]) for each in statements] == [
        ("hanh", "principal", "pin,totp"),
        ("binh", "vice-principal", "pin,totp"),
        ("so", "department-officer", "pin,totp"),
    ]
    assert [step.journal_entry for step in granted.steps] == sorted(step.journal_entry or 0 for step in granted.steps)


def test_what_is_refused_or_withdrawn_leaves_the_record_locked(desk: Desk, released: list[bytes]) -> None:
    old, register = uuid_of(released[1]), desk.client().register
    first = register.correct(SCHOOL, old, "5e7a8b8e-0f5c-4d0a-9a44-31a6a1a0c003", "lan", "lý do", fresh_id())
    with raises(InvalidArgument):
        desk.say(first, "hanh", Decision.REFUSE)
    refused = desk.say(first, "hanh", Decision.REFUSE, "không đủ căn cứ")
    assert (refused.state, desk.state(old)) == (ApprovalState.REJECTED, RecordState.LOCKED)
    with raises(ApprovalEnded):
        desk.say(first, "binh")
    second = register.correct(SCHOOL, old, "5e7a8b8e-0f5c-4d0a-9a44-31a6a1a0c003", "lan", "lý do khác", fresh_id())
    with raises(RoleRefused):
        desk.client().approvals.withdraw(second.id, "hanh")
    withdrawn = desk.client().approvals.withdraw(second.id, "lan")
    assert (withdrawn.state, desk.state(old)) == (ApprovalState.WITHDRAWN, RecordState.LOCKED)
    assert desk.client().approvals.withdraw(second.id, "lan") == withdrawn


def test_a_recall_is_the_schools_to_ask_and_the_departments_to_decide(desk: Desk, released: list[bytes]) -> None:
    old, register = uuid_of(released[2]), desk.client().register
    with raises(RoleRefused):
        register.recall(SCHOOL, old, "lan", "a teacher", fresh_id())
    asked = register.recall(SCHOOL, old, "hanh", "học sinh chuyển trường", fresh_id())
    with raises(FactorsRefused):
        desk.client().approvals.decide(asked.id, "so2", Decision.AGREE, [PinFactor(Secret(PIN)), TotpFactor(Secret("000000"))])
    done = desk.say(asked, "so")
    assert (done.state, desk.state(old)) == (ApprovalState.USED, RecordState.RECALLED)
    with raises(RecordReplaced):
        register.recall(SCHOOL, old, "hanh", "again", fresh_id())


def test_another_schools_things_are_not_there(desk: Desk, released: list[bytes]) -> None:
    other, old = desk.client("other-school"), uuid_of(released[3])
    asked = desk.client().register.recall(SCHOOL, old, "binh", "lý do", fresh_id())
    with raises(ApprovalNotFound):
        other.approvals.get(asked.id)
    with raises(ApprovalNotFound):
        other.approvals.withdraw(asked.id, "binh")
    with raises(ApprovalNotFound):
        other.approvals.decide(asked.id, "khach", Decision.AGREE, [PinFactor(Secret(PIN))])
    for school_id in (SCHOOL, OTHER_SCHOOL):
        with raises(RecordNotFound):
            other.register.get(school_id, old)
    assert not list(other.approvals.list())
    desk.client().approvals.withdraw(asked.id, "binh")


@pytest.mark.usefixtures("released")
def test_a_lock_date_that_has_passed_moves_when_the_department_agrees(desk: Desk) -> None:
    with raises(CalendarNotFound):
        desk.operator.register.calendar(LATER_YEAR)
    with raises(RoleRefused):
        desk.client().register.set_calendar(regular_calendar(LATER_YEAR))
    later = replace(regular_calendar(LATER_YEAR), release_by=datetime(2041, 5, 20, tzinfo=UTC))
    assert desk.operator.register.set_calendar(later) == later
    assert desk.client().register.calendar(LATER_YEAR, SCHOOL) == later
    present = desk.operator.register.calendar(YEAR)
    moved = replace(present, supplementary_lock_time=present.supplementary_lock_time + timedelta(days=7))
    with raises(ApprovalRequired):
        desk.operator.register.set_calendar(moved)
    bounds = {"releaseBy": _utc(moved.release_by), "lockTime": _utc(moved.lock_time)}
    bounds["supplementaryLockTime"] = _utc(moved.supplementary_lock_time)
    asked = desk.operator.approvals.ask(ApprovalKind.CALENDAR_CHANGE, str(YEAR), "op1", "bão lũ", fresh_id(), parameters=bounds)
    desk.say(asked, "so")
    with raises(ApprovalRequired):
        desk.operator.register.set_calendar(
            replace(moved, supplementary_lock_time=moved.supplementary_lock_time + timedelta(days=1)), approval_id=asked.id
        )
    assert desk.operator.register.set_calendar(moved, approval_id=asked.id) == moved


def test_a_policy_once_set_guards_keys_and_itself(desk: Desk) -> None:
    desk.office.enrol(spec("doomed", person_id=""), spec("spared", person_id=""))
    approvals = desk.operator.approvals
    with raises(InvalidArgument):
        approvals.ask(ApprovalKind.KEY_DESTRUCTION, "doomed", "lan", "nobody is asked yet", fresh_id(), school_id=SCHOOL)
    policy = ApprovalPolicy(ApprovalKind.KEY_DESTRUCTION, roles=TWO_OPERATORS, lifetime=timedelta(hours=1))
    assert approvals.set_policy(policy) == policy
    with raises(ApprovalRequired):
        approvals.set_policy(replace(policy, roles=()))
    with raises(ApprovalRequired):
        destroy(desk, "doomed")
    with raises(SubjectNotFound):
        approvals.ask(ApprovalKind.KEY_DESTRUCTION, "no-such-key", "lan", "lý do", fresh_id(), school_id=SCHOOL)
    asked = approvals.ask(ApprovalKind.KEY_DESTRUCTION, "doomed", "lan", "cô Lan nghỉ việc", fresh_id(), school_id=SCHOOL)
    first = approvals.decide(asked.id, "op1", Decision.AGREE, desk.factors("op1"))
    assert approvals.decide(asked.id, "op1", Decision.AGREE, [PinFactor(Secret("lost answer"))]) == first
    with raises(RoleRefused):
        approvals.decide(asked.id, "op1", Decision.REFUSE, desk.factors("op1"), "one person, one step")
    with raises(ApprovalRequired):
        destroy(desk, "doomed", asked.id)
    approvals.decide(asked.id, "op2", Decision.AGREE, desk.factors("op2"))
    with raises(ApprovalRequired):
        destroy(desk, "spared", asked.id)
    destroy(desk, "doomed", asked.id)
    destroy(desk, "doomed", asked.id)  # what is destroyed stays so
    assert approvals.get(asked.id).state is ApprovalState.USED
    with raises(InvalidArgument):
        approvals.set_policy(ApprovalPolicy(ApprovalKind.CORRECTION))
    with raises(ApprovalRequired):
        approvals.set_policy(ApprovalPolicy(ApprovalKind.RECALL, roles=(frozenset({Role.PRINCIPAL}),)))


def test_two_operators_let_a_person_in_again(desk: Desk) -> None:
    approvals, people = desk.operator.approvals, desk.operator.people
    asked = approvals.ask(ApprovalKind.FACTOR_UNLOCK, "hoa", "hoa", "quên mã PIN", fresh_id())
    for _try in range(3):
        wait_until(lambda: people.get("op3").info.factors_state is FactorsState.SET, "the next try counts")
        with raises(FactorsRefused):
            approvals.decide(asked.id, "op3", Decision.AGREE, [PinFactor(Secret("0000-wrong")), TotpFactor(Secret("000000"))])
    assert people.get("op3").info.factors_state is FactorsState.LOCKED
    with raises(ApprovalRequired):
        people.unlock("op3")
    assert people.unlock("hoa", asked.id).factors_state is FactorsState.SET
    assert approvals.get(asked.id).state is ApprovalState.PENDING
    locked = approvals.ask(ApprovalKind.FACTOR_UNLOCK, "op3", "hoa", "nhập sai PIN", fresh_id())
    for operator in ("op2", "op4"):
        approvals.decide(locked.id, operator, Decision.AGREE, desk.factors(operator))
    assert people.unlock("op3", locked.id).factors_state is FactorsState.SET
    assert approvals.get(locked.id).state is ApprovalState.USED


def test_people_and_operators_do_it_on_the_command_line(desk: Desk, released: list[bytes]) -> None:
    def run(*arguments: str, client: str = "school") -> Any:
        done = lists.run(desk.office.world, desk.office.running, *arguments, "--json", client=client)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    policies = {each["kind"]: each for each in run("approvals", "policy", client="operator")["policies"]}
    assert policies["factor-unlock"]["steps"] == [["operator"], ["operator"]]
    assert not policies["trust-change"]["steps"]
    assert run("records", "calendar", str(LATER_YEAR + 1), "--regulations", client="operator")["lock_time"] == "2042-06-30T17:00:00+00:00"
    old = uuid_of(released[3])
    asked = run("records", "recall", old, "--school", SCHOOL, "--as", "hanh", "--reason", "in nhầm mẫu")["approval"]
    assert asked["id"] in [each["id"] for each in run("approvals", "list", "--awaiting", "so")["approvals"]]
    pin, code = desk.factors("so")
    assert isinstance(pin, PinFactor)
    assert isinstance(code, TotpFactor)
    told = typed(desk, ["approvals", "agree", asked["id"], "--as", "so", "--lang", "vi"], [pin.pin.reveal(), code.code.reveal()])
    assert "Sở GDĐT quyết định thu hồi: đồng ý, so" in told
    assert pin.pin.reveal() not in told
    history = run("records", "history", old, "--school", SCHOOL)
    assert [each["kind"] for each in history["events"]][-3:] == ["recall-requested", "approval-decided", "recalled"]
    recalled = run("records", "list", "--school", SCHOOL, "--year", str(YEAR), "--state", "recalled")["records"]
    assert old in [each["record_uuid"] for each in recalled]


def typed(desk: Desk, arguments: list[str], answers: list[str]) -> str:
    """What a program says on a terminal where these are typed at its prompts."""
    world, port = desk.office.world, desk.office.running.port
    connection = {"SIGNER_SERVER": f"localhost:{port}", "SIGNER_CA": f"{world.pki}/tls-ca.crt"}
    connection |= {"SIGNER_CERT": f"{world.pki}/school.crt", "SIGNER_KEY": f"{world.pki}/school.key", "COLUMNS": "200"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "signer", *arguments], {**os.environ, **connection})  # noqa: S606  # no shell
    told, since, waiting = b"", 0, list(answers)
    with contextlib.suppress(OSError):  # the terminal closes with the program
        while piece := os.read(terminal, 4096):
            told += piece
            # a prompt of its own for each answer: what is typed before one is thrown away with the terminal's echo
            if waiting and told[since:].rstrip().endswith(b":"):
                since = len(told)
                os.write(terminal, waiting.pop(0).encode() + b"\n")
    _pid, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, told
    return told.decode()


def destroy(desk: Desk, credential_id: str, approval_id: str = "") -> None:
    request = admin_keys_pb2.DestroyKeyRequest(credential_id=credential_id, approval_id=approval_id)
    with our_errors():
        admin_pb2_grpc.AdminServiceStub(desk.office.channel()).DestroyKey(request, timeout=TIMEOUT_S)


def document(name: str, content: bytes) -> Any:
    from signer.client import Document  # noqa: PLC0415  # one test alone

    return Document(name, content)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
