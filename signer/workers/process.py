"""One worker process as the daemon sees it: started, called, killed.

States: starting → ready → lost. Only `start` makes one, and it returns a ready worker or raises. A worker may say that it waits for its
device, before it is ready or (to log in anew) after; it then has its whole start-up time again. Once lost, a worker never comes back;
`supervisor` starts another.

Answers are handed to their call's listener straight from the socket's callback, without a task or a queue between: at hundreds of documents
a second those cost more than the work. Waits are bounded by asyncio.timeout, never by asyncio.wait_for: in Python 3.11 that one swallows a
cancellation which arrives together with the answer, and a place that is told to stop would go on for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import msgspec

from signer.errors import InternalError, SignerError, WorkerUnavailable
from signer.telemetry.origins import Origin
from signer.telemetry.traces import WorkerSpan, record
from signer.workers.frames import Frame, FrameBuffer, Kind, decode_failure, head

_EXIT_GRACE_S = 5.0
_LOOK_MAX_S = 1.0
_SOCKET_BUFFER_BYTES = 1 << 20
_STAT_BYTES_MAX = 4096
_decode_span = msgspec.msgpack.Decoder(WorkerSpan).decode
INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "CREDENTIALS_DIRECTORY", "PYTHONPATH")
"""The daemon's own variables that every worker gets."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """How to start a worker.

    name: for logs and metrics. module: run as `python -m module`. start_body: the START frame's body (settings; never a secret).
    environment: added to a minimal environment; the daemon's own variables are passed only where named in `inherit`.
    start_s_max: how long it may take to say READY; a token worker may be inside C_Login, so this is generous and its expiry is the
    only reason a starting worker is ever killed. silence_s_max: how long a ready worker may say nothing while it has work; then it is
    killed, because a hung C_Sign cannot be interrupted otherwise.
    """

    name: str
    module: str
    start_body: bytes
    start_s_max: float
    silence_s_max: float
    environment: Mapping[str, str] = field(default_factory=dict)
    inherit: tuple[str, ...] = INHERITED


class WorkerLost(Exception):
    """The worker is gone.

    cause: a short word for metrics. error: what the worker itself said before it left, if it did: then every call without an answer was
    certainly never begun. Without it their outcome is unknown.
    """

    def __init__(self, cause: str, error: SignerError | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.error = error


class CallListener(Protocol):
    """Who opened a call. Called from the event loop, in order; `ended` or `lost` comes last and once. None of them may raise."""

    def reply(self, body: bytes) -> None:
        """A REPLY frame's body. A ValueError or msgspec error from here means that the worker babbles: it is killed."""

    def ended(self, error: SignerError | None) -> None:
        """The worker is through with the call: DONE, or FAILURE with its error."""

    def lost(self, loss: WorkerLost, *, is_oldest: bool) -> None:
        """The worker is gone; what this call did not answer has the outcome that `WorkerLost` tells.

        is_oldest: no call before it was open, so a worker that works in order was at this one.
        """


