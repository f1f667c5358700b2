"""Clients, schools and quotas that operators keep: in force with the next call, on whatever connection it comes, and after a restart."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_pem_x509_certificate
from google.protobuf.timestamp_pb2 import Timestamp

from signer.errors import (
    CallerUnknown,
    ChangedMeanwhile,
    ClientNotFound,
    IdTaken,
    InvalidArgument,
    MethodNotAllowed,
    QuotaExceeded,
    RoleRefused,
    SchoolNotFound,
)
from signer.v1 import admin_clients_pb2 as messages
from signer.v1 import admin_pb2_grpc, credential_pb2, credential_pb2_grpc, signing_pb2_grpc
from tests.support import pdfs
from tests.support.calls import (
    Answers,
    Request,
    fresh_id,
    header,
    intents,
    metric,
    our_errors,
    plan,
    refused,
    sign_batch,
    sign_digests,
    sign_document,
    start,
)
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World, running_daemon
from tests.support.rig import Books

SOFTWARE, OPERATOR, AUDITOR = (messages.CLIENT_KIND_SCHOOL_SOFTWARE, messages.CLIENT_KIND_OPERATOR, messages.CLIENT_KIND_AUDITOR)
DIGESTS = {"d": hashlib.sha256(b"d").digest()}
EC = plan("ec")


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[Running]:
    """A daemon of this file's own: its clients come and go."""
    config = world.config("clients.toml", journal={"url": "sqlite:///clients.db"}, token={"processes": 1}, documents={"processes": 1})
    with running_daemon(config) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def admin(world: World, running: Running) -> Iterator[Callable[..., Any]]:
    """AdminService, asked by the operator: `admin("CreateSchool", school=…)`."""
    with world.channel(running.port, "operator") as channel:
        yield asking(channel)


@pytest.fixture
def newcomer(world: World, running: Running, admin: Callable[..., Any]) -> Iterator[grpc.Channel]:
    """A connection of a certificate that the configuration doesn't know; afterwards nobody knows it."""
    with world.channel(running.port, "unlisted") as channel:
        yield channel
    for client in admin("ListClients").clients:
        if client.etag:
            client.ClearField("certificates")
            admin("UpdateClient", client=client)


def asking(channel: grpc.Channel) -> Callable[..., Any]:
    stub = admin_pb2_grpc.AdminServiceStub(channel)

    def ask(method: str, **fields: Any) -> Any:
        with our_errors():
            return getattr(stub, method)(getattr(messages, f"{method}Request")(**fields), timeout=60)

    return ask


def sha256(world: World, name: str) -> str:
    return load_pem_x509_certificate((world.pki / f"{name}.crt").read_bytes()).fingerprint(hashes.SHA256()).hex()


def certificate(world: World, name: str, **changes: Any) -> messages.ClientCertificate:
    return messages.ClientCertificate(sha256=sha256(world, name), **changes)


def wanted(world: World, client_id: str, **changes: Any) -> messages.Client:
    fields: dict[str, Any] = {"kind": SOFTWARE, "school_ids": [SCHOOL], "certificates": [certificate(world, "unlisted")]} | changes
    return messages.Client(client_id=client_id, **fields)


def credentials_of(channel: grpc.Channel, school_id: str = SCHOOL) -> set[str]:
    request = credential_pb2.ListCredentialsRequest(school_id=school_id)
    with our_errors():
        found = credential_pb2_grpc.CredentialServiceStub(channel).ListCredentials(request, timeout=60).credentials
    return {credential.credential_id for credential in found}


def test_a_client_is_let_in_by_its_certificate_on_the_connection_that_was_refused(
    world: World, admin: Callable[..., Any], newcomer: grpc.Channel
) -> None:
    with refused(CallerUnknown, certificateSha256=sha256(world, "unlisted")):
        credentials_of(newcomer)
    created = admin("CreateClient", client=wanted(world, "let-in", display_name="VnEdu")).client
    assert created.etag
    assert "gvcn" in credentials_of(newcomer)
    assert sign_document(newcomer, pdfs.report_card(1, pages=1), plan=EC).content
    with refused(SchoolNotFound):
        credentials_of(newcomer, OTHER_SCHOOL)
    again = admin("CreateClient", client=wanted(world, "let-in", display_name="VnEdu")).client
    assert again.etag == created.etag, "the same again is what is there"
    with refused(IdTaken):
        admin("CreateClient", client=wanted(world, "let-in", display_name="another"))
    found = {client.client_id: client for client in admin("ListClients").clients}
    assert found["let-in"].last_call_time.seconds > 0
    assert found["school"].etag == "", "one of the configuration"


