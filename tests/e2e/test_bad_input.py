"""Bad input: each a typed error for that item alone, without a use of the key, and the rest of the class signed."""

from __future__ import annotations

from typing import Any

import grpc
import pikepdf
import pytest

from signer.errors import (
    AlgorithmUnsupported,
    CertificateExpired,
    CertificateUnusable,
    CredentialNotFound,
    DocumentDigestMismatch,
    DocumentEmpty,
    DocumentNotPdf,
    InvalidArgument,
    NotServedYet,
    SchoolNotFound,
    SignerError,
)
from signer.v1 import common_pb2, plan_pb2
from tests.support import pdfs, pki
from tests.support.calls import (
    Request,
    chunk,
    chunked,
    fresh_id,
    header,
    intents,
    our_errors,
    plan,
    refused,
    sign_batch,
    sign_document,
    start,
    stream,
)
from tests.support.daemon import World

CARD = pdfs.report_card()
MIB = 1024 * 1024


def certified() -> bytes:
    """Certified with DocMDP against any change (ISO 32000-2 12.8.2.2)."""

    def edit(pdf: pikepdf.Pdf) -> None:
        parameters = pikepdf.Dictionary(Type=pikepdf.Name.TransformParams, P=1, V=pikepdf.Name("/1.2"))
        reference = pikepdf.Dictionary(TransformMethod=pikepdf.Name.DocMDP, TransformParams=parameters)
        signature = pikepdf.Dictionary(Type=pikepdf.Name.Sig, Contents=pikepdf.String(b"0"), Reference=pikepdf.Array([reference]))
        value = pdf.make_indirect(signature)
        pdf.Root.AcroForm.Fields[0]["/V"] = value
        pdf.Root["/Perms"] = pikepdf.Dictionary(DocMDP=value)

    return pdfs.edited(pdfs.with_empty_field(CARD, "AUTHOR"), edit)


