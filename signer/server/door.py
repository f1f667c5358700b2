"""What every RPC passes before and after its handler: who calls what, how many at once, until when; errors, logs, metrics on the way out.

Rules:
- A handler sees an identified `Caller` and a `Request` budget; it raises errors of our tree and knows no status codes.
- Messages are parsed behind the door, when it is known who sent them; one that can't be is INVALID_ARGUMENT like any other wrong one.
- Whoever loses the right to call, or to a school, is refused with the next RPC on whatever connection, and open ones begin nothing more.
- Nothing of an unexpected exception leaves but a reference; the log has the rest.
- Health and reflection need no configured client (TLS has let the certificate in), everything else does.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from signer.access.callers import Caller, CallerTable
from signer.access.quotas import Meter
from signer.config.server import ServerSettings
from signer.control.quotas import Quotas
from signer.errors import (
    CallerUnknown,
    DeadlineTooLong,
    InternalError,
    InvalidArgument,
    RoleRefused,
    ShuttingDown,
    SignerError,
    TooManyRequests,
)
from signer.people.client import QuotaSubject
from signer.pipeline.request import Request
from signer.rpc_status import abort_arguments
from signer.telemetry import origins
from signer.telemetry.logs import context as log_context
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics
from signer.telemetry.origins import Origin, Span
from signer.telemetry.tracer import Tracer

_log = get_logger(__name__)
_OPEN_SERVICES = ("/grpc.health.v1.", "/grpc.reflection.")
_NEVER_DRAINED = frozenset({"/signer.v1.AdminService/SetDraining", "/signer.v1.AdminService/GetStatus", "/signer.v1.AdminService/Diagnose"})
"""What an operator needs of a daemon that takes nothing new."""
_ADMIN = "/signer.v1.AdminService/"
_OK = "OK"
_NO_REASON = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One RPC inside the door. deadline_s: on the loop's clock. meters: of the client, and of the schools it works for."""

    caller: Caller
    certificate_pem: bytes
    rpc_id: str
    deadline_s: float
    requests: list[Request]
    meters: list[Meter]
    quotas: Quotas
    span: Span | None = None

    def request(self, school_id: str, request_id: str) -> Request:
        """The budget of this RPC's work for a school. Raises as `require_school`."""
        self.require_school(school_id)
        return self._budget(school_id, request_id)

    def require_school(self, school_id: str) -> None:
        """SchoolNotFound if the caller does not speak for the school, QuotaExceeded if too many RPCs for it are open."""
        self.caller.require_school(school_id)
        if all(meter.subject_id != school_id or meter.subject is not QuotaSubject.SCHOOL for meter in self.meters):
            self.meters.append(self.quotas.enter(QuotaSubject.SCHOOL, school_id))

    def budget(self) -> Request:
        """The budget of this RPC's work for no school in particular."""
        return self._budget("", "")

    def _budget(self, school_id: str, request_id: str) -> Request:
        client_id = self.caller.client_id
        allowance = self.quotas.allowance(client_id, school_id)
        made = Request(client_id, school_id, request_id, self.deadline_s, asyncio.get_running_loop().time, allowance=allowance)
        self.requests.append(made)
        if request_id:
            self._work_for(school_id, request_id)
        return made

    def _work_for(self, school_id: str, request_id: str) -> None:
        span = self.span
        if span is not None:
            span.note({"client": self.caller.client_id, "school": school_id, "request_id": request_id})
        origins.enter(Origin(request_id, self.rpc_id, span))


_visit: ContextVar[Visit] = ContextVar("visit")


def current_visit() -> Visit:
    """The visit that the running handler serves."""
    return _visit.get()


def current_operator(task: str) -> str:
    """The calling client's id, if it is an operator's; RoleRefused otherwise. task: what only an operator may do."""
    caller = _visit.get().caller
    if not caller.is_operator:
        raise RoleRefused(f"only a client of kind operator may {task}")
    return caller.client_id


