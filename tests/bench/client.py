"""School software reduced to what the wire needs: a process that keeps the daemon busy and notes when answers come.

    python -m tests.bench.client PORT PKI_FOLDER CLIENT_NAME

stdin: one order a line, as JSON (`Order`); `stop` ends the one under way. stdout: one JSON object for each. Requests are put together from
parts that were encoded beforehand (protobuf: concatenated fields are one message), so that the client costs next to nothing beside the
daemon on the same two cores. What fails is an `error`, never left out of a rate.
"""

# ruff: noqa: T201 - printed lines are its answers

from __future__ import annotations

import itertools
import json
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Any

import grpc
import msgspec

from signer.v1 import batch_pb2, common_pb2, signing_pb2
from tests.bench import orders
from tests.bench.measure import percentile
from tests.bench.orders import Order, Work

_SERVICE = "/signer.v1.SigningService/"
_CALL_S_MAX = 3000.0
_STAGES = ("queue", "document", "token", "timestamp", "journal")


class Shift:
    """One order being carried out: whether to go on, and what came back. One lock, because several calls may be in flight."""

    def __init__(self, order: Order, stopping: threading.Event) -> None:
        self.order = order
        self._stopping = stopping
        self._lock = threading.Lock()
        self._latencies_s: list[float] = []
        self._items = 0
        self._stages_s = dict.fromkeys(_STAGES, 0.0)
        self.start()

    def start(self) -> None:
        """The clock starts: what the work needs is ready."""
        self._started_s = self._ended_s = perf_counter()

    @property
    def is_stopped(self) -> bool:
        return self._stopping.is_set()

    def goes_on(self) -> bool:
        """Whether another call or batch is begun."""
        return not self.is_stopped and perf_counter() - self._started_s < self.order.seconds

    def add(self, items: int, latency_s: float) -> None:
        """Signed items that came back together."""
        with self._lock:
            self._items += items
            self._latencies_s.append(latency_s)
            self._ended_s = perf_counter()

    def add_stages(self, times: common_pb2.StageTimes) -> None:
        """Where the daemon says that time went; of one item or summed over a batch."""
        for stage in _STAGES:
            took = getattr(times, stage)
            self._stages_s[stage] += took.seconds + took.nanos / 1e9

    def answer(self) -> dict[str, Any]:
        """As `Sample.of` reads it."""
        ordered = sorted(self._latencies_s)
        stage_ms = {stage: took_s / max(self._items, 1) * 1e3 for stage, took_s in self._stages_s.items()}
        return {
            "items": self._items,
            "seconds": max(self._ended_s - self._started_s, 1e-9),
            "p50_ms": percentile(ordered, 0.5) * 1e3,
            "p99_ms": percentile(ordered, 0.99) * 1e3,
            "stage_ms": stage_ms if any(stage_ms.values()) else {},
        }


