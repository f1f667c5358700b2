"""The page for people in a real browser, beside school software that asks over gRPC: one daemon, one browser.

SIGNER_PICTURES=FOLDER keeps the pictures of every page, as a phone and as a desktop shows it.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b32decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from signer.access import totp
from signer.model import Role
from signer.people.person import Assignment, Scope
from signer.v1 import (
    admin_approvals_pb2,
    admin_people_pb2,
    approval_pb2,
    authorization_pb2,
    common_pb2,
    signature_pb2,
)
from tests.support.browser import DESKTOP, PHONE, Browser, browser
from tests.support.bureau import spec
from tests.support.calls import fresh_id, our_errors, plan, sign_batch
from tests.support.daemon import SCHOOL, World
from tests.support.holders import PIN, SAD, SEED, App, Holder, Holders, holders, target
from tests.support.pdfs import report_card
from tests.support.ports import free_port
from tests.support.worlds import copy_of

TEACHER, NEW_PIN = "gvcn-lan", "836251 lan"
STATE = authorization_pb2.AuthorizationState
PUPILS = ("Nguyễn Văn An", "Trần Thị Bình", "Phạm Gia <Hân>")


@dataclass(slots=True)
class Town:
    """All there is: the daemon's office, the browser, and where pictures go."""

    desk: Holders
    page: Browser
    documents: dict[str, bytes]
    pictures: Path

    def look(self, name: str) -> None:
        """Takes pictures as a phone and as a desktop shows the page; nothing may stick out, and the browser may complain of nothing."""
        for kind, size in (("desktop", DESKTOP), ("phone", PHONE)):
            self.page.show(*size)
            assert self.page.overflow_px() == 0, f"{name} is wider than a {kind}"
            (self.pictures / f"{name}-{kind}.png").write_bytes(self.page.picture())
        assert not self.page.complaints()

    def ask(self, person_id: str, credential_id: str, class_name: str = "12A1") -> authorization_pb2.Authorization:
        """As school software does, for all documents."""
        entries = [hashlib.sha256(content).digest() for content in self.documents.values()]
        shown = authorization_pb2.Presentation(
            class_name=class_name,
            school_name="THPT Lê Văn Tám",
            summary=f"Ký học bạ lớp {class_name}, năm học 2025-2026",
            items=[
                authorization_pb2.PresentedItem(document_id=name, entry=entry, text=pupil)
                for name, entry, pupil in zip(self.documents, entries, PUPILS, strict=True)
            ],
        )
        wanted = target(Holder(person_id, credential_id), entries, plan(credential_id, field_name="GVCN"), presentation=shown)
        request = authorization_pb2.RequestAuthorizationRequest(request_id=fresh_id(), target=wanted, person_id=person_id)
        with our_errors():
            answer = self.desk.service.RequestAuthorization(request, timeout=60)
        asked: authorization_pb2.Authorization = answer.authorization
        assert answer.approval_uri == f"{self.page.origin}/review?id={asked.authorization_id}"
        return asked

    def outcome(self, asked: authorization_pb2.Authorization) -> authorization_pb2.GetAuthorizationResponse:
        request = authorization_pb2.GetAuthorizationRequest(school_id=SCHOOL, authorization_id=asked.authorization_id)
        with our_errors():
            found: authorization_pb2.GetAuthorizationResponse = self.desk.service.GetAuthorization(request, timeout=60)
            return found


