"""Traces as a collector gets them: one span a call, its steps, and what the workers did, in the caller's own trace."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.proto.trace.v1 import trace_pb2

from signer.errors import ConfigError
from signer.telemetry.settings import TracingSettings
from signer.telemetry.tracer import open_tracer
from signer.v1 import common_pb2, signing_pb2, signing_pb2_grpc
from tests.support import pdfs
from tests.support.calls import Answers, Request, fresh_id, header, plan, sign_digests, start
from tests.support.collector import Collector, SeenSpan, collecting
from tests.support.daemon import SCHOOL, Running, World, running_daemon
from tests.support.waiting import until

SERVER = trace_pb2.Span.SPAN_KIND_SERVER
BATCH = "signer.v1.SigningService/BatchSignDocuments"
PUPIL = "Nguyễn Văn Pupil 012345678901"
ATTRIBUTES = {
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "error.type",
    *(f"signer.{name}" for name in ("client", "school", "request_id", "code", "documents", "items", "worker")),
}
SLACK_NS = 20_000_000


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture(scope="module")
def traced(world: World, collector: Collector) -> Iterator[Running]:
    """A daemon that traces nothing but what its callers trace."""
    config = world.config(
        "traced.toml", journal={"url": "sqlite:///traced.db"}, tracing={"endpoint": collector.endpoint, "sample_ratio": 0.0}
    )
    with running_daemon(config) as running:
        yield running


@pytest.fixture
def channel(world: World, traced: Running) -> Iterator[grpc.Channel]:
    with world.channel(traced.port) as made:
        yield made


def traceparent(*, is_recorded: bool = True) -> tuple[str, str, str]:
    """(trace id, span id, as W3C writes them)."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, span_id, f"00-{trace_id}-{span_id}-0{int(is_recorded)}"


def batch(channel: grpc.Channel, told: str, request_id: str, documents: int = 3) -> Answers:
    """At B-T, of documents whose ids and names are a pupil's."""
    messages = [Request(header=header(request_id=request_id, plan=plan("gvcn", common_pb2.LEVEL_B_T)))]
    messages += [start(f"Pupil-{number}", pdfs.report_card(number, pages=1), file_name=f"{PUPIL}.pdf") for number in range(documents)]
    answers = Answers()
    stub = signing_pb2_grpc.SigningServiceStub(channel)
    for message in stub.BatchSignDocuments(iter(messages), timeout=60, metadata=(("traceparent", told),)):
        answers.take(message)
    return answers


@pytest.fixture(scope="module")
def class_trace(world: World, traced: Running, collector: Collector) -> tuple[list[SeenSpan], str, str]:
    """The spans of one batch, the caller's span and its request_id."""
    trace_id, span_id, told = traceparent()
    request_id = fresh_id()
    with world.channel(traced.port) as channel:
        assert len(batch(channel, told, request_id).signed()) == 3
    return collector.whole_trace(trace_id), span_id, request_id


def test_a_call_continues_its_callers_trace(class_trace: tuple[list[SeenSpan], str, str]) -> None:
    spans, caller, request_id = class_trace
    (call,) = [span for span in spans if span.kind == SERVER]
    assert (call.name, call.parent_id, call.service) == (BATCH, caller, "signer")
    told = {"signer.client": "school", "signer.school": SCHOOL, "signer.request_id": request_id, "signer.code": "OK"}
    assert told.items() <= call.attributes.items()
    assert not call.is_error


def test_every_step_is_a_part_of_the_call_and_what_workers_did_a_part_of_their_step(
    class_trace: tuple[list[SeenSpan], str, str],
) -> None:
    spans = {span.span_id: span for span in class_trace[0]}
    tree = {(spans[span.parent_id].name, span.name) for span in spans.values() if span.parent_id in spans}
    in_call = ["document.prepare", "journal.intend", "token.sign", "timestamp", "assemble", "journal.settle"]
    assert {(BATCH, name) for name in in_call} <= tree
    assert {("document.prepare", "document.work"), ("token.sign", "token.queue"), ("token.sign", "token.work")} <= tree
    workers = {span.attributes["signer.worker"].partition("#")[0] for span in spans.values() if span.name.endswith(".work")}
    assert workers == {"documents", "school-token"}
    (call,) = [span for span in spans.values() if span.kind == SERVER]
    for span in spans.values():
        assert span.started_ns <= span.ended_ns
        parent = spans.get(span.parent_id)
        if parent is not None:
            assert parent.started_ns - SLACK_NS <= span.started_ns
            assert span.started_ns <= parent.ended_ns + SLACK_NS
            # A worker's frame may hold the next lot's documents as well: it may outlast the first one's step, never the call.
            outer = call if span.name.endswith(".work") else parent
            assert span.ended_ns <= outer.ended_ns + SLACK_NS


