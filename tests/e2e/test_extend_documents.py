"""ExtendDocuments over gRPC: signed PDFs raised to B-T, B-LT and B-LTA by the real daemon, with real CAs to ask, judged by others."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from signer.cli.verify_files import Manner, judge
from signer.errors import InvalidArgument, SchoolNotFound
from signer.v1 import batch_pb2, common_pb2
from signer.validation.trust import TrustAnchors
from tests.support import cas, judges, long_term, pdfs, pki
from tests.support.archive import LTA, Archive, Extended, Request, extend, header, start, stream
from tests.support.calls import fresh_id, intents, metric, plan, refused, sign_batch
from tests.support.daemon import OTHER_SCHOOL, Running

B_B, B_T, B_LT = common_pb2.LEVEL_B_B, common_pb2.LEVEL_B_T, common_pb2.LEVEL_B_LT
PASSED = "AdESPassed.OK"
LATER = timedelta(days=365 * 6)
CLASS = 4


@pytest.fixture(scope="module")
def signed_class(archive_channel: grpc.Channel) -> dict[str, bytes]:
    """Signed three times each at B-T, as a class is."""
    documents = {f"pupil-{number}": pdfs.report_card(number) for number in range(CLASS)}
    for label in ("gvcn", "cbql", "seal"):
        documents = sign_batch(archive_channel, documents, plan=plan(label, B_T, field_name=label)).signed()
    assert len(documents) == CLASS
    return documents


@pytest.fixture(scope="module")
def archived(archive_channel: grpc.Channel, signed_class: dict[str, bytes]) -> Extended:
    return extend(archive_channel, signed_class, expected_documents=CLASS)


def root() -> bytes:
    return pki.root().der


def judged_by_pdfsig(document: bytes, folder: Path) -> list[str]:
    """Each signature's verdict; pdfsig knows no document timestamps and says so."""
    file = folder / "judged.pdf"
    file.write_bytes(document)
    return [found["Signature Validation"] for found in judges.pdfsig(file)]


def levels_by_signer_verify(document: bytes, folder: Path) -> list[str]:
    """What `signer verify` tells of the signatures, document timestamps left out."""
    file = folder / "verified.pdf"
    file.write_bytes(document)
    trust = TrustAnchors((root(),), (root(),))
    return [found["level"] for found in judge(file, Manner.of(trust, datetime.now(UTC))).signatures if found["level"]]


def test_a_class_is_archived_and_every_judge_accepts_it(archived: Extended, signed_class: dict[str, bytes], tmp_path: Path) -> None:
    assert archived.reasons() == {}
    summary = archived.summary
    assert (summary.expected, summary.received, summary.signed, summary.failed, summary.not_received) == (CLASS, CLASS, CLASS, 0, 0)
    for name, original in signed_class.items():
        document, info = archived.contents[name], archived.results[name].info
        assert document.startswith(original)
        assert long_term.judged(document, root()) == [PASSED] * 3
        assert long_term.judged(document, root(), datetime.now(UTC) + LATER) == [PASSED] * 3, "and will, if it is renewed"
        assert long_term.valid_now(document, root()) == [True] * 4
        assert levels_by_signer_verify(document, tmp_path) == ["b-lta"] * 3
        assert judged_by_pdfsig(document, tmp_path)[:3] == ["Signature is Valid."] * 3
        assert info.level == LTA
        assert (info.source_sha256, info.signed_sha256) == (hashlib.sha256(original).digest(), hashlib.sha256(document).digest())
        assert info.field_name == judges.signatures(document)[-1].field_name
        assert (info.credential_id, info.certificate_serial) == ("", "")
    assert set(long_term.judged(next(iter(signed_class.values())), root())) != {PASSED}, "the judge wants the DSS"


def test_the_same_ids_return_the_stored_outcome_and_ask_nobody(
    archive_channel: grpc.Channel, signed_class: dict[str, bytes], archive_world: Archive, archive_daemon: Running
) -> None:
    request_id = fresh_id()
    first = extend(archive_channel, signed_class, request_id=request_id)
    journal = archive_world.world.folder / "journal.db"
    stamps, asked = len(intents(journal, "timestamp")), metric(archive_daemon.metrics_port(), "signer_revocation_questions_total")
    again = extend(archive_channel, signed_class, request_id=request_id)
    assert again.contents == first.contents
    assert all(result.replayed for result in again.results.values())
    assert (again.summary.replayed, again.summary.signed) == (CLASS, 0)
    assert len(intents(journal, "timestamp")) == stamps
    assert metric(archive_daemon.metrics_port(), "signer_revocation_questions_total") == asked
    assert sorted(intents(journal, request_id)) == sorted(signed_class), "one attempt each"


