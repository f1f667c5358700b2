"""Batches over gRPC as school software sends them: stream documents, collect what became of each, send again what may be sent again.

Written on the generated stubs, not on `signer.client`: what the client library repairs by itself must be seen here.

`python -m tests.support.batch FILE` is a client process to be killed: FILE is a JSON object (see `main`).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from signer.errors import SignerError
from signer.rpc_status import from_failed_call, from_rpc_status
from signer.v1 import batch_pb2, common_pb2, plan_pb2, signing_pb2, signing_pb2_grpc
from tests.support.daemon import SCHOOL

B_B = common_pb2.LEVEL_B_B
B_T = common_pb2.LEVEL_B_T
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""What is worth sending again under the same ids."""
_PASSING_NUMBERS = {code.value[0] for code in PASSING}
_ROUND_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """How the documents of a batch are signed. field_name: the signature field to make."""

    credential: str = "cbql"
    level: common_pb2.Level.ValueType = B_T
    field_name: str = "CBQL"

    def message(self) -> plan_pb2.SigningPlan:
        return plan_pb2.SigningPlan(
            credential_id=self.credential,
            profile=common_pb2.PROFILE_PADES,
            level=self.level,
            pades=plan_pb2.PadesOptions(field_name=self.field_name),
        )


@dataclass(frozen=True)
class ParkingPlan(Plan):
    """B-T, and parked when no timestamp can be had."""

    def message(self) -> plan_pb2.SigningPlan:
        message = Plan.message(self)
        message.timestamp_shortage = plan_pb2.TIMESTAMP_SHORTAGE_PARK
        return message


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One result as it came. appended: what follows the original; reason: empty when signed. at_s: time.monotonic()."""

    document_id: str
    reason: str
    message: str
    may_repeat: bool
    appended: bytes
    replayed: bool
    at_s: float

    @property
    def is_signed(self) -> bool:
        return not self.reason


@dataclass(slots=True)
class BatchEnd:
    """What came back of one stream. failure: how the whole call failed, None when it ended well."""

    results: list[ItemResult] = field(default_factory=list)
    summary: batch_pb2.BatchSummary | None = None
    failure: SignerError | None = None

    @property
    def signed(self) -> dict[str, ItemResult]:
        return {result.document_id: result for result in self.results if result.is_signed}

    @property
    def reasons(self) -> dict[str, str]:
        """Reason of each item that failed."""
        return {result.document_id: result.reason for result in self.results if not result.is_signed}


Call = Any
"""grpc's own stream-stream call, which is an iterator of responses with cancel()."""


def messages(
    documents: Mapping[str, bytes], request_id: str, plan: Plan, before_each: Callable[[int], object] = lambda _sent: None
) -> Iterator[signing_pb2.BatchSignDocumentsRequest]:
    """Header and documents. before_each: called before each document with how many are sent; may hold the rest back."""
    header = batch_pb2.BatchHeader(
        request_id=request_id,
        school_id=SCHOOL,
        plan=plan.message(),
        expected_documents=len(documents),
        result_form=plan_pb2.RESULT_FORM_APPENDED_BYTES,
    )
    yield signing_pb2.BatchSignDocumentsRequest(header=header)
    for sent, (document_id, content) in enumerate(documents.items()):
        before_each(sent)
        start = batch_pb2.DocumentStart(document_id=document_id, size_bytes=len(content), data=content)
        yield signing_pb2.BatchSignDocumentsRequest(document=start)


def open_batch(
    channel: grpc.Channel,
    documents: Mapping[str, bytes],
    request_id: str,
    plan: Plan,
    *,
    timeout_s: float | None = None,
    before_each: Callable[[int], object] = lambda _sent: None,
) -> Call:
    """Starts the stream; give the call to `collect`."""
    stub = signing_pb2_grpc.SigningServiceStub(channel)
    return stub.BatchSignDocuments(messages(documents, request_id, plan, before_each), timeout=timeout_s)


def collect(call: Call, on_result: Callable[[BatchEnd], None] = lambda _so_far: None) -> BatchEnd:
    """Reads the stream to its end; never raises for what the daemon answers. on_result: told after each result, may cancel the call."""
    end = BatchEnd()
    try:
        for response in call:
            kind = response.WhichOneof("message")
            if kind == "result":
                end.results.append(_item(response.result))
                on_result(end)
            elif kind == "summary":
                end.summary = response.summary
    except grpc.RpcError as error:
        end.failure = from_failed_call(error)
    return end


