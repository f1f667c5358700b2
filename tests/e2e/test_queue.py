"""Queued batches: accepted whole, signed later as a stream would be, fetched, acknowledged; and what must not be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from signer.errors import Reason
from signer.rpc_status import from_rpc_status
from signer.v1 import admin_pb2_grpc, admin_tokens_pb2, common_pb2, plan_pb2, queue_pb2
from tests.support import pdfs
from tests.support.batch import Plan, sign_batch
from tests.support.calls import fresh_id, metric
from tests.support.daemon import Running, World, running_daemon
from tests.support.queued import Queue, refusal, submission
from tests.support.waiting import until

CLASS = {f"pupil-{number:02}": pdfs.report_card(number, pages=1) for number in range(40)}
FEW = dict(list(CLASS.items())[:3])
NIGHT = queue_pb2.BatchSchedule(
    windows=[common_pb2.TimeWindow(start=Timestamp(seconds=int((datetime.now(UTC) + timedelta(hours=6)).timestamp())))]
)
"""Opens when the tests are long over."""


@pytest.fixture(scope="module")
def queue_daemon(world: World) -> Iterator[Running]:
    config = world.config(
        "queue.toml", journal={"url": "sqlite:///queue-journal.db"}, queue={"school_batches_max": 8, "documents_max": 100}
    )
    with running_daemon(config) as running:
        yield running


@pytest.fixture(scope="module")
def queue(world: World, queue_daemon: Running) -> Iterator[Queue]:
    with world.channel(queue_daemon.port) as channel:
        yield Queue(channel)


def test_a_batch_is_accepted_signed_and_fetched_and_every_document_accounted_for(queue: Queue) -> None:
    documents = {**CLASS, "broken": b"no PDF", "empty": b""}
    accepted = queue.submit(documents, fresh_id())
    assert (accepted.label, accepted.plan.credential_id, accepted.progress.received) == ("Lớp 5A", "gvcn", 42)
    responses = queue.watch(accepted.batch_id)
    items = [response.item for response in responses if response.WhichOneof("message") == "item"]
    assert [item.position for item in items] == list(range(1, 43))
    assert all(not item.result.content for item in items)
    summary = responses[-1].summary
    assert (summary.expected, summary.received, summary.signed, summary.failed) == (42, 42, 40, 2)
    assert {each.reason: each.count for each in summary.failures} == {"DOCUMENT_NOT_PDF": 1, "DOCUMENT_EMPTY": 1}
    fetched = queue.fetch(accepted.batch_id)
    assert fetched.reasons == {"broken": "DOCUMENT_NOT_PDF", "empty": "DOCUMENT_EMPTY"}
    assert fetched.positions == list(range(1, 43))
    for document_id, content in CLASS.items():
        assert fetched.contents[document_id].startswith(content)
        assert fetched.results[document_id].content_size_bytes == len(fetched.contents[document_id])
        assert b"/ByteRange" in fetched.contents[document_id][len(content) :]
    ended = queue.get(accepted.batch_id)
    assert ended.state == queue_pb2.BATCH_STATE_COMPLETED
    assert ended.summary.signed == 40
    assert ended.results_expire_time.seconds > ended.end_time.seconds


def test_the_same_ids_over_a_stream_are_answered_with_the_same_signatures(queue: Queue, world: World, queue_daemon: Running) -> None:
    request_id = fresh_id()
    accepted = queue.submit(FEW, request_id)
    queue.ended(accepted.batch_id)
    queued = queue.fetch(accepted.batch_id).contents
    with world.channel(queue_daemon.port) as channel:
        streamed = sign_batch(channel, FEW, request_id, Plan("gvcn", common_pb2.LEVEL_B_B, "GVCN"))
    assert all(result.replayed for result in streamed.results)
    assert {key: FEW[key] + result.appended for key, result in streamed.signed.items()} == queued


def test_results_are_fetched_from_a_position_and_by_their_documents_and_as_what_was_appended(queue: Queue) -> None:
    accepted = queue.submit(CLASS, fresh_id(), result_form=plan_pb2.RESULT_FORM_APPENDED_BYTES)
    queue.ended(accepted.batch_id)
    everything, late = queue.fetch(accepted.batch_id), queue.fetch(accepted.batch_id, after=30)
    assert late.positions == list(range(31, 41))
    assert not any(everything.contents[key].startswith(content) for key, content in CLASS.items())
    assert queue.fetch(accepted.batch_id, document_ids=("pupil-07",)).contents == {"pupil-07": everything.contents["pupil-07"]}


def test_what_is_acknowledged_is_deleted_and_nothing_else(queue: Queue, world: World) -> None:
    accepted = queue.submit(CLASS, fresh_id())
    queue.ended(accepted.batch_id)
    before = queue.fetch(accepted.batch_id)
    assert queue.acknowledge(accepted.batch_id, 25) == 25
    assert queue.acknowledge(accepted.batch_id, 25) == 0
    after = queue.fetch(accepted.batch_id)
    gone = list(before.results)[:25]
    assert after.reasons == dict.fromkeys(gone, Reason.RESULT_EXPIRED.value)
    assert {key: after.contents[key] for key in after.contents if key not in gone} == {
        key: content for key, content in before.contents.items() if key not in gone
    }
    assert queue.acknowledge(accepted.batch_id, 1_000) == 15
    with sqlite3.connect(world.folder / "queue-journal.db.queue") as rows:
        query = "SELECT count(*) FROM queued_portion JOIN queued_batch ON batch = number WHERE batch_id = ?"
        assert rows.execute(query, [accepted.batch_id]).fetchone() == (0,)


def test_documents_and_headers_lie_in_no_file_in_the_clear(queue: Queue, world: World) -> None:
    marked = {"a": pdfs.report_card(1, pages=1, compress=False)}
    accepted = queue.submit(marked, fresh_id(), of={"schedule": NIGHT}, label="Lớp bí mật")
    for path in world.folder.glob("queue-journal.db*"):
        assert path.stat().st_mode & 0o077 == 0, path
        content = path.read_bytes()
        assert marked["a"][1000:1100] not in content, path
        assert "Lớp bí mật".encode() not in content, path
    queue.cancel(accepted.batch_id)


def test_a_repeat_returns_the_same_batch_and_another_content_is_refused(queue: Queue) -> None:
    request_id = fresh_id()
    accepted = queue.submit(FEW, request_id)
    queue.ended(accepted.batch_id)
    repeated = queue.submit(FEW, request_id)
    assert (repeated.batch_id, repeated.state) == (accepted.batch_id, queue_pb2.BATCH_STATE_COMPLETED)
    other = {**FEW, "pupil-00": pdfs.report_card(77, pages=1)}
    assert refusal(lambda: queue.submit(other, request_id)).reason is Reason.REQUEST_ID_REUSED
    assert refusal(lambda: queue.submit(FEW, request_id, label="another")).reason is Reason.REQUEST_ID_REUSED


def test_a_submission_that_breaks_off_leaves_nothing(queue: Queue) -> None:
    request_id = fresh_id()
    before = len(queue.stub.ListBatches(queue_pb2.ListBatchesRequest(school_id=queue.school_id)).batches)
    messages = list(submission(CLASS, request_id))[:30]
    refused = refusal(lambda: queue.stub.SubmitBatch(iter(messages)))
    assert (refused.reason, refused.metadata["field"]) == (Reason.INVALID_ARGUMENT, "header.expected_documents")
    assert len(queue.stub.ListBatches(queue_pb2.ListBatchesRequest(school_id=queue.school_id)).batches) == before
    accepted = queue.submit(CLASS, request_id)
    assert accepted.progress.received == 40
    queue.ended(accepted.batch_id)  # or the next test's would stand behind it


def test_a_batch_waits_for_its_window_pauses_resumes_and_is_cancelled_without_a_key_use(queue: Queue) -> None:
    accepted = queue.submit(FEW, fresh_id(), of={"schedule": NIGHT})
    assert queue.pause(accepted.batch_id).state == queue_pb2.BATCH_STATE_PAUSED
    assert queue.pause(accepted.batch_id).state == queue_pb2.BATCH_STATE_PAUSED
    resumed = queue.resume(accepted.batch_id)
    assert resumed.state in {queue_pb2.BATCH_STATE_QUEUED, queue_pb2.BATCH_STATE_WAITING_FOR_TOKEN, queue_pb2.BATCH_STATE_RUNNING}
    cancelled = queue.cancel(accepted.batch_id)
    assert (cancelled.state, cancelled.summary.failed, cancelled.summary.signed) == (queue_pb2.BATCH_STATE_CANCELLED, 3, 0)
    assert queue.cancel(accepted.batch_id).state == queue_pb2.BATCH_STATE_CANCELLED
    assert queue.fetch(accepted.batch_id).reasons == dict.fromkeys(FEW, Reason.CANCELLED.value)
    assert refusal(lambda: queue.pause(accepted.batch_id)).reason is Reason.BATCH_ENDED
    assert refusal(lambda: queue.resume(accepted.batch_id)).reason is Reason.BATCH_ENDED


def test_a_batch_waits_for_a_token_that_is_out_of_use_and_goes_on_by_itself(queue: Queue, world: World, queue_daemon: Running) -> None:
    with world.channel(queue_daemon.port, "operator") as channel:
        operator = admin_pb2_grpc.AdminServiceStub(channel)
        operator.PauseToken(admin_tokens_pb2.PauseTokenRequest(token_name="school-token", reason="night"))
        accepted = queue.submit(FEW, fresh_id())
        until(lambda: queue.get(accepted.batch_id).state == queue_pb2.BATCH_STATE_WAITING_FOR_TOKEN, "the batch to wait")
        waits = queue.get(accepted.batch_id)
        assert from_rpc_status(waits.waiting_status).reason is Reason.TOKEN_UNAVAILABLE
        assert waits.progress.signed == 0
        operator.ResumeToken(admin_tokens_pb2.ResumeTokenRequest(token_name="school-token"))
    assert queue.ended(accepted.batch_id).summary.signed == 3


def test_a_completed_batch_can_not_be_cancelled(queue: Queue) -> None:
    accepted = queue.submit(FEW, fresh_id())
    queue.ended(accepted.batch_id)
    assert refusal(lambda: queue.cancel(accepted.batch_id)).reason is Reason.BATCH_ENDED


def test_what_is_not_signed_by_its_deadline_has_failed(queue: Queue) -> None:
    soon = queue_pb2.BatchSchedule(deadline=Timestamp(seconds=int(datetime.now(UTC).timestamp()) + 2))
    accepted = queue.submit(FEW, fresh_id(), of={"schedule": soon})
    queue.pause(accepted.batch_id)
    ended = queue.ended(accepted.batch_id)
    assert ended.state in {queue_pb2.BATCH_STATE_EXPIRED, queue_pb2.BATCH_STATE_COMPLETED}
    if ended.state == queue_pb2.BATCH_STATE_EXPIRED:
        assert set(queue.fetch(accepted.batch_id).reasons.values()) == {Reason.DEADLINE_EXCEEDED.value}


def test_batches_are_listed_newest_first_page_by_page_and_by_state(queue: Queue) -> None:
    made = [queue.submit({"one": CLASS["pupil-00"]}, fresh_id()).batch_id for _ in range(3)]
    for batch_id in made:
        queue.ended(batch_id)
    first = queue.stub.ListBatches(queue_pb2.ListBatchesRequest(school_id=queue.school_id, page_size=2))
    second = queue.stub.ListBatches(queue_pb2.ListBatchesRequest(school_id=queue.school_id, page_size=2, page_token=first.next_page_token))
    assert [batch.batch_id for batch in [*first.batches, *second.batches]][:3] == made[::-1]
    paused = queue.stub.ListBatches(queue_pb2.ListBatchesRequest(school_id=queue.school_id, states=[queue_pb2.BATCH_STATE_PAUSED]))
    assert not paused.batches


@pytest.mark.parametrize(
    ("fields", "of", "reason"),
    [
        ({"expected_documents": 0}, {}, Reason.INVALID_ARGUMENT),
        ({"expected_documents": 101}, {}, Reason.BATCH_TOO_LARGE),
        (
            {"plan": plan_pb2.SigningPlan(credential_id="nobody", profile=common_pb2.PROFILE_PADES, level=common_pb2.LEVEL_B_B)},
            {},
            Reason.CREDENTIAL_NOT_FOUND,
        ),
        ({"school_id": "elsewhere"}, {}, Reason.SCHOOL_NOT_FOUND),
        ({}, {"priority": 77}, Reason.INVALID_ARGUMENT),
        ({}, {"schedule": queue_pb2.BatchSchedule(deadline=Timestamp(seconds=1))}, Reason.INVALID_ARGUMENT),
        ({}, {"schedule": queue_pb2.BatchSchedule(windows=[common_pb2.TimeWindow(end=Timestamp(seconds=1))])}, Reason.INVALID_ARGUMENT),
        (
            {},
            {"schedule": queue_pb2.BatchSchedule(daily_windows=[queue_pb2.DailyWindow(start_minute=1440, end_minute=1)])},
            Reason.INVALID_ARGUMENT,
        ),
    ],
)
def test_a_header_that_can_not_be_carried_out_is_refused_at_once(
    queue: Queue, fields: dict[str, object], of: dict[str, object], reason: Reason
) -> None:
    assert refusal(lambda: queue.submit(FEW, fresh_id(), of=of, **fields)).reason is reason


def test_a_school_has_no_more_batches_than_it_may(queue: Queue) -> None:
    one, held = {"one": CLASS["pupil-00"]}, [queue.submit(FEW, fresh_id(), of={"schedule": NIGHT}).batch_id for _ in range(8)]
    refused = refusal(lambda: queue.submit(one, fresh_id()))
    assert (refused.reason, refused.metadata["limit"]) == (Reason.QUEUE_FULL, "8")
    for batch_id in held:
        queue.cancel(batch_id)
    queue.ended(queue.submit(one, fresh_id()).batch_id)


def test_another_school_finds_no_batch_that_is_not_its_own(queue: Queue, world: World, queue_daemon: Running) -> None:
    accepted = queue.submit(FEW, fresh_id())
    with world.channel(queue_daemon.port, "other-school") as channel:
        foreign = Queue(channel, "79000002")
        for call in (foreign.get, foreign.pause, foreign.resume, foreign.cancel, foreign.fetch, foreign.watch):
            assert refusal(lambda call=call: call(accepted.batch_id)).reason is Reason.BATCH_NOT_FOUND
        foreign.school_id = queue.school_id
        assert refusal(lambda: foreign.get(accepted.batch_id)).reason is Reason.SCHOOL_NOT_FOUND
    assert queue.ended(accepted.batch_id).summary.signed == 3


def test_metrics_tell_how_much_waits(queue: Queue, queue_daemon: Running) -> None:
    queue.ended(queue.submit(FEW, fresh_id()).batch_id)
    assert metric(queue_daemon.metrics_port(), "signer_queue_bytes") >= 0
    assert metric(queue_daemon.metrics_port(), "signer_queue_documents_left") >= 0


def test_without_a_queue_in_the_configuration_it_is_refused(school: grpc.Channel) -> None:
    queue = Queue(school)
    assert refusal(lambda: queue.submit(FEW, fresh_id())).reason is Reason.QUEUE_NOT_CONFIGURED
    assert refusal(lambda: queue.get("any")).reason is Reason.QUEUE_NOT_CONFIGURED
