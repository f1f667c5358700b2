"""Each limit is answered at once, with a reason of its own, and without a use of the key."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from signer.errors import BatchTooLarge, DeadlineExceeded, DeadlineTooLong, DocumentTooLarge, TooManyRequests, Unrecognized
from signer.v1 import credential_pb2, credential_pb2_grpc, signing_pb2, signing_pb2_grpc
from tests.support import pdfs
from tests.support.calls import (
    Answers,
    Request,
    chunked,
    fresh_id,
    header,
    intents,
    our_errors,
    plan,
    refused,
    sign_batch,
    sign_digests,
    sign_document,
    start,
    stream,
)
from tests.support.daemon import SCHOOL, Running, World, running_daemon
from tests.support.shim import Door, Shim, build

CARD = pdfs.report_card(pages=1)
MESSAGE_BYTES_MAX = 65_536


def sized(size_bytes: int) -> bytes:
    """A PDF of exactly this size."""
    stream = os.urandom(size_bytes - len(CARD) - 400)
    document = pdfs.edited(CARD, lambda pdf: pdf.Root.__setitem__("/Padding", pdf.make_stream(stream)))
    return document.ljust(size_bytes, b"\n")


@pytest.fixture(scope="module")
def shim(world: World, tmp_path_factory: pytest.TempPathFactory) -> Shim:
    """A token that can be made slow."""
    folder = tmp_path_factory.mktemp("shim")
    return Shim(build(folder), world.token, folder / "state")


@pytest.fixture(scope="module")
def narrow(world: World, shim: Shim) -> Iterator[Running]:
    """A daemon whose limits are small."""
    config = world.config(
        "narrow.toml",
        journal={"url": "sqlite:///narrow.db"},
        server={
            "message_bytes_max": MESSAGE_BYTES_MAX,
            "concurrent_rpcs_max": 4,
            "deadline_s_max": 120,
            "deadline_s_default": 60,
            "reflection": False,
        },
        limits={"document_bytes_max": 262_144, "batch_documents_max": 5, "digests_per_call_max": 8, "batch_in_flight_documents": 3},
        documents={"processes": 1},
        token={"queue_max": 4, "processes": 1, "module": str(shim.module), "environment": shim.environment},
    )
    with running_daemon(config) as running:
        yield running


@pytest.fixture
def channel(world: World, narrow: Running) -> Iterator[grpc.Channel]:
    with world.channel(narrow.port) as made:
        yield made


def narrow_intents(world: World, request_id: str) -> list[str]:
    return intents(world.folder / "narrow.db", request_id)


def test_documents_beyond_the_batch_limit_fail_and_the_earlier_go_on(channel: grpc.Channel, world: World) -> None:
    request_id = fresh_id()
    answers = sign_batch(channel, {f"d{number}": CARD for number in range(7)}, request_id=request_id)
    assert answers.accepted is not None
    assert answers.accepted.documents_max == 5
    assert answers.reasons() == {5: "BATCH_TOO_LARGE", 6: "BATCH_TOO_LARGE"}
    assert sorted(narrow_intents(world, request_id)) == [f"d{number}" for number in range(5)]


def test_documents_beyond_the_number_announced_fail_one_by_one(school: grpc.Channel) -> None:
    answers = sign_batch(school, {f"d{number}": CARD for number in range(4)}, expected_documents=3)
    assert answers.reasons() == {3: "BATCH_TOO_LARGE"}
    assert answers.summary is not None
    assert (answers.summary.expected, answers.summary.received, answers.summary.not_received) == (3, 4, 0)


def test_a_refused_document_counts_towards_the_batch_limit_too(channel: grpc.Channel) -> None:
    """Else a stream of rubbish would never end."""
    answers = sign_batch(channel, [start("", CARD) for _ in range(5)] + [start("good", CARD)])
    assert answers.reasons() == dict.fromkeys(range(5), "INVALID_ARGUMENT") | {5: "BATCH_TOO_LARGE"}


def test_a_document_of_the_largest_size_is_taken_and_one_byte_more_is_not(channel: grpc.Channel) -> None:
    largest, larger = sized(262_144), sized(262_145)
    answers = sign_batch(channel, [*chunked("largest", largest, 50_000), *chunked("larger", larger, 50_000), start("small", CARD)])
    assert answers.reasons() == {1: "DOCUMENT_TOO_LARGE"}
    assert answers.signed()["largest"].startswith(largest)


def test_a_document_that_fits_its_request_but_not_the_answer_is_refused_before_the_key_is_used(channel: grpc.Channel, world: World) -> None:
    """Else the key would be used for an answer that can't be sent, again at each repeat."""
    document, request_id = sized(MESSAGE_BYTES_MAX - 2_000), fresh_id()
    with refused(DocumentTooLarge, grpcCode="INVALID_ARGUMENT"):
        sign_document(channel, document, request_id=request_id)
    assert narrow_intents(world, request_id) == []
    assert sign_document(channel, document, request_id=request_id, result_form=2).content
    assert sign_batch(channel, chunked("d", document, 30_000)).signed().keys() == {"d"}


