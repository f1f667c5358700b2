"""XML over gRPC: the Ministry's records in their slots, and XAdES, judged by xmlsec1 and signxml."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from lxml import etree

from signer.demo.ministry_xml import RecordLayout, render_xml
from signer.demo.pupils import generate_class
from signer.errors import DocumentLocked, DocumentUnsupported, InvalidArgument, LayoutNotFound, NotServedYet, RequestIdReused, RoleRefused
from signer.rpc_status import from_rpc_status
from signer.v1 import common_pb2, plan_pb2
from tests.support import xml_verdicts as judges
from tests.support.calls import fresh_id, intents, metric, refused, sign_batch, sign_document
from tests.support.daemon import Running, World

B_B, B_T = common_pb2.LEVEL_B_B, common_pb2.LEVEL_B_T
HOMEROOM, PRINCIPAL, CLERK = common_pb2.ROLE_HOMEROOM_TEACHER, common_pb2.ROLE_PRINCIPAL, common_pb2.ROLE_CLERK
SIGNERS = ((HOMEROOM, "gvcn"), (PRINCIPAL, "cbql"), (CLERK, "seal"))
PUPILS = generate_class(seed=2029)
OTHER_XML = "<?xml version='1.0' encoding='UTF-8'?>\n<bang xmlns='urn:x'>\n <dong Id='d1'>Nguyễn</dong>\n <ky/>\n</bang>\n".encode()


def record(number: int = 0, layout: RecordLayout = RecordLayout.PRIMARY_V1) -> bytes:
    return render_xml(PUPILS, PUPILS.pupils[number], layout)


def ministry(role: Any = HOMEROOM, credential: str = "gvcn", level: Any = B_B, **more: Any) -> plan_pb2.SigningPlan:
    return plan_pb2.SigningPlan(
        credential_id=credential, profile=common_pb2.PROFILE_MINISTRY_XML, level=level, record=plan_pb2.RecordPlan(role=role, **more)
    )


def xades(level: Any = B_B, credential: str = "gvcn", **options: Any) -> plan_pb2.SigningPlan:
    return plan_pb2.SigningPlan(
        credential_id=credential, profile=common_pb2.PROFILE_XADES, level=level, xades=plan_pb2.XadesOptions(**options)
    )


def with_record(plan: plan_pb2.SigningPlan) -> plan_pb2.SigningPlan:
    plan.record.CopyFrom(plan_pb2.RecordPlan(role=HOMEROOM))
    return plan


def b64(content: bytes) -> bytes:
    return base64.b64encode(content)


@pytest.fixture
def cas(world: World) -> tuple[Path, Path]:
    return world.root_file, world.ca_file


@pytest.fixture(scope="module")
def thrice_signed(school: grpc.Channel) -> list[dict[str, bytes]]:
    """Records of both layouts, by homeroom teacher, principal and seal: unsigned, and as each left them."""
    states = [{"primary": record(0), "another": record(1)}]
    for role, credential in SIGNERS:
        answers = sign_batch(school, states[-1], plan=ministry(role, credential))
        assert answers.reasons() == {}
        states.append(answers.signed())
    return states


@pytest.mark.parametrize("name", ["primary", "another"])
def test_each_of_three_signatures_stands_for_xmlsec1_and_signxml_and_covers_the_record(
    name: str, thrice_signed: list[dict[str, bytes]], cas: tuple[Path, Path], tmp_path: Path
) -> None:
    for count, state in enumerate(thrice_signed):
        for number in range(count):
            assert judges.xmlsec1(state[name], cas, tmp_path, number), f"signature {number} of {count}"
            covered = judges.signxml(state[name], cas, tmp_path, number)
            assert covered is not None, f"signature {number} of {count}"
            data, statement = (each.signed_xml for each in covered)
            assert data is not None
            assert (data.tag, data.get("Id")) == ("DU_LIEU_HOC_BA", "data")
            assert statement is not None
            assert statement.tag.endswith("SignatureProperty")


def test_a_class_is_read_by_its_texts_and_signed_as_its_first_records_are(
    school: grpc.Channel, daemon: Running, cas: tuple[Path, Path], tmp_path: Path
) -> None:
    def examined(reading: str) -> float:
        return metric(daemon.metrics_port(), "signer_xml_documents_examined_total", reading=reading)

    others = generate_class(seed=2031)  # the register knows who was sealed
    state = {f"p{number}": render_xml(others, others.pupils[number]) for number in range(16)}
    for count, (role, credential) in enumerate(SIGNERS, 1):
        before = examined("texts"), examined("whole")
        spoilt = {"spoilt": state["p9"].replace(b"</HO_VA_TEN>", b"x</HO_VA_TEN>", 1)} if count > 1 else {}
        answers = sign_batch(school, {**state, **spoilt}, plan=ministry(role, credential))
        assert answers.reasons() == ({16: "RECORD_UNFIT"} if spoilt else {})
        state = answers.signed()
        texts, whole = examined("texts") - before[0], examined("whole") - before[1]
        assert texts + whole == 16
        assert texts > whole
        for signed in state.values():
            assert all(judges.xmlsec1(signed, cas, tmp_path, number) for number in range(count))


def test_earlier_signatures_and_the_record_stay_byte_for_byte(thrice_signed: list[dict[str, bytes]]) -> None:
    """What was there is there, in its order: taking the new signature out gives the document that was sent."""
    for before, after, slot in zip(thrice_signed, thrice_signed[1:], (b"GVCN", b"CBQL", b"KY_PHAT_HANH"), strict=False):
        for name, document in after.items():
            start = document.index(b"<" + slot + b"><Signature ")
            end = document.index(b"</" + slot + b">", start)
            assert document[:start] + b"<" + slot + b"/>" + document[end + len(slot) + 3 :] == before[name]


def test_a_tampered_record_and_another_s_key_are_refused(
    thrice_signed: list[dict[str, bytes]], cas: tuple[Path, Path], world: World, tmp_path: Path
) -> None:
    signed = thrice_signed[1]["primary"]
    tampered = signed.replace(b"</HIEU_TRUONG>", b"x</HIEU_TRUONG>", 1)
    assert tampered != signed
    own, other = (b64(world.token.key(name).certificate_der) for name in ("gvcn", "cbql"))
    assert own in signed
    for wrong in (tampered, signed.replace(own, other)):
        assert not judges.xmlsec1(wrong, cas, tmp_path)
        assert judges.signxml(wrong, cas, tmp_path) is None


def test_a_result_says_who_signed_which_slot(school: grpc.Channel) -> None:
    answer = sign_document(school, record(2), plan=ministry())
    assert (answer.info.profile, answer.info.level) == (common_pb2.PROFILE_MINISTRY_XML, B_B)
    assert (answer.info.role, answer.info.slot) == (HOMEROOM, common_pb2.RECORD_SLOT_HOMEROOM_TEACHER)
    assert answer.info.signed_sha256 == hashlib.sha256(answer.content).digest()
    assert answer.times.document.ToNanoseconds() > 0


def test_what_is_unfit_fails_alone_with_its_finding(school: grpc.Channel, thrice_signed: list[dict[str, bytes]], world: World) -> None:
    good = record(3)
    documents = {
        "good": good,
        "sealed": thrice_signed[3]["primary"],
        "foreign": good.replace(b"<MA_TRUONG>", b"<MA_TRUONG>9"),
        "no-number": re.sub(rb"\s*<SO_CCCD>.*?</SO_CCCD>|\s*<MA_DINH_DANH[A-Z_]*>.*?</MA_DINH_DANH[A-Z_]*>", b"", good),
        "no-record": OTHER_XML,
        "torn": good[:900],
        "pdf": b"%PDF-1.7",
        "entity": b'<!DOCTYPE HOC_BA [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + good.partition(b"?>")[2],
        "empty": b"",
    }
    request_id = fresh_id()
    answers = sign_batch(school, documents, plan=ministry(), request_id=request_id)
    reasons = {list(documents)[index]: reason for index, reason in answers.reasons().items()}
    assert reasons == {
        "sealed": "RECORD_UNFIT",
        "foreign": "RECORD_UNFIT",
        "no-number": "RECORD_UNFIT",
        "no-record": "RECORD_UNFIT",
        "torn": "DOCUMENT_DAMAGED",
        "pdf": "DOCUMENT_NOT_XML",
        "entity": "DOCUMENT_UNSUPPORTED",
        "empty": "DOCUMENT_EMPTY",
    }
    findings = {
        list(documents)[result.index]: from_rpc_status(result.status).metadata.get("finding")
        for result in answers.results
        if result.status.code
    }
    assert {name: finding for name, finding in findings.items() if finding} == {
        "sealed": "ALREADY_SIGNED",
        "foreign": "SCHOOL_MISMATCH",
        "no-number": "PERSONAL_NUMBER_MISSING",
        "no-record": "LAYOUT_UNKNOWN",
    }
    assert intents(world.folder / "shared.db", request_id) == ["good"]


def test_the_seal_waits_for_a_valid_signature_of_the_principal(
    school: grpc.Channel, thrice_signed: list[dict[str, bytes]], world: World
) -> None:
    by_principal = thrice_signed[2]["primary"]
    broken = by_principal.replace(b"<SigningTime", b"<SigningTime ", 1)
    documents = {"unsigned": record(4), "homeroom": thrice_signed[1]["primary"], "tampered": broken.replace(b"+07:00</S", b"+08:00</S")}
    request_id = fresh_id()
    answers = sign_batch(school, documents, plan=ministry(CLERK, "seal"), request_id=request_id)
    assert set(answers.reasons().values()) == {"RECORD_UNFIT"}
    assert len(answers.reasons()) == len(documents)
    assert intents(world.folder / "shared.db", request_id) == []


@pytest.mark.parametrize("plan", [ministry(), xades(B_B), xades(B_T)], ids=["ministry", "xades-b-b", "xades-b-t"])
def test_the_same_ids_return_the_same_signature_and_use_the_key_once(
    plan: plan_pb2.SigningPlan, school: grpc.Channel, world: World
) -> None:
    request_id = fresh_id()
    documents = {"a": record(5), "b": record(6)}
    first = sign_batch(school, documents, plan=plan, request_id=request_id)
    again = sign_batch(school, documents, plan=plan, request_id=request_id)
    assert first.signed() == again.signed()
    assert [result.replayed for result in again.results] == [True, True]
    assert sorted(intents(world.folder / "shared.db", request_id)) == ["a", "b"]
    with refused(RequestIdReused):
        sign_document(school, record(7), plan=plan, request_id=request_id, document_id="a")


XADES: dict[str, dict[str, Any]] = {
    "enveloped": {},
    "an element, signed elsewhere": {"reference_id": "d1", "placement_xpath": "/*/*[2]"},
    "an element, signed inside": {"reference_id": "d1", "placement_xpath": "//*[@Id='d1']"},
    "exclusive": {"canonicalization": "http://www.w3.org/2001/10/xml-exc-c14n#"},
    "enveloping": {"packaging": common_pb2.PACKAGING_ENVELOPING},
}


@pytest.mark.parametrize("options", list(XADES))
@pytest.mark.parametrize("level", [B_B, B_T], ids=["b-b", "b-t"])
def test_xades_stands_for_xmlsec1_and_signxml(
    level: Any, options: str, school: grpc.Channel, cas: tuple[Path, Path], tmp_path: Path
) -> None:
    answer = sign_document(school, OTHER_XML, plan=xades(level, **XADES[options]))
    signed = answer.content
    assert (answer.info.profile, answer.info.level) == (common_pb2.PROFILE_XADES, level)
    assert judges.xmlsec1(signed, cas, tmp_path)
    assert judges.signxml(signed, cas, tmp_path) is not None
    assert (b"SignatureTimeStamp" in signed) == (level == B_T)
    assert answer.info.HasField("timestamp_time") == (level == B_T)
    tampered = signed.replace("Nguyễn".encode(), "Nguyên".encode())
    assert not judges.xmlsec1(tampered, cas, tmp_path)
    assert judges.signxml(tampered, cas, tmp_path) is None


def test_the_timestamp_covers_the_signature_value_and_stands_for_openssl(
    school: grpc.Channel, cas: tuple[Path, Path], tmp_path: Path
) -> None:
    signed = sign_document(school, OTHER_XML, plan=xades(B_T)).content
    root = etree.fromstring(signed)
    value = next(root.iter(f"{judges.DS}SignatureValue"))
    imprint = hashlib.sha256(etree.tostring(value, method="c14n", with_tail=False)).hexdigest()
    (tmp_path / "timestamp.der").write_bytes(base64.b64decode(next(root.iter(f"{judges.XADES}EncapsulatedTimeStamp")).text or ""))
    root_file, ca_file = cas
    files = ["-in", str(tmp_path / "timestamp.der"), "-CAfile", str(root_file), "-untrusted", str(ca_file)]
    done = subprocess.run(["openssl", "ts", "-verify", "-token_in", "-digest", imprint, *files], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_two_signers_of_two_elements_leave_one_another_standing(school: grpc.Channel, cas: tuple[Path, Path], tmp_path: Path) -> None:
    parts = b"<lop><part Id='a'>1</part><part Id='b'>2</part><ky/></lop>"
    once = sign_document(school, parts, plan=xades(reference_id="a", placement_xpath="/lop/ky")).content
    twice = sign_document(school, once, plan=xades(B_T, "cbql", reference_id="b", placement_xpath="/lop/ky")).content
    assert [judges.xmlsec1(twice, cas, tmp_path, number) for number in (0, 1)] == [True, True]
    assert once.partition(b"</ky>")[0] in twice


def test_a_whole_document_s_signature_can_t_be_broken_by_another(school: grpc.Channel) -> None:
    once = sign_document(school, OTHER_XML, plan=xades()).content
    with refused(DocumentLocked):
        sign_document(school, once, plan=xades())


def test_any_file_is_signed_beside_itself_under_its_name(school: grpc.Channel, cas: tuple[Path, Path], tmp_path: Path) -> None:
    content = bytes(range(256))
    plan = xades(packaging=common_pb2.PACKAGING_DETACHED)
    signed = sign_document(school, content, plan=plan, file_name="bang-diem 1A.bin").content
    assert b'URI="bang-diem%201A.bin"' in signed
    assert b'URI="d"' in sign_document(school, content, plan=plan).content
    assert content not in signed
    assert judges.xmlsec1(signed.replace(b"bang-diem%201A.bin", b"file.bin"), cas, tmp_path, content=("file.bin", content)) is False
    named = sign_document(school, content, plan=plan, file_name="file.bin").content
    assert judges.xmlsec1(named, cas, tmp_path, content=("file.bin", content))
    assert not judges.xmlsec1(named, cas, tmp_path, content=("file.bin", content[1:]))
    request_id = fresh_id()
    sign_document(school, content, plan=plan, file_name="a", request_id=request_id)
    with refused(RequestIdReused):
        sign_document(school, content, plan=plan, file_name="b", request_id=request_id)


@pytest.mark.parametrize(
    ("plan", "kind", "field"),
    [
        (ministry(level=B_T), NotServedYet, None),
        (plan_pb2.SigningPlan(credential_id="gvcn", profile=common_pb2.PROFILE_MINISTRY_XML, level=B_B), InvalidArgument, "plan.record"),
        (ministry(0), InvalidArgument, "plan.record.role"),
        (ministry(common_pb2.ROLE_AUDITOR), RoleRefused, None),
        (ministry(slot=common_pb2.RECORD_SLOT_SEAL), RoleRefused, None),
        (ministry(layout_id="no-such"), LayoutNotFound, None),
        (ministry(subject_id="x"), InvalidArgument, "record.subject_id"),
        (ministry(delegation_id="x"), RoleRefused, None),
        (xades(packaging=common_pb2.PACKAGING_ENVELOPING, reference_id="d1"), InvalidArgument, "plan.xades.reference_id"),
        (xades(packaging=common_pb2.PACKAGING_DETACHED, placement_xpath="/a"), InvalidArgument, "plan.xades.placement_xpath"),
        (xades(canonicalization="urn:none"), InvalidArgument, "plan.xades.canonicalization"),
        (xades(placement_xpath="/a[document('x')]"), InvalidArgument, None),
        (xades(reference_id="no-such"), DocumentUnsupported, None),
        (xades(level=common_pb2.LEVEL_B_LT), NotServedYet, None),
        (with_record(xades()), NotServedYet, "plan.record"),
    ],
    ids=str,
)
def test_what_can_t_be_signed_so_is_refused_before_the_key_is_used(
    plan: plan_pb2.SigningPlan, kind: type, field: str | None, school: grpc.Channel, world: World
) -> None:
    request_id = fresh_id()
    with refused(kind, **({"field": field} if field else {})):
        sign_document(school, OTHER_XML, plan=plan, request_id=request_id)
    assert intents(world.folder / "shared.db", request_id) == []
