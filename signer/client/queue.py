"""Batches that are signed later: hand over, follow, fetch, acknowledge.

with SignerClient(…) as signer:
    batch = signer.batches.submit(documents, Plan("79000001", "seal", Level.B_T), request_id)
    …
    for each in signer.batches.fetch("79000001", batch.id):
        keep(each.result)
    signer.batches.acknowledge("79000001", batch.id, each.position)
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import grpc

from signer.client import convert
from signer.client.authorization_values import Sad
from signer.client.authorizations import activation
from signer.client.channel import Connection
from signer.client.convert_plan import signing_plan
from signer.client.queue_values import BatchPriority, BatchSchedule, BatchState, QueuedBatch, QueuedResult
from signer.client.retries import RetryPolicy, is_interruption
from signer.client.unary import call_patiently
from signer.client.values import Document, DocumentResult, Plan
from signer.errors import SignerError, VerificationFailed
from signer.rpc_status import from_failed_call
from signer.v1 import batch_pb2, queue_pb2, signing_pb2_grpc

TIMEOUT_S: Final = 60.0
SUBMIT_TIMEOUT_S: Final = 3600.0
_PIECE_BYTES: Final = 1024 * 1024
_STATES: Final = {queue_pb2.BatchState.Value(f"BATCH_STATE_{state.name}"): state for state in BatchState if state is not BatchState.UNKNOWN}
_STATE_NUMBERS: Final[dict[BatchState, Any]] = {state: number for number, state in _STATES.items()}
_PRIORITY_NUMBERS: Final[dict[BatchPriority, Any]] = {
    each: queue_pb2.BatchPriority.Value(f"BATCH_PRIORITY_{each.name}") for each in BatchPriority
}
_PRIORITIES: Final = {number: priority for priority, number in _PRIORITY_NUMBERS.items()}


class BatchClient:
    """`SignerClient.batches`. Every method may be repeated. BatchNotFound for a batch that the school has not, or no more."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def submit(
        self,
        documents: Sequence[Document],
        plan: Plan,
        request_id: str,
        *,
        label: str = "",
        priority: BatchPriority = BatchPriority.NORMAL,
        schedule: BatchSchedule | None = None,
        sad: Sad | None = None,
        timeout_s: float = SUBMIT_TIMEOUT_S,
    ) -> QueuedBatch:
        """Hands documents over to be signed later. The same request with the same documents again returns the same batch.

        label: words for operators; no pupil's name. sad: what the key's holder allows, for a key that needs it.
        """
        submission = queue_pb2.BatchSubmission(
            header=batch_pb2.BatchHeader(
                request_id=request_id,
                school_id=plan.school_id,
                plan=signing_plan(plan),
                expected_documents=len(documents),
                label=label,
            ),
            priority=_PRIORITY_NUMBERS[priority],
            schedule=_schedule(schedule or BatchSchedule()),
        )
        if sad is not None:
            submission.header.activation.CopyFrom(activation(sad))

        def send(said: queue_pb2.BatchSubmission, *, timeout: float) -> queue_pb2.SubmitBatchResponse:
            answer: queue_pb2.SubmitBatchResponse = self._stub.SubmitBatch(_messages(said, documents), timeout=timeout)
            return answer

        return _batch(self._call(send, submission, timeout_s).batch)

    def get(self, school_id: str, batch_id: str, *, timeout_s: float = TIMEOUT_S) -> QueuedBatch:
        """One batch."""
        request = queue_pb2.GetBatchRequest(school_id=school_id, batch_id=batch_id)
        return _batch(self._call(self._stub.GetBatch, request, timeout_s).batch)

    def list(self, school_id: str, states: Sequence[BatchState] = (), *, timeout_s: float = TIMEOUT_S) -> Iterator[QueuedBatch]:
        """A school's batches, newest first; in these states, where some are named."""
        request = queue_pb2.ListBatchesRequest(school_id=school_id, states=[_STATE_NUMBERS[state] for state in states])
        while True:
            response = self._call(self._stub.ListBatches, request, timeout_s)
            yield from map(_batch, response.batches)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def cancel(self, school_id: str, batch_id: str, *, timeout_s: float = TIMEOUT_S) -> QueuedBatch:
        """Ends it before its next document; what is signed can be fetched. BatchEnded."""
        request = queue_pb2.CancelBatchRequest(school_id=school_id, batch_id=batch_id)
        return _batch(self._call(self._stub.CancelBatch, request, timeout_s).batch)

    def pause(self, school_id: str, batch_id: str, *, timeout_s: float = TIMEOUT_S) -> QueuedBatch:
        """Holds it before its next document. BatchEnded."""
        request = queue_pb2.PauseBatchRequest(school_id=school_id, batch_id=batch_id)
        return _batch(self._call(self._stub.PauseBatch, request, timeout_s).batch)

    def resume(self, school_id: str, batch_id: str, *, timeout_s: float = TIMEOUT_S) -> QueuedBatch:
        """Lets a paused one go on. BatchEnded."""
        request = queue_pb2.ResumeBatchRequest(school_id=school_id, batch_id=batch_id)
        return _batch(self._call(self._stub.ResumeBatch, request, timeout_s).batch)

    def watch(self, school_id: str, batch_id: str, *, after: int = 0) -> Iterator[QueuedBatch | QueuedResult]:
        """Each outcome as it comes, without its document, and the batch whenever it changed; ends when the batch has.

        Goes on by itself after a broken connection.
        """
        request = queue_pb2.WatchBatchRequest(school_id=school_id, batch_id=batch_id, after_position=after)
        failures = 0
        while True:
            try:
                for response in self._stub.WatchBatch(request):
                    failures = 0
                    kind = response.WhichOneof("message")
                    if kind == "item":
                        request.after_position = response.item.position
                        yield QueuedResult(response.item.position, _result(response.item.result))
                    elif kind == "batch":
                        yield _batch(response.batch)
                    else:
                        yield self.get(school_id, batch_id)
                        return
            except grpc.RpcError as failed:
                failures += 1
                self._wait_out(from_failed_call(failed), failures)

    def fetch(self, school_id: str, batch_id: str, *, after: int = 0, document_ids: Sequence[str] = ()) -> Iterator[QueuedResult]:
        """What has ended, with its document, in the order of endings. Goes on by itself after a broken connection.

        A result that is deleted has ResultExpired for its error; a document that is not what the daemon names, VerificationFailed.
        """
        request = queue_pb2.FetchBatchResultsRequest(
            school_id=school_id, batch_id=batch_id, after_position=after, document_ids=document_ids
        )
        failures = 0
        while True:
            try:
                for each in _whole(self._stub.FetchBatchResults(request)):
                    failures, request.after_position = 0, each.position
                    yield each
            except grpc.RpcError as failed:
                failures += 1
                self._wait_out(from_failed_call(failed), failures)
            else:
                return

    def acknowledge(self, school_id: str, batch_id: str, through: int, *, timeout_s: float = TIMEOUT_S) -> int:
        """Everything up to this position is kept on the caller's side: the appliance deletes it. How many documents it deleted now."""
        request = queue_pb2.AcknowledgeBatchResultsRequest(school_id=school_id, batch_id=batch_id, through_position=through)
        deleted: int = self._call(self._stub.AcknowledgeBatchResults, request, timeout_s).deleted_documents
        return deleted

    @property
    def _stub(self) -> signing_pb2_grpc.SigningServiceStub:
        return signing_pb2_grpc.SigningServiceStub(self._connection.channel)

    def _call(self, method: Callable[..., Any], request: Any, timeout_s: float) -> Any:
        return call_patiently(method, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)

    def _wait_out(self, error: SignerError, failures: int) -> None:
        if not is_interruption(error) or failures >= self._policy.attempts_max:
            raise error
        time.sleep(self._policy.backoff_s(failures, error))