def test_what_can_not_be_is_refused_and_nothing_changes(world: World, admin: Callable[..., Any], newcomer: grpc.Channel) -> None:
    created = admin("CreateClient", client=wanted(world, "sound")).client
    for kind, client in (
        (IdTaken, wanted(world, "school")),
        (IdTaken, wanted(world, "thief")),
        (SchoolNotFound, wanted(world, "nowhere", school_ids=["no-such"], certificates=[])),
        (InvalidArgument, wanted(world, "kindless", kind=0)),
        (InvalidArgument, wanted(world, "bare", certificates=[messages.ClientCertificate(sha256="00")])),
        (InvalidArgument, wanted(world, "twice", certificates=[certificate(world, "unlisted")] * 2)),
    ):
        with refused(kind):
            admin("CreateClient", client=client)
    with refused(InvalidArgument, field="client.etag"):
        admin("UpdateClient", client=wanted(world, "sound"))
    with refused(ChangedMeanwhile):
        admin("UpdateClient", client=wanted(world, "sound", etag="77"))
    for unknown in ("school", "no-such"):
        with refused(ClientNotFound):
            admin("UpdateClient", client=wanted(world, unknown, etag="1"))
    assert next(client for client in admin("ListClients").clients if client.client_id == "sound").etag == created.etag
    assert "gvcn" in credentials_of(newcomer)


def test_certificates_are_rotated_and_revoked_without_a_restart_and_on_open_connections(
    world: World, running: Running, admin: Callable[..., Any], newcomer: grpc.Channel
) -> None:
    """The new one beside the old one; then the old one is revoked: its open connection is refused, the new one's goes on."""
    client = admin("CreateClient", client=wanted(world, "rotating")).client
    with world.channel(running.port, "other-school") as renewed:
        assert credentials_of(renewed, OTHER_SCHOOL), "still what the configuration says"
        client.certificates.append(certificate(world, "other-school"))
        client = admin("UpdateClient", client=client).client
        assert credentials_of(newcomer) == credentials_of(renewed)
        client.certificates[0].revoked = True
        client = admin("UpdateClient", client=client).client
        with refused(CallerUnknown):
            credentials_of(newcomer)
        assert "gvcn" in credentials_of(renewed)
        client.certificates[1].accepted.end.CopyFrom(Timestamp(seconds=1))
        admin("UpdateClient", client=client)
        with refused(CallerUnknown):
            credentials_of(renewed)


def test_a_stream_whose_caller_is_disabled_begins_no_further_document(
    world: World, admin: Callable[..., Any], newcomer: grpc.Channel
) -> None:
    client = admin("CreateClient", client=wanted(world, "streaming")).client
    disabled, first = threading.Event(), threading.Event()
    request_id = fresh_id()

    def documents() -> Iterator[Request]:
        yield Request(header=header(request_id=request_id, plan=EC))
        yield start("before", pdfs.report_card(1, pages=1))
        assert disabled.wait(30)
        yield start("after", pdfs.report_card(2, pages=1))

    def disable() -> None:
        assert first.wait(30)
        client.disabled = True
        admin("UpdateClient", client=client)
        disabled.set()

    changer = threading.Thread(target=disable)
    changer.start()
    answers = Answers()
    with our_errors():
        for message in signing_pb2_grpc.SigningServiceStub(newcomer).BatchSignDocuments(documents(), timeout=60):
            answers.take(message)
            if answers.results:
                first.set()
    changer.join()
    assert list(answers.signed()) == ["before"]
    assert answers.reasons() == {1: "CANCELLED"}
    assert intents(world.folder / "clients.db", request_id) == ["before"]
    with refused(CallerUnknown):
        credentials_of(newcomer)


def test_digests_are_for_those_that_may_and_auditors_only_read(world: World, admin: Callable[..., Any], newcomer: grpc.Channel) -> None:
    client = admin("CreateClient", client=wanted(world, "digests")).client
    with refused(MethodNotAllowed):
        sign_digests(newcomer, DIGESTS, credential_id="ec")
    client.may_sign_digests = True
    client = admin("UpdateClient", client=client).client
    assert sign_digests(newcomer, DIGESTS, credential_id="ec").results[0].signature
    with refused(RoleRefused):
        asking(newcomer)("ListClients")
    client.kind = AUDITOR
    client.ClearField("school_ids")
    client = admin("UpdateClient", client=client).client
    assert "other" in credentials_of(newcomer, ""), "of every school"
    with refused(MethodNotAllowed):
        sign_document(newcomer, pdfs.report_card(1, pages=1), plan=EC)
    with refused(RoleRefused):
        asking(newcomer)("ListQuotas")
    client.kind = OPERATOR
    client = admin("UpdateClient", client=client).client
    assert asking(newcomer)("ListClients").clients
    with refused(MethodNotAllowed):
        sign_document(newcomer, pdfs.report_card(1, pages=1), plan=EC)


