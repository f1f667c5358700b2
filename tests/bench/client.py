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

from signer.v1 import batch_pb2, signing_pb2
from tests.bench import requests
from tests.bench.measure import percentile
from tests.bench.requests import Order, Work

_SERVICE = "/signer.v1.SigningService/"
_CALL_S_MAX = 3000.0


class Shift:
    """One order being carried out: whether to go on, and what came back. One lock, because several calls may be in flight."""

    def __init__(self, order: Order, stopping: threading.Event) -> None:
        self.order = order
        self._stopping = stopping
        self._lock = threading.Lock()
        self._latencies_s: list[float] = []
        self._items = 0
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

    def answer(self) -> dict[str, float]:
        """As `Sample.of` reads it."""
        ordered = sorted(self._latencies_s)
        return {
            "items": self._items,
            "seconds": max(self._ended_s - self._started_s, 1e-9),
            "p50_ms": percentile(ordered, 0.5) * 1e3,
            "p99_ms": percentile(ordered, 0.99) * 1e3,
        }


class Client:
    """One connection."""

    def __init__(self, port: int, pki: Path, name: str) -> None:
        files = [(pki / file).read_bytes() for file in ("tls-ca.crt", f"{name}.key", f"{name}.crt")]
        channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(*files))
        answers = {"SignDigests": signing_pb2.SignDigestsResponse, "SignDocument": signing_pb2.SignDocumentResponse}
        self._sign_digests, self._sign_document = (
            channel.unary_unary(_SERVICE + method, response_deserializer=answer.FromString) for method, answer in answers.items()
        )
        self._sign_batch: Any = channel.stream_stream(
            f"{_SERVICE}BatchSignDocuments", response_deserializer=signing_pb2.BatchSignDocumentsResponse.FromString
        )

    def follow(self, shift: Shift) -> dict[str, float]:
        """Carries an order out until its time is over or it is stopped; a batch is begun in any case, and what is begun is finished."""
        {Work.DIGESTS: self._digests, Work.DOCUMENT: self._documents, Work.BATCH: self._batches}[shift.order.work](shift)
        return shift.answer()

    def _digests(self, shift: Shift) -> None:
        tail = requests.digests_tail(shift.order)

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
        response = self._sign_digests(requests.with_request_id(uuid.uuid4().hex, tail), timeout=_CALL_S_MAX)
        for result in response.results:
            require_signed(result, result.signature)
        shift.add(len(response.results), perf_counter() - started_s)

    def _documents(self, shift: Shift) -> None:
        tails = itertools.cycle(requests.document_tails(shift.order))
        shift.start()
        while shift.goes_on():
            request = requests.with_request_id(uuid.uuid4().hex, next(tails))
            started_s = perf_counter()
            response = self._sign_document(request, timeout=_CALL_S_MAX)
            shift.add(1 if response.content and not response.replayed else 0, perf_counter() - started_s)

    def _batches(self, shift: Shift) -> None:
        documents = requests.Documents(shift.order)
        shift.start()
        self._batch(documents, shift)
        while shift.goes_on():
            self._batch(documents, shift)

    def _batch(self, documents: requests.Documents, shift: Shift) -> None:
        order, sent_s, signed = shift.order, [perf_counter()], 0

        def messages() -> Iterator[bytes]:
            yield requests.header(order, uuid.uuid4().hex)
            for message in documents.messages(order.batch):
                sent_s.append(perf_counter())
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
            if response.WhichOneof("message") == "result":
                require_signed(response.result, response.result.content)
                yield response.result


def require_signed(result: Any, material: bytes) -> None:
    """RuntimeError unless this result is a fresh signature."""
    if result.status.code or not material:
        raise RuntimeError(f"{result.document_id}: {result.status.message or 'nothing came back'}")
    if result.replayed:
        raise RuntimeError(f"{result.document_id}: answered from the store")


def read_orders(stopping: threading.Event) -> Iterator[Order]:
    """Orders as they come on stdin; `stop` is heard at once, also while one is carried out."""
    orders: SimpleQueue[Order | None] = SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                stopping.set()
            else:
                orders.put(msgspec.json.decode(line, type=Order))
        orders.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while (order := orders.get()) is not None:
        yield order


def main() -> None:
    port, pki, name = sys.argv[1:]
    stopping = threading.Event()
    client = Client(int(port), Path(pki), name)
    for order in read_orders(stopping):
        try:
            answer: dict[str, Any] = client.follow(Shift(order, stopping))
        except (RuntimeError, grpc.RpcError) as error:
            answer = {"error": str(error)}
        stopping.clear()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
