"""A class over one stream: what comes back, in which order and form, and that every document is accounted for."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import grpc
import pikepdf
import pytest
from google.protobuf.duration_pb2 import Duration

from signer.v1 import batch_pb2, common_pb2, plan_pb2, signing_pb2, signing_pb2_grpc
from tests.support import pdfs
from tests.support.calls import Request, chunk, chunked, fresh_id, header, lot, plan, sign_batch, start
from tests.support.daemon import World

CLASS = {f"pupil-{number:02}": pdfs.VARIANTS[variant](number) for number, variant in enumerate(list(pdfs.VARIANTS) * 2)}


def test_a_whole_class_is_signed_and_every_item_accounted_for(school: grpc.Channel, world: World) -> None:
    answers = sign_batch(school, CLASS, plan=plan(level=common_pb2.LEVEL_B_T), expected_documents=len(CLASS))
    assert answers.accepted is not None
    assert answers.accepted.algorithm == common_pb2.SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256
    assert answers.accepted.certificate_chain[0] == world.token.key("gvcn").certificate_der
    assert answers.accepted.message_bytes_max == 4 * 1024 * 1024
    assert answers.signed().keys() == CLASS.keys()
    assert sorted(result.index for result in answers.results) == list(range(len(CLASS)))
    names = list(CLASS)
    for result in answers.results:
        content = answers.contents[result.index]
        assert names[result.index] == result.document_id
        assert content.startswith(CLASS[result.document_id])
        assert result.info.source_sha256 == hashlib.sha256(CLASS[result.document_id]).digest()
        assert result.info.signed_sha256 == hashlib.sha256(content).digest()
        assert (result.info.credential_id, result.info.field_name) == ("gvcn", "Signature")
        assert (result.info.profile, result.info.level) == (common_pb2.PROFILE_PADES, common_pb2.LEVEL_B_T)
        assert not result.replayed
    summary = answers.summary
    assert summary is not None
    assert (summary.expected, summary.received, summary.signed) == (len(CLASS), len(CLASS), len(CLASS))
    assert (summary.replayed, summary.failed, summary.pending, summary.not_received, len(summary.failures)) == (0, 0, 0, 0, 0)


def test_stage_times_say_where_each_item_and_the_whole_batch_spent_their_time(school: grpc.Channel) -> None:
    answers = sign_batch(school, dict(list(CLASS.items())[:6]), plan=plan(level=common_pb2.LEVEL_B_T))
    assert answers.summary is not None
    for stage in ("queue", "document", "token", "timestamp", "journal"):
        spent_ns = [getattr(result.times, stage).ToNanoseconds() for result in answers.results]
        assert all(nanoseconds > 0 for nanoseconds in spent_ns), stage
        assert getattr(answers.summary.times, stage).ToNanoseconds() == pytest.approx(sum(spent_ns), abs=10 * len(spent_ns))
        assert max(spent_ns) < answers.summary.elapsed.ToNanoseconds(), stage


def test_a_signature_without_a_timestamp_spends_no_time_on_one(school: grpc.Channel) -> None:
    (result,) = sign_batch(school, {"d": CLASS["pupil-00"]}).results
    assert result.times.timestamp.ToNanoseconds() == 0
    assert not result.info.HasField("timestamp_time")


def test_appended_bytes_are_exactly_the_tail_of_the_full_document(school: grpc.Channel) -> None:
    original, ids = CLASS["pupil-01"], {"request_id": fresh_id()}
    full = sign_batch(school, {"d": original}, result_form=plan_pb2.RESULT_FORM_FULL_DOCUMENT, **ids)
    tail = sign_batch(school, {"d": original}, result_form=plan_pb2.RESULT_FORM_APPENDED_BYTES, **ids)
    assert original + tail.signed()["d"] == full.signed()["d"]
    assert tail.results[0].info.signed_sha256 == full.results[0].info.signed_sha256
    assert tail.results[0].content_size_bytes == len(tail.signed()["d"])


def test_a_document_larger_than_a_message_travels_in_chunks_both_ways(school: grpc.Channel) -> None:
    page = pdfs.report_card(7)
    large = pdfs.edited(page, lambda pdf: pdf.Root.__setitem__("/Padding", pdf.make_stream(os.urandom(9 * 1024 * 1024))))
    answers = sign_batch(school, [*chunked("large", large, 1024 * 1024), start("small", page), *chunked("odd", large, 999_983)])
    assert answers.signed().keys() == {"large", "small", "odd"}
    for result in answers.results:
        assert hashlib.sha256(answers.contents[result.index]).digest() == result.info.signed_sha256
    assert answers.signed()["large"].startswith(large)
    assert len(answers.results[0].content) < result.content_size_bytes or result.document_id == "small"


def test_a_document_may_come_byte_by_byte_and_after_an_empty_first_piece(school: grpc.Channel) -> None:
    document = pdfs.report_card(3, pages=1)
    pieces = [chunk(document[at : at + 1]) for at in range(len(document) - 1)]
    messages = [start("d", document, data=b""), *pieces, chunk(), chunk(document[-1:])]
    assert sign_batch(school, messages).signed().keys() == {"d"}


def test_results_come_as_they_complete_and_not_when_the_stream_ends(school: grpc.Channel) -> None:
    """The second document is sent only after the first one's result came."""
    first_came = threading.Event()

    def outgoing() -> Iterator[Request]:
        yield Request(header=header())
        yield start("first", CLASS["pupil-00"])
        assert first_came.wait(30)
        yield start("second", CLASS["pupil-01"])

    order = []
    for message in signing_pb2_grpc.SigningServiceStub(school).BatchSignDocuments(outgoing(), timeout=60):
        order.append(message.WhichOneof("message"))
        if order[-1] == "result":
            first_came.set()
    assert order == ["accepted", "result", "result", "summary"]


