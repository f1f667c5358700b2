"""The access log: one line an RPC, whatever became of it, and nothing a caller sends can make another."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from signer.errors import SignerError
from tests.support import pdfs
from tests.support.calls import Request as Message
from tests.support.calls import fresh_id, header, operations_call, plan, sign_batch, sign_digests, start, stream
from tests.support.daemon import OTHER_SCHOOL, Running, World
from tests.support.waiting import until

NASTY = 'x\r\n{"event":"forged"}\n\x1b[31m\u2028\u2029\u0085\u202e\x00'
KEYS = {"timestamp", "level", "event", "process", "logger", "rpc_id", "method", "client", "code", "reason", "seconds"}


def lines_of(daemon: Running, request_id: str) -> list[dict[str, Any]]:
    return [event for event in daemon.events() if event["event"] == "rpc" and event.get("request_id") == request_id]


def test_a_call_and_a_stream_have_one_line_each_with_the_callers_request_id(school: grpc.Channel, daemon: Running) -> None:
    called, streamed = fresh_id(), fresh_id()
    sign_digests(school, {"d": bytes(32)}, request_id=called)
    sign_batch(school, {"a": pdfs.report_card(), "b": b"no PDF"}, request_id=streamed)
    for request_id, method in ((called, "SigningService/SignDigests"), (streamed, "SigningService/BatchSignDocuments")):
        until(lambda wanted=request_id: lines_of(daemon, wanted), "its line")  # type: ignore[misc]
        (line,) = lines_of(daemon, request_id)
        assert (line["method"], line["client"], line["code"], line["reason"]) == (method, "school", "OK", "")
        assert set(line) == KEYS | {"request_id"}
        assert re.fullmatch("[0-9a-f]{16}", line["rpc_id"])
        assert line["seconds"] > 0


def test_what_was_refused_has_its_line_with_the_reason(school: grpc.Channel, daemon: Running, world: World) -> None:
    refused = fresh_id()
    with contextlib.suppress(SignerError):
        sign_digests(school, {"d": bytes(32)}, request_id=refused, credential_id="no-such")
    until(lambda: lines_of(daemon, refused), "its line")
    (line,) = lines_of(daemon, refused)
    assert (line["code"], line["reason"]) == ("NOT_FOUND", "CREDENTIAL_NOT_FOUND")

    def strangers() -> int:
        return sum(event.get("reason") == "CALLER_UNKNOWN" for event in daemon.events())

    before = strangers()
    with world.channel(daemon.port, "unlisted") as unlisted, pytest.raises(grpc.RpcError):
        operations_call(unlisted, "ListTokens")
    until(lambda: strangers() == before + 1, "a line of whom nobody knows")


def nasty_ids(channel: grpc.Channel) -> None:
    sign_digests(channel, {NASTY: bytes(32)}, request_id=NASTY)


def nasty_school(channel: grpc.Channel) -> None:
    sign_digests(channel, {"d": bytes(32)}, school_id=NASTY, credential_id=NASTY)


def nasty_names(channel: grpc.Channel) -> None:
    messages = [Message(header=header(label=NASTY, plan=plan(field_name=NASTY))), start("d", pdfs.report_card(), file_name=NASTY)]
    stream(channel, messages)


def nasty_metadata(channel: grpc.Channel) -> None:
    call: Any = channel.unary_unary(f"/signer.v1.SigningService/{NASTY!r}")
    call(b"", timeout=60, metadata=(("x-forged-bin", NASTY.encode("utf-8")),))


def nasty_document(channel: grpc.Channel) -> None:
    sign_batch(channel, {"d": f"%PDF-1.7\n{NASTY}".encode()})


@pytest.mark.parametrize("send", [nasty_ids, nasty_school, nasty_names, nasty_metadata, nasty_document])
def test_nothing_a_caller_sends_makes_a_line_of_its_own(
    send: Callable[[grpc.Channel], None], school: grpc.Channel, daemon: Running
) -> None:
    before = len(daemon.log.read_bytes().splitlines())
    with contextlib.suppress(SignerError, grpc.RpcError):
        send(school)
    sign_digests(school, {"d": bytes(32)}, request_id=(after := fresh_id()))
    until(lambda: lines_of(daemon, after), "the line of a later call")
    raw = daemon.log.read_bytes()
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in raw), "nothing steers a terminal"
    for line in raw.splitlines()[before:]:
        assert json.loads(line)["event"] != "forged"


def test_another_schools_request_is_told_with_the_client_that_asked(school: grpc.Channel, daemon: Running) -> None:
    """Who knocks where is an audit's question."""
    before = len(daemon.events())
    with contextlib.suppress(SignerError):
        sign_digests(school, {"d": bytes(32)}, school_id=OTHER_SCHOOL)

    def lines() -> list[dict[str, Any]]:
        return [event for event in daemon.events()[before:] if event["event"] == "rpc" and event["reason"] == "SCHOOL_NOT_FOUND"]

    until(lines, "its line")
    (line,) = lines()
    assert line["client"] == "school"


def test_lines_about_documents_are_sampled_and_say_how_many_there_were(school: grpc.Channel, daemon: Running) -> None:
    """The first, second, fourth, eighth … of each reason: a batch of rubbish does not fill the disk."""
    request_id = fresh_id()
    sign_batch(school, {f"Pupil-{number}": b"no PDF" for number in range(11)}, request_id=request_id)
    until(lambda: lines_of(daemon, request_id), "its line")
    lines = [event for event in daemon.events() if event["event"] == "document failed" and event.get("request_id") == request_id]
    assert [(line["reason"], line["so_far"]) for line in lines] == [("DOCUMENT_NOT_PDF", count) for count in (1, 2, 4, 8)]
    assert all("Pupil" not in str(line) for line in lines)
