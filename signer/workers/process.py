"""One worker process as the daemon sees it: started, called, killed.

Waits are bounded by asyncio.timeout, never by asyncio.wait_for: in Python 3.11 that one swallows a cancellation which arrives together
with the answer, and a place that is told to stop would go on for ever.

States: starting → ready → lost. Only `start` makes one, and it returns a ready worker or raises. Once lost, a worker never comes back;
`supervisor` starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from signer.errors import InternalError, SignerError, WorkerUnavailable
from signer.workers.frames import HEAD_BYTES, Frame, Kind, decode_failure, head, parse_head

_EXIT_GRACE_S = 5.0
INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "CREDENTIALS_DIRECTORY", "PYTHONPATH")
"""The daemon's own variables that every worker gets."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """How to start a worker.

    name: for logs and metrics. module: run as `python -m module`. start_body: the START frame's body (settings; never a secret).
    environment: added to a minimal environment; the daemon's own variables are passed only where named in `inherit`.
    start_s_max: how long it may take to say READY; a token worker may be inside C_Login, so this is generous and its expiry is the
    only reason a starting worker is ever killed.
    """

    name: str
    module: str
    start_body: bytes
    start_s_max: float
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


class Call:
    """One open call: its answers, in order. Made by `WorkerProcess.open_call`, read by one task."""

    def __init__(self, worker: WorkerProcess, call_id: int) -> None:
        self.id = call_id
        self._worker = worker
        self._answers: asyncio.Queue[Frame | WorkerLost] = asyncio.Queue()

    def put(self, answer: Frame | WorkerLost) -> None:
        """Delivers an answer (the worker's pump does)."""
        self._answers.put_nowait(answer)

    async def answer(self, silence_s_max: float) -> Frame:
        """The next REPLY or DONE frame.

        Raises what a FAILURE frame says, or WorkerLost. A worker that says nothing for silence_s_max seconds is killed: a hung C_Sign
        cannot be interrupted otherwise.
        """
        try:
            async with asyncio.timeout(silence_s_max):
                got = await self._answers.get()
        except TimeoutError:
            self._worker.lose("timed-out")
            raise WorkerLost("timed-out") from None
        if isinstance(got, WorkerLost):
            raise WorkerLost(got.cause, got.error) from got
        if got.kind is Kind.FAILURE:
            raise decode_failure(got.body)
        return got


class WorkerProcess:
    """A ready worker. Owned by one supervisor task; `call` may be used by several tasks at once."""

    def __init__(
        self, spec: WorkerSpec, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.spec = spec
        self.ready_body = b""
        self._process = process
        self._reader = reader
        self._writer = writer
        self._calls: dict[int, Call] = {}
        self._next_call_id = 1
        self._lost: WorkerLost | None = None
        self._pump: asyncio.Task[None] | None = None
        self.on_lost: Callable[[], None] = lambda: None

    @property
    def pid(self) -> int:
        """Process id, for tests and process metrics."""
        return self._process.pid

    @classmethod
    async def start(cls, spec: WorkerSpec) -> WorkerProcess:
        """Starts the program and waits until it says READY.

        Raises the error the worker reported (for example PinHeld), or WorkerUnavailable when it died or stayed silent. No process is
        left behind in either case.
        """
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in spec.inherit if name in os.environ} | dict(spec.environment)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                spec.module,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment,
                start_new_session=True,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        worker = cls(spec, process, reader, writer)
        try:
            async with asyncio.timeout(spec.start_s_max):
                worker.ready_body = await worker._shake_hands()
        except (TimeoutError, EOFError, OSError) as error:
            await worker.close(kill=True)
            raise WorkerUnavailable(
                f"worker {spec.name} did not become ready: {type(error).__name__}, exit {process.returncode}"
            ) from error
        except BaseException:
            # A worker that reported its own failure is past its login and leaves by itself when its socket closes.
            await asyncio.shield(worker.close())
            raise
        worker._pump = asyncio.create_task(worker._pump_frames(), name=f"pump {spec.name}")
        return worker

    async def _shake_hands(self) -> bytes:
        self._write(Kind.START, 0, self.spec.start_body)
        frame = await self._read_frame()
        if frame.kind is Kind.FAILURE:
            raise decode_failure(frame.body)
        if frame.kind is not Kind.READY:
            raise InternalError(f"worker {self.spec.name} answered START with {frame.kind.name}")
        return frame.body

    def open_call(self, body: bytes) -> Call:
        """Writes the call's frame now, so that calls reach the worker in the order they were opened; WorkerLost if it is gone."""
        self.raise_if_lost()
        call = Call(self, self._next_call_id)
        self._next_call_id += 1
        self._calls[call.id] = call
        self._write(Kind.CALL, call.id, body)
        return call

    def raise_if_lost(self) -> None:
        """WorkerLost when it is gone."""
        if self._lost is not None:
            raise WorkerLost(self._lost.cause, self._lost.error)

    def forget(self, call: Call) -> None:
        """The caller takes no more answers of this call."""
        self._calls.pop(call.id, None)

    def lose(self, cause: str) -> None:
        """Kills the worker now; every open call raises WorkerLost(cause)."""
        if self._lost is None:
            self._lost = WorkerLost(cause)
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._tell_all_calls()

    async def close(self, *, kill: bool = False) -> None:
        """Closes the socket (the worker finalises and exits), waits, and kills what does not leave.

        One that is still starting gets its whole start-up time: killed inside C_Login it could empty a SoftHSM token.
        """
        if kill:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
        self._writer.close()
        grace_s = _EXIT_GRACE_S if self._pump is not None else self.spec.start_s_max
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
        if self._pump is not None:
            self._pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pump

    async def _pump_frames(self) -> None:
        cause = "died"
        try:
            while True:
                frame = await self._read_frame()
                if frame.call_id == 0 and frame.kind is Kind.FAILURE:
                    self._lost = WorkerLost("fault", decode_failure(frame.body))
                    return
                call = self._calls.get(frame.call_id)
                if call is not None:
                    call.put(frame)
        except (EOFError, OSError):
            pass
        except (ValueError, msgspec.MsgspecError):
            cause = "babbled"
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
        finally:
            self._lost = self._lost or WorkerLost(cause)
            self._tell_all_calls()

    def _tell_all_calls(self) -> None:
        self.on_lost()
        for call in self._calls.values():
            call.put(self._lost or WorkerLost("died"))
        self._calls.clear()

    async def _read_frame(self) -> Frame:
        body_bytes, call_id, kind = parse_head(await self._reader.readexactly(HEAD_BYTES))
        return Frame(kind, call_id, await self._reader.readexactly(body_bytes))

    def _write(self, kind: Kind, call_id: int, body: bytes) -> None:
        self._writer.write(head(kind, call_id, len(body)))
        self._writer.write(body)
