"""The life of keys over the contract, with a real token and a CA: what is enrolled signs, and what is taken away signs no more."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from signer.errors import CertificateUnusable, CredentialNotFound, InvalidArgument, RoleRefused, StateRefused, TokenRefused
from signer.v1 import admin_keys_pb2, admin_pb2_grpc, common_pb2, credential_pb2
from tests.support import pki
from tests.support.bureau import EC_P256, IN_TOKEN, RSA_2048, TEACHER, WRAPPED, Office, answer, office, problems, spec, subject
from tests.support.calls import metric, our_errors, reason_of, refused, sign_digests
from tests.support.daemon import OTHER_SCHOOL, World, running_daemon
from tests.support.worlds import copy_of

DIGESTS = {f"d{number}": hashlib.sha256(b"%d" % number).digest() for number in range(3)}


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Shared by the tests that spoil nothing."""
    with office(copy_of(pristine_world, tmp_path_factory.mktemp("office") / "it")) as made:
        yield made


def signs(desk: Office, credential_id: str) -> None:
    """AssertionError unless the school gets signatures that verify with the certificate's key."""
    answered = sign_digests(desk.channel("school"), DIGESTS, credential_id=credential_id)
    key = x509.load_der_x509_certificate(answered.certificate_chain[0]).public_key()
    for result in answered.results:
        assert result.status.code == 0, result
        digest = DIGESTS[result.document_id]
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(result.signature, digest, padding.PKCS1v15(), Prehashed(SHA256()))
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(result.signature, digest, ec.ECDSA(Prehashed(SHA256())))


KINDS = [(kind, WRAPPED) for kind in common_pb2.KeyKind.values()[1:]] + [(RSA_2048, IN_TOKEN), (EC_P256, IN_TOKEN)]


@pytest.mark.parametrize(("kind", "storage"), KINDS)
def test_every_kind_of_key_is_made_certified_and_signs_without_a_restart(kind: int, storage: int, desk: Office, tmp_path: Path) -> None:
    name = f"kind-{kind}-{storage}"
    [made] = desk.generate(spec(name, key_kind=kind, key_storage=storage))
    assert (made.status.code, made.credential.key_kind, made.credential.key_storage) == (0, kind, storage)
    assert problems(made.credential) == ["CERTIFICATE_MISSING"]
    openssl_accepts(made.certificate_request, tmp_path)
    with refused(CertificateUnusable):
        signs(desk, name)
    [imported] = desk.bring(answer(made.certificate_request))
    assert imported.status.code == 0
    assert imported.credential.usable
    signs(desk, name)