class WorkerProcess(asyncio.Protocol):
    """A ready worker. Owned by one supervisor task; calls may be opened from any task of the loop."""

    def __init__(self, spec: WorkerSpec, on_waiting: Callable[[SignerError], None] = lambda _error: None) -> None:
        self.spec = spec
        self._on_waiting = on_waiting
        self._start_by: asyncio.Timeout | None = None
        self.ready_body = b""
        self._is_ready = False
        self._loop = asyncio.get_running_loop()
        self._process: asyncio.subprocess.Process | None = None
        self._stat = -1
        self._transport: asyncio.Transport | None = None
        self._buffer = FrameBuffer()
        self._first: asyncio.Future[Frame] = self._loop.create_future()
        self._gone: asyncio.Future[WorkerLost] = self._loop.create_future()
        self._calls: dict[int, CallListener] = {}
        self._traced: dict[int, Sequence[Origin]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._next_call_id = 1
        self._heard_s = 0.0
        self._watch: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        """Process id, for tests and process metrics."""
        return self._process.pid if self._process else 0

    def read_stat(self) -> bytes:
        """/proc/PID/stat as it is now (proc(5)); empty once the process has gone."""
        try:
            return os.pread(self._stat, _STAT_BYTES_MAX, 0)
        except OSError:
            return b""

    @property
    def calls_open(self) -> int:
        """Calls it has not finished."""
        return len(self._calls)

    @property
    def listeners(self) -> list[CallListener]:
        """Who waits for those calls, in the order they were opened."""
        return list(self._calls.values())

    @classmethod
    async def start(cls, spec: WorkerSpec, on_waiting: Callable[[SignerError], None] = lambda _error: None) -> WorkerProcess:
        """Starts the program and waits until it says READY. on_waiting: told what it waits for, each time it says so.

        Raises the error the worker reported (for example PinHeld), or WorkerUnavailable when it died or stayed silent. No process is
        left behind in either case.
        """
        worker = cls(spec, on_waiting)
        await worker._launch()
        try:
            async with asyncio.timeout(spec.start_s_max) as worker._start_by:
                worker.ready_body = await worker._shake_hands()
        except (TimeoutError, EOFError, OSError) as error:
            await worker.close(kill=True)
            raise WorkerUnavailable(f"worker {spec.name} did not become ready: {type(error).__name__}, exit {worker.exit_code}") from error
        except BaseException:
            # A worker that reported its own failure is past its login and leaves by itself when its socket closes.
            await asyncio.shield(worker.close())
            raise
        return worker

    @property
    def exit_code(self) -> int | None:
        """The program's exit code once it has ended."""
        return self._process.returncode if self._process else None

    async def _launch(self) -> None:
        spec = self.spec
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)
        environment = {name: os.environ[name] for name in spec.inherit if name in os.environ} | dict(spec.environment)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                spec.module,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment,
                start_new_session=True,
            )
        # Opened before the worker shuts itself in: behind hidepid (ProtectProc=invisible) it is then out of our sight as well.
        with contextlib.suppress(OSError):
            self._stat = os.open(f"/proc/{self._process.pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        await self._loop.create_unix_connection(lambda: self, sock=ours)

    async def _shake_hands(self) -> bytes:
        self._write(head(Kind.START, 0, len(self.spec.start_body)), self.spec.start_body)
        frame = await self._first
        if frame.kind is Kind.FAILURE:
            raise decode_failure(frame.body)
        if frame.kind is not Kind.READY:
            raise InternalError(f"worker {self.spec.name} answered START with {frame.kind.name}")
        self._is_ready = True
        return frame.body

    def open_call(self, body: bytes, listener: CallListener, origins: Sequence[Origin] = ()) -> None:
        """Writes the call's frame now, so that calls reach the worker in the order they were opened; WorkerLost if it is gone.

        origins: for whom it is.
        """
        self.raise_if_lost()
        if not self._calls:
            self._heard_s = self._loop.time()
            self._idle.clear()
        self._calls[self._next_call_id] = listener
        self._write(*self._origins_first(origins), head(Kind.CALL, self._next_call_id, len(body)), body)
        self._next_call_id += 1
        if self._watch is None:
            self._watch = self._loop.call_later(min(self.spec.silence_s_max, _LOOK_MAX_S), self._look)

    def _origins_first(self, origins: Sequence[Origin]) -> tuple[bytes, ...]:
        """The frame that goes before the call's, in one write with it: a worker that wakes finds its work."""
        if not origins:
            return ()
        if any(origin.span is not None for origin in origins):
            self._traced[self._next_call_id] = origins
        told = msgspec.msgpack.encode([origin.ids for origin in origins])
        return head(Kind.ORIGINS, self._next_call_id, len(told)), told

    def raise_if_lost(self) -> None:
        """WorkerLost when it is gone."""
        if self._gone.done():
            loss = self._gone.result()
            raise WorkerLost(loss.cause, loss.error)

    @property
    def is_lost(self) -> bool:
        """Whether it is gone (then `open_call` raises)."""
        return self._gone.done()

    async def finish_calls(self) -> None:
        """Waits until no call is open; a worker that is lost or hangs has none soon."""
        await self._idle.wait()

    async def wait_lost(self) -> WorkerLost:
        """Waits until it is gone."""
        return await asyncio.shield(self._gone)

    def lose(self, cause: str, error: SignerError | None = None) -> None:
        """Kills the worker now; every open call is lost with this cause."""
        if not self._gone.done():
            self._gone.set_result(WorkerLost(cause, error))
        self._kill()
        self._tell_all_calls()

    async def close(self, *, kill: bool = False) -> None:
        """Closes the socket (the worker finalises and exits), waits, and kills what does not leave.

        One that is still starting gets its whole start-up time: killed inside C_Login it could empty a SoftHSM token.
        """
        if kill:
            self._kill()
        if self._transport is not None:
            self._transport.close()
        grace_s = _EXIT_GRACE_S if self._is_ready or self._gone.done() else self.spec.start_s_max
        if self._process is not None:
            try:
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
            except TimeoutError:
                self._kill()
                await self._process.wait()
        if self._watch is not None:
            self._watch.cancel()
        if self._stat >= 0:
            os.close(self._stat)
            self._stat = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol: hands complete frames to their calls; a worker that breaks the protocol is killed."""
        self._heard_s = self._loop.time()
        try:
            for frame in self._buffer.feed(data):
                self._take(frame)
        except (ValueError, msgspec.MsgspecError):
            self.lose("babbled")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """asyncio.Protocol: the worker has closed its end, by leaving or by dying."""
        if not self._first.done():
            self._first.set_exception(EOFError("the worker left"))
        if not self._gone.done():
            self._gone.set_result(WorkerLost("died"))
        self._tell_all_calls()

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.WAITING:
            self._wait(decode_failure(frame.body))
        elif not self._first.done():
            self._first.set_result(frame)
        elif frame.call_id == 0 and frame.kind is Kind.READY:
            self._is_ready = True
        elif frame.call_id == 0 and frame.kind is Kind.FAILURE:
            if not self._gone.done():
                self._gone.set_result(WorkerLost("fault", decode_failure(frame.body)))
            self._tell_all_calls()
        elif (listener := self._calls.get(frame.call_id)) is not None:
            if frame.kind is Kind.REPLY:
                listener.reply(frame.body)
            elif frame.kind is Kind.SPAN:
                record(self._traced.get(frame.call_id, ()), _decode_span(frame.body), self.spec.name)
            else:
                del self._calls[frame.call_id]
                self._traced.pop(frame.call_id, None)
                if not self._calls:
                    self._idle.set()
                listener.ended(decode_failure(frame.body) if frame.kind is Kind.FAILURE else None)

    def _wait(self, error: SignerError) -> None:
        self._is_ready = False
        if self._start_by is not None and not self._first.done():
            self._start_by.reschedule(self._loop.time() + self.spec.start_s_max)
        self._on_waiting(error)

    def _look(self) -> None:
        """Kills a worker that has work and says nothing; looks again as long as there is work."""
        self._watch = None
        if not self._calls:
            return
        silence_s_max = self.spec.silence_s_max if self._is_ready else self.spec.start_s_max
        left_s = self._heard_s + silence_s_max - self._loop.time()
        if left_s <= 0:
            self.lose("timed-out")
        else:
            self._watch = self._loop.call_later(min(left_s, _LOOK_MAX_S), self._look)

    def _tell_all_calls(self) -> None:
        loss = self._gone.result()
        calls, self._calls = self._calls, {}
        self._traced.clear()
        self._idle.set()
        for index, listener in enumerate(calls.values()):
            listener.lost(loss, is_oldest=index == 0)

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    def _write(self, *pieces: bytes) -> None:
        if self._transport is not None:
            self._transport.writelines(pieces)
