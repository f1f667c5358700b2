"""One call of a method that streams documents (`orders`): documents out, outcomes in, both at once.

1. Send the header; wait for `accepted` where the method has it, which brings the limits (a refused header costs no document's bytes).
2. Send documents, several small ones in a message, large ones in pieces below the message limit. gRPC's own thread does it and waits for
   the transport: what the daemon does not read is not read from the caller's files either.
3. Meanwhile read results; put each signed document together from the caller's own bytes and the update, and compare its SHA-256.
4. The call must end with the summary; anything else is a broken stream.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from signer.client import convert
from signer.client.channel import Connection
from signer.client.convert_time import batch_evidence
from signer.client.orders import Order, ResponseStream
from signer.client.supply import Item, Supply
from signer.client.time_values import BatchEvidence
from signer.client.values import DocumentResult
from signer.errors import ServiceUnreachable, SignerError, VerificationFailed
from signer.rpc_status import from_failed_call
from signer.v1 import batch_pb2

_PIECE_BYTES_MAX = 1024 * 1024
_MESSAGE_HEADROOM_BYTES = 16 * 1024
_LOT_DOCUMENTS_MAX = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """A document's outcome in this stream, final or not."""

    item: Item
    result: DocumentResult


@dataclass(frozen=True, slots=True)
class Tick:
    """The daemon is there and works: it accepted the header, or told its progress."""


@dataclass(frozen=True, slots=True)
class End:
    """The summary came. evidence: what became of the evidence record that was asked for; None if none was."""

    evidence: BatchEvidence | None