def openssl_accepts(request: bytes, folder: Path) -> str:
    """What `openssl req` reads from a request whose signature it verified."""
    file = folder / "request.der"
    file.write_bytes(request)
    command = ["openssl", "req", "-inform", "DER", "-in", str(file), "-noout", "-verify", "-subject", "-nameopt", "utf8,sep_comma_plus"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "verify OK" in done.stdout + done.stderr
    return done.stdout


def test_a_request_carries_the_whole_vietnamese_subject(desk: Office, tmp_path: Path) -> None:
    [made] = desk.generate(spec("named"))
    read = openssl_accepts(made.certificate_request, tmp_path)
    for part in (TEACHER, "TRƯỜNG TIỂU HỌC LÊ VĂN TÁM", "SỞ GIÁO DỤC VÀ ĐÀO TẠO", "C=VN", "UID=CCCD:000000000001"):
        assert part in read
    asked = x509.load_der_x509_csr(made.certificate_request)
    units = asked.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert [unit.value for unit in units] == list(subject().organizational_units), "outermost first"


def test_a_repeat_returns_the_same_key_and_another_key_is_refused_the_id(desk: Office) -> None:
    [first], [again] = desk.generate(spec("twice")), desk.generate(spec("twice"))
    assert (first.replayed, again.replayed) == (False, True)
    one, two = (x509.load_der_x509_csr(made.certificate_request) for made in (first, again))
    assert one.public_key() == two.public_key()
    [other] = desk.generate(spec("twice", key_kind=RSA_2048))
    [configured] = desk.generate(spec("gvcn"))
    assert (reason_of(other.status), reason_of(configured.status)) == ("ID_TAKEN", "ID_TAKEN")
    with refused(InvalidArgument):
        desk.generate(spec("a"), spec("a"))


def test_one_key_that_cannot_be_made_harms_no_other(desk: Office) -> None:
    results = desk.generate(spec("good-1"), spec("nowhere", token_name="no-such-token"), spec("good-2"))
    assert {result.credential_id: result.status.code != 0 for result in results} == {"good-1": False, "nowhere": True, "good-2": False}
    assert reason_of(next(result.status for result in results if result.status.code)) == "TOKEN_NOT_FOUND"


def test_a_persons_key_is_of_no_use_without_their_word_unless_that_is_said(desk: Office) -> None:
    for mode in (credential_pb2.ACTIVATION_MODE_UNSPECIFIED, credential_pb2.ACTIVATION_MODE_SAD):
        name = f"hers-{mode}"
        [made] = desk.enrol(spec(name, activation=mode))
        assert (made.credential.activation, made.credential.multisign_max) == (credential_pb2.ACTIVATION_MODE_SAD, 20_000)
        answered = sign_digests(desk.channel("school"), DIGESTS, credential_id=name)
        assert {reason_of(result.status) for result in answered.results} == {"AUTHORIZATION_REQUIRED"}
    [made] = desk.generate(spec("schools-own", person_id="", activation=credential_pb2.ACTIVATION_MODE_UNSPECIFIED))
    assert made.credential.activation == credential_pb2.ACTIVATION_MODE_NONE


def test_only_an_operator_manages_keys(desk: Office) -> None:
    stub = admin_pb2_grpc.AdminServiceStub(desk.channel("school"))
    with refused(RoleRefused), our_errors():
        list(stub.GenerateKeys(admin_keys_pb2.GenerateKeysRequest(keys=[spec("mine")])))
    with refused(RoleRefused), our_errors():
        stub.ImportCertificates(admin_keys_pb2.ImportCertificatesRequest())


def test_a_kept_key_of_another_school_looks_as_if_it_did_not_exist(desk: Office) -> None:
    desk.enrol(spec("theirs", school_id=OTHER_SCHOOL))
    with refused(CredentialNotFound):
        sign_digests(desk.channel("school"), DIGESTS, credential_id="theirs")
    assert sign_digests(desk.channel("other-school"), DIGESTS, credential_id="theirs", school_id=OTHER_SCHOOL).results[0].status.code == 0


def test_what_does_not_fit_is_not_imported_and_says_why(desk: Office) -> None:
    [made] = desk.generate(spec("picky"))
    strange = pki.issue("stranger", pki.ec_key(9), pki.authority()).der
    encryption = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    own = pki.ec_key(8)
    unknown_ca = pki.issue("unknown CA", own, is_ca=True)
    offered = [
        strange,
        answer(made.certificate_request, usage=encryption),
        answer(made.certificate_request, until=datetime.now(UTC) - timedelta(days=2)),
        b"no certificate",
        unknown_ca.der,
    ]
    reasons = [reason_of(result.status) for result in desk.bring(*offered)]
    assert reasons == ["KEY_NOT_FOUND", "CERTIFICATE_UNUSABLE", "CERTIFICATE_EXPIRED", "INVALID_ARGUMENT", "KEY_NOT_FOUND"]
    assert problems(desk.credential("picky")) == ["CERTIFICATE_MISSING"], "nothing was changed"


def test_a_dry_run_changes_nothing_and_a_second_import_neither(desk: Office) -> None:
    [made] = desk.generate(spec("dry"))
    certificate = answer(made.certificate_request)
    assert desk.bring(certificate, dry_run=True)[0].status.code == 0
    assert not desk.credential("dry").usable
    assert [result.status.code for result in desk.bring(certificate, certificate)] == [0, 0]
    assert desk.credential("dry").usable


def test_certificates_of_one_call_share_commits_and_those_of_one_key_have_their_turns(desk: Office) -> None:
    names = [f"many-{number}" for number in range(12)]
    made = desk.generate(*(spec(name, key_kind=EC_P256) for name in names))
    port, requests = desk.running.metrics_port(), [result.certificate_request for result in made]
    early, late = (datetime.now(UTC) + timedelta(days=days) for days in (100, 200))
    offered = [answer(requests[0], until=late), *(answer(request, until=early) for request in requests), answer(requests[1], until=late)]
    before = metric(port, "signer_journal_commits_total")
    reasons = [reason_of(result.status) if result.status.code else "" for result in desk.bring(*offered)]
    assert reasons == ["", "CERTIFICATE_UNUSABLE", *[""] * 12]
    assert metric(port, "signer_journal_commits_total") - before < len(names)
    ends = [desk.credential(name).certificate.not_after.ToDatetime().date() for name in names[:3]]
    assert ends == [late.date(), late.date(), early.date()]


def test_a_certificate_may_come_as_pem_with_its_chain(desk: Office) -> None:
    [made] = desk.generate(spec("pem"))
    own = x509.load_der_x509_certificate(answer(made.certificate_request)).public_bytes(Encoding.PEM)
    [imported] = desk.bring(pki.root().pem + pki.authority().pem + own)
    assert imported.credential.credential_id == "pem"
    signs(desk, "pem")


def test_old_and_new_key_sign_beside_one_another_until_the_overlap_ends(desk: Office) -> None:
    desk.enrol(spec("renewed"))
    old = desk.credential("renewed")
    end = datetime.now(UTC) + timedelta(seconds=10)
    request = admin_keys_pb2.RenewCredentialsRequest(credential_ids=["renewed"])
    request.overlap_end.FromDatetime(end)
    [begun] = list(desk.admin.RenewCredentials(request))
    [again] = list(desk.admin.RenewCredentials(request))
    assert (begun.credential_id, begun.result.credential.credential_id) == ("renewed", "renewed.r2")
    assert again.result.replayed, "a renewal under way is returned"
    assert x509.load_der_x509_csr(begun.result.certificate_request).subject.rfc4514_string() == old.certificate.subject
    desk.bring(answer(begun.result.certificate_request))
    signs(desk, "renewed")
    signs(desk, "renewed.r2")
    assert desk.credential("renewed").renewed_by_credential_id == "renewed.r2"
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()) + 0.1)
    with refused(StateRefused, credential="renewed"):
        signs(desk, "renewed")
    assert desk.credential("renewed").state == credential_pb2.CREDENTIAL_STATE_REPLACED
    signs(desk, "renewed.r2")


