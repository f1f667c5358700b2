"""The document worker: a program without secrets that turns a PDF into the update to append.

    python -m signer.documents.worker FD

It limits its own memory before it reads the first document, and leaves when the daemon closes the socket.
"""

from __future__ import annotations

import resource
import sys
from datetime import datetime
from pathlib import Path
from time import perf_counter

import msgspec

from signer.documents.wire import PrepareCall, PrepareCalls, PreparedReply, RefusedReply, Start
from signer.errors import DocumentTooCostly, SignerError
from signer.formats.pades.fast.fallback import FallbackReason
from signer.formats.pades.prepare import prepare
from signer.telemetry.logs import configure_logs
from signer.workers.frames import Kind, WorkerChannel

_decode_calls = msgspec.msgpack.Decoder(PrepareCalls).decode
_encode = msgspec.msgpack.Encoder().encode
_PAGE_BYTES = resource.getpagesize()


def limit_memory(bytes_max: int) -> None:
    """Caps the address space at what is mapped now plus bytes_max; beyond it allocation raises MemoryError."""
    mapped_bytes = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * _PAGE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (mapped_bytes + bytes_max, mapped_bytes + bytes_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer(call: PrepareCall) -> PreparedReply:
    """Prepares one document; raises a leaf of DocumentError."""
    started_s = perf_counter()
    try:
        preparation = prepare(
            call.document,
            call.placement,
            signing_time=datetime.fromisoformat(call.signing_time),
            contents_bytes=call.contents_bytes,
            digest_algorithm=call.digest_algorithm,
        )
    except MemoryError as error:
        raise DocumentTooCostly("the document needs more memory than one document may use; simplify or shrink it") from error
    return PreparedReply(
        update=preparation.update.update,
        contents_offset=preparation.update.contents_offset,
        contents_digits=preparation.update.contents_digits,
        fallback=FallbackReason(preparation.fallback) if preparation.fallback else None,
        document_s=perf_counter() - started_s,
    )


def run(channel: WorkerChannel) -> None:
    """Serves until the daemon lets go."""
    frame = channel.receive()
    if frame is None:
        return
    start = msgspec.msgpack.decode(frame.body, type=Start)
    configure_logs(start.log_level, process=f"document:{start.name}")
    limit_memory(start.memory_bytes_max)
    channel.send(Kind.READY, 0)
    while (frame := channel.receive()) is not None:
        for call in _decode_calls(frame.body).documents:
            channel.send(Kind.REPLY, frame.call_id, _encode(_reply(call)))
        channel.send(Kind.DONE, frame.call_id)


def _reply(call: PrepareCall) -> PreparedReply | RefusedReply:
    try:
        return answer(call)
    except SignerError as error:
        return RefusedReply(reason=error.reason.value, message=error.message, metadata=error.metadata)


if __name__ == "__main__":
    try:
        run(WorkerChannel.from_fd(int(sys.argv[1])))
    except BrokenPipeError:
        sys.exit(0)