class Door(aio.ServerInterceptor):
    """The interceptor. One instance a server; owned by the event loop.

    catch_up: takes in what was done with other daemons; awaited before an operator's call, so that one command sees what the last one did,
    whichever daemon each came to. None where this daemon is alone.
    """

    def __init__(
        self, settings: ServerSettings, callers: CallerTable, quotas: Quotas, metrics: Metrics, tracer: Tracer | None = None
    ) -> None:
        self._settings = settings
        self._callers = callers
        self._quotas = quotas
        self._metrics = metrics
        self._tracer = tracer
        self._open: dict[str, Visit] = {}
        self._is_draining = False
        self._emptied = asyncio.Event()
        self.catch_up: Callable[[], Awaitable[None]] | None = None

    def stop_strangers(self) -> None:
        """Lets open RPCs begin nothing more whose caller may no longer call, or no longer for its school."""
        now = self._quotas.utc_now()
        for visit in self._open.values():
            try:
                caller = self._callers.identify(visit.certificate_pem, now)
                for request in visit.requests:
                    if request.school_id:
                        caller.require_school(request.school_id)
            except SignerError as error:
                _log.warning("caller stopped", client=visit.caller.client_id, rpc_id=visit.rpc_id, reason=error.reason.value)
                for request in visit.requests:
                    request.cancel()

    def drain(self) -> None:
        """Takes nothing new; what runs goes on."""
        self._is_draining = True

    def resume(self) -> None:
        """Takes work again."""
        self._is_draining = False

    @property
    def calls_open(self) -> int:
        """RPCs under way, health checks apart."""
        return len(self._open)

    async def wait_until_empty(self, within_s: float) -> None:
        """Waits until no call is open, at most within_s seconds."""
        if self._open:
            self._emptied.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._emptied.wait()

    def stop_open_requests(self) -> None:
        """Lets no open request begin another item."""
        for visit in self._open.values():
            for request in visit.requests:
                request.drained.set()

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps the method's handler."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or method.startswith(_OPEN_SERVICES):
            return handler
        parse = _parser(handler)
        if handler.response_streaming:
            inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
            make = grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
            return make(self._streaming(method, inner, parse), None, handler.response_serializer)
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
        make = grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        return make(self._single(method, inner, parse), None, handler.response_serializer)

    def _single(
        self, method: str, inner: Callable[[Any, Any], Awaitable[Any]], parse: Callable[[Any], Any]
    ) -> Callable[[Any, Any], Awaitable[Any]]:
        async def behaviour(received: Any, context: Any) -> Any:
            call = _Call(self, method, context)
            try:
                async with call:
                    if self.catch_up is not None and method.startswith(_ADMIN):
                        await self.catch_up()
                    return await inner(parse(received), context)
            except SignerError as error:
                refusal = abort_arguments(error)
            del received  # an abort's frames stay until the collector comes (`collecting`): the request must not, nor what `error` holds
            return await context.abort(*refusal)

        return behaviour

    def _streaming(
        self, method: str, inner: Callable[[Any, Any], AsyncIterator[Any]], parse: Callable[[Any], Any]
    ) -> Callable[[Any, Any], AsyncIterator[Any]]:
        async def behaviour(received: Any, context: Any) -> AsyncIterator[Any]:
            call = _Call(self, method, context)
            try:
                async with call:
                    async for response in inner(parse(received), context):
                        yield response
            except SignerError as error:
                refusal = abort_arguments(error)
            else:
                return
            del received
            await context.abort(*refusal)

        return behaviour

    def enter(self, context: Any, method: str) -> Visit:
        """Admits a call: identified, within the limits; raises why not."""
        if self._is_draining and method not in _NEVER_DRAINED:
            raise ShuttingDown("the daemon is stopping and takes nothing new; repeat, another replica may answer", retry_after_s=5.0)
        certificates = context.auth_context().get("x509_pem_cert", [])
        if not certificates:
            raise CallerUnknown("no TLS client certificate came with this connection")
        now = self._quotas.utc_now()
        caller = self._callers.identify(certificates[0], now)
        self._callers.called[caller.client_id] = now
        caller.require_method(method)
        if len(self._open) >= self._settings.concurrent_rpcs_max:
            raise TooManyRequests(
                f"{self._settings.concurrent_rpcs_max} RPCs are open already; repeat in a moment",
                retry_after_s=1.0,
                limit=self._settings.concurrent_rpcs_max,
            )
        deadline_s = asyncio.get_running_loop().time() + self._budget_s(context)
        meter = self._quotas.enter(QuotaSubject.CLIENT, caller.client_id)
        span = self._tracer.begin(method, context.invocation_metadata()) if self._tracer is not None else None
        visit = Visit(caller, certificates[0], secrets.token_hex(8), deadline_s, [], [meter], self._quotas, span)
        self._open[visit.rpc_id] = visit
        return visit

    def leave(self, visit: Visit) -> None:
        """The call has ended, however: nothing more is begun for it."""
        self._open.pop(visit.rpc_id, None)
        for request in visit.requests:
            request.cancel()
        for meter in visit.meters:
            self._quotas.leave(meter)
        if not self._open:
            self._emptied.set()

    def _budget_s(self, context: Any) -> float:
        remaining_s = context.time_remaining()
        if remaining_s is None:
            return self._settings.deadline_s_default
        if remaining_s > self._settings.deadline_s_max:
            raise DeadlineTooLong(
                f"a deadline of {remaining_s:.0f} s is longer than this appliance allows ({self._settings.deadline_s_max:g} s)",
                limitS=self._settings.deadline_s_max,
            )
        return float(remaining_s)

    def observe(self, method: str, code: str, reason: str, seconds: float, rpc_id: str) -> None:
        """Counts an ended RPC. rpc_id: its exemplar, which leads from a figure to the line of the access log; empty for none."""
        exemplar = {"rpc_id": rpc_id} if rpc_id else None
        self._metrics.rpcs.labels(method=method, code=code, reason=reason).inc(exemplar=exemplar)
        self._metrics.rpc_duration_seconds.labels(method=method).observe(seconds, exemplar)


