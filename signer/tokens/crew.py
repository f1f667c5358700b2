"""How a worker works its calls off: on one thread, or on one thread a session.

Signatures are checked (`checking`) and go back as they become ready, at most every 10 ms a call, so a fast token costs few messages and a
slow one shows honest progress.
A session that has had nothing to do for a while is used for nothing, so that the token does not give it up; and the slot is looked at, so
that a token that was pulled is missed before the next document comes.

On `Broken` every item of the worker is answered as certainly not signed (those in other threads' hands are finished first), and it is
raised again for the program to end with.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import perf_counter, time_ns

import msgspec
from pkcs11.exceptions import PKCS11Error

from signer.errors import TokenRemoved
from signer.model import KeptKey
from signer.telemetry.origins import OriginIds, work_for
from signer.telemetry.steps import WorkerStep
from signer.tokens.checking import Checking
from signer.tokens.faults import Broken, FaultClass, classify, translate
from signer.tokens.login import Login
from signer.tokens.session_signer import SessionSigner, Signed, refusal
from signer.tokens.wire import SignAnswer, SignCall, SignItem, SignReply
from signer.workers.frames import Frame, Kind, WorkerChannel

_FLUSH_S = 0.01
_decode_call = msgspec.msgpack.Decoder(SignCall).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class _OpenCall:
    """A call's answers on their way back. `add` from any thread; the lock guards the fields and the channel's frames of this call.

    unmade: items no thread is through with. unsent: those the daemon has no answer to; whoever sends the last one ends the call.
    """

    channel: WorkerChannel
    checking: Checking
    send_lock: threading.Lock
    call_id: int
    kept: dict[bytes, KeptKey]
    origins: Sequence[OriginIds]
    items: int
    unmade: int
    unsent: int
    made: list[Signed | SignAnswer] = field(default_factory=list)
    flushed_s: float = field(default_factory=perf_counter)
    started_ns: int = 0

    def begin(self) -> None:
        """A thread turns to one of its items."""
        work_for(self.origins)
        if not self.started_ns and any(origin.traceparent for origin in self.origins):
            self.started_ns = time_ns()

    def add(self, made: Signed | SignAnswer) -> None:
        """A thread is through with one of its items."""
        with self.send_lock:
            self.made.append(made)
            self.unmade -= 1
            if self.unmade and perf_counter() - self.flushed_s <= _FLUSH_S:
                return
            taken, self.made, self.flushed_s = self.made, [], perf_counter()
        self.checking.answer(taken, self._send)

    def _send(self, answers: list[SignAnswer]) -> None:
        body = _encode(SignReply(answers))
        with self.send_lock:
            self.unsent -= len(answers)
            if self.unsent:
                self.channel.send(Kind.REPLY, self.call_id, body)
                return
            if self.started_ns:
                self.channel.tell_span(self.call_id, WorkerStep.TOKEN_WORK, self.started_ns, self.items)
            self.channel.finish(self.call_id, body)


class Crew:
    """The threads of a worker. One signer: the main thread signs. Several: one thread each, and the main thread reads calls."""

    def __init__(self, channel: WorkerChannel, login: Login, signers: Sequence[SessionSigner]) -> None:
        self._channel = channel
        self._login = login
        self._idle_s = login.start.keep_alive_s or None
        self._checking = Checking(login.start.name, cores=len(os.sched_getaffinity(0)))
        self._send_lock = threading.Lock()
        self._signers = signers
        self._broken: Broken | None = None
        self._work: SimpleQueue[tuple[_OpenCall, SignItem] | None] = SimpleQueue()

    def serve(self) -> None:
        """Works calls off until the daemon closes its end; raises Broken."""
        try:
            if len(self._signers) == 1:
                self._read_calls(lambda call, item: self._do(self._signers[0], call, item))
            else:
                self._serve_threaded()
        finally:
            self._checking.close()
        if self._broken is not None:
            raise self._broken

    def _read_calls(self, begin: Callable[[_OpenCall, SignItem], None]) -> None:
        while (frame := self._next_call()) is not None:
            asked = _decode_call(frame.body)
            kept = {key.key_id: key for key in asked.kept}
            told, count = self._channel.origins, len(asked.items)
            call = _OpenCall(
                self._channel, self._checking, self._send_lock, frame.call_id, kept, told, items=count, unmade=count, unsent=count
            )
            for item in asked.items:
                begin(call, item)

    def _next_call(self) -> Frame | None:
        while self._broken is None and self._idle_s is not None and self._channel.is_quiet_for(self._idle_s):
            self._look_at_slot()
            if self._broken is None and len(self._signers) == 1:
                self._touch(self._signers[0])
        return self._channel.receive() if self._broken is None else None

    def _look_at_slot(self) -> None:
        name = self._login.start.name
        try:
            if not self._login.is_in_its_slot():
                self._break(
                    Broken(TokenRemoved(f"token {name} is not in its slot any more; it is looked for", token=name), FaultClass.DEVICE)
                )
        except PKCS11Error as error:
            self._break(Broken(translate(error, name), classify(error).reach))

    def _touch(self, signer: SessionSigner) -> None:
        try:
            signer.touch()
        except Broken as broken:
            self._break(broken)

    def _break(self, broken: Broken) -> None:
        self._broken = self._broken or broken
        self._channel.stop_receiving()

    def _serve_threaded(self) -> None:
        threads = [threading.Thread(target=self._follow, args=(signer,), name="signer") for signer in self._signers]
        for thread in threads:
            thread.start()
        try:
            self._read_calls(lambda call, item: self._work.put((call, item)))
        finally:
            for _ in threads:
                self._work.put(None)
            for thread in threads:
                thread.join()

    def _follow(self, signer: SessionSigner) -> None:
        while True:
            try:
                task = self._work.get(timeout=self._idle_s)
            except Empty:
                self._touch(signer)
                continue
            if task is None:
                return
            self._do(signer, *task)

    def _do(self, signer: SessionSigner, call: _OpenCall, item: SignItem) -> None:
        call.begin()
        if self._broken is None:
            try:
                made = signer.sign(item, call.kept.get(item.key_id))
            except Broken as broken:
                self._break(broken)
                made = refusal(item.job_id, broken.error)
        else:
            made = refusal(item.job_id, self._broken.error)
        call.add(made)