def _item(result: batch_pb2.DocumentResult) -> ItemResult:
    reason, message = "", ""
    if result.status.code:
        error = from_rpc_status(result.status)
        reason, message = error.reason.value, error.message
    may_repeat = result.status.code in _PASSING_NUMBERS
    assert len(result.content) == result.content_size_bytes, "an appended update fits one message"
    return ItemResult(result.document_id, reason, message, may_repeat, result.content, result.replayed, time.monotonic())


def sign_batch(channel: grpc.Channel, documents: Mapping[str, bytes], request_id: str, plan: Plan, **options: Any) -> BatchEnd:
    """One stream, from header to summary."""
    return collect(open_batch(channel, documents, request_id, plan, **options))


@dataclass(slots=True)
class Delivery:
    """What a caller holds of one batch after sending it as often as it took. appended: by document id, every distinct content received."""

    request_id: str
    documents: Mapping[str, bytes]
    rounds: list[BatchEnd] = field(default_factory=list)
    appended: dict[str, set[bytes]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def add(self, end: BatchEnd) -> None:
        self.rounds.append(end)
        for result in end.results:
            if result.is_signed:
                self.appended.setdefault(result.document_id, set()).add(result.appended)
            elif not result.may_repeat:
                self.refused[result.document_id] = result.reason

    @property
    def missing(self) -> dict[str, bytes]:
        """Documents without a final result yet."""
        return {key: content for key, content in self.documents.items() if key not in self.appended and key not in self.refused}

    @property
    def lost(self) -> int:
        """Documents that did not end signed."""
        return len(self.documents) - len(self.appended)

    @property
    def doubled(self) -> int:
        """Documents of which more than one signature was released, or that had more than one result in one stream."""
        twice = sum(len(end.results) - len({result.document_id for result in end.results}) for end in self.rounds)
        return twice + sum(len(contents) > 1 for contents in self.appended.values())

    @property
    def passing_reasons(self) -> dict[str, int]:
        """How often each reason was seen that a repeat mended."""
        counts: dict[str, int] = {}
        for end in self.rounds:
            seen = [result.reason for result in end.results if result.reason]
            for reason in [*seen, *([end.failure.reason.value] if end.failure else [])]:
                counts[reason] = counts.get(reason, 0) + 1
        return counts

    def signed_files(self) -> dict[str, bytes]:
        """The whole signed documents."""
        return {key: self.documents[key] + next(iter(contents)) for key, contents in self.appended.items()}


def sign_until_done(
    connect: Callable[[], grpc.Channel],
    documents: Mapping[str, bytes],
    request_id: str,
    plan: Plan,
    *,
    rounds_max: int = 20,
    timeout_s: float = 120.0,
    delivery: Delivery | None = None,
) -> Delivery:
    """Sends the documents, and again under the same ids what had a passing error, until each has its final result.

    connect: makes a channel, anew each round, so that a restarted daemon is found. delivery: an earlier one to go on with.
    """
    delivery = delivery or Delivery(request_id, documents)
    for _ in range(rounds_max):
        with connect() as channel:
            delivery.add(sign_batch(channel, delivery.missing, request_id, plan, timeout_s=timeout_s))
        if not delivery.missing:
            break
        time.sleep(_ROUND_PAUSE_S)
    return delivery


def main() -> None:
    """A client as a process of its own: prints one line for each result. See `tests/faults/test_client_gone.py`."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    pki = Path(order["pki"])
    credentials = grpc.ssl_channel_credentials(*[(pki / name).read_bytes() for name in ("tls-ca.crt", "school.key", "school.crt")])
    documents = {key: Path(path).read_bytes() for key, path in order["documents"].items()}
    with grpc.secure_channel(f"localhost:{order['port']}", credentials) as channel:
        call = open_batch(channel, documents, order["request_id"], Plan(**order["plan"]))
        end = collect(call, lambda so_far: print(so_far.results[-1].document_id, so_far.results[-1].reason, flush=True))  # noqa: T201
    sys.exit(0 if end.summary else 1)


if __name__ == "__main__":
    main()
