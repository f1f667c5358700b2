"""Traces on their way to an OpenTelemetry collector, by OTLP over gRPC. Loaded only where `[tracing]` names one.

A call's span continues the caller's trace (W3C `traceparent` in its metadata), whose choice to record counts; without one, chance decides.
Spans leave from a thread of the SDK's, in portions; what a silent collector does not take is dropped, and holds up nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from signer.errors import ConfigError
from signer.telemetry.origins import Span
from signer.telemetry.settings import TracingSettings
from signer.telemetry.steps import Step

_CARRIED = frozenset({"traceparent", "tracestate"})
_SEND_S_MAX = 5
_EVERY_MS = 1000


class CollectorTracer:
    """Begins the spans of calls. `close` sends what is left."""

    def __init__(self, settings: TracingSettings, version: str) -> None:
        resource = Resource.create({"service.name": "signer", "service.version": version, "service.instance.id": socket.gethostname()})
        self._provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(settings.sample_ratio))
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(settings), schedule_delay_millis=_EVERY_MS))
        self._tracer = self._provider.get_tracer("signer", version)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Span | None:
        """A span for a call of `/package.Service/Method`; None where it is not to be recorded."""
        carrier = {key: value for key, value in metadata if key in _CARRIED and isinstance(value, str)}
        service, _, name = method.lstrip("/").rpartition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        context = self._propagator.extract(carrier)
        span = self._tracer.start_span(method.lstrip("/"), context, SpanKind.SERVER, attributes)
        return CollectorSpan(self._tracer, span) if span.is_recording() else None

    def close(self) -> None:
        """Waits for the collector, at most some seconds."""
        self._provider.shutdown()


class CollectorSpan:
    """origins.Span."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        """As W3C Trace Context writes it."""
        found = self._span.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"

    def child(self, step: Step, attributes: dict[str, Any]) -> CollectorSpan:
        """Begins a part of it now."""
        inside = trace.set_span_in_context(self._span)
        return CollectorSpan(self._tracer, self._tracer.start_span(step.value, inside, attributes=_named(attributes)))

    def record(self, step: Step, started_ns: int, ended_ns: int, attributes: dict[str, Any]) -> None:
        """A part of it that is over."""
        inside = trace.set_span_in_context(self._span)
        made = self._tracer.start_span(step.value, inside, attributes=_named(attributes), start_time=started_ns)
        made.end(max(started_ns, ended_ns))

    def note(self, attributes: dict[str, Any]) -> None:
        """What was learned meanwhile."""
        self._span.set_attributes(_named(attributes))

    def end(self, reason: str = "") -> None:
        """It is over now."""
        if reason:
            self._span.set_attribute("error.type", reason)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"signer.{name}": value for name, value in attributes.items()}


def _exporter(settings: TracingSettings) -> OTLPSpanExporter:
    is_plain = settings.endpoint.startswith("http://")
    credentials = None if is_plain else grpc.ssl_channel_credentials(_ca(settings))
    return OTLPSpanExporter(endpoint=settings.endpoint, insecure=is_plain, credentials=credentials, timeout=_SEND_S_MAX)


def _ca(settings: TracingSettings) -> bytes | None:
    if settings.ca_file is None:
        return None
    try:
        return settings.ca_file.read_bytes()
    except OSError as error:
        raise ConfigError(f"tracing.ca_file: {settings.ca_file} can't be read: {error.strerror}") from error
