"""Queued batches over gRPC as school software sends and fetches them, on the generated stubs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc

from signer.errors import SignerError
from signer.rpc_status import from_failed_call, from_rpc_status
from signer.v1 import batch_pb2, common_pb2, plan_pb2, queue_pb2, signing_pb2_grpc
from tests.support.daemon import SCHOOL

PLAN = plan_pb2.SigningPlan(
    credential_id="gvcn",
    profile=common_pb2.PROFILE_PADES,
    level=common_pb2.LEVEL_B_B,
    pades=plan_pb2.PadesOptions(field_name="GVCN"),
)
_ENDED = {queue_pb2.BATCH_STATE_COMPLETED, queue_pb2.BATCH_STATE_CANCELLED, queue_pb2.BATCH_STATE_EXPIRED}


def header(request_id: str, documents: int, **fields: Any) -> batch_pb2.BatchHeader:
    return batch_pb2.BatchHeader(
        **{"request_id": request_id, "school_id": SCHOOL, "plan": PLAN, "expected_documents": documents, "label": "Lớp 5A", **fields}
    )


def submission(
    documents: Mapping[str, bytes], request_id: str, *, of: dict[str, Any] | None = None, **fields: Any
) -> Iterator[queue_pb2.SubmitBatchRequest]:
    """The messages of SubmitBatch. of: fields of the submission beside its header; fields: of the header."""
    said = queue_pb2.BatchSubmission(header=header(request_id, len(documents), **fields), **(of or {}))
    yield queue_pb2.SubmitBatchRequest(submission=said)
    for document_id, content in documents.items():
        start = batch_pb2.DocumentStart(document_id=document_id, size_bytes=len(content), data=content)
        yield queue_pb2.SubmitBatchRequest(document=start)


@dataclass
class Fetched:
    """What FetchBatchResults gave: results and contents by document, positions in the order they came."""

    results: dict[str, batch_pb2.DocumentResult] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    positions: list[int] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, str]:
        """Of those that failed."""
        return {key: from_rpc_status(result.status).reason.value for key, result in self.results.items() if result.status.code}


class Queue:
    """One client's queue."""

    def __init__(self, channel: grpc.Channel, school_id: str = SCHOOL) -> None:
        self.stub = signing_pb2_grpc.SigningServiceStub(channel)
        self.school_id = school_id

    def submit(self, documents: Mapping[str, bytes], request_id: str, **options: Any) -> queue_pb2.Batch:
        return self.stub.SubmitBatch(submission(documents, request_id, **options)).batch

    def get(self, batch_id: str) -> queue_pb2.Batch:
        return self._named("Get", batch_id)

    def pause(self, batch_id: str) -> queue_pb2.Batch:
        return self._named("Pause", batch_id)

    def resume(self, batch_id: str) -> queue_pb2.Batch:
        return self._named("Resume", batch_id)

    def cancel(self, batch_id: str) -> queue_pb2.Batch:
        return self._named("Cancel", batch_id)

    def watch(self, batch_id: str, after: int = 0, timeout_s: float = 120.0) -> list[queue_pb2.WatchBatchResponse]:
        request = queue_pb2.WatchBatchRequest(school_id=self.school_id, batch_id=batch_id, after_position=after)
        return list(self.stub.WatchBatch(request, timeout=timeout_s))

    def ended(self, batch_id: str, within_s: float = 120.0) -> queue_pb2.Batch:
        """The batch, once it has ended."""
        until_s = time.monotonic() + within_s
        while (batch := self.get(batch_id)).state not in _ENDED or not batch.HasField("end_time"):
            assert time.monotonic() < until_s, f"the batch has not ended:\n{batch}"
            time.sleep(0.1)
        return batch

    def fetch(self, batch_id: str, after: int = 0, document_ids: tuple[str, ...] = ()) -> Fetched:
        request = queue_pb2.FetchBatchResultsRequest(
            school_id=self.school_id, batch_id=batch_id, after_position=after, document_ids=document_ids
        )
        fetched = Fetched()
        last = ""
        for response in self.stub.FetchBatchResults(request):
            if response.WhichOneof("message") == "item":
                last = response.item.result.document_id
                fetched.results[last] = response.item.result
                fetched.contents[last] = response.item.result.content
                fetched.positions.append(response.item.position)
            else:
                fetched.contents[last] += response.chunk.data
        return fetched

    def acknowledge(self, batch_id: str, through: int) -> int:
        request = queue_pb2.AcknowledgeBatchResultsRequest(school_id=self.school_id, batch_id=batch_id, through_position=through)
        return self.stub.AcknowledgeBatchResults(request).deleted_documents

    def _named(self, verb: str, batch_id: str) -> queue_pb2.Batch:
        request = getattr(queue_pb2, f"{verb}BatchRequest")(school_id=self.school_id, batch_id=batch_id)
        batch: queue_pb2.Batch = getattr(self.stub, f"{verb}Batch")(request).batch
        return batch


def refusal(call: Any) -> SignerError:
    """What a call fails with."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return from_failed_call(error)
    message = f"not refused: {answer}"
    raise AssertionError(message)
