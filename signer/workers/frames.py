"""The wire between the daemon and a worker: length-prefixed frames on a Unix stream socket.

A frame is a 13-byte head (big-endian: u32 body length, u64 call id, u8 kind) and its body, msgpack by the room's schema. A call may be
answered by several REPLY frames (a slow token reports each signature) and by one DONE or FAILURE frame. A worker whose device is away, or
that has to log in anew, says WAITING (body: the error) and READY once it works again; meanwhile its start-up time holds for it. ORIGINS
before a call tells for whom it is; if that is traced, SPAN before the call's end tells what it took.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from signer.errors import InternalError, Reason, SignerError, leaves
from signer.telemetry.origins import OriginIds, work_for
from signer.telemetry.steps import WorkerStep
from signer.telemetry.traces import WorkerSpan
from signer.workers.inbox import Inbox

_HEAD = struct.Struct(">IQB")
HEAD_BYTES = _HEAD.size
BODY_BYTES_MAX = 256 * 1024 * 1024
_READ_BYTES = 1 << 18
_decode_origins = msgspec.msgpack.Decoder(tuple[OriginIds, ...]).decode


class Kind(IntEnum):
    """What a frame is."""

    START = 0
    READY = 1
    CALL = 2
    REPLY = 3
    DONE = 4
    FAILURE = 5
    WAITING = 6
    ORIGINS = 7
    SPAN = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. call_id ties replies to their call; START and READY use 0."""

    kind: Kind
    call_id: int
    body: bytes


def head(kind: Kind, call_id: int, body_bytes: int) -> bytes:
    """The head of a frame whose body has body_bytes bytes."""
    return _HEAD.pack(body_bytes, call_id, kind)


def parse_head(raw: bytes | bytearray, offset: int = 0) -> tuple[int, int, Kind]:
    """(body length in bytes, call id, kind); ValueError for an unknown kind or an absurd length."""
    body_bytes, call_id, kind = _HEAD.unpack_from(raw, offset)
    if body_bytes > BODY_BYTES_MAX:
        raise ValueError(f"a frame announces {body_bytes} bytes, more than {BODY_BYTES_MAX}")
    return body_bytes, call_id, Kind(kind)


class _Failure(msgspec.Struct, frozen=True, array_like=True):
    reason: str
    message: str
    metadata: dict[str, str]
    retry_after_s: float | None


def encode_failure(error: SignerError) -> bytes:
    """An error of our tree as the body of a FAILURE frame."""
    return msgspec.msgpack.encode(_Failure(error.reason.value, error.message, error.metadata, error.retry_after_s))


def decode_failure(body: bytes) -> SignerError:
    """The error a worker reported; one it has no right to name (unknown reason) becomes InternalError."""
    failure = msgspec.msgpack.decode(body, type=_Failure)
    try:
        kind = leaves()[Reason(failure.reason)]
    except (ValueError, KeyError):
        return InternalError(f"a worker reported the unknown reason {failure.reason!r}")
    error = kind(failure.message, retry_after_s=failure.retry_after_s)
    error.metadata.update(failure.metadata)
    return error


class FrameBuffer:
    """Bytes as they arrive, cut into frames."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with this data; ValueError for bytes that are no frames."""
        pending = self._pending
        pending += data
        offset = 0
        try:
            while len(pending) - offset >= HEAD_BYTES:
                body_bytes, call_id, kind = parse_head(pending, offset)
                start, end = offset + HEAD_BYTES, offset + HEAD_BYTES + body_bytes
                if len(pending) < end:
                    break
                body = bytes(memoryview(pending)[start:end])
                offset = end
                yield Frame(kind, call_id, body)
        finally:
            del pending[:offset]


class WorkerChannel:
    """The worker's end, blocking: the program reads a call, works, and writes its answers."""

    def __init__(self, connection: socket.socket) -> None:
        self.origins: tuple[OriginIds, ...] = ()
        self._connection = connection
        self._inbox = Inbox()
        self._stopped, self._stop = socket.socketpair()

    @classmethod
    def from_fd(cls, fd: int) -> WorkerChannel:
        """Adopts the descriptor the daemon passed at exec."""
        return cls(socket.socket(fileno=fd))

    def receive(self) -> Frame | None:
        """The next frame, or None when the daemon has closed its end (or died). From then on this thread works for its origins."""
        self.origins = ()
        while (frame := self._receive()) is not None and frame.kind is Kind.ORIGINS:
            self.origins = _decode_origins(frame.body)
        if frame is not None:
            work_for(self.origins)
        return frame

    def _receive(self) -> Frame | None:
        raw_head = self._take(HEAD_BYTES)
        if raw_head is None:
            return None
        body_bytes, call_id, kind = parse_head(raw_head)
        body = self._take(body_bytes)
        return None if body is None else Frame(kind, call_id, body)

    def is_quiet_for(self, timeout_s: float) -> bool:
        """Whether nothing came for so long; False as soon as there is something to `receive`, the daemon's end included."""
        if len(self._inbox):
            return False
        readable, _, _ = select.select([self._connection, self._stopped], [], [], timeout_s)
        return not readable

    def wait(self, error: SignerError) -> None:
        """Says WAITING: nothing is done before what the error names is mended."""
        self.send(Kind.WAITING, 0, encode_failure(error))

    def stop_receiving(self) -> None:
        """Makes a `receive` that waits in another thread answer None.

        The socket stays open both ways: a daemon whose write fails would not read what the worker said last.
        """
        self._stop.send(b"\0")

    def receive_again(self) -> None:
        """Undoes `stop_receiving`."""
        self._stopped.setblocking(False)  # noqa: FBT003 - the standard library's signature
        with contextlib.suppress(BlockingIOError):
            while self._stopped.recv(_READ_BYTES):
                pass

    def wait_for_close(self) -> None:
        """Drops what still comes, until the daemon has closed its end."""
        with contextlib.suppress(OSError):
            while self._connection.recv(_READ_BYTES):
                pass

    def send(self, kind: Kind, call_id: int, body: bytes = b"") -> None:
        """Writes one frame; BrokenPipeError when the daemon is gone, which ends the program."""
        self._connection.sendall(head(kind, call_id, len(body)) + body)

    def finish(self, call_id: int, body: bytes) -> None:
        """The last reply to a call and the call's end, in one write: the daemon wakes once."""
        self._connection.sendall(b"".join((head(Kind.REPLY, call_id, len(body)), body, head(Kind.DONE, call_id, 0))))

    def tell_span(self, call_id: int, step: WorkerStep, started_ns: int, items: int) -> None:
        """What a call took, from then until now; before its end."""
        self.send(Kind.SPAN, call_id, msgspec.msgpack.encode(WorkerSpan(step, started_ns, time.time_ns(), items)))

    def fail(self, call_id: int, error: SignerError) -> None:
        """Answers a call with an error of our tree."""
        self.send(Kind.FAILURE, call_id, encode_failure(error))

    def _take(self, count: int) -> bytes | None:
        return self._inbox.take(count, self._receive_into)

    def _receive_into(self, room: memoryview) -> int:
        readable, _, _ = select.select([self._connection, self._stopped], [], [])
        return 0 if self._stopped in readable else self._connection.recv_into(room)