def test_the_same_ids_with_another_document_or_level_are_refused(archive_channel: grpc.Channel, signed_class: dict[str, bytes]) -> None:
    request_id = fresh_id()
    one, other = list(signed_class.values())[:2]
    assert extend(archive_channel, {"d": one}, B_T, request_id=request_id).reasons() == {}
    assert extend(archive_channel, {"d": other}, B_T, request_id=request_id).reasons() == {"d": "REQUEST_ID_REUSED"}
    assert extend(archive_channel, {"d": one}, B_LT, request_id=request_id).reasons() == {"d": "REQUEST_ID_REUSED"}


def test_a_tampered_byte_is_rejected_by_the_judge_and_refused_here(archived: Extended, archive_channel: grpc.Channel) -> None:
    document = archived.contents["pupil-0"]
    mark, evidence = document.index(b"stream") + 40, document.index(b"/DSS") - 40
    for at in (mark, evidence):
        tampered = document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
        assert extend(archive_channel, {"d": tampered}).reasons() == {"d": "VERIFICATION_FAILED"}
        assert not all(long_term.valid_now(tampered, root()))


def test_a_signature_without_a_timestamp_gets_a_document_timestamp(archive_channel: grpc.Channel, tmp_path: Path) -> None:
    signed = sign_batch(archive_channel, {"d": pdfs.report_card(50)}, plan=plan("gvcn", B_B)).signed()["d"]
    stamped = extend(archive_channel, {"d": signed}, B_T)
    assert stamped.contents["d"].startswith(signed)
    assert stamped.results["d"].info.HasField("timestamp_time")
    assert len(judges.signatures(stamped.contents["d"])) == 2
    assert judged_by_pdfsig(stamped.contents["d"], tmp_path)[0] == "Signature is Valid."
    archived = extend(archive_channel, {"d": signed}).contents["d"]
    assert len(judges.signatures(archived)) == 3, "one gives the signature its time, one seals the validation data"
    assert long_term.valid_now(archived, root()) == [True] * 3


@pytest.mark.parametrize("level", [B_T, B_LT])
def test_what_has_the_level_comes_back_as_it_is(archive_channel: grpc.Channel, signed_class: dict[str, bytes], level: int) -> None:
    raised = extend(archive_channel, signed_class, level)
    assert raised.reasons() == {}
    again = extend(archive_channel, raised.contents, level)
    assert again.contents == raised.contents
    assert not any(result.info.HasField("timestamp_time") for result in again.results.values())
    if level == B_T:
        assert raised.contents == signed_class, "timestamped signatures have it from the start"
    else:
        assert all(long_term.valid_now(document, root()) == [True] * 3 for document in raised.contents.values())


def test_an_archived_document_is_renewed_with_the_data_of_its_last_timestamp(archived: Extended, archive_channel: grpc.Channel) -> None:
    document = archived.contents["pupil-1"]
    renewed = extend(archive_channel, {"d": document}).contents["d"]
    assert renewed.startswith(document)
    assert len(judges.signatures(renewed)) == len(judges.signatures(document)) + 1
    assert long_term.judged(renewed, root(), datetime.now(UTC) + LATER) == [PASSED] * 3


def test_other_signatures_can_follow_an_archived_document(archived: Extended, archive_channel: grpc.Channel, tmp_path: Path) -> None:
    more = sign_batch(archive_channel, {"d": archived.contents["pupil-2"]}, plan=plan("cbql", B_T, field_name="again")).signed()["d"]
    assert judged_by_pdfsig(more, tmp_path).count("Signature is Valid.") == 4
    assert long_term.judged(extend(archive_channel, {"d": more}).contents["d"], root()) == [PASSED] * 4


def test_a_revoked_signer_fails_alone_and_is_named(
    archive_channel: grpc.Channel, archive_world: Archive, signed_class: dict[str, bytes]
) -> None:
    dismissed = archive_world.issue("Dismissed (DEMO)")
    document = pdfs.signed(pdfs.report_card(60), signer=dismissed)
    archive_world.serve(dismissed)
    raised = extend(archive_channel, {"revoked": document, "fine": signed_class["pupil-0"]}, B_LT)
    assert raised.reasons() == {"revoked": "CERTIFICATE_REVOKED"}
    assert f"{dismissed.x509.serial_number:x}" in raised.results["revoked"].status.message
    assert [(failure.reason, failure.count) for failure in raised.summary.failures] == [("CERTIFICATE_REVOKED", 1)]
    archive_world.serve()


def test_when_no_ca_answers_the_document_fails_and_a_repeat_of_the_ids_completes_it(
    archive_channel: grpc.Channel, archive_world: Archive, signed_class: dict[str, bytes]
) -> None:
    archive_world.silence()
    request_id = fresh_id()
    failed = extend(archive_channel, signed_class, request_id=request_id)
    assert set(failed.reasons().values()) == {"CERTIFICATE_STATUS_UNAVAILABLE"}
    assert failed.summary.failed == CLASS
    assert "http" in failed.results["pupil-0"].status.message
    archive_world.serve()
    completed = extend(archive_channel, signed_class, request_id=request_id)
    assert completed.reasons() == {}
    assert not any(result.replayed for result in completed.results.values())
    assert long_term.judged(completed.contents["pupil-3"], root()) == [PASSED] * 3


