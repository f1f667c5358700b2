"""The document worker: a program without secrets that reads PDFs and proposes the updates to append.

    python -m signer.documents.worker FD

Before it reads the first document it limits its own memory and shuts itself in (`confinement`): who takes it over by a document finds no
network, no other program and no file but libraries. It leaves when the daemon closes the socket.
"""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter, time_ns

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from signer.confinement.files import programs_own_files, read_only_below
from signer.confinement.memory import keep_memory_private
from signer.confinement.syscalls import nothing_but_work, refuse
from signer.documents.anchors import anchors
from signer.documents.records import KnownRecords, check_record, find_slot
from signer.documents.verifying import verify
from signer.documents.wire import (
    Call,
    Calls,
    Chain,
    CheckRecordCall,
    ExamineCall,
    ExaminedReply,
    ExamineXmlCall,
    ExtendCall,
    ExtendedReply,
    FindSlotCall,
    PrepareCall,
    PreparedReply,
    RefusedReply,
    Reply,
    Start,
    VerifyCall,
)
from signer.documents.xml import examine_xml
from signer.errors import DocumentTooCostly, SignerError, WorkerUnavailable
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.extend import ValidationData, extend
from signer.formats.pades.fast.fallback import FallbackReason
from signer.formats.pades.prepare import prepare
from signer.formats.xml.alike.memory import Memory
from signer.formats.xml.alike.pattern import Pattern
from signer.records.layout import Layout
from signer.telemetry.logs import configure_logs, get_logger
from signer.telemetry.steps import WorkerStep
from signer.validation.long_term import examine
from signer.workers.frames import Kind, WorkerChannel
from signer.workers.precedence import give_way

_log = get_logger(__name__)
_decode_calls = msgspec.msgpack.Decoder(Calls).decode
_encode = msgspec.msgpack.Encoder().encode
_PAGE_BYTES = resource.getpagesize()
_STATM = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
"""Opened while files may be."""
_STATM_BYTES_MAX = 256


def limit_memory(bytes_max: int) -> int:
    """Caps the address space at what is mapped now plus bytes_max; beyond it allocation raises MemoryError. Returns what is mapped now."""
    mapped_bytes = _mapped_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (mapped_bytes + bytes_max, mapped_bytes + bytes_max))
    return mapped_bytes


def _mapped_bytes() -> int:
    return int(os.pread(_STATM, _STATM_BYTES_MAX, 0).split()[0]) * _PAGE_BYTES


def shut_in() -> None:
    """Nothing is left but the descriptors that are open, the libraries and the work."""
    keep_memory_private()
    files = read_only_below(programs_own_files())
    calls = refuse(nothing_but_work())
    tell = _log.info if files and calls else _log.warning  # an old kernel, or a machine whose calls we don't know
    tell("worker shut in", files=files, system_calls=calls)


@dataclass(frozen=True, slots=True)
class Known:
    """What a worker knows. layouts: of records. records, documents: what it learnt of XML that it has read."""

    layouts: tuple[Layout, ...] = ()
    records: Memory[KnownRecords] = field(default_factory=Memory)
    documents: Memory[Pattern] = field(default_factory=Memory)


def answer(call: Call, known: Known, artwork: Artwork | None = None) -> Reply:  # noqa: PLR0911  # one a kind
    """Does what is asked with one document; raises a leaf of DocumentError, or what `validation.long_term` refuses with.

    artwork: what its visible signature shows.
    """
    try:
        match call:
            case PrepareCall():
                return _prepare(call, artwork)
            case ExamineCall():
                return _examine(call)
            case ExtendCall():
                return _extend(call)
            case VerifyCall():
                return verify(call, known.layouts)
            case CheckRecordCall():
                return check_record(call, known.layouts)
            case FindSlotCall():
                return find_slot(call, known.layouts, known.records)
            case ExamineXmlCall():
                return examine_xml(call, known.documents)
    except MemoryError as error:
        raise DocumentTooCostly("the document needs more memory than one document may use; simplify or shrink it") from error


