"""Where a worker's signatures are checked before they are answered: on the thread that made them, or by a checker beside it (`checker`).

The checker is for keys whose check costs more than their signature, on a token fast enough to make several of them between two answers.
It is started when that is first seen, where the machine has a core for it beside the worker's and the daemon's: on two cores it took more
than it gave (docs/performance.md). Until it is ready, and from when it is gone, signatures are checked where they are made. So it costs
nothing where it is not needed, and its loss costs speed alone: nothing is answered unchecked.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final

import msgspec

from signer.errors import SignerError
from signer.telemetry.logs import get_logger
from signer.tokens.session_signer import Signed, refusal
from signer.tokens.unchecked import Claim
from signer.tokens.wire import SignAnswer
from signer.workers.frames import Kind, WorkerChannel
from signer.workers.process import INHERITED

_log = get_logger(__name__)
_WORTH: Final = 8
"""So many dear checks at once are worth a process."""
_CORES_MIN: Final = 3
_LEAVE_S_MAX: Final = 5.0
_decode = msgspec.msgpack.Decoder(list[bytes]).decode
Made = Sequence[Signed | SignAnswer]
Send = Callable[[list[SignAnswer]], None]


class Checking:
    """A worker's. `answer` from any thread; `close` once, when nothing more will be signed. cores: that its processes may use."""

    def __init__(self, token_name: str, *, cores: int) -> None:
        self._token_name = token_name
        self._is_worth = cores >= _CORES_MIN
        self._start_lock = threading.Lock()
        self._is_started = False
        self._queue: SimpleQueue[tuple[Made, Send] | None] = SimpleQueue()
        self._checker: _Checker | None = None
        self._thread: threading.Thread | None = None

    def answer(self, made: Made, send: Send) -> None:
        """Checks what was made, and sends what the daemon hears of it: before this returns, or soon after on another thread."""
        if not self._is_worth or sum(isinstance(each, Signed) and each.signature.is_dear for each in made) < _WORTH:
            send(_checked_here(made))
        elif self._checker is not None and self._checker.is_ready:
            self._queue.put((made, send))
        else:
            self._start()
            send(_checked_here(made))

    def close(self) -> None:
        """Waits until all is sent."""
        if self._checker is not None and self._thread is not None:
            self._queue.put(None)
            self._checker.hurry()
            self._thread.join()
            self._checker.close()

    def _start(self) -> None:
        with self._start_lock:
            if self._is_started:
                return
            self._is_started = True
            try:
                self._checker = _Checker()
            except OSError as error:
                _log.warning("no checker can be started", token=self._token_name, message=error.strerror)
                return
            self._thread = threading.Thread(target=self._follow, args=(self._checker,), name="checks")
            self._thread.start()

    def _follow(self, checker: _Checker) -> None:
        checker.wait_ready()
        while (task := self._queue.get()) is not None:
            made, send = task
            try:
                answers = checker.checked(made)
            except CheckerGone:
                _log.warning("checker gone, signatures are checked where they are made", token=self._token_name)
                answers = _checked_here(made)
            send(answers)


class CheckerGone(Exception):
    """It left, or babbles. What it was asked is not checked."""


class _Checker:
    """The process, from the worker's side. One thread asks it. is_ready: it can be asked."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "signer.tokens.checker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={name: os.environ[name] for name in INHERITED if name in os.environ},
            )
        self._socket = ours
        self._channel = WorkerChannel(ours)
        self.is_ready = False

    def wait_ready(self) -> None:
        """Returns as soon as it is, or never will be."""
        frame = self._channel.receive()
        self.is_ready = frame is not None and frame.kind is Kind.READY

    def hurry(self) -> None:
        """Ends a wait for one that is not ready yet."""
        if not self.is_ready:
            self._channel.stop_receiving()

    def checked(self, made: Made) -> list[SignAnswer]:
        """What the daemon hears of these. CheckerGone: it can't be asked, and won't be again."""
        told = iter(self._verdicts([each.signature.claim for each in made if isinstance(each, Signed)]))
        return [_answer(each, next(told)) if isinstance(each, Signed) else each for each in made]

    def _verdicts(self, claims: list[Claim]) -> list[bytes]:
        verdicts: list[bytes] = []
        with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
            if self.is_ready:
                self._channel.send(Kind.CALL, 0, msgspec.msgpack.encode(claims))
                frame = self._channel.receive()
                verdicts = _decode(frame.body) if frame is not None else []
        self.is_ready = len(verdicts) == len(claims)
        if not self.is_ready:
            raise CheckerGone
        return verdicts

    def close(self) -> None:
        """It sees its socket close, and leaves."""
        self._socket.close()
        try:
            self._process.wait(_LEAVE_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _checked_here(made: Made) -> list[SignAnswer]:
    return [each.answer() if isinstance(each, Signed) else each for each in made]


def _answer(signed: Signed, verdict: bytes) -> SignAnswer:
    try:
        return SignAnswer(signed.job_id, signed.signature.proven(verdict), signed.sign_s)
    except SignerError as error:
        return refusal(signed.job_id, error)