def _parser(handler: Any) -> Callable[[Any], Any]:
    """From what was received (bytes, or an iterator of them) to messages."""
    deserializer: Callable[[bytes], Any] = handler.request_deserializer

    def one(raw: bytes) -> Any:
        try:
            return deserializer(raw)
        except DecodeError as error:
            raise InvalidArgument("the message is not this method's request; compare the .proto files", field="message") from error

    async def each(raws: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for raw in raws:
            yield one(raw)

    return each if handler.request_streaming else one


class _Call:
    """One RPC from entry to its access-log line."""

    def __init__(self, door: Door, method: str, context: Any) -> None:
        self._door = door
        self._path = method
        self._method = method.rsplit(".", 1)[-1]
        self._context = context
        self._visit: Visit | None = None
        self._started_s = 0.0

    async def __aenter__(self) -> None:
        self._started_s = asyncio.get_running_loop().time()
        try:
            self._visit = self._door.enter(self._context, self._path)
        except SignerError as error:
            self._end(error)
            raise
        _visit.set(self._visit)
        origins.enter(Origin("", self._visit.rpc_id, self._visit.span))

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._visit is not None:
            self._door.leave(self._visit)
        if error is None or isinstance(error, SignerError):
            self._end(error)
            return
        if isinstance(error, (asyncio.CancelledError, GeneratorExit, aio.AbortError)):
            self._end(None, code="CANCELLED")
            return
        reference = secrets.token_hex(8)
        _log.error("rpc failed by a bug", method=self._method, reference=reference, exc_info=error)
        wrapped = InternalError("internal error", reference=reference)
        self._end(wrapped)
        raise wrapped from error

    def _end(self, error: SignerError | None, *, code: str = _OK) -> None:
        seconds = asyncio.get_running_loop().time() - self._started_s
        if error is not None:
            code = abort_arguments(error)[0].name
        reason = error.reason.value if error else _NO_REASON
        rpc_id, client, requests = self._named()
        self._door.observe(self._method, code, reason, seconds, rpc_id)
        if self._visit is not None and self._visit.span is not None:
            self._visit.span.note({"code": code})
            self._visit.span.end(reason or ("" if code == _OK else code))
        with log_context(rpc_id=rpc_id):
            _log.info("rpc", method=self._method, client=client, code=code, reason=reason, seconds=round(seconds, 6), **requests)

    def _named(self) -> tuple[str, str, dict[str, str]]:
        """rpc_id, client, and what the caller calls its request, as far as it came to be known."""
        if self._visit is None:
            return "", "", {}
        requests = {"request_id": self._visit.requests[0].request_id} if self._visit.requests else {}
        return self._visit.rpc_id, self._visit.caller.client_id, requests