def test_a_timestamp_of_the_built_in_authority_shows_its_own_key_use(class_trace: tuple[list[SeenSpan], str, str]) -> None:
    spans = {span.span_id: span for span in class_trace[0]}
    assert any(span.name == "token.sign" and spans[span.parent_id].name == "timestamp" for span in spans.values())


def test_no_attribute_holds_a_pupil_a_document_or_a_secret(class_trace: tuple[list[SeenSpan], str, str], world: World) -> None:
    pin = world.token.pin_file.read_text(encoding="utf-8").strip()
    for span in class_trace[0]:
        assert span.attributes.keys() <= ATTRIBUTES
        for value in span.attributes.values():
            assert "Pupil" not in value
            assert pin not in value


def test_the_log_names_the_trace(class_trace: tuple[list[SeenSpan], str, str], traced: Running) -> None:
    spans, _, request_id = class_trace
    (line,) = [event for event in traced.events() if event["event"] == "rpc" and event.get("request_id") == request_id]
    assert line["trace_id"] == spans[0].trace_id


def test_a_refused_call_says_why(channel: grpc.Channel, collector: Collector) -> None:
    trace_id, _, told = traceparent()
    request = signing_pb2.SignDigestsRequest(request_id=fresh_id(), school_id=SCHOOL, credential_id="nobody")
    with pytest.raises(grpc.RpcError):
        signing_pb2_grpc.SigningServiceStub(channel).SignDigests(request, timeout=60, metadata=(("traceparent", told),))
    (call,) = [span for span in collector.whole_trace(trace_id) if span.kind == SERVER]
    assert call.is_error
    assert call.attributes["error.type"] in {"CREDENTIAL_NOT_FOUND", "INVALID_ARGUMENT"}


UNRECORDED = traceparent(is_recorded=False)[2]


@pytest.mark.parametrize(
    "told", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", UNRECORDED], ids=["none", "nonsense", "zeros", "unrecorded"]
)
def test_what_nobody_asked_to_trace_is_not(told: str, channel: grpc.Channel, collector: Collector) -> None:
    """At a share of 0; a caller that says that it records nothing is heeded at any share."""
    request_id = fresh_id()
    batch(channel, told, request_id, documents=1)
    trace_id, _, last = traceparent()
    batch(channel, last, fresh_id(), documents=1)
    collector.whole_trace(trace_id)
    assert not any(span.attributes.get("signer.request_id") == request_id for span in collector.spans())


def test_a_collector_that_is_away_holds_up_nobody(world: World) -> None:
    config = world.config(
        "nobody.toml",
        journal={"url": "sqlite:///nobody.db"},
        tracing={"endpoint": "http://127.0.0.1:9", "sample_ratio": 1.0},
        server={"drain_s": 1},
    )
    with running_daemon(config) as daemon, world.channel(daemon.port) as channel:
        for _ in range(3):
            assert sign_digests(channel, {"d": bytes(32)}).results[0].signature
        until(lambda: any("collector" in event["logger"] or "exporter" in event["logger"] for event in daemon.events()), "a line about it")


def test_what_is_not_wanted_is_not_loaded() -> None:
    program = "import sys, signer.server.serve; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_its_packages_the_configuration_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "signer.telemetry.collector", None)
    with pytest.raises(ConfigError, match=r"signer\[tracing\]"):
        open_tracer(TracingSettings(endpoint="http://127.0.0.1:4317"), "0")
    assert open_tracer(TracingSettings(), "0") is None