class Stream:
    """One call. Iterate `events` to its end or close; then make another one for what is left."""

    def __init__(
        self,
        connection: Connection,
        supply: Supply,
        order: Order,
        header: Any,
        *,
        timeout_s: float,
        stall_s: float,
    ) -> None:
        self._supply = supply
        self._turn = supply.next_turn()
        self._order = order
        self._header = header
        self._accepted = threading.Event()
        self._limits = order.limits
        if self._limits is not None:
            self._accepted.set()
        self._connection = connection
        self._channel = connection.channel
        self._call = order.open(self._channel, self._outgoing(), timeout_s)
        self._stall_s = order.stall_s(stall_s)

    def events(self) -> Iterator[Answer | Tick | End]:
        """What comes, as it comes, an End last; raises the call's error."""
        watch = _Watchdog(self._call, self._stall_s)
        try:
            yield from self._incoming(watch)
        except grpc.RpcError as error:
            if watch.has_fired:
                self._connection.renew(self._channel)
                raise ServiceUnreachable(f"nothing came for {self._stall_s:g} s; the connection was given up") from error
            raise from_failed_call(self._call) from error
        finally:
            watch.stop()
            self._call.cancel()
            self._accepted.set()
            self._supply.end_turn()

    def _outgoing(self) -> Iterator[Any]:
        """Runs in gRPC's thread."""
        yield self._header
        self._accepted.wait()
        if self._limits is None:
            return
        piece_bytes = min(_PIECE_BYTES_MAX, int(self._limits.message_bytes_max or _PIECE_BYTES_MAX) - _MESSAGE_HEADROOM_BYTES)
        left = self._limits.documents_max or None
        while left != 0 and (item := self._supply.take(self._turn)) is not None:
            lot = [item, *self._more(len(item.content), piece_bytes, left)]
            yield from self._pieces(item, piece_bytes) if len(lot) == 1 else [self._lot(lot)]
            left = left and left - len(lot)

    def _more(self, taken_bytes: int, piece_bytes: int, left: int | None) -> Iterator[Item]:
        """What goes in the same message, because it is at hand."""
        for _ in range(min(_LOT_DOCUMENTS_MAX, left or _LOT_DOCUMENTS_MAX) - 1):
            item = self._supply.take_more(self._turn, piece_bytes - taken_bytes)
            if item is None:
                return
            taken_bytes += len(item.content)
            yield item

    def _incoming(self, watch: _Watchdog) -> Iterator[Answer | Tick | End]:
        partial: batch_pb2.DocumentResult | None = None
        content = bytearray()
        while True:
            message = watch.next()
            kind = message.WhichOneof("message")
            if kind == "accepted":
                self._limits = message.accepted
                self._accepted.set()
                yield Tick()
            elif kind == "result":
                partial, content = message.result, bytearray(message.result.content)
            elif kind == "chunk":
                content += message.chunk.data
            elif kind == "lot":
                yield from filter(None, (self._answer(result, result.content) for result in message.lot.results))
            elif kind == "summary":
                yield End(batch_evidence(message.summary) if self._order.wants_evidence else None)
                return
            else:
                yield Tick()
            if partial is not None and len(content) >= partial.content_size_bytes:
                answer, partial = self._answer(partial, bytes(content)), None
                if answer is not None:
                    yield answer

    def _answer(self, message: batch_pb2.DocumentResult, content: bytes) -> Answer | None:
        item = self._supply.settle(message.document_id)
        if item is None:
            return None
        item.attempts += 1
        error = convert.item_error(message.status)
        signed = b""
        if error is None:
            signed, error = self._assembled(item, content, message.info.signed_sha256)
        item.content = b""
        if error is not None:
            return Answer(item, DocumentResult(item.document.id, error, attempts=item.attempts))
        result = DocumentResult(
            document_id=item.document.id,
            signed=signed,
            info=convert.signature_info(message.info),
            replayed=message.replayed,
            times=convert.stage_times(message.times),
            attempts=item.attempts,
        )
        return Answer(item, result)

    def _assembled(self, item: Item, content: bytes, signed_sha256: bytes) -> tuple[bytes, SignerError | None]:
        if self._order.returns_appended:
            item.hasher.update(content)
            digest, signed = item.hasher.digest(), item.content + content
        else:
            digest, signed = convert.sha256(content), content
        if digest != signed_sha256:
            return b"", VerificationFailed("the signed document does not have the SHA-256 that the daemon names; it was not accepted")
        return signed, None

    def _lot(self, items: list[Item]) -> Any:
        return self._order.request(lot=batch_pb2.DocumentLot(documents=[_start(item, item.content) for item in items]))

    def _pieces(self, item: Item, piece_bytes: int) -> Iterator[Any]:
        content = item.content
        yield self._order.request(document=_start(item, content[:piece_bytes]))
        for at in range(piece_bytes, len(content), piece_bytes):
            yield self._order.request(chunk=batch_pb2.DocumentChunk(data=content[at : at + piece_bytes]))


class _Watchdog:
    """Cancels a call that stays silent while its reader waits: a dead connection is no error to TCP for many minutes.

    The reader's time between two messages does not count: a slow caller is no dead daemon.
    """

    def __init__(self, call: ResponseStream, stall_s: float) -> None:
        self.has_fired = False
        self._call = call
        self._stall_s = stall_s
        self._waiting_since: float | None = None
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="signer-watchdog", daemon=True).start()

    def next(self) -> Any:
        """The call's next message; raises ServiceUnreachable at its end, which the summary should have announced."""
        self._waiting_since = time.monotonic()
        try:
            return next(self._call)
        except StopIteration:
            raise ServiceUnreachable("the stream ended without a summary") from None
        finally:
            self._waiting_since = None

    def stop(self) -> None:
        """Lets its thread end."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(min(1.0, self._stall_s / 4)):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._stall_s:
                self.has_fired = True
                self._call.cancel()
                return


def _start(item: Item, data: bytes) -> batch_pb2.DocumentStart:
    return batch_pb2.DocumentStart(
        document_id=item.document.id,
        size_bytes=len(item.content),
        data=data,
        sha256=item.hasher.digest(),
        field_name=item.document.field_name,
        file_name=item.document.file_name,
    )