@pytest.fixture(scope="module")
def town(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("page")
    world, port = copy_of(pristine_world, folder / "it"), free_port()
    origin = f"https://localhost:{port}"
    pages = {
        "listen": f"127.0.0.1:{port}",
        "origin": origin,
        "tls_certificate": "pki/server.crt",
        "tls_private_key": "pki/server.key",
    }
    officer = Assignment("as-1", "person-0", Role.DEPARTMENT_OFFICER, Scope(""))
    pictures = Path(os.environ.get("SIGNER_PICTURES") or folder / "pictures")
    pictures.mkdir(exist_ok=True)
    documents = {f"{number}.pdf": report_card(number, pages=1) for number in range(len(PUPILS))}
    with holders(world, 1, [officer], pages=pages, log={"level": "debug"}) as desk:
        _hire(desk)
        with browser(origin, world.pki / "server.crt", folder / "profile") as page:
            yield Town(desk, page, documents, pictures)


def _hire(desk: Holders) -> None:
    """A homeroom teacher with a key, and no factors yet."""
    with our_errors():
        person = admin_people_pb2.Person(person_id=TEACHER, display_name="Nguyễn Thị Lan")
        desk.office.admin.CreatePerson(admin_people_pb2.CreatePersonRequest(person=person), timeout=60)
    desk.office.enrol(spec("key-of-lan", person_id=TEACHER, activation=SAD, key_kind=common_pb2.KEY_KIND_EC_P256))


def test_a_teacher_comes_with_a_code_and_leaves_with_a_signed_class(town: Town) -> None:
    app = _first_visit(town)
    _add_passkey(town, app)
    sad, other = _allow_one_of_two(town)
    _sign_the_class(town, sad)
    _reject(town, other)
    _out_and_in_by_passkey(town)


def _first_visit(town: Town) -> App:
    page = town.page
    with our_errors():
        request = admin_people_pb2.CreateEnrolmentCodeRequest(person_id=TEACHER)
        code = town.desk.office.admin.CreateEnrolmentCode(request, timeout=60)
    assert code.page_uri == f"{page.origin}/first"
    page.open("/first")
    town.look("first-code")
    page.type(person_id=TEACHER, code="0000-0000-0000-0000")
    page.press("button.main")
    assert "không đúng" in page.text
    page.type(person_id=TEACHER, code=code.code.lower())
    page.press("button.main")
    page.type(new_pin="123456", new_pin_again="123456")
    page.press("button.main")
    assert "dễ đoán" in page.text
    page.type(new_pin=NEW_PIN, new_pin_again=NEW_PIN)
    town.look("first-pin")
    page.press("button.main")
    seed = page.find(".seed code").text.replace(" ", "")
    app = App(b32decode(seed + "=" * (-len(seed) % 8)))
    town.look("first-totp")
    page.type(totp="000000")
    page.press("button.main")
    assert page.find("[role=alert]").is_displayed()
    page.type(totp=app.code())
    page.press("button.main")
    assert (page.path, page.find("[role=status]").is_displayed()) == ("/", True)
    assert "Nguyễn Thị Lan" in page.text
    town.look("nothing-waits")
    return app


def _add_passkey(town: Town, app: App) -> None:
    page = town.page
    page.open("/account")
    page.type_in("/account/passkey", label="Điện thoại của Lan", pin=NEW_PIN, totp=app.code())
    page.press('form[action="/account/passkey"] button.main')
    assert "Đã thêm khóa truy cập" in page.text
    assert "Điện thoại của Lan" in page.text
    town.look("account")


def _allow_one_of_two(town: Town) -> tuple[bytes, authorization_pb2.Authorization]:
    """School software asks twice; the teacher sees the whole list of one and allows exactly that."""
    page = town.page
    asked = [town.ask(TEACHER, "key-of-lan", class_name) for class_name in ("12A1", "12A2")]
    page.open("/")
    town.look("waiting")
    page.find("#c2").click()
    page.press("button.main")
    for pupil in PUPILS:
        assert pupil in page.text
    assert "12A2" not in page.text
    town.look("review")
    page.press("button[data-ask]")
    assert "Đã đồng ý" in page.find("[role=status]").text
    granted, waits = (town.outcome(each) for each in asked)
    assert granted.authorization.state == STATE.AUTHORIZATION_STATE_GRANTED
    assert granted.authorization.factors == [authorization_pb2.FACTOR_KIND_WEBAUTHN]
    assert (waits.authorization.state, waits.sad) == (STATE.AUTHORIZATION_STATE_PENDING, b"")
    return granted.sad, asked[1]


def _sign_the_class(town: Town, sad: bytes) -> None:
    """Nothing else goes under the SAD."""
    activation = signature_pb2.Activation(sad=sad)
    how = plan("key-of-lan", field_name="GVCN")
    channel = town.desk.office.channel("school")
    more = town.documents | {"stowaway.pdf": next(iter(town.documents.values())) + b"\n"}
    answers = sign_batch(channel, more, plan=how, activation=activation)
    assert sorted(answers.signed()) == sorted(town.documents), answers.reasons()
    assert [reason for reason in answers.reasons().values() if reason] == ["DOCUMENT_NOT_AUTHORIZED"]


def _reject(town: Town, asked: authorization_pb2.Authorization) -> None:
    page = town.page
    page.open("/")
    page.press("button.main")
    page.press("button.refuse")
    assert town.outcome(asked).authorization.state == STATE.AUTHORIZATION_STATE_REJECTED
    page.open("/signed")
    assert "đã ký 3/3" in page.text
    assert "đã từ chối" in page.text
    town.look("signed")
    page.press('a[href^="/signed/documents"]')
    for document_id in town.documents:
        assert document_id in page.text


def _out_and_in_by_passkey(town: Town) -> None:
    """In English."""
    page = town.page
    page.press(".out button")
    assert page.path == "/sign-in"
    town.look("sign-in")
    page.press('a[lang="en"]')
    page.type(person_id=TEACHER)
    page.press('button[formaction="/sign-in/passkey"]')
    town.look("sign-in-passkey")
    page.press("button[data-ask]")
    assert page.path == "/"
    assert "Nothing is waiting" in page.text
    page.press(".out button")
    page.press('a[lang="vi"]')


def test_an_officer_decides_with_pin_and_one_time_password(town: Town) -> None:
    page, app = town.page, App(SEED)
    asked = [town.ask("person-0", "key-of-person-0", class_name) for class_name in ("12A1", "12A2")]
    place = "/review?" + "&".join(f"id={each.authorization_id}" for each in asked)
    page.open(place)
    page.type(person_id="person-0", pin=PIN, totp=app.code())
    page.press("button.main")
    assert page.path == place
    page.type(pin=PIN, totp=app.code())
    page.press('button[value="grant"]')
    for found in map(town.outcome, asked):
        assert found.authorization.state == STATE.AUTHORIZATION_STATE_GRANTED
        assert sorted(found.authorization.factors) == [authorization_pb2.FACTOR_KIND_PIN, authorization_pb2.FACTOR_KIND_TOTP]
        assert found.sad
    _refuse_an_approval(town, app)
    _try_a_used_code(town, app)


def _try_a_used_code(town: Town, app: App) -> None:
    page, asked = town.page, town.ask("person-0", "key-of-person-0")
    page.open(f"/review?id={asked.authorization_id}")
    page.type(pin=PIN, totp=totp.code_at(SEED, app.step))
    page.press('button[value="grant"]')
    assert "đã dùng rồi" in page.find("[role=alert]").text
    assert town.outcome(asked).authorization.state == STATE.AUTHORIZATION_STATE_PENDING
    page.press(".out button")


def _refuse_an_approval(town: Town, app: App) -> None:
    """Four eyes: a lock date is asked to be moved, and is not."""
    page, service = town.page, town.desk.office.admin
    wanted = approval_pb2.Approval(
        kind=approval_pb2.APPROVAL_KIND_CALENDAR_CHANGE,
        school_id=SCHOOL,
        subject="2025",
        parameters={"lockDate": "2026-07-15"},
        requester_person_id=TEACHER,
        reason="Lớp 12A1 <nộp trễ>",
    )
    with our_errors():
        request = admin_approvals_pb2.CreateApprovalRequest(request_id=fresh_id(), approval=wanted)
        asked = service.CreateApproval(request, timeout=60).approval
    page.open("/")
    page.press('a[href^="/approval"]')
    for words in ("Lớp 12A1 <nộp trễ>", "2026-07-15", "Nguyễn Thị Lan"):
        assert words in page.text
    town.look("approval")
    page.press('button[value="refuse"]')
    page.type(comment="Đã quá hạn nộp", pin=PIN, totp=app.code())
    page.press("button.refuse")
    assert "từ chối" in page.find("[role=status]").text
    with our_errors():
        found = service.GetApproval(admin_approvals_pb2.GetApprovalRequest(approval_id=asked.approval_id), timeout=60).approval
    assert found.state == approval_pb2.APPROVAL_STATE_REJECTED
    assert (found.steps[0].person_id, found.steps[0].comment) == ("person-0", "Đã quá hạn nộp")


def test_no_secret_and_no_name_is_in_the_log(town: Town) -> None:
    log = town.desk.office.running.log.read_text(encoding="utf-8")
    assert "serving" in log
    for word in (NEW_PIN, PIN, "Nguyễn", "Lan", *PUPILS, "__Host-signer", "csrf"):
        assert word not in log
        assert word.encode("unicode_escape").decode() not in log
