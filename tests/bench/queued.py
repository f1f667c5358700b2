"""What the queue costs: a batch worked off from rows, beside the same one over a stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from uuid import uuid4

import grpc

from signer.v1 import queue_pb2
from tests.bench.documents import plain_documents
from tests.bench.ground import Ground
from tests.bench.measure import Sample, take_pairs
from tests.bench.row import Row, Target, row_of_pairs
from tests.bench.usage import cpu_s, daemon_groups
from tests.support.calls import plan, sign_batch
from tests.support.daemon import SCHOOL, Running, running_daemon
from tests.support.queued import Queue


def queued(ground: Ground) -> Iterator[Row]:
    """Documents/s of a queued batch from its acceptance to its end, over those of a streamed one; and the CPU of all of it."""
    folder = plain_documents(ground.folder / "documents", ground.pace.batch)
    documents = {file.stem: file.read_bytes() for file in sorted(folder.glob("*.pdf"))[: ground.pace.batch]}
    config = ground.config("queued", processes=2, queue={})
    with running_daemon(config) as running, ground.world.channel(running.port) as channel:
        bench = _Bench(running, channel, documents)
        bench.streamed(), bench.queued()
        bench.cpu_us = {"streamed": [], "handed_over": [], "worked_off": [], "fetched": []}
        pairs = take_pairs(bench.streamed, bench.queued, ground.pace.pairs)
    used = {name: round(median(values), 1) for name, values in bench.cpu_us.items()}
    yield row_of_pairs(
        "queued-batch",
        pairs,
        target=Target(0.9),
        reference="the same batch over a stream",
        cpu_us_per_item=used,
        details={"batch": len(documents), "daemon_cpu_ratio": round(used["worked_off"] / used["streamed"], 3)},
    )


class _Bench:
    """One daemon and one class. cpu_us: of the daemon's own process, a document."""

    def __init__(self, running: Running, channel: grpc.Channel, documents: dict[str, bytes]) -> None:
        self.cpu_us: dict[str, list[float]] = {"streamed": [], "handed_over": [], "worked_off": [], "fetched": []}
        self._pids = daemon_groups(running.process.pid)["daemon"]
        self._channel = channel
        self._queue = Queue(channel)
        self._documents = documents

    def streamed(self) -> Sample:
        """Every document comes and goes in the time that is measured."""
        before_s, began_s = cpu_s(self._pids), time.perf_counter()
        answers = sign_batch(self._channel, self._documents, plan=plan("cbql"))
        seconds = time.perf_counter() - began_s
        self._count("streamed", before_s)
        return Sample(len(answers.signed()), seconds, 0.0, 0.0)

    def queued(self) -> Sample:
        """From the answer that it is accepted until its caller is told of its end.

        Sending and fetching are no part of it: they are what a caller has done before a night, and does after it. The wait for a turn
        is: nobody else is in the line. What is worked on before the answer arrives is a few documents at most.
        """
        before_s = cpu_s(self._pids)
        batch = self._queue.submit(self._documents, f"bench-{uuid4()}", plan=plan("cbql"))
        began_s = time.perf_counter()
        before_s = self._count("handed_over", before_s)
        request = queue_pb2.WatchBatchRequest(school_id=SCHOOL, batch_id=batch.batch_id, after_position=len(self._documents))
        signed = 0
        for news in self._queue.stub.WatchBatch(request):
            signed = news.summary.signed or signed
        seconds = time.perf_counter() - began_s
        before_s = self._count("worked_off", before_s)
        self._queue.acknowledge(batch.batch_id, max(self._queue.fetch(batch.batch_id).positions))
        self._count("fetched", before_s)
        return Sample(signed, seconds, 0.0, 0.0)

    def _count(self, what: str, before_s: float) -> float:
        now_s = cpu_s(self._pids)
        self.cpu_us[what].append((now_s - before_s) / len(self._documents) * 1e6)
        return now_s
