"""For whom something is done: the request that a log line and a span belong to, in the daemon and in its workers alike.

The door enters an origin for each RPC; tasks started inside inherit it, jobs carry it through queues, and a call to a worker brings it
along (`workers.frames`). So one request_id finds every line about a request, whichever process wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from signer.telemetry.steps import Step

_TRACE_ID_AT = slice(3, 35)
_TOLD_MAX = 8


class Span(Protocol):
    """A span that is recorded (OpenTelemetry). Where nothing is, there is none."""

    @property
    def traceparent(self) -> str:
        """As W3C Trace Context writes it."""

    def child(self, step: Step, attributes: dict[str, Any]) -> Span:
        """Begins a part of it now."""

    def record(self, step: Step, started_ns: int, ended_ns: int, attributes: dict[str, Any]) -> None:
        """A part of it that is over; times since 1970."""

    def note(self, attributes: dict[str, Any]) -> None:
        """What was learned meanwhile."""

    def end(self, reason: str = "") -> None:
        """It is over now. reason: why it failed, if it did."""


class OriginIds(msgspec.Struct, frozen=True, array_like=True):
    """An origin as a worker is told it. traceparent: empty where nothing is recorded."""

    request_id: str
    rpc_id: str
    traceparent: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """request_id: the caller's, empty while it is not known; that of a batch names the batch. rpc_id: the access log's."""

    request_id: str
    rpc_id: str
    span: Span | None = None

    @property
    def ids(self) -> OriginIds:
        """For a worker."""
        return OriginIds(self.request_id, self.rpc_id, self.span.traceparent if self.span is not None else "")


_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)
_told: ContextVar[Sequence[OriginIds]] = ContextVar("told", default=())


def current() -> Origin | None:
    """Whom the running task works for; None for the appliance itself."""
    return _origin.get()


def enter(origin: Origin | None) -> Token[Origin | None]:
    """The running task, and those it starts, work for it from now on."""
    return _origin.set(origin)


def leave(token: Token[Origin | None]) -> None:
    """Back to whom it worked for before."""
    _origin.reset(token)


def work_for(told: Sequence[OriginIds]) -> None:
    """In a worker: what this thread does from now on is for these."""
    _told.set(told)


def distinct(origins: Iterable[Origin | None]) -> list[Origin]:
    """Each of them once, in order."""
    return list({id(origin): origin for origin in origins if origin is not None}.values())


def add_identifiers(event: MutableMapping[str, Any]) -> None:
    """Puts into a log event for whom it is, unless it says so itself: of several the first few, as `requests`."""
    origin = _origin.get()
    told = (origin.ids,) if origin is not None else _told.get()
    if len(told) > 1:
        event.setdefault("requests", [{"request_id": each.request_id, "rpc_id": each.rpc_id} for each in told[:_TOLD_MAX]])
        return
    for each in told:
        if each.request_id:
            event.setdefault("request_id", each.request_id)
        event.setdefault("rpc_id", each.rpc_id)
        if each.traceparent:
            event.setdefault("trace_id", each.traceparent[_TRACE_ID_AT])