def test_digests_beyond_the_limit_are_refused_as_a_whole(channel: grpc.Channel, world: World) -> None:
    request_id = fresh_id()
    with refused(BatchTooLarge, limitCount="8", grpcCode="INVALID_ARGUMENT"):
        sign_digests(channel, {f"d{number}": bytes(32) for number in range(9)}, request_id=request_id)
    assert narrow_intents(world, request_id) == []


def test_a_deadline_longer_than_the_budget_is_refused(channel: grpc.Channel) -> None:
    stub = credential_pb2_grpc.CredentialServiceStub(channel)
    request = credential_pb2.ListCredentialsRequest(school_id=SCHOOL)
    with refused(DeadlineTooLong, limitS="120.0", grpcCode="INVALID_ARGUMENT"), our_errors():
        stub.ListCredentials(request, timeout=150)
    with our_errors():
        assert stub.ListCredentials(request, timeout=100).credentials
        assert stub.ListCredentials(request).credentials, "without a deadline the default holds"


def test_a_message_beyond_the_limit_is_refused_by_grpc_itself(channel: grpc.Channel) -> None:
    with refused(Unrecognized, code="RESOURCE_EXHAUSTED"):
        sign_document(channel, bytes(MESSAGE_BYTES_MAX + 1))


def test_more_open_calls_than_configured_are_refused_at_once_with_a_time_to_come_back(channel: grpc.Channel) -> None:
    held: queue.Queue[Request | None] = queue.Queue()
    streams = [_open_stream(channel, held) for _ in range(4)]
    with refused(TooManyRequests, limit="4", grpcCode="RESOURCE_EXHAUSTED") as caught:
        sign_digests(channel, {"d": bytes(32)})
    assert caught.value.retry_after_s
    for _ in streams:
        held.put(None)
    for responses in streams:
        assert [message.WhichOneof("message") for message in responses] == ["summary"]
    assert sign_digests(channel, {"d": bytes(32)}).results[0].signature


def _open_stream(channel: grpc.Channel, held: queue.Queue[Request | None]) -> Iterator[signing_pb2.BatchSignDocumentsResponse]:
    first = Request(header=header())
    responses = signing_pb2_grpc.SigningServiceStub(channel).BatchSignDocuments(_then(first, held), timeout=60)
    assert next(responses).WhichOneof("message") == "accepted"
    return responses


def _then(first: Request, held: queue.Queue[Request | None]) -> Iterator[Request]:
    yield first
    while (message := held.get()) is not None:
        yield message


def test_a_full_queue_answers_each_surplus_item_with_a_time_to_come_back(channel: grpc.Channel, shim: Shim) -> None:
    """A slow token (0.4 s a signature) with two frames in its worker's hands and four digests waiting."""
    shim.delay(Door.SIGN, 0.4)
    try:
        answers = _in_parallel(2, lambda: sign_digests(channel, {f"d{number}": bytes([number]) * 32 for number in range(8)}))
    finally:
        shim.calm()
    results = [result for answer in answers for result in answer.results]
    full = [result for result in results if result.status.code]
    assert full
    assert {result.status.code for result in full} == {grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]}
    assert all(any(detail.type_url.endswith("RetryInfo") for detail in result.status.details) for result in full)
    signed = [result for result in results if result.signature]
    assert len(signed) >= 4, "those that had a place in the queue were signed"


def test_a_batch_wider_than_the_queue_is_slowed_down_to_its_window(channel: grpc.Channel, shim: Shim) -> None:
    """Documents of one batch in flight are fewer than places in the queue, so a slow token refuses none of them."""
    shim.delay(Door.SIGN, 0.05)
    try:
        answers = sign_batch(channel, {f"d{number}": CARD for number in range(5)})
    finally:
        shim.calm()
    assert answers.reasons() == {}
    assert len(answers.signed()) == 5


def test_a_deadline_that_passes_stops_the_use_of_the_key(channel: grpc.Channel, shim: Shim) -> None:
    request_id = fresh_id()
    shim.delay(Door.SIGN, 0.4)
    before = len(shim.key_uses())
    try:
        request = [Request(header=header(request_id=request_id)), *[start(f"d{number}", CARD) for number in range(5)]]
        with refused(DeadlineExceeded, grpcCode="DEADLINE_EXCEEDED"):
            stream(channel, request, timeout_s=0.9)
    finally:
        shim.calm()
    again = sign_batch(channel, {f"d{number}": CARD for number in range(5)}, request_id=request_id)
    assert again.signed().keys() == {f"d{number}" for number in range(5)}
    assert len(shim.key_uses()) - before == 5, "repeating the batch signs only what the deadline left over"


def test_reflection_can_be_switched_off(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def _in_parallel(count: int, act: Callable[[], Any]) -> list[Any]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(act())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_answers_keep_below_the_message_limit_of_the_daemon(channel: grpc.Channel) -> None:
    """The client would refuse more than 64 KiB in one message."""
    options = Answers()
    with our_errors():
        for message in signing_pb2_grpc.SigningServiceStub(channel).BatchSignDocuments(
            iter([Request(header=header(plan=plan())), *chunked("d", sized(200_000), 50_000)]), timeout=60
        ):
            assert message.ByteSize() <= MESSAGE_BYTES_MAX
            options.take(message)
    assert len(options.signed()["d"]) > 200_000