def test_a_new_certificate_for_the_same_key_takes_the_place_of_one_that_ends_sooner(desk: Office) -> None:
    [made] = desk.generate(spec("same-key"))
    soon = datetime.now(UTC) + timedelta(days=20)
    desk.bring(answer(made.certificate_request, until=soon))
    credential = desk.credential("same-key")
    assert (credential.usable, problems(credential)) == (True, ["EXPIRES_SOON"])
    [asked] = list(desk.admin.RenewCredentials(admin_keys_pb2.RenewCredentialsRequest(credential_ids=["same-key"], keep_key=True)))
    assert asked.result.credential.credential_id == "same-key"
    desk.bring(answer(asked.result.certificate_request))
    assert problems(desk.credential("same-key")) == []
    [shorter] = desk.bring(answer(asked.result.certificate_request, until=soon))
    assert reason_of(shorter.status) == "CERTIFICATE_UNUSABLE"


def test_what_ends_before_a_day_is_found_and_renewed(desk: Office) -> None:
    [made] = desk.generate(spec("may", school_id="99"))
    desk.bring(answer(made.certificate_request, until=datetime.now(UTC) + timedelta(days=10)))
    request = admin_keys_pb2.RenewCredentialsRequest(school_id="99")
    request.expire_before.FromDatetime(datetime.now(UTC) + timedelta(days=30))
    assert [renewal.credential_id for renewal in desk.admin.RenewCredentials(request)] == ["may"]


def test_a_configured_credential_is_renewed_by_a_key_of_the_store(desk: Office) -> None:
    [begun] = list(desk.admin.RenewCredentials(admin_keys_pb2.RenewCredentialsRequest(credential_ids=["cbql"])))
    assert begun.result.status.code == 0
    desk.bring(answer(begun.result.certificate_request))
    signs(desk, "cbql.r2")
    with refused(StateRefused), our_errors():
        desk.admin.DestroyKey(admin_keys_pb2.DestroyKeyRequest(credential_id="cbql"))


def set_state(desk: Office, name: str, state: str) -> credential_pb2.Credential:
    request = admin_keys_pb2.SetCredentialStateRequest(
        credential_id=name, state=credential_pb2.CredentialState.Value(f"CREDENTIAL_STATE_{state}"), reason="left the school"
    )
    with our_errors():
        changed: credential_pb2.Credential = desk.admin.SetCredentialState(request).credential
    return changed


def test_a_suspended_credential_signs_no_more_until_it_is_resumed_and_a_disabled_one_never(desk: Office) -> None:
    desk.enrol(spec("paused"))
    assert problems(set_state(desk, "paused", "SUSPENDED")) == ["STATE"]
    with refused(StateRefused):
        signs(desk, "paused")
    set_state(desk, "paused", "ACTIVE")
    signs(desk, "paused")
    set_state(desk, "paused", "DISABLED")
    with refused(StateRefused):
        set_state(desk, "paused", "ACTIVE")
    with refused(StateRefused):
        signs(desk, "paused")


@pytest.mark.parametrize("storage", [IN_TOKEN, WRAPPED])
def test_a_destroyed_key_is_gone_and_its_row_stays(storage: int, desk: Office) -> None:
    name = f"gone-{storage}"
    desk.enrol(spec(name, key_storage=storage))
    signs(desk, name)
    for _ in range(2):
        answered = desk.admin.DestroyKey(admin_keys_pb2.DestroyKeyRequest(credential_id=name, approval_id="a-7"))
        assert answered.credential.state == credential_pb2.CREDENTIAL_STATE_DESTROYED
    with refused(StateRefused):
        signs(desk, name)
    assert rows(desk, "SELECT wrapped FROM credential WHERE credential_id = ?", name) == [(b"",)]
    [taken] = desk.generate(spec(name, key_storage=storage))
    assert reason_of(taken.status) == "ID_TAKEN", "an id means one key for good"