ALREADY_SIGNED = pdfs.signed(CARD, "Signature", signer=pki.issue("someone", pki.rsa_key(1), pki.authority()))
BAD: dict[str, tuple[list[Request], str]] = {
    "not a PDF": ([start("bad", b"<html>404</html>")], "DOCUMENT_NOT_PDF"),
    "truncated": ([start("bad", CARD[: len(CARD) // 2])], "DOCUMENT_DAMAGED"),
    "encrypted": ([start("bad", pdfs.encrypted(CARD, user="secret"))], "DOCUMENT_ENCRYPTED"),
    "encrypted for its owner": ([start("bad", pdfs.encrypted(CARD, user=""))], "DOCUMENT_ENCRYPTED"),
    "certified against changes": ([start("bad", certified())], "DOCUMENT_LOCKED"),
    "field already signed": ([start("bad", ALREADY_SIGNED)], "FIELD_ALREADY_SIGNED"),
    "zero bytes": ([start("bad", b"")], "DOCUMENT_EMPTY"),
    "too large": ([start("bad", b"", size_bytes=20 * MIB + 1), *[chunk(bytes(3 * MIB)) for _ in range(7)]], "DOCUMENT_TOO_LARGE"),
    "absurdly large, never sent": ([start("bad", b"", size_bytes=2**64 - 1)], "DOCUMENT_TOO_LARGE"),
    "sha256 of something else": ([start("bad", CARD, sha256=bytes(32))], "DOCUMENT_DIGEST_MISMATCH"),
    "sha256 of the wrong length": ([start("bad", CARD, sha256=b"\0" * 20)], "INVALID_ARGUMENT"),
    "fewer bytes than announced": ([start("bad", CARD, size_bytes=len(CARD) + 1)], "INVALID_ARGUMENT"),
    "more bytes than announced": ([start("bad", CARD, size_bytes=len(CARD) - 1)], "INVALID_ARGUMENT"),
    "more in a chunk than announced": ([start("bad", CARD, data=CARD[:9]), chunk(CARD)], "INVALID_ARGUMENT"),
    "further chunks of a refused one": ([start("bad", CARD, size_bytes=10), chunk(CARD), chunk(CARD)], "INVALID_ARGUMENT"),
    "empty id": ([start("", CARD)], "INVALID_ARGUMENT"),
    "id with a space": ([start("pupil 1", CARD)], "INVALID_ARGUMENT"),
    "id with a line end": ([start("pupil\n", CARD)], "INVALID_ARGUMENT"),
    "id of 129 characters": ([start("x" * 129, CARD)], "INVALID_ARGUMENT"),
    "id of megabytes": ([start("x" * (4 * MIB - 100), b"", size_bytes=0)], "INVALID_ARGUMENT"),
    "accented id": ([start("học-sinh", CARD)], "INVALID_ARGUMENT"),
    "field name with a full stop": ([start("bad", CARD, field_name="form.field")], "INVALID_ARGUMENT"),
    "field name of 128 bytes": ([start("bad", CARD, field_name="x" * 128)], "INVALID_ARGUMENT"),
    "field that is no signature field": ([start("bad", pdfs.report_card(form=True), field_name="remark")], "INVALID_ARGUMENT"),
    "file name of 256 bytes": ([start("bad", CARD, file_name="x" * 256)], "INVALID_ARGUMENT"),
    "an approval, not served": ([start("bad", CARD, approval_ids=["four-eyes"])], "NOT_SERVED_YET"),
    "duplicate id": ([start("first", CARD)], "DUPLICATE_DOCUMENT_ID"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_one_bad_document_fails_alone_by_name_and_no_key_is_used_for_it(name: str, school: grpc.Channel, world: World) -> None:
    messages, reason = BAD[name]
    request_id = fresh_id()
    answers = sign_batch(school, [start("first", CARD), *messages, start("last", CARD)], request_id=request_id)
    assert answers.reasons() == {1: reason}
    assert answers.signed().keys() == {"first", "last"}
    assert answers.results[-1].document_id[:100] in {"first", "last", messages[0].document.document_id[:100]}
    assert answers.summary is not None
    assert (answers.summary.received, answers.summary.signed, answers.summary.failed) == (3, 2, 1)
    assert [(count.reason, count.count) for count in answers.summary.failures] == [(reason, 1)]
    assert sorted(intents(world.folder / "shared.db", request_id)) == ["first", "last"]


def test_all_kinds_of_bad_documents_in_one_class_leave_the_good_ones_signed(school: grpc.Channel) -> None:
    messages = [start("first", CARD)]
    expected = {}
    for name, (bad, reason) in BAD.items():
        expected[len(messages) - sum(message.WhichOneof("message") == "chunk" for message in messages)] = reason
        document = bad[0].document
        if document.document_id == "bad":
            document = type(document).FromString(document.SerializeToString())
            document.document_id = f"bad/{len(expected)}"
        messages += [Request(document=document), *bad[1:], start(f"good/{name.replace(' ', '-').replace(',', '')}", CARD)]
    answers = sign_batch(school, messages)
    assert answers.reasons() == expected
    assert len(answers.signed()) == len(BAD) + 1


def test_a_document_that_is_never_completed_fails_alone_at_the_end_of_the_stream(school: grpc.Channel) -> None:
    answers = sign_batch(school, [start("whole", CARD), start("half", CARD, data=CARD[:100])])
    assert answers.signed().keys() == {"whole"}
    assert answers.reasons() == {1: "INVALID_ARGUMENT"}


def test_a_header_that_cannot_be_kept_fails_before_any_document(school: grpc.Channel, world: World) -> None:
    cases: list[tuple[dict[str, Any], type[SignerError], dict[str, str]]] = [
        ({"plan": plan("no-such")}, CredentialNotFound, {"grpcCode": "NOT_FOUND"}),
        ({"plan": plan("other")}, CredentialNotFound, {"grpcCode": "NOT_FOUND"}),
        ({"plan": plan("tsa")}, CredentialNotFound, {"grpcCode": "NOT_FOUND"}),
        ({"plan": plan("expired")}, CertificateExpired, {"grpcCode": "FAILED_PRECONDITION", "credential": "expired"}),
        ({"plan": plan("wrong-usage")}, CertificateUnusable, {"credential": "wrong-usage"}),
        ({"plan": plan("bare")}, CertificateUnusable, {"credential": "bare"}),
        ({"plan": plan("")}, InvalidArgument, {"field": "plan.credential_id"}),
        ({"plan": plan("ec", algorithm=common_pb2.SIGNATURE_ALGORITHM_RSA_PSS_SHA256)}, AlgorithmUnsupported, {"credential": "ec"}),
        ({"plan": plan(algorithm=common_pb2.SIGNATURE_ALGORITHM_ECDSA_SHA256)}, AlgorithmUnsupported, {}),
        ({"plan": plan(algorithm=77)}, InvalidArgument, {"field": "plan.algorithm"}),
        ({"plan": plan(level=common_pb2.LEVEL_UNSPECIFIED)}, InvalidArgument, {"field": "plan.level"}),
        ({"plan": plan(level=9)}, InvalidArgument, {"field": "plan.level"}),
        ({"plan": plan(profile=0)}, InvalidArgument, {"field": "plan.profile"}),
        ({"plan": plan(profile=9)}, InvalidArgument, {"field": "plan.profile"}),
        ({"plan": plan(profile=common_pb2.PROFILE_XADES)}, InvalidArgument, {"field": "plan.pades"}),
        ({"plan": plan(timestamp_shortage=9)}, InvalidArgument, {"field": "plan.timestamp_shortage"}),
        ({"plan": plan(timestamp_shortage=plan_pb2.TIMESTAMP_SHORTAGE_PARK)}, InvalidArgument, {"field": "plan.timestamp_shortage"}),
        ({"plan": plan(record=plan_pb2.RecordPlan())}, InvalidArgument, {"field": "plan.record.role"}),
        ({"plan": None}, InvalidArgument, {"field": "plan.profile"}),
        ({"plan": plan(field_name="a.b")}, InvalidArgument, {"field": "field_name"}),
        ({"result_form": 9}, InvalidArgument, {"field": "result_form"}),
        ({"approval_ids": ["x"]}, NotServedYet, {"field": "approval_ids"}),
        ({"label": "x" * 101}, InvalidArgument, {"field": "header.label"}),
        ({"school_id": "no-such"}, SchoolNotFound, {"grpcCode": "NOT_FOUND"}),
        ({"school_id": "79000002"}, SchoolNotFound, {"grpcCode": "NOT_FOUND"}),
        ({"school_id": ""}, InvalidArgument, {"field": "header.school_id"}),
        ({"request_id": ""}, InvalidArgument, {"field": "header.request_id"}),
        ({"request_id": "x" * 129}, InvalidArgument, {"field": "header.request_id"}),
        ({"request_id": "lớp 1A"}, InvalidArgument, {"field": "header.request_id"}),
    ]
    for changes, kind, metadata in cases:
        request_id = changes.get("request_id") or fresh_id()
        with refused(kind, **metadata):
            sign_batch(school, {"d": CARD}, **({"request_id": request_id} | changes))
        assert intents(world.folder / "shared.db", request_id) == [], changes


@pytest.mark.parametrize(
    "options",
    [
        {"locked_fields": ["GVCN"]},
        {"field_lock": plan_pb2.FIELD_LOCK_ALL, "locked_fields": ["GVCN"]},
        {"field_lock": plan_pb2.FIELD_LOCK_INCLUDE},
        {"field_lock": plan_pb2.FIELD_LOCK_EXCLUDE, "locked_fields": [""]},
        {"field_lock": plan_pb2.FIELD_LOCK_EXCLUDE, "locked_fields": ["x" * 257]},
        {"field_lock": plan_pb2.FIELD_LOCK_EXCLUDE, "locked_fields": [str(number) for number in range(257)]},
    ],
)
def test_locks_that_say_nothing_or_too_much_are_refused(options: dict[str, Any], school: grpc.Channel) -> None:
    made = plan()
    made.pades.CopyFrom(plan_pb2.PadesOptions(**options))
    with refused(InvalidArgument, field="plan.pades.locked_fields"):
        sign_batch(school, {"d": CARD}, plan=made)


@pytest.mark.parametrize("name", ["name", "reason", "location"])
def test_texts_of_the_signature_are_bounded_in_characters(name: str, school: grpc.Channel) -> None:
    made = plan()
    setattr(made.pades, name, "ế" * 256)
    assert sign_batch(school, {"d": CARD}, plan=made).signed().keys() == {"d"}
    setattr(made.pades, name, "ế" * 257)
    with refused(InvalidArgument, field=f"plan.pades.{name}"):
        sign_batch(school, {"d": CARD}, plan=made)


OUT_OF_ORDER: dict[str, list[Request]] = {
    "nothing at all": [],
    "no header": [start("d", CARD)],
    "an empty message first": [Request()],
    "a chunk first": [Request(header=header()), chunk(CARD)],
    "a second header": [Request(header=header()), Request(header=header())],
    "an empty message": [Request(header=header()), start("d", CARD), Request()],
    "a chunk after a complete document": [Request(header=header()), start("d", CARD), chunk(b"more")],
}


@pytest.mark.parametrize("name", list(OUT_OF_ORDER))
def test_messages_out_of_order_end_the_stream_by_name(name: str, school: grpc.Channel) -> None:
    with refused(InvalidArgument, grpcCode="INVALID_ARGUMENT"):
        stream(school, OUT_OF_ORDER[name])


def test_a_message_that_is_no_protobuf_ends_the_stream_at_once(school: grpc.Channel) -> None:
    """Not after the deadline: the reading side must never die in silence."""
    call = school.stream_stream("/signer.v1.SigningService/BatchSignDocuments", request_serializer=bytes, response_deserializer=bytes)
    with refused(InvalidArgument, field="message"), our_errors():
        list(call(iter([Request(header=header()).SerializeToString(), b"\xff\xff\xff"]), timeout=60))


def test_a_unary_message_that_is_no_protobuf_is_refused(school: grpc.Channel) -> None:
    call = school.unary_unary("/signer.v1.SigningService/SignDigests", request_serializer=bytes, response_deserializer=bytes)
    with refused(InvalidArgument, field="message"), our_errors():
        call(b"\xff\xff\xff", timeout=60)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"document": b""}, DocumentEmpty),
        ({"document": b"GIF89a"}, DocumentNotPdf),
        ({"sha256": bytes(32)}, DocumentDigestMismatch),
        ({"sha256": bytes(31)}, InvalidArgument),
        ({"document_id": ""}, InvalidArgument),
        ({"plan": plan("expired")}, CertificateExpired),
        ({"plan": plan("other")}, CredentialNotFound),
        ({"school_id": "79000002"}, SchoolNotFound),
        ({"result_form": 9}, InvalidArgument),
        ({"file_name": "x" * 256}, InvalidArgument),
        ({"approval_ids": ["x"]}, NotServedYet),
        ({"plan": plan(record=plan_pb2.RecordPlan(delegation_id="x"))}, InvalidArgument),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value.__name__,
)
def test_a_single_documents_failure_is_the_calls_and_uses_no_key(
    changes: dict[str, Any], kind: type[SignerError], school: grpc.Channel, world: World
) -> None:
    request_id = fresh_id()
    with refused(kind):
        sign_document(school, **({"document": CARD, "request_id": request_id} | changes))
    assert intents(world.folder / "shared.db", request_id) == []


def test_an_item_that_failed_before_its_key_was_used_is_tried_anew_when_repeated(school: grpc.Channel) -> None:
    ids = {"request_id": fresh_id()}
    assert sign_batch(school, {"d": CARD[:500]}, **ids).reasons() == {0: "DOCUMENT_DAMAGED"}
    again = sign_batch(school, {"d": CARD}, **ids)
    assert again.signed().keys() == {"d"}
    assert not again.results[0].replayed


def test_chunks_of_a_refused_document_are_skipped_whatever_follows(school: grpc.Channel) -> None:
    messages = [*chunked("bad id", CARD, 1000), start("good", CARD), *chunked("good", CARD, 1000)]
    answers = sign_batch(school, messages)
    assert answers.reasons() == {0: "INVALID_ARGUMENT", 2: "DUPLICATE_DOCUMENT_ID"}
    assert answers.signed().keys() == {"good"}