def test_a_school_is_added_and_closed_and_others_are_not_told(
    world: World, running: Running, admin: Callable[..., Any], newcomer: grpc.Channel
) -> None:
    school = admin("CreateSchool", school=messages.School(school_id="79000009", school_code="T9", weight=3)).school
    assert admin("CreateSchool", school=messages.School(school_id="79000009", school_code="T9", weight=3)).school == school
    with refused(IdTaken):
        admin("CreateSchool", school=messages.School(school_id="79000009", school_code="other"))
    admin("CreateClient", client=wanted(world, "of-nine", school_ids=["79000009"]))
    assert credentials_of(newcomer, "79000009") == set()
    school.disabled = True
    closed = admin("UpdateSchool", school=school).school
    with refused(SchoolNotFound) as ours:
        credentials_of(newcomer, "79000009")
    assert "disabled" in ours.value.message
    with world.channel(running.port, "other-school") as foreign, refused(SchoolNotFound) as theirs:
        credentials_of(foreign, "79000009")
    assert "disabled" not in theirs.value.message
    with refused(ChangedMeanwhile):
        admin("UpdateSchool", school=school)
    closed.disabled = False
    admin("UpdateSchool", school=closed)
    assert credentials_of(newcomer, "79000009") == set()
    with refused(SchoolNotFound):
        admin("UpdateSchool", school=messages.School(school_id="no-such", etag="1"))
    named = {each.school_id: each for each in admin("ListSchools").schools}
    assert named["79000009"].weight == 3
    assert named[OTHER_SCHOOL].etag == "", "the configuration merely names it"


def test_lists_come_in_pages(world: World, admin: Callable[..., Any]) -> None:
    for number in range(4):
        admin("CreateClient", client=wanted(world, f"page-{number}", certificates=[]))
        admin("SetQuota", quota=messages.Quota(client_id=f"page-{number}", signatures_per_day_max=number + 1))
    for method, field, key in (("ListClients", "clients", "client_id"), ("ListQuotas", "quotas", "client_id")):
        whole = [getattr(each, key) for each in getattr(admin(method), field)]
        found, token = [], ""
        while True:
            answer = admin(method, page_size=3, page_token=token)
            assert len(getattr(answer, field)) <= 3
            found += [getattr(each, key) for each in getattr(answer, field)]
            token = answer.next_page_token
            if not token:
                break
        assert found == whole


@contextmanager
def quota(admin: Callable[..., Any], **limits: Any) -> Iterator[None]:
    """In force while the block runs."""
    admin("SetQuota", quota=messages.Quota(**limits))
    try:
        yield
    finally:
        subject = {name: limits[name] for name in ("client_id", "school_id") if name in limits}
        admin("SetQuota", quota=messages.Quota(**subject))


def used_today(admin: Callable[..., Any], client_id: str) -> int:
    return next(int(each.signatures_today) for each in admin("ListQuotas").quotas if each.client_id == client_id)


def test_a_class_beyond_the_days_quota_is_signed_as_far_as_it_goes_and_uses_no_key_beyond(
    world: World, running: Running, admin: Callable[..., Any], newcomer: grpc.Channel
) -> None:
    admin("CreateClient", client=wanted(world, "limited", may_sign_digests=True))
    documents = {f"d{number}": pdfs.report_card(number, pages=1) for number in range(5)}
    request_id = fresh_id()
    before = metric(running.metrics_port(), "signer_quota_refusals_total", subject="client", limit="signatures_per_day")
    with quota(admin, client_id="limited", signatures_per_day_max=3):
        answers = sign_batch(newcomer, documents, request_id=request_id, plan=EC)
        assert len(answers.signed()) == 3
        assert list(answers.reasons().values()) == ["QUOTA_EXCEEDED"] * 2
        assert sorted(intents(world.folder / "clients.db", request_id)) == sorted(answers.signed())
        again = sign_batch(newcomer, documents, request_id=request_id, plan=EC)
        assert again.signed() == answers.signed(), "what was signed comes back, whatever the quota"
        assert again.summary is not None
        assert (again.summary.replayed, again.summary.failed) == (3, 2)
        with refused(QuotaExceeded, subject="client", subjectId="limited", quota="signatures_per_day") as caught:
            sign_document(newcomer, documents["d0"], plan=EC)
        assert caught.value.retry_after_s is not None
        assert 0 < caught.value.retry_after_s <= 24 * 3600
        [digest] = sign_digests(newcomer, DIGESTS, credential_id="ec").results
        assert "QUOTA_EXCEEDED" in str(digest.status)
        assert used_today(admin, "limited") == 3, "what was refused or repeated is not counted"
    assert len(sign_batch(newcomer, documents, request_id=request_id, plan=EC).signed()) == 5, "the rest, once there is room"
    after = metric(running.metrics_port(), "signer_quota_refusals_total", subject="client", limit="signatures_per_day")
    assert after > before


