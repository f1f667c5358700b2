"""ValidationService and the trust that operators change: documents judged by the daemon, certificates before they sign."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from signer.errors import (
    AnchorImpostor,
    CertificateRevoked,
    ConfigError,
    CredentialNotFound,
    DocumentDamaged,
    DocumentEmpty,
    DocumentUnsupported,
    InvalidArgument,
    RoleRefused,
)
from signer.journal.entries import decode
from signer.store import open_engine
from signer.trust.known import known_cas
from signer.v1 import (
    admin_operations_pb2,
    admin_pb2_grpc,
    batch_pb2,
    common_pb2,
    validation_pb2,
    validation_pb2_grpc,
)
from tests.support import cas, cms, pdfs, pki
from tests.support.archive import Archive
from tests.support.calls import TIMEOUT_S, fresh_id, our_errors, plan, reason_of, refused, sign_document
from tests.support.daemon import SCHOOL, Running, running_daemon
from tests.support.waiting import until

V = validation_pb2
PASSED, OPEN, FAILED = V.INDICATION_TOTAL_PASSED, V.INDICATION_INDETERMINATE, V.INDICATION_TOTAL_FAILED
ALL = [V.TRUST_PURPOSE_SIGNING, V.TRUST_PURPOSE_VALIDATION, V.TRUST_PURPOSE_TIMESTAMP]
CARD = pdfs.report_card(pages=1, compress=False)
CONTENT = "Điểm: 10\n".encode()


@pytest.fixture(scope="module")
def signed(archive_channel: grpc.Channel) -> bytes:
    """A card signed by the daemon at B-T."""
    return bytes(sign_document(archive_channel, CARD, plan=plan("gvcn", common_pb2.LEVEL_B_T)).content)


def validate(channel: grpc.Channel, document: bytes, **options: Any) -> Any:
    request = V.ValidateDocumentRequest(document=document, options=V.ValidationOptions(**options))
    with our_errors():
        return validation_pb2_grpc.ValidationServiceStub(channel).ValidateDocument(request, timeout=TIMEOUT_S).report


def only(report: Any) -> Any:
    [signature] = report.signatures
    return signature


def test_a_card_that_the_daemon_signed_is_judged_with_all_its_facts(
    archive_channel: grpc.Channel, archive_world: Archive, signed: bytes
) -> None:
    report = validate(archive_channel, signed)
    found = only(report)
    assert (report.indication, found.indication, found.sub_indication) == (PASSED, PASSED, 0), report
    assert report.document_sha256 == hashlib.sha256(signed).digest()
    assert (found.profile, found.level) == (common_pb2.PROFILE_PADES, common_pb2.LEVEL_B_T)
    assert found.algorithm == common_pb2.SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256
    assert found.signer.der == archive_world.leaves["gvcn"].der
    assert [each.subject.split(",")[0] for each in found.chain][-1] == "CN=Root G2 (DEMO)"
    assert (found.covers_whole, found.later_changes) == (True, V.CHANGE_KIND_NONE)
    assert (found.revocation.status, found.revocation.source[:5]) == (V.REVOCATION_STATUS_GOOD, "ocsp:")
    [stamp] = found.timestamps
    assert (stamp.indication, stamp.archive, found.proven_time) == (PASSED, False, stamp.gen_time)
    assert "hợp lệ" in report.summary_vi
    assert "stand" in report.summary_en


def test_tampered_documents_fail_and_say_so_to_people(archive_channel: grpc.Channel, signed: bytes) -> None:
    report = validate(archive_channel, signed.replace(b"mark 10", b"mark 11", 1))
    assert (report.indication, only(report).sub_indication) == (FAILED, V.SUB_INDICATION_HASH_FAILURE)
    assert "KHÔNG hợp lệ" in report.summary_vi
    assert "NOT valid" in report.summary_en


def test_a_certificate_revoked_after_the_timestamp_leaves_the_signature_standing(
    archive_channel: grpc.Channel, archive_world: Archive, signed: bytes
) -> None:
    plain = bytes(sign_document(archive_channel, CARD, plan=plan("gvcn", common_pb2.LEVEL_B_B)).content)
    proven = only(validate(archive_channel, signed)).proven_time.ToDatetime(UTC)
    until(lambda: datetime.now(UTC) > proven + timedelta(seconds=1), "the next second: revocations are told in whole ones")
    archive_world.serve(archive_world.leaves["gvcn"])
    stamped = only(validate(archive_channel, signed))
    assert (stamped.indication, stamped.revocation.status) == (PASSED, V.REVOCATION_STATUS_REVOKED)
    unproven = only(validate(archive_channel, plain))
    assert (unproven.indication, unproven.sub_indication) == (OPEN, V.SUB_INDICATION_REVOKED_NO_POE)


def test_cas_that_do_not_answer_leave_it_open_and_offline_nobody_is_asked(
    archive_channel: grpc.Channel, archive_world: Archive, signed: bytes
) -> None:
    archive_world.silence()
    found = only(validate(archive_channel, signed))
    assert (found.indication, found.sub_indication) == (OPEN, V.SUB_INDICATION_TRY_LATER)
    archive_world.shelf.asked.clear()
    offline = only(validate(archive_channel, signed, offline=True))
    assert (offline.indication, offline.revocation.status) == (PASSED, V.REVOCATION_STATUS_UNKNOWN)
    assert archive_world.shelf.asked == []


def test_a_document_makes_nobody_call_the_addresses_it_brings(archive_channel: grpc.Channel) -> None:
    """A stranger's CA, a stranger's certificate below it, addresses in both: none is called, whatever the document says."""
    with cas.shelf() as trap:
        places = cas.places(trap.url("/ocsp"), trap.url("/crl"))
        stranger = pki.issue("Stranger CA", pki.rsa_key(160), is_ca=True, extensions=places)
        mallory = pki.issue("Mallory", pki.rsa_key(161), stranger, extensions=places)
        impostor = pki.issue(pki.root().x509.subject.rfc4514_string(), pki.rsa_key(162), stranger, is_ca=True, extensions=places)
        for chain in ((stranger,), (impostor, stranger)):
            document = pdfs.signed(CARD, signer=mallory, chain=chain)
            assert only(validate(archive_channel, document)).sub_indication == V.SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND
            encoded = cms.signed(CONTENT, mallory, attached=True, chain=chain)
            assert only(validate(archive_channel, encoded)).sub_indication == V.SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND
        assert trap.asked == []


def test_cms_is_judged_attached_and_with_the_content_beside_it(archive_channel: grpc.Channel, archive_world: Archive) -> None:
    teacher = archive_world.issue()
    archive_world.responder.start((teacher.x509, *(each.x509 for each in archive_world.leaves.values())))
    attached = cms.signed(CONTENT, teacher, attached=True, chain=(archive_world.authority,))
    detached = cms.signed(CONTENT, teacher, chain=(archive_world.authority,))
    assert validate(archive_channel, attached).indication == PASSED
    assert validate(archive_channel, detached, detached_content=CONTENT).indication == PASSED
    assert only(validate(archive_channel, detached)).sub_indication == V.SUB_INDICATION_SIGNED_DATA_NOT_FOUND
    assert validate(archive_channel, detached, detached_content=b"other").indication == FAILED
    archive_world.serve()


def test_an_unsigned_document_has_no_indication_and_a_moment_is_taken(archive_channel: grpc.Channel, signed: bytes) -> None:
    unsigned = validate(archive_channel, CARD)
    assert (unsigned.indication, list(unsigned.signatures)) == (V.INDICATION_UNSPECIFIED, [])
    assert unsigned.summary_vi == "Tài liệu chưa được ký số."
    at = datetime(2050, 1, 1, tzinfo=UTC)
    later = validate(archive_channel, signed, at_time=at, offline=True)
    assert later.validation_time.ToDatetime(UTC) == at
    assert later.indication == OPEN


@pytest.mark.parametrize(
    ("document", "kind"),
    [(b"", DocumentEmpty), (b"GIF89a", DocumentUnsupported), (CARD[:900], DocumentDamaged), (b"<a", DocumentDamaged)],
)
def test_what_cannot_be_judged_is_refused_by_name(archive_channel: grpc.Channel, document: bytes, kind: Any) -> None:
    with refused(kind):
        validate(archive_channel, document)


def test_a_stream_answers_for_each_document_and_counts_each_once(archive_channel: grpc.Channel, signed: bytes) -> None:
    documents = {"good": signed, "bad": signed.replace(b"mark 10", b"mark 11", 1), "unsigned": CARD, "junk": b"junk", "again": signed}

    def messages() -> Iterator[Any]:
        yield V.ValidateDocumentsRequest(header=V.ValidationHeader())
        for name, content in documents.items():
            half = len(content) // 2
            yield V.ValidateDocumentsRequest(
                document=batch_pb2.DocumentStart(document_id=name, size_bytes=len(content), data=content[:half])
            )
            yield V.ValidateDocumentsRequest(chunk=batch_pb2.DocumentChunk(data=content[half:]))

    with our_errors():
        answers = list(validation_pb2_grpc.ValidationServiceStub(archive_channel).ValidateDocuments(messages(), timeout=TIMEOUT_S))
    results = {each.result.document_id: each.result for each in answers[:-1]}
    summary = answers[-1].summary
    assert list(results) == list(documents)
    assert [results[name].report.indication for name in ("good", "bad", "unsigned")] == [PASSED, FAILED, 0]
    assert reason_of(results["junk"].status) == "DOCUMENT_UNSUPPORTED"
    assert (summary.received, summary.passed, summary.failed, summary.unsigned, summary.unreadable) == (5, 2, 1, 1, 1)


def check(channel: grpc.Channel, **subject: Any) -> Any:
    with our_errors():
        return validation_pb2_grpc.ValidationServiceStub(channel).CheckCertificate(V.CheckCertificateRequest(**subject), timeout=TIMEOUT_S)


def test_a_credential_is_checked_as_it_is_before_signing(archive_channel: grpc.Channel, archive_world: Archive) -> None:
    name = V.CredentialName(school_id=SCHOOL, credential_id="cbql")
    good = check(archive_channel, credential=name)
    assert (good.may_sign, good.indication, good.revocation.status) == (True, PASSED, V.REVOCATION_STATUS_GOOD)
    assert good.certificate.der == archive_world.leaves["cbql"].der
    assert len(good.chain) == 2
    archive_world.serve(archive_world.leaves["cbql"])
    revoked = check(archive_channel, credential=name, fresh=True)
    assert (revoked.may_sign, revoked.sub_indication, revoked.revocation.status) == (
        False,
        V.SUB_INDICATION_REVOKED,
        V.REVOCATION_STATUS_REVOKED,
    )
    with refused(CertificateRevoked):
        sign_document(archive_channel, CARD, plan=plan("cbql", common_pb2.LEVEL_B_B), request_id=fresh_id())
    archive_world.silence()
    unknown = check(archive_channel, credential=name)
    assert (unknown.may_sign, unknown.sub_indication) == (True, V.SUB_INDICATION_TRY_LATER), "by the policy that is the default"
    sign_document(archive_channel, CARD, plan=plan("cbql", common_pb2.LEVEL_B_B), request_id=fresh_id())


def test_any_certificate_can_be_checked_and_nonsense_is_refused(archive_channel: grpc.Channel) -> None:
    stranger = check(archive_channel, certificate=pki.issue("Stranger", pki.rsa_key(4)).der)
    assert (stranger.may_sign, stranger.sub_indication) == (False, V.SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND)
    with refused(InvalidArgument):
        check(archive_channel, certificate=b"x")
    with refused(InvalidArgument):
        check(archive_channel)
    with refused(CredentialNotFound):
        check(archive_channel, credential=V.CredentialName(school_id=SCHOOL, credential_id="nobody"))


@pytest.fixture(scope="module")
def folder_daemon(archive_cas: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """A daemon with a folder for added CAs."""
    folder = tmp_path_factory.mktemp("trust") / "it"
    config = archive_cas.world.config("trusting.toml", journal={"url": "sqlite:///trusting.db"}, trust={"folder": str(folder)})
    with running_daemon(config) as running:
        yield running, folder


def anchors(channel: grpc.Channel) -> dict[str, Any]:
    listed = validation_pb2_grpc.ValidationServiceStub(channel).ListTrustAnchors(V.ListTrustAnchorsRequest(), timeout=TIMEOUT_S)
    return {each.anchor_id: each for each in listed.anchors}


def test_an_operator_believes_a_ca_without_a_restart(archive_cas: Archive, folder_daemon: tuple[Running, Path]) -> None:
    running, folder = folder_daemon
    root = pki.issue("School root", pki.rsa_key(170), is_ca=True)
    teacher = pki.issue("Teacher", pki.rsa_key(171), root)
    document = pdfs.signed(CARD, signer=teacher)
    with archive_cas.world.channel(running.port, "operator") as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        assert only(validate(channel, document)).sub_indication == V.SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND
        request = admin_operations_pb2.AddTrustAnchorRequest(certificate=root.pem, purposes=ALL, dry_run=True)
        assert admin.AddTrustAnchor(request, timeout=TIMEOUT_S).anchor.anchor_id not in anchors(channel)
        request.dry_run = False
        added = admin.AddTrustAnchor(request, timeout=TIMEOUT_S).anchor
        assert list(anchors(channel)[added.anchor_id].purposes) == ALL
        assert validate(channel, document).indication == PASSED
        admin.RemoveTrustAnchor(admin_operations_pb2.RemoveTrustAnchorRequest(anchor_id=added.anchor_id), timeout=TIMEOUT_S)
        assert only(validate(channel, document)).sub_indication == V.SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND
        assert list(folder.iterdir()) == []
    until(lambda: len(noted(archive_cas, "trust-changed")) == 2, "both changes in the journal")
    assert [(each["change"], each["client"]) for each in noted(archive_cas, "trust-changed")] == [
        ("added", "operator"),
        ("removed", "operator"),
    ]


def test_a_signature_let_through_without_status_is_journalled(archive_cas: Archive, folder_daemon: tuple[Running, Path]) -> None:
    running, _folder = folder_daemon
    archive_cas.silence()
    with archive_cas.world.channel(running.port) as channel:
        sign_document(channel, CARD, plan=plan("seal", common_pb2.LEVEL_B_B), request_id=fresh_id())
    archive_cas.serve()
    until(lambda: noted(archive_cas, "status-unknown"), "the note in the journal")
    assert "nobody could tell" in noted(archive_cas, "status-unknown")[0]["message"]


def noted(archive: Archive, kind: str) -> list[dict[str, Any]]:
    """Notes of a kind in the journal of the daemon with a folder."""
    with open_engine(f"sqlite:///{archive.world.folder / 'trusting.db'}", must_exist=True).connect() as connection:
        entries = [decode(row[0]) for row in connection.exec_driver_sql("SELECT body FROM journal_entry")]
    return [entry["detail"] for entry in entries if entry.get("note") == kind]


def test_what_the_command_line_adds_is_believed_within_seconds(archive_cas: Archive, folder_daemon: tuple[Running, Path]) -> None:
    running, folder = folder_daemon
    root = pki.issue("Another root", pki.rsa_key(172), is_ca=True)
    folder.mkdir(exist_ok=True)
    with archive_cas.world.channel(running.port) as channel:
        before = len(anchors(channel))
        (folder / "by-hand.pem").write_bytes(root.pem)
        until(lambda: len(anchors(channel)) == before + 1, "the daemon to look at its folder")
        (folder / "by-hand.pem").unlink()
        until(lambda: len(anchors(channel)) == before, "the daemon to look at its folder")


def test_impostors_strangers_and_configured_files_are_refused(archive_cas: Archive, folder_daemon: tuple[Running, Path]) -> None:
    running, _folder = folder_daemon
    impostor = pki.issue(known_cas()[0].common_name, pki.rsa_key(173), is_ca=True)
    add = admin_operations_pb2.AddTrustAnchorRequest(certificate=impostor.der, purposes=ALL)
    with archive_cas.world.channel(running.port, "operator") as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        configured = next(iter(anchors(channel)))
        wrong: list[tuple[Any, Any]] = [
            (AnchorImpostor, lambda: admin.AddTrustAnchor(add, timeout=TIMEOUT_S)),
            (InvalidArgument, lambda: admin.AddTrustAnchor(type(add)(certificate=b"x", purposes=ALL), timeout=TIMEOUT_S)),
            (InvalidArgument, lambda: admin.AddTrustAnchor(type(add)(certificate=impostor.der), timeout=TIMEOUT_S)),
            (
                ConfigError,
                lambda: admin.RemoveTrustAnchor(admin_operations_pb2.RemoveTrustAnchorRequest(anchor_id=configured), timeout=TIMEOUT_S),
            ),
        ]
        for kind, call in wrong:
            with refused(kind), our_errors():
                call()
    with archive_cas.world.channel(running.port) as channel, refused(RoleRefused), our_errors():
        admin_pb2_grpc.AdminServiceStub(channel).AddTrustAnchor(add, timeout=TIMEOUT_S)