def test_each_document_may_name_a_field_of_its_own(school: grpc.Channel) -> None:
    document = CLASS["pupil-00"]
    messages = [start("plain", document), start("own", document, field_name="CBQL")]
    answers = sign_batch(school, messages, plan=plan(field_name="GVCN"))
    assert {result.document_id: result.info.field_name for result in answers.results} == {"plain": "GVCN", "own": "CBQL"}
    assert b"(CBQL)" in answers.signed()["own"][len(document) :]


def test_the_texts_of_the_plan_stand_in_the_signature_dictionary(school: grpc.Channel) -> None:
    texts = {"Name": "Trần Văn Giáo", "Reason": "Xác nhận kết quả học tập", "Location": "Hà Nội"}
    made = plan()
    made.pades.name, made.pades.reason, made.pades.location = texts.values()
    signed = sign_batch(school, {"d": CLASS["pupil-00"]}, plan=made).signed()["d"]
    with pikepdf.open(BytesIO(signed)) as pdf:
        value = pdf.Root.AcroForm.Fields[0].V
        assert [str(value[f"/{key}"]) for key in texts] == list(texts.values())


def test_progress_is_told_at_the_interval_asked_for_and_never_contradicts_itself(school: grpc.Channel) -> None:
    documents = {f"{name}/{turn}": content for turn in range(8) for name, content in CLASS.items()}
    answers = sign_batch(
        school, documents, plan=plan(level=common_pb2.LEVEL_B_T), expected_documents=len(documents), progress_interval=Duration(nanos=1)
    )
    assert answers.progress, "a batch of this size takes longer than the least interval of 0.1 s"
    assert answers.summary is not None
    assert len(answers.progress) <= answers.summary.elapsed.ToNanoseconds() / 0.1e9 + 1
    for before, after in zip(answers.progress, answers.progress[1:], strict=False):
        assert after.signed >= before.signed
        assert after.elapsed.ToNanoseconds() > before.elapsed.ToNanoseconds()
    for progress in answers.progress:
        assert progress.expected == len(documents)
        assert progress.signed + progress.failed + progress.queued == progress.received
    assert sign_batch(school, {"d": CLASS["pupil-00"]}).progress == []