def test_every_step_stands_in_the_journal_with_who_took_it(desk: Office) -> None:
    desk.enrol(spec("audited"))
    set_state(desk, "audited", "DISABLED")
    desk.admin.DestroyKey(admin_keys_pb2.DestroyKeyRequest(credential_id="audited", approval_id="a-8"))
    bodies = [msgspec.json.decode(row[0]) for row in rows(desk, "SELECT body FROM journal_entry WHERE kind = 'note'")]
    steps = [body for body in bodies if body["subject"] == "audited"]
    assert [step["note"] for step in steps] == ["key-made", "certificate-imported", "credential-state-set", "key-destroyed"]
    assert {step["detail"]["client"] for step in steps} == {"operator"}
    assert steps[2]["detail"]["reason"] == "left the school"
    assert any(body["note"] == "keys-wanted" and body["detail"]["first"] == "audited" for body in bodies), "before the token was asked"


def test_those_that_wait_are_listed_and_asked_for_again_a_page_at_a_time(desk: Office) -> None:
    school = "98"
    desk.generate(*(spec(f"wait-{number}", school_id=school) for number in range(5)))
    found, token = [], ""
    while True:
        request = admin_keys_pb2.CreateCertificateRequestsRequest(school_id=school, page_size=2, page_token=token)
        page = desk.admin.CreateCertificateRequests(request)
        found += [result.credential_id for result in page.results]
        assert all(x509.load_der_x509_csr(result.certificate_request).is_signature_valid for result in page.results)
        token = page.next_page_token
        if not token:
            break
    assert found == [f"wait-{number}" for number in range(5)]


def rows(desk: Office, query: str, *values: str) -> list[tuple[bytes, ...]]:
    """Read from the database beside the daemon."""
    with closing(sqlite3.connect(f"file:{desk.world.folder / 'journal.db'}?mode=ro", uri=True)) as database:
        return list(database.execute(query, values))


@pytest.mark.parametrize(
    ("moved", "columns"),
    [
        ("a", {"wrapped": "b"}),
        ("theirs", {"school_id": "b"}),
        ("a", {"person_id": "b"}),
        ("a", {"wrapped": "b", "seal": "b", "public_key": "b", "certificate": "b"}),
    ],
    ids=["blob", "school", "person", "everything but the name"],
)
def test_a_key_that_was_moved_in_the_database_is_refused_by_its_token(
    moved: str, columns: dict[str, str], new_world: Callable[[], World]
) -> None:
    world = new_world()
    with office(world) as desk:
        desk.enrol(spec("a"), spec("b"), spec("theirs", school_id=OTHER_SCHOOL))
        signs(desk, "b")
    with closing(sqlite3.connect(world.folder / "journal.db")) as database:
        for column, source in columns.items():
            taken = f"(SELECT {column} FROM credential WHERE credential_id = ?)"  # noqa: S608 - column is one of the four above
            database.execute(f"UPDATE credential SET {column} = {taken} WHERE credential_id = ?", (source, moved))  # noqa: S608
        database.commit()
    with running_daemon(desk.config) as running, world.channel(running.port) as school:
        results = sign_digests(school, DIGESTS, credential_id=moved).results
        assert {reason_of(result.status) for result in results} == {TokenRefused.reason.value}
        assert sign_digests(school, DIGESTS, credential_id="b").results[0].status.code == 0, "its neighbour signs on"


def test_keys_outlive_the_daemon_and_are_read_when_they_are_needed(new_world: Callable[[], World]) -> None:
    world = new_world()
    with office(world) as desk:
        desk.enrol(*(spec(f"t{number}") for number in range(12)))
    with running_daemon(desk.config) as running, world.channel(running.port) as school:
        for number in (11, 3, 7):
            assert sign_digests(school, DIGESTS, credential_id=f"t{number}").results[0].status.code == 0


@pytest.mark.parametrize("sessions", [1, 3])
def test_more_keys_than_a_session_holds_sign_in_turns(sessions: int, new_world: Callable[[], World]) -> None:
    with office(new_world(), token={"kept_keys_max": 2, "processes": 1, "sessions": sessions}) as desk:
        desk.enrol(*(spec(f"t{number}") for number in range(5)))
        for _round in range(3):
            for number in range(5):
                signs(desk, f"t{number}")