def _messages(submission: queue_pb2.BatchSubmission, documents: Sequence[Document]) -> Iterator[queue_pb2.SubmitBatchRequest]:
    """Runs in gRPC's thread; documents are read one by one."""
    yield queue_pb2.SubmitBatchRequest(submission=submission)
    for document in documents:
        content = document.read()
        start = batch_pb2.DocumentStart(
            document_id=document.id,
            size_bytes=len(content),
            data=content[:_PIECE_BYTES],
            sha256=convert.sha256(content),
            file_name=document.file_name,
            field_name=document.field_name,
        )
        yield queue_pb2.SubmitBatchRequest(document=start)
        for at in range(_PIECE_BYTES, len(content), _PIECE_BYTES):
            yield queue_pb2.SubmitBatchRequest(chunk=batch_pb2.DocumentChunk(data=content[at : at + _PIECE_BYTES]))


def _whole(responses: Iterator[queue_pb2.FetchBatchResultsResponse]) -> Iterator[QueuedResult]:
    """Results with all of their pieces."""
    item: queue_pb2.BatchItem | None = None
    pieces: builtins.list[bytes] = []
    left = 0
    for response in responses:
        if response.WhichOneof("message") == "item":
            item = response.item
            pieces, left = [item.result.content], item.result.content_size_bytes - len(item.result.content)
        else:
            pieces.append(response.chunk.data)
            left -= len(response.chunk.data)
        if item is not None and left <= 0:
            yield QueuedResult(item.position, _with_content(item.result, b"".join(pieces)))
            item = None


def _with_content(message: batch_pb2.DocumentResult, content: bytes) -> DocumentResult:
    result = _result(message)
    if result.error is not None:
        return result
    if convert.sha256(content) != message.info.signed_sha256:
        return DocumentResult(message.document_id, VerificationFailed("the document does not have the SHA-256 that the daemon names"))
    return replace(result, signed=content)


def _result(message: batch_pb2.DocumentResult) -> DocumentResult:
    error = convert.item_error(message.status)
    if error is not None:
        return DocumentResult(message.document_id, error)
    return DocumentResult(
        message.document_id,
        info=convert.signature_info(message.info),
        replayed=message.replayed,
        times=convert.stage_times(message.times),
    )


def _batch(message: queue_pb2.Batch) -> QueuedBatch:
    progress = message.progress
    return QueuedBatch(
        id=message.batch_id,
        request_id=message.request_id,
        school_id=message.school_id,
        label=message.label,
        credential_id=message.plan.credential_id,
        state=_STATES.get(message.state, BatchState.UNKNOWN),
        waiting=convert.item_error(message.waiting_status),
        priority=_PRIORITIES.get(message.priority, BatchPriority.NORMAL),
        received=progress.received,
        signed=progress.signed,
        failed=progress.failed,
        left=progress.queued,
        created=convert.moment(message.create_time),
        deadline=convert.moment(message.schedule.deadline),
        ended=convert.moment(message.end_time) if message.HasField("end_time") else None,
        results_expire=convert.moment(message.results_expire_time) if message.HasField("results_expire_time") else None,
    )


def _schedule(value: BatchSchedule) -> queue_pb2.BatchSchedule:
    message = queue_pb2.BatchSchedule(
        daily_windows=[queue_pb2.DailyWindow(start_minute=each.start_minute, end_minute=each.end_minute) for each in value.daily]
    )
    if value.deadline is not None:
        message.deadline.FromDatetime(value.deadline)
    for start, end in value.windows:
        window = message.windows.add()
        if start is not None:
            window.start.FromDatetime(start)
        if end is not None:
            window.end.FromDatetime(end)
    return message