class Client:
    """One connection."""

    def __init__(self, port: int, pki: Path, name: str) -> None:
        files = [(pki / file).read_bytes() for file in ("tls-ca.crt", f"{name}.key", f"{name}.crt")]
        channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(*files))
        digests, document, result = (
            getattr(signing_pb2, f"{name}Response").FromString for name in ("SignDigests", "SignDocument", "BatchSignDocuments")
        )
        self._sign_digests: Any = channel.unary_unary(_SERVICE + "SignDigests", response_deserializer=digests)
        self._sign_document: Any = channel.unary_unary(_SERVICE + "SignDocument", response_deserializer=document)
        self._sign_batch: Any = channel.stream_stream(_SERVICE + "BatchSignDocuments", response_deserializer=result)

    def follow(self, shift: Shift) -> dict[str, Any]:
        """Carries an order out until its time is over or it is stopped; a batch is begun in any case, and what is begun is finished."""
        {Work.DIGESTS: self._digests, Work.DOCUMENT: self._documents, Work.BATCH: self._batches}[shift.order.work](shift)
        return shift.answer()

    def _digests(self, shift: Shift) -> None:
        tail = orders.digests_tail(shift.order)

        def keep_calling() -> None:
            self._call_for_digests(tail, shift)
            while shift.goes_on():
                self._call_for_digests(tail, shift)

        shift.start()
        with ThreadPoolExecutor(shift.order.in_flight) as threads:
            for done in [threads.submit(keep_calling) for _ in range(shift.order.in_flight)]:
                done.result()

    def _call_for_digests(self, tail: bytes, shift: Shift) -> None:
        started_s = perf_counter()
        response = self._sign_digests(orders.with_request_id(uuid.uuid4().hex, tail), timeout=_CALL_S_MAX)
        for result in response.results:
            require_signed(result, result.signature)
        shift.add(len(response.results), perf_counter() - started_s)

    def _documents(self, shift: Shift) -> None:
        tails = itertools.cycle(orders.document_tails(shift.order))
        shift.start()
        while shift.goes_on():
            request = orders.with_request_id(uuid.uuid4().hex, next(tails))
            started_s = perf_counter()
            response = self._sign_document(request, timeout=_CALL_S_MAX)
            shift.add(1 if response.content and not response.replayed else 0, perf_counter() - started_s)
            shift.add_stages(response.times)

    def _batches(self, shift: Shift) -> None:
        documents = orders.Documents(shift.order)
        shift.start()
        self._batch(documents, shift)
        while shift.goes_on():
            self._batch(documents, shift)

    def _batch(self, documents: orders.Documents, shift: Shift) -> None:
        order, sent_s, signed = shift.order, [perf_counter()], 0

        def messages() -> Iterator[bytes]:
            yield orders.header(order, uuid.uuid4().hex)
            for count, message in documents.messages(order.batch):
                sent_s.extend([perf_counter()] * count)
                yield message

        for result in self._results(messages(), shift):
            signed += 1
            documents.keep(result)
            if not order.whole_batches:
                shift.add(1, perf_counter() - sent_s[1 + result.index])
        if shift.is_stopped:
            return
        if signed != order.batch:
            raise RuntimeError(f"{signed} of {order.batch} documents were signed")
        if order.whole_batches:
            shift.add(signed, perf_counter() - sent_s[0])

    def _results(self, messages: Iterator[bytes], shift: Shift) -> Iterator[batch_pb2.DocumentResult]:
        """The signed results of one batch; ends early, and cancels it, when the shift is stopped."""
        call = self._sign_batch(messages, timeout=_CALL_S_MAX)
        for response in call:
            if shift.is_stopped:
                call.cancel()
                return
            kind = response.WhichOneof("message")
            if kind == "summary":
                shift.add_stages(response.summary.times)
            results = [response.result] if kind == "result" else response.lot.results
            for result in results:
                require_signed(result, result.content)
                yield result


def require_signed(result: Any, material: bytes) -> None:
    """RuntimeError unless this result is a fresh signature."""
    if result.status.code or not material:
        raise RuntimeError(f"{result.document_id}: {result.status.message or 'nothing came back'}")
    if result.replayed:
        raise RuntimeError(f"{result.document_id}: answered from the store")


def read_orders(stopping: threading.Event) -> Iterator[Order]:
    """Orders as they come on stdin; `stop` is heard at once, also while one is carried out."""
    told: SimpleQueue[Order | None] = SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                stopping.set()
            else:
                told.put(msgspec.json.decode(line, type=Order))
        told.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while (order := told.get()) is not None:
        yield order


def main() -> None:
    port, pki, name = sys.argv[1:]
    stopping = threading.Event()
    client = Client(int(port), Path(pki), name)
    for order in read_orders(stopping):
        try:
            answer = client.follow(Shift(order, stopping))
        except grpc.RpcError as error:
            answer = {"error": f"{error.code().name}: {error.details()}" if isinstance(error, grpc.Call) else str(error)}
        except RuntimeError as error:
            answer = {"error": str(error)}
        stopping.clear()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
