"""RecordService.CheckRecords and ListLayouts, over gRPC, from Python and from the command line, on a class of 35."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from signer.client import Document, RecordPlan, RecordProblem, Role, SignerClient
from signer.demo.records import ClassRecord, Fault, class_records, uuid_of, with_uuid
from signer.errors import CredentialNotFound, InvalidArgument, LayoutNotFound, RoleRefused, SchoolNotFound
from signer.rpc_status import from_rpc_status
from signer.v1 import batch_pb2, common_pb2, plan_pb2, record_pb2, record_pb2_grpc
from tests.e2e.test_cli_lists import run
from tests.support import calls, pdfs
from tests.support.calls import TIMEOUT_S, Answers, fresh_id, intents, our_errors, reason_of, refused, sign_batch
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World

Request = record_pb2.CheckRecordsRequest
PRINCIPAL = plan_pb2.RecordPlan(role=common_pb2.ROLE_PRINCIPAL)
CLERK = plan_pb2.RecordPlan(role=common_pb2.ROLE_CLERK)
EXPECTED = {
    Fault.PERSONAL_NUMBER_MISSING: "PERSONAL_NUMBER_MISSING",
    Fault.PERSONAL_NUMBER_SHORT: "PERSONAL_NUMBER_MISSING",
    Fault.RESULT_MISSING: "RESULTS_UNFINISHED",
    Fault.SUMMARY_MISSING: "RESULTS_UNFINISHED",
    Fault.OTHER_SCHOOL: "SCHOOL_MISMATCH",
    Fault.UUID_MISSING: "UUID_INVALID",
    Fault.UUID_OF_TIME: "UUID_INVALID",
    Fault.LAYOUT_UNKNOWN: "LAYOUT_UNKNOWN",
    Fault.ID_WRONG: "LAYOUT_VIOLATED",
    Fault.ID_TWICE: "LAYOUT_VIOLATED",
    Fault.SLOT_MISSING: "SLOT_MISSING",
    Fault.TRUNCATED: "UNREADABLE",
}
UNFIT = dict(enumerate(EXPECTED, 3))


def class_of(**changes: Any) -> list[ClassRecord]:
    """Pupils of this file alone: the daemon knows records again that it has signed."""
    return class_records(seed=2027, **changes)


def header(record: plan_pb2.RecordPlan = PRINCIPAL, **changes: Any) -> Request:
    fields: dict[str, Any] = {"school_id": SCHOOL, "record": record} | changes
    return Request(header=record_pb2.RecordCheckHeader(**fields))


def document(record: ClassRecord, **changes: Any) -> Request:
    fields: dict[str, Any] = {"document_id": record.name, "size_bytes": len(record.content), "data": record.content} | changes
    return Request(document=batch_pb2.DocumentStart(**fields))


def chunks(record: ClassRecord, size_bytes: int) -> Iterator[Request]:
    yield document(record, data=record.content[:size_bytes])
    for at in range(size_bytes, len(record.content), size_bytes):
        yield Request(chunk=batch_pb2.DocumentChunk(data=record.content[at : at + size_bytes]))


def check(channel: grpc.Channel, messages: Iterable[Request]) -> tuple[list[record_pb2.RecordReport], record_pb2.RecordCheckSummary]:
    """The reports and, after them, the summary. Raises what the stream fails with."""
    with our_errors():
        *reports, last = record_pb2_grpc.RecordServiceStub(channel).CheckRecords(iter(messages), timeout=TIMEOUT_S)
    assert all(message.WhichOneof("message") == "report" for message in reports)
    assert last.WhichOneof("message") == "summary"
    return [message.report for message in reports], last.summary


def found(report: record_pb2.RecordReport) -> list[str]:
    return [record_pb2.RecordProblem.Name(finding.problem).removeprefix("RECORD_PROBLEM_") for finding in report.findings]


@pytest.fixture(scope="module")
def unfit_class() -> list[ClassRecord]:
    """35 records: each fault once, and one UUID twice."""
    records = class_of(faults=UNFIT)
    records[30] = ClassRecord(records[30].name, with_uuid(records[30].content, uuid_of(records[0].content)))
    return records


def test_a_class_has_a_report_for_each_pupil_and_a_summary_that_adds_up(school: grpc.Channel, unfit_class: list[ClassRecord]) -> None:
    reports, summary = check(school, [header(), *map(document, unfit_class)])
    assert [report.document_id for report in reports] == [record.name for record in unfit_class]
    expected = {unfit_class[index].name: [EXPECTED[fault]] for index, fault in UNFIT.items()} | {unfit_class[30].name: ["DUPLICATE_UUID"]}
    assert {report.document_id: found(report) for report in reports if not report.fit} == expected
    assert (summary.checked, summary.fit, summary.unfit) == (35, 22, 13)
    counted = {record_pb2.RecordProblem.Name(each.problem).removeprefix("RECORD_PROBLEM_"): each.count for each in summary.problems}
    assert sum(counted.values()) == 13
    assert counted["RESULTS_UNFINISHED"] == counted["UUID_INVALID"] == counted["LAYOUT_VIOLATED"] == 2


def test_a_report_says_in_vietnamese_what_is_wrong_and_where(school: grpc.Channel, unfit_class: list[ClassRecord]) -> None:
    reports, _summary = check(school, [header(), *map(document, unfit_class)])
    by_fault = {fault: reports[index].findings[0] for index, fault in UNFIT.items()}
    assert "12 chữ số" in by_fault[Fault.PERSONAL_NUMBER_MISSING].message
    assert by_fault[Fault.RESULT_MISSING].location.endswith("/DANH_SACH_MON_HOC/MON_HOC[1]")
    assert by_fault[Fault.TRUNCATED].status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert unfit_class[0].name in reports[30].findings[0].message
    assert reports[0].layout_id == "moet-1.0-primary"
    assert reports[0].record_uuid == uuid_of(unfit_class[0].content)
    assert [slot.signed for slot in reports[0].slots] == [False, False, False]


def test_a_class_without_its_principal_is_not_fit_for_the_seal(school: grpc.Channel) -> None:
    reports, summary = check(school, [header(CLERK), *map(document, class_of(size=3))])
    assert [found(report) for report in reports] == [["EARLIER_SIGNATURE_MISSING"]] * 3
    assert summary.fit == 0


def test_a_record_in_chunks_is_the_same_record(school: grpc.Channel) -> None:
    [record] = class_of(size=1)
    whole, _ = check(school, [header(), document(record)])
    pieces, _ = check(school, [header(), *chunks(record, 4096)])
    assert pieces == whole


def test_documents_that_break_a_limit_are_reported_and_the_others_checked(school: grpc.Channel) -> None:
    first, second, third = class_of(size=3)
    twice, empty = document(second, document_id=first.name), document(second, document_id="empty", size_bytes=0, data=b"")
    reports, summary = check(school, [header(), document(first), twice, empty, document(third)])
    assert [found(report) for report in reports] == [[], ["UNREADABLE"], ["UNREADABLE"], []]
    assert [reason_of(report.findings[0].status) for report in reports[1:3]] == ["DUPLICATE_DOCUMENT_ID", "DOCUMENT_EMPTY"]
    assert (summary.checked, summary.fit) == (4, 2)


def test_a_check_that_cannot_be_made_is_refused_as_a_whole(school: grpc.Channel) -> None:
    [record] = class_of(size=1)
    for error, first in (
        (InvalidArgument, document(record)),
        (InvalidArgument, header(plan_pb2.RecordPlan())),
        (InvalidArgument, header(plan_pb2.RecordPlan(role=common_pb2.ROLE_SUBJECT_TEACHER))),
        (InvalidArgument, header(plan_pb2.RecordPlan(role=common_pb2.ROLE_PRINCIPAL, school_year=25))),
        (RoleRefused, header(plan_pb2.RecordPlan(role=common_pb2.ROLE_OPERATOR))),
        (RoleRefused, header(plan_pb2.RecordPlan(role=common_pb2.ROLE_PRINCIPAL, slot=common_pb2.RECORD_SLOT_SEAL))),
        (LayoutNotFound, header(plan_pb2.RecordPlan(role=common_pb2.ROLE_PRINCIPAL, layout_id="moet-9"))),
        (RoleRefused, header(plan_pb2.RecordPlan(role=common_pb2.ROLE_PRINCIPAL, delegation_id="x"), credential_id="cbql")),
        (SchoolNotFound, header(school_id=OTHER_SCHOOL)),
        (CredentialNotFound, header(credential_id="other")),
    ):
        with refused(error):
            check(school, [first, document(record)])


def test_another_schools_records_are_not_this_schools(world: World, daemon: Running) -> None:
    with world.channel(daemon.port, "other-school") as channel:
        reports, _summary = check(channel, [header(school_id=OTHER_SCHOOL), *map(document, class_of(size=1))])
    assert found(reports[0]) == ["SCHOOL_MISMATCH"]


def test_layouts_are_listed_with_slots_roles_and_order(school: grpc.Channel) -> None:
    response = record_pb2_grpc.RecordServiceStub(school).ListLayouts(record_pb2.ListLayoutsRequest(), timeout=TIMEOUT_S)
    by_id = {layout.layout_id: layout for layout in response.layouts}
    assert list(by_id) == ["moet-1.0-primary", "moet-2.0"]
    homeroom, principal, seal = by_id["moet-1.0-primary"].slots
    assert (homeroom.optional, principal.optional, seal.optional) == (True, False, False)
    assert list(principal.roles) == [common_pb2.ROLE_PRINCIPAL, common_pb2.ROLE_VICE_PRINCIPAL]
    assert list(seal.after) == [common_pb2.RECORD_SLOT_PRINCIPAL]
    assert list(seal.references) == ["#data"]


def test_unfit_records_fail_alone_when_signed_and_use_no_key(school: grpc.Channel, world: World) -> None:
    spoilt = class_records(seed=2030, faults=UNFIT)
    request_id = fresh_id()
    plan = plan_pb2.SigningPlan(credential_id="cbql", profile=common_pb2.PROFILE_MINISTRY_XML, level=common_pb2.LEVEL_B_B, record=PRINCIPAL)
    answers = sign_batch(school, {record.name: record.content for record in spoilt}, plan=plan, request_id=request_id)
    unfit = {spoilt[index].name for index in UNFIT}
    assert answers.signed().keys() == {record.name for record in spoilt} - unfit
    findings = {result.document_id: from_rpc_status(result.status) for result in answers.results if result.status.code}
    for index, fault in UNFIT.items():
        error = findings[spoilt[index].name]
        assert error.metadata.get("finding", "UNREADABLE") == EXPECTED[fault], error
    assert not unfit & set(intents(world.folder / "shared.db", request_id))
    sealed = plan_pb2.SigningPlan(credential_id="seal", profile=common_pb2.PROFILE_MINISTRY_XML, level=common_pb2.LEVEL_B_B, record=CLERK)
    again = sign_batch(school, answers.signed(), plan=sealed)
    assert again.signed().keys() == answers.signed().keys()
    reports, _summary = check(school, [header(CLERK), *(document(ClassRecord(*each)) for each in again.signed().items())])
    assert {(slot.signed, slot.valid) for report in reports for slot in report.slots[1:]} == {(True, True)}
    assert {tuple(found(report)) for report in reports} >= {("ALREADY_SIGNED",)}


def test_pdfs_of_records_are_signed_in_their_order_and_sealed_last(school: grpc.Channel) -> None:
    def signed_by(role: Any, credential: str, field: str, documents: dict[str, bytes]) -> Answers:
        return sign_batch(school, documents, plan=calls.plan(credential, field_name=field, record=plan_pb2.RecordPlan(role=role)))

    cards = {"a": pdfs.report_card(0, pages=1), "b": pdfs.report_card(1, pages=1)}
    early = signed_by(common_pb2.ROLE_CLERK, "seal", "KY_PHAT_HANH", cards)
    assert early.reasons() == {0: "RECORD_UNFIT", 1: "RECORD_UNFIT"}
    approved = signed_by(common_pb2.ROLE_PRINCIPAL, "cbql", "CBQL", cards).signed()
    damaged = approved["b"].replace(b"/ByteRange", b"/ByteRangf", 1)
    reports, _summary = check(
        school, [header(CLERK), *(document(ClassRecord(*each)) for each in {"a": approved["a"], "b": cards["b"]}.items())]
    )
    assert [found(report) for report in reports] == [[], ["EARLIER_SIGNATURE_MISSING"]]
    assert [(slot.signed, slot.valid) for slot in reports[0].slots] == [(True, True)]
    sealed = signed_by(common_pb2.ROLE_CLERK, "seal", "KY_PHAT_HANH", {"a": approved["a"], "b": damaged})
    assert sealed.signed().keys() == {"a"}
    late = signed_by(common_pb2.ROLE_PRINCIPAL, "cbql", "CBQL2", sealed.signed())
    assert late.reasons() == {0: "RECORD_UNFIT"}


@pytest.fixture
def class_folder(tmp_path: Path, unfit_class: list[ClassRecord]) -> Path:
    folder = tmp_path / "1A"
    folder.mkdir()
    for record in unfit_class:
        (folder / record.name).write_bytes(record.content)
    (folder / ".hidden.xml").write_bytes(b"<x/>")
    return folder


def test_school_software_asks_from_python(world: World, daemon: Running, class_folder: Path) -> None:
    documents = [Document.from_path(path) for path in sorted(class_folder.glob("[!.]*.xml"))]
    pki = world.pki
    with SignerClient(f"localhost:{daemon.port}", ca=pki / "tls-ca.crt", certificate=pki / "school.crt", key=pki / "school.key") as client:
        checked = client.records.check(documents, RecordPlan(Role.PRINCIPAL), school_id=SCHOOL, credential_id="cbql")
        layouts = client.records.layouts()
        with pytest.raises(FileNotFoundError):
            client.records.check([Document.from_path(class_folder / "none.xml")], RecordPlan(Role.PRINCIPAL), school_id=SCHOOL)
    assert (len(checked.fit), len(checked.unfit)) == (22, 13)
    assert checked.problems[RecordProblem.DUPLICATE_UUID] == 1
    assert [layout.layout_id for layout in layouts] == ["moet-1.0-primary", "moet-2.0"]


def test_a_clerk_sees_what_is_missing_in_vietnamese(world: World, daemon: Running, class_folder: Path) -> None:
    done = run(world, daemon, "records", "check", str(class_folder), "--role", "principal", "--school", SCHOOL, "--lang", "vi")
    assert done.returncode == 1
    assert "35 học bạ: 22 đủ điều kiện ký, 13 chưa" in done.stdout
    assert "2 học bạ: kết quả chưa hoàn tất" in done.stdout
    assert "trùng MA_TRA_CUU_UUID với 1A-01.xml" in " ".join(done.stdout.replace("│", " ").split())
    fit = run(world, daemon, "records", "check", str(class_folder / "1A-01.xml"), "--role", "principal", "--school", SCHOOL)
    assert (fit.returncode, "1 records: 1 fit" in fit.stdout) == (0, True)


def test_programs_read_the_check_as_json(world: World, daemon: Running, class_folder: Path) -> None:
    done = run(world, daemon, "records", "check", str(class_folder), "--role", "principal", "--school", SCHOOL, "--json")
    told = json.loads(done.stdout)
    assert told["summary"]["fit"] == 22
    by_path = {record["path"]: record for record in told["records"]}
    assert by_path["1A-31.xml"]["findings"][0]["problem"] == "DUPLICATE_UUID"
    assert "1A-01.xml" in by_path["1A-31.xml"]["findings"][0]["message_vi"]
    layouts = json.loads(run(world, daemon, "records", "layouts", "--json").stdout)["layouts"]
    assert [slot["slot"] for slot in layouts[1]["slots"]] == ["GVBM", "GVCN", "CBQL", "KY_PHAT_HANH"]