def test_the_crl_is_enough_when_ocsp_is_down(archive_channel: grpc.Channel, archive_world: Archive, signed_class: dict[str, bytes]) -> None:
    archive_world.responder.stop()
    raised = extend(archive_channel, {"d": signed_class["pupil-0"]})
    assert raised.reasons() == {}
    assert long_term.judged(raised.contents["d"], root()) == [PASSED] * 3


def test_no_document_makes_the_daemon_call_an_address_that_no_anchor_vouches_for(
    archive_channel: grpc.Channel, archive_world: Archive
) -> None:
    trap = archive_world.shelf.url("/trap")
    stranger = pki.issue("Stranger CA", pki.rsa_key(130), is_ca=True)
    impostor = pki.issue("CA phục vụ các cơ quan Nhà nước (DEMO)", pki.rsa_key(131), is_ca=True)
    documents = {
        name: pdfs.signed(
            pdfs.report_card(70),
            signer=pki.issue("Mallory", pki.rsa_key(1), issuer, extensions=cas.places(trap, trap)),
            chain=(issuer,) if issuer else (),
        )
        for name, issuer in {"stranger": stranger, "impostor": impostor, "self": None}.items()
    }
    assert set(extend(archive_channel, documents).reasons().values()) == {"VERIFICATION_FAILED"}
    assert "/trap" not in archive_world.shelf.asked


def test_documents_that_cannot_be_raised_fail_alone_with_their_reasons(
    archive_channel: grpc.Channel, signed_class: dict[str, bytes]
) -> None:
    fine = signed_class["pupil-0"]
    cut = fine[: len(fine) // 2]
    documents = {
        "unsigned": pdfs.report_card(80),
        "spreadsheet": b"PK\x03\x04 a spreadsheet",
        "cut": cut,
        "encrypted": pdfs.encrypted(pdfs.report_card(81), user=""),
        "fine": fine,
    }
    reasons = extend(archive_channel, documents).reasons()
    assert reasons.pop("cut") in {"DOCUMENT_DAMAGED", "DOCUMENT_UNSIGNED", "VERIFICATION_FAILED"}
    assert reasons == {"unsigned": "DOCUMENT_UNSIGNED", "spreadsheet": "DOCUMENT_NOT_PDF", "encrypted": "DOCUMENT_ENCRYPTED"}


def test_streams_that_begin_wrongly_are_refused_as_a_whole(archive_channel: grpc.Channel, signed_class: dict[str, bytes]) -> None:
    document = start("d", signed_class["pupil-0"])
    with refused(InvalidArgument, field="header"):
        stream(archive_channel, [document])
    for level in (common_pb2.LEVEL_UNSPECIFIED, B_B):
        with refused(InvalidArgument, field="header.level"):
            stream(archive_channel, [header(level), document])
    with refused(SchoolNotFound):
        stream(archive_channel, [header(school_id=OTHER_SCHOOL), document])
    with refused(InvalidArgument, field="header.request_id"):
        stream(archive_channel, [header(request_id=""), document])


def test_documents_come_in_chunks_as_in_a_batch_and_take_no_field_name(
    archive_channel: grpc.Channel, signed_class: dict[str, bytes]
) -> None:
    whole = signed_class["pupil-0"]
    pieces = [Request(chunk=batch_pb2.DocumentChunk(data=whole[at : at + 9000])) for at in range(9000, len(whole), 9000)]
    begun = start("chunked", whole, data=whole[:9000], sha256=hashlib.sha256(whole).digest())
    named = start("named", whole, field_name="Signature9")
    raised = stream(archive_channel, [header(B_T), begun, *pieces, named])
    assert (raised.summary.received, raised.summary.signed) == (2, 1)
    assert raised.reasons() == {"named": "INVALID_ARGUMENT"}


def test_what_was_archived_is_counted_by_level_and_outcome(
    archive_channel: grpc.Channel, archive_daemon: Running, signed_class: dict[str, bytes]
) -> None:
    def counted(**labels: str) -> float:
        return metric(archive_daemon.metrics_port(), "signer_extensions_total", **labels)

    before = [counted(level="b-lta", outcome="signed"), counted(level="b-lta", outcome="failed")]
    extend(archive_channel, {"fine": signed_class["pupil-0"], "unsigned": pdfs.report_card(90)})
    assert [counted(level="b-lta", outcome="signed"), counted(level="b-lta", outcome="failed")] == [count + 1 for count in before]
    assert metric(archive_daemon.metrics_port(), "signer_revocation_answer_age_seconds_count", source="ocsp") > 0
