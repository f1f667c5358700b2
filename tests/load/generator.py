"""The schools: a process that sends every arrival at its moment, however many are still unanswered, and says what became of each.

    python -m tests.load.generator ORDER_FILE > ENDS

ORDER_FILE: an `Orders` as JSON. A line is an `End`. Each school software has a connection of its own; nothing is sent twice: what is
refused counts as an error.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
from grpc import aio

from signer.model import Level
from signer.rpc_status import from_failed_call
from signer.v1 import signing_pb2
from tests.bench import orders
from tests.bench.orders import Order, Work
from tests.load.arrivals import Arrival, Kind, Visit
from tests.support.calls import reason_of
from tests.support.daemon import SCHOOL

_SERVICE = "/signer.v1.SigningService/"
_PATIENCE_S = 300.0
_CONNECTIONS = 8


class Orders(msgspec.Struct, frozen=True):
    """What to send, to whom. start_at: time.time() of the run's beginning; folder: of documents."""

    port: int
    pki: str
    folder: str
    start_at: float
    arrivals: list[Arrival]


class End(msgspec.Struct, frozen=True):
    """What became of a visit, in seconds since the run began. errors: reasons and how many documents had them."""

    visit: Visit
    planned_s: float
    sent_s: float
    ended_s: float
    documents: int
    signed: int
    errors: dict[str, int]


class Software:
    """One connection, and messages that are put together once."""

    def __init__(self, orders_: Orders, kinds: set[Kind]) -> None:
        pki = Path(orders_.pki)
        files = [(pki / file).read_bytes() for file in ("tls-ca.crt", "school.key", "school.crt")]
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = aio.secure_channel(f"localhost:{orders_.port}", grpc.ssl_channel_credentials(*files), options=options)
        kinds_of = {
            "SignDigests": signing_pb2.SignDigestsResponse.FromString,
            "BatchSignDocuments": signing_pb2.BatchSignDocumentsResponse.FromString,
        }
        self._digests: Any = channel.unary_unary(_SERVICE + "SignDigests", response_deserializer=kinds_of["SignDigests"])
        self._batch: Any = channel.stream_stream(_SERVICE + "BatchSignDocuments", response_deserializer=kinds_of["BatchSignDocuments"])
        self._orders = {kind.visit: _order(kind, orders_.folder) for kind in kinds}
        self._documents = {visit: orders.Documents(order) for visit, order in self._orders.items() if order.work is Work.BATCH}

    async def visit(self, kind: Kind) -> tuple[int, Counter[str]]:
        """(signed, reasons of the others)."""
        try:
            return await (self._sign_digests(kind) if kind.visit is Visit.DIGESTS else self._sign_batch(kind))
        except grpc.RpcError as error:
            return 0, Counter({from_failed_call(error).reason.value: kind.documents})

    async def _sign_digests(self, kind: Kind) -> tuple[int, Counter[str]]:
        message = orders.with_request_id(uuid.uuid4().hex, orders.digests_tail(self._orders[kind.visit]))
        response = await self._digests(message, timeout=_PATIENCE_S)
        errors = Counter(reason_of(result.status) for result in response.results if result.status.code)
        return len(response.results) - errors.total(), errors

    async def _sign_batch(self, kind: Kind) -> tuple[int, Counter[str]]:
        signed, errors = 0, Counter[str]()
        async for response in self._batch(self._messages(kind), timeout=_PATIENCE_S):
            which = response.WhichOneof("message")
            for result in [response.result] if which == "result" else response.lot.results if which == "lot" else ():
                if result.status.code:
                    errors[reason_of(result.status)] += 1
                else:
                    signed += 1
        return signed, errors

    def _messages(self, kind: Kind) -> Iterator[bytes]:
        yield orders.header(self._orders[kind.visit], uuid.uuid4().hex)
        for _count, message in self._documents[kind.visit].messages(kind.documents):
            yield message


def _order(kind: Kind, folder: str) -> Order:
    work = Work.DIGESTS if kind.visit is Visit.DIGESTS else Work.BATCH
    level = Level.B_T if kind.timestamped else Level.B_B
    return Order(work=work, school=SCHOOL, credential=kind.credential, seconds=0.0, batch=kind.documents, level=level, folder=folder)


async def send(asked: Orders) -> None:
    """Prints an End a visit, as they end."""
    kinds = {arrival.kind for arrival in asked.arrivals}
    softwares = [Software(asked, kinds) for _ in range(_CONNECTIONS)]

    def now_s() -> float:
        return time.time() - asked.start_at

    async def visit(arrival: Arrival, software: Software) -> None:
        sent_s = now_s()
        signed, errors = await software.visit(arrival.kind)
        end = End(arrival.kind.visit, arrival.at_s, sent_s, now_s(), arrival.kind.documents, signed, dict(errors))
        sys.stdout.buffer.write(msgspec.json.encode(end) + b"\n")

    async with asyncio.TaskGroup() as visits:
        for number, arrival in enumerate(asked.arrivals):
            await asyncio.sleep(max(0.0, arrival.at_s - now_s()))
            visits.create_task(visit(arrival, softwares[number % len(softwares)]))
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(send(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)))