def test_a_repeat_of_digests_is_answered_beyond_the_quota(world: World, admin: Callable[..., Any], newcomer: grpc.Channel) -> None:
    admin("CreateClient", client=wanted(world, "repeating", may_sign_digests=True))
    digests = {name: hashlib.sha256(name.encode()).digest() for name in ("a", "b", "c")}
    request_id = fresh_id()
    with quota(admin, client_id="repeating", signatures_per_day_max=2):
        first = sign_digests(newcomer, digests, credential_id="ec", request_id=request_id).results
        second = sign_digests(newcomer, digests, credential_id="ec", request_id=request_id).results
    assert [bool(each.signature) for each in first] == [bool(each.signature) for each in second] == [True, True, False]
    assert [each.signature for each in first] == [each.signature for each in second]


def test_a_rate_is_kept_for_the_whole_school_whoever_asks(world: World, admin: Callable[..., Any], newcomer: grpc.Channel) -> None:
    admin("CreateClient", client=wanted(world, "fast", may_sign_digests=True))
    many = {f"d{number}": hashlib.sha256(b"%d" % number).digest() for number in range(40)}
    with quota(admin, school_id=SCHOOL, signatures_per_second_max=1.5):
        results = sign_digests(newcomer, many, credential_id="ec").results
    assert sum(bool(each.signature) for each in results) == 15


def test_rpcs_at_once_are_limited(world: World, admin: Callable[..., Any], newcomer: grpc.Channel) -> None:
    admin("CreateClient", client=wanted(world, "parallel"))
    opened, done = threading.Event(), threading.Event()

    def documents() -> Iterator[Request]:
        yield Request(header=header(plan=EC))
        assert done.wait(60)

    def hold() -> None:
        with our_errors():
            for message in signing_pb2_grpc.SigningServiceStub(newcomer).BatchSignDocuments(documents(), timeout=60):
                if message.WhichOneof("message") == "accepted":
                    opened.set()

    with quota(admin, client_id="parallel", concurrent_rpcs_max=1):
        held = threading.Thread(target=hold)
        held.start()
        assert opened.wait(60)
        with refused(QuotaExceeded, quota="concurrent_rpcs") as caught:
            credentials_of(newcomer)
        assert caught.value.retry_after_s == 1.0
        done.set()
        held.join()
        assert credentials_of(newcomer)


def test_a_quota_is_somebodys(admin: Callable[..., Any]) -> None:
    for kind, fields in (
        (ClientNotFound, {"client_id": "no-such"}),
        (SchoolNotFound, {"school_id": "no-such"}),
        (InvalidArgument, {}),
        (InvalidArgument, {"school_id": SCHOOL, "signatures_per_second_max": 0.01}),
        (InvalidArgument, {"school_id": SCHOOL, "signatures_per_second_max": float("nan")}),
        (InvalidArgument, {"school_id": SCHOOL, "signatures_per_second_max": float("inf")}),
    ):
        with refused(kind):
            admin("SetQuota", quota=messages.Quota(**fields))


def test_all_of_it_is_there_after_a_restart_and_stands_in_the_journal(new_world: Callable[[], World]) -> None:
    world = new_world()
    config = world.config(token={"processes": 1}, documents={"processes": 1})
    with (
        running_daemon(config) as first,
        world.channel(first.port, "operator") as operator,
        world.channel(first.port, "unlisted") as channel,
    ):
        ask = asking(operator)
        ask("CreateSchool", school=messages.School(school_id="79000009", school_code="T9"))
        revoked = certificate(world, "other-school", revoked=True)
        client = wanted(world, "kept", school_ids=[SCHOOL, "79000009"], certificates=[certificate(world, "unlisted"), revoked])
        before = ask("CreateClient", client=client).client
        ask("SetQuota", quota=messages.Quota(client_id="kept", signatures_per_day_max=3))
        sign_batch(channel, {f"d{number}": pdfs.report_card(number, pages=1) for number in range(2)}, plan=EC)
    with (
        running_daemon(config) as second,
        world.channel(second.port, "operator") as operator,
        world.channel(second.port, "unlisted") as channel,
    ):
        ask = asking(operator)
        [after] = [each for each in ask("ListClients").clients if each.client_id == "kept"]
        assert after.last_call_time.seconds
        after.ClearField("last_call_time")
        assert after == before
        assert used_today(ask, "kept") == 2
        answers = sign_batch(channel, {f"e{number}": pdfs.report_card(number, pages=1) for number in range(2)}, plan=EC)
        assert len(answers.signed()) == 1
        with world.channel(second.port, "other-school") as gone, refused(CallerUnknown):
            credentials_of(gone, OTHER_SCHOOL)
    notes = Books.read(f"sqlite:///{world.folder / 'journal.db'}").notes
    assert (notes["client-set"], notes["school-set"], notes["quota-set"]) == (1, 1, 1)