def _prepare(call: PrepareCall, artwork: Artwork | None) -> PreparedReply:
    started_s = perf_counter()
    preparation = prepare(
        call.document,
        call.placement,
        signing_time=datetime.fromisoformat(call.signing_time),
        contents_bytes=call.contents_bytes,
        digest_algorithm=call.digest_algorithm,
        artwork=artwork,
    )
    return PreparedReply(
        update=preparation.update.update,
        contents_offset=preparation.update.contents_offset,
        contents_digits=preparation.update.contents_digits,
        fallback=FallbackReason(preparation.fallback) if preparation.fallback else None,
        document_s=perf_counter() - started_s,
    )


def _examine(call: ExamineCall) -> ExaminedReply:
    started_s = perf_counter()
    now = datetime.fromisoformat(call.now)
    found = examine(call.document, anchors(call.trust), now, with_chains=call.with_chains, allow_sha1=call.trust.allow_sha1)
    chains = tuple(
        Chain(
            certificates=tuple(each.public_bytes(Encoding.DER) for each in chain.path.certificates),
            is_timestamp=chain.is_timestamp,
            at=chain.at.isoformat(),
            covered=chain.covered,
        )
        for chain in found.chains
    )
    return ExaminedReply(
        lacks_timestamp=found.lacks_timestamp, chains=chains, is_complete=found.is_complete, document_s=perf_counter() - started_s
    )


def _extend(call: ExtendCall) -> ExtendedReply:
    started_s = perf_counter()
    extension = extend(call.document, ValidationData(call.certificates, call.ocsps, call.crls), contents_bytes=call.contents_bytes)
    hole = extension.hole
    return ExtendedReply(
        update=extension.update,
        contents_offset=hole.contents_offset if hole else 0,
        contents_digits=hole.contents_digits if hole else 0,
        field_name=extension.field_name,
        document_s=perf_counter() - started_s,
    )


def run(channel: WorkerChannel) -> None:
    """Serves until the daemon lets go, or until half of the memory is held by what earlier documents left behind.

    libxml2 keeps every name that it has read: whoever sends ever new ones would take the memory of the documents after theirs.
    """
    frame = channel.receive()
    if frame is None:
        return
    start = msgspec.msgpack.decode(frame.body, type=Start)
    known = Known(start.layouts)
    configure_logs(start.log_level, process=f"document:{start.name}")
    mapped_bytes_max = limit_memory(start.memory_bytes_max) + start.memory_bytes_max // 2
    give_way()
    shut_in()
    channel.send(Kind.READY, 0)
    while (frame := channel.receive()) is not None:
        calls, started_ns = _decode_calls(frame.body), time_ns()
        *first, last = calls.documents
        for call in first:
            channel.send(Kind.REPLY, frame.call_id, _encode(_reply(call, known, calls.artwork)))
        reply = _encode(_reply(last, known, calls.artwork))
        if any(origin.traceparent for origin in channel.origins):
            channel.tell_span(frame.call_id, WorkerStep.DOCUMENT_WORK, started_ns, len(calls.documents))
        channel.finish(frame.call_id, reply)
        if _mapped_bytes() > mapped_bytes_max:
            # Said, not only done: the daemon then knows that what it has sent meanwhile was not begun.
            channel.fail(0, WorkerUnavailable("half of the memory stays taken; another process begins"))
            channel.wait_for_close()
            return


def _reply(call: Call, known: Known, artwork: Artwork | None) -> Reply | RefusedReply:
    try:
        return answer(call, known, artwork)
    except SignerError as error:
        return RefusedReply(reason=error.reason.value, message=error.message, metadata=error.metadata)


if __name__ == "__main__":
    try:
        run(WorkerChannel.from_fd(int(sys.argv[1])))
    except BrokenPipeError:
        sys.exit(0)