def test_an_empty_batch_ends_with_an_empty_summary(school: grpc.Channel) -> None:
    answers = sign_batch(school, {}, expected_documents=3)
    assert answers.summary is not None
    assert (answers.summary.received, answers.summary.not_received) == (0, 3)
    assert answers.results == []


def test_batches_of_one_school_may_run_side_by_side(school: grpc.Channel) -> None:
    with ThreadPoolExecutor(4) as threads:
        batches = list(threads.map(lambda _: sign_batch(school, dict(list(CLASS.items())[:8])), range(4)))
    assert all(len(batch.signed()) == 8 for batch in batches)


def test_a_single_document_is_signed_by_one_call(school: grpc.Channel) -> None:
    document = CLASS["pupil-03"]
    with_all = signing_pb2.SignDocumentRequest(
        request_id=fresh_id(),
        school_id="79000001",
        document_id="d",
        plan=plan(level=common_pb2.LEVEL_B_T, field_name="GVCN"),
        document=document,
        sha256=hashlib.sha256(document).digest(),
        file_name="học bạ.pdf",
    )
    answer = signing_pb2_grpc.SigningServiceStub(school).SignDocument(with_all, timeout=60)
    assert answer.content.startswith(document)
    assert answer.info.signed_sha256 == hashlib.sha256(answer.content).digest()
    assert answer.info.field_name == "GVCN"
    assert answer.times.token.ToNanoseconds() > 0
    with_all.result_form = plan_pb2.RESULT_FORM_APPENDED_BYTES
    assert document + signing_pb2_grpc.SigningServiceStub(school).SignDocument(with_all, timeout=60).content == answer.content


def test_documents_sent_in_lots_are_signed_as_if_each_had_come_alone(school: grpc.Channel) -> None:
    answers = sign_batch(school, [lot(CLASS)], results_in_lots=True)
    assert answers.signed().keys() == CLASS.keys()
    assert [list(CLASS)[result.index] for result in answers.results] == [result.document_id for result in answers.results]
    for result in answers.results:
        assert hashlib.sha256(answers.contents[result.index]).digest() == result.info.signed_sha256
    assert sum(answers.lots) == len(CLASS)
    assert max(answers.lots) > 1, "some results came together"


def test_results_come_one_by_one_to_a_caller_that_did_not_ask_for_lots(school: grpc.Channel) -> None:
    answers = sign_batch(school, [lot(CLASS)])
    assert answers.signed().keys() == CLASS.keys()
    assert answers.lots == []


def test_a_result_too_large_for_a_lot_comes_alone_in_chunks(school: grpc.Channel) -> None:
    large = pdfs.edited(pdfs.report_card(7), lambda pdf: pdf.Root.__setitem__("/Padding", pdf.make_stream(os.urandom(2 * 1024 * 1024))))
    answers = sign_batch(school, [lot({"small": CLASS["pupil-00"], "large": large, "last": CLASS["pupil-01"]})], results_in_lots=True)
    assert answers.signed().keys() == {"small", "large", "last"}
    assert sum(answers.lots) == 2
    for result in answers.results:
        assert hashlib.sha256(answers.contents[result.index]).digest() == result.info.signed_sha256


def test_what_is_wrong_with_a_document_of_a_lot_is_its_own_affair(school: grpc.Channel) -> None:
    short = start("short", CLASS["pupil-00"], size_bytes=len(CLASS["pupil-00"]) + 1).document
    long = start("long", CLASS["pupil-00"], size_bytes=10).document
    good = [start(name, CLASS[name]).document for name in ("pupil-01", "pupil-02", "pupil-01")]
    message = Request(lot=batch_pb2.DocumentLot(documents=[good[0], short, long, *good[1:]]))
    answers = sign_batch(school, [message, start("after", CLASS["pupil-03"])], results_in_lots=True)
    assert answers.signed().keys() == {"pupil-01", "pupil-02", "after"}
    assert answers.reasons() == {1: "INVALID_ARGUMENT", 2: "INVALID_ARGUMENT", 4: "DUPLICATE_DOCUMENT_ID"}
