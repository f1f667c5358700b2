"""The wire to workers: what is sent arrives whole, and what is no frame is refused before it is believed."""

from __future__ import annotations

import socket
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import InternalError, PinHeld, QueueFull, Reason, SignerError, leaves
from signer.telemetry.origins import OriginIds
from signer.workers.frames import BODY_BYTES_MAX, HEAD_BYTES, Frame, Kind, WorkerChannel, decode_failure, encode_failure, head, parse_head


@given(st.sampled_from(Kind), st.integers(0, 2**64 - 1), st.integers(0, BODY_BYTES_MAX))
def test_a_head_comes_back_as_it_was(kind: Kind, call_id: int, body_bytes: int) -> None:
    raw = head(kind, call_id, body_bytes)
    assert len(raw) == HEAD_BYTES
    assert parse_head(raw) == (body_bytes, call_id, kind)


@given(st.binary(min_size=HEAD_BYTES, max_size=HEAD_BYTES))
def test_any_bytes_are_a_head_or_a_value_error(raw: bytes) -> None:
    try:
        body_bytes, call_id, kind = parse_head(raw)
    except ValueError:
        return
    assert body_bytes <= BODY_BYTES_MAX
    assert head(kind, call_id, body_bytes) == raw


def test_an_absurd_length_is_refused_before_memory_is_asked_for() -> None:
    with pytest.raises(ValueError, match="more than"):
        parse_head(head(Kind.REPLY, 1, BODY_BYTES_MAX + 1))


@pytest.mark.parametrize("kind", list(leaves().values()), ids=lambda kind: kind.__name__)
def test_every_error_of_ours_crosses_with_all_it_says(kind: type[SignerError]) -> None:
    error = kind("Lỗi: the cause and the next step", retry_after_s=1.5, token="t", limit=7)
    found = decode_failure(encode_failure(error))
    assert type(found) is kind
    assert (found.message, found.metadata, found.retry_after_s) == (error.message, {"token": "t", "limit": "7"}, 1.5)


def test_a_reason_nobody_knows_becomes_an_internal_error() -> None:
    body = msgspec.msgpack.encode(["SOMETHING_NEW", "words", {}, None])
    assert isinstance(decode_failure(body), InternalError)


@given(st.binary(max_size=200))
def test_any_failure_body_is_an_error_or_a_value_error(body: bytes) -> None:
    try:
        found = decode_failure(body)
    except (msgspec.MsgspecError, ValueError):
        return
    assert isinstance(found, SignerError)


def test_frames_arrive_whole_and_in_order_however_they_are_cut() -> None:
    ours, theirs = socket.socketpair()
    bodies = [b"", b"x", bytes(3_000_000), b"\0" * HEAD_BYTES]
    sent = b"".join(head(Kind.CALL, number, len(body)) + body for number, body in enumerate(bodies))

    def send() -> None:
        with ours:
            for at in range(0, len(sent), 65_521):
                ours.sendall(sent[at : at + 65_521])

    thread = threading.Thread(target=send)
    thread.start()
    channel = WorkerChannel(theirs)
    received = [channel.receive() for _ in bodies]
    assert received == [Frame(Kind.CALL, number, body) for number, body in enumerate(bodies)]
    assert channel.receive() is None, "the daemon is gone"
    thread.join()
    theirs.close()


def test_a_frame_cut_short_is_the_end_not_a_frame() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(head(Kind.CALL, 1, 10) + b"only")
    ours.close()
    assert WorkerChannel(theirs).receive() is None
    theirs.close()


def test_a_worker_that_writes_to_a_dead_daemon_hears_of_it() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with pytest.raises(BrokenPipeError):
        WorkerChannel(theirs).fail(3, QueueFull("full"))
    theirs.close()


def test_an_answer_holds_what_the_worker_wrote() -> None:
    ours, theirs = socket.socketpair()
    WorkerChannel(ours).fail(7, PinHeld("held", token="t"))
    frame = WorkerChannel(theirs).receive()
    assert frame is not None
    assert (frame.kind, frame.call_id, decode_failure(frame.body).reason) == (Kind.FAILURE, 7, Reason.PIN_HELD)
    ours.close()
    theirs.close()


def test_a_call_arrives_with_those_it_is_for_and_the_next_one_without_them() -> None:
    ours, theirs = socket.socketpair()
    channel = WorkerChannel(theirs)
    told = [OriginIds("class-1A", "0123"), OriginIds("class-1B", "4567", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")]
    with ours:
        for kind, body in ((Kind.ORIGINS, msgspec.msgpack.encode(told)), (Kind.CALL, b"first"), (Kind.CALL, b"second")):
            ours.sendall(head(kind, 1, len(body)) + body)
        for body, origins in ((b"first", tuple(told)), (b"second", ())):
            frame = channel.receive()
            assert frame is not None
            assert (frame.kind, frame.body, channel.origins) == (Kind.CALL, body, origins)
