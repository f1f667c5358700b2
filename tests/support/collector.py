"""An OpenTelemetry collector for tests: the published OTLP service (opentelemetry-proto), which keeps what it is sent."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support.waiting import until


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it arrived. ids: hex digits, empty where there is none. attributes: values as text. service: of its resource."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    started_ns: int
    ended_ns: int
    is_error: bool
    attributes: dict[str, str]
    service: str


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """What has arrived so far; any thread may look."""

    def __init__(self) -> None:
        self.endpoint = ""
        self._spans: list[SeenSpan] = []
        self._lock = threading.Lock()

    def Export(self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any) -> trace_service_pb2.ExportTraceServiceResponse:  # noqa: N802, ARG002
        """OTLP."""
        for of_resource in request.resource_spans:
            service = _attributes(of_resource.resource.attributes).get("service.name", "")
            with self._lock:
                self._spans += [_seen(span, service) for scope in of_resource.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans(self, trace_id: str = "") -> list[SeenSpan]:
        """Of one trace, or all."""
        with self._lock:
            return [span for span in self._spans if not trace_id or span.trace_id == trace_id]

    def whole_trace(self, trace_id: str) -> list[SeenSpan]:
        """Once the call's own span has come, which ends last."""
        until(lambda: any(span.kind == trace_pb2.Span.SPAN_KIND_SERVER for span in self.spans(trace_id)), f"trace {trace_id}")
        return self.spans(trace_id)


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port of the loopback."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(0).wait()


def _seen(span: trace_pb2.Span, service: str) -> SeenSpan:
    return SeenSpan(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        _attributes(span.attributes),
        service,
    )


def _attributes(found: Any) -> dict[str, str]:
    return {each.key: str(getattr(each.value, each.value.WhichOneof("value"))) for each in found}
