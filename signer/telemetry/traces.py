"""Spans of a request's steps, where the request is traced; one look at a context variable where it is not.

    with step(Step.PREPARE, documents=16): ...

Attributes are numbers and names of the configuration: never a pupil's, a document's or a secret.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from contextvars import Token
from dataclasses import replace
from types import TracebackType
from typing import Any

import msgspec

from signer.errors import SignerError
from signer.telemetry import origins
from signer.telemetry.origins import Origin, Span
from signer.telemetry.steps import Step, WorkerStep

_NOTHING: AbstractContextManager[None] = contextlib.nullcontext()
_ABANDONED = "CANCELLED"
_BUG = "INTERNAL_ERROR"


class WorkerSpan(msgspec.Struct, frozen=True, array_like=True):
    """What a worker did with a call, by its own clock: nanoseconds since 1970."""

    step: WorkerStep
    started_ns: int
    ended_ns: int
    items: int


def step(name: Step, **attributes: Any) -> AbstractContextManager[None]:
    """The block is a span of its own; what it calls is part of it."""
    origin = origins.current()
    if origin is None or origin.span is None:
        return _NOTHING
    return _Step(origin, origin.span, name, attributes)


def record(of: Iterable[Origin], span: WorkerSpan, worker: str) -> None:
    """What a worker did, as a part of each of these."""
    for origin in of:
        if origin.span is not None:
            origin.span.record(Step(span.step.value), span.started_ns, span.ended_ns, {"worker": worker, "items": span.items})


def waited(origin: Origin | None, name: Step, seconds: float) -> None:
    """A step that ends now and took so long."""
    if origin is not None and origin.span is not None:
        now_ns = time.time_ns()
        origin.span.record(name, now_ns - round(seconds * 1e9), now_ns, {})


class _Step:
    def __init__(self, origin: Origin, span: Span, name: Step, attributes: dict[str, Any]) -> None:
        self._origin = origin
        self._span = span
        self._name = name
        self._attributes = attributes

    def __enter__(self) -> None:
        self._child = self._span.child(self._name, self._attributes)
        self._token: Token[Origin | None] = origins.enter(replace(self._origin, span=self._child))

    def __exit__(self, _kind: object, error: BaseException | None, _trace: TracebackType | None) -> None:
        origins.leave(self._token)
        self._child.end(_reason(error) if error is not None else "")


def _reason(error: BaseException) -> str:
    if isinstance(error, SignerError):
        return error.reason.value
    return _BUG if isinstance(error, Exception) else _ABANDONED
