"""Calls as a client makes them, on the bare contract: what goes over the wire is what the tests look at."""

from __future__ import annotations

import contextlib
import sqlite3
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from google.rpc import status_pb2
from prometheus_client.parser import text_string_to_metric_families

from signer.errors import SignerError
from signer.rpc_status import from_failed_call, from_rpc_status
from signer.v1 import (
    admin_operations_pb2,
    admin_pb2_grpc,
    admin_tokens_pb2,
    batch_pb2,
    common_pb2,
    plan_pb2,
    signing_pb2,
    signing_pb2_grpc,
)
from tests.support.daemon import SCHOOL

Request = signing_pb2.BatchSignDocumentsRequest
TIMEOUT_S = 60.0


def fresh_id() -> str:
    """A request_id that nobody has used."""
    return f"test/{uuid.uuid4()}"


def plan(credential: str = "gvcn", level: Any = common_pb2.LEVEL_B_B, *, field_name: str = "", **options: Any) -> plan_pb2.SigningPlan:
    """A PAdES plan."""
    return plan_pb2.SigningPlan(
        credential_id=credential,
        profile=options.pop("profile", common_pb2.PROFILE_PADES),
        level=level,
        pades=plan_pb2.PadesOptions(field_name=field_name),
        **options,
    )


def header(**changes: Any) -> batch_pb2.BatchHeader:
    """A header for SCHOOL with a fresh id and the default plan."""
    fields: dict[str, Any] = {"request_id": fresh_id(), "school_id": SCHOOL, "plan": plan()} | changes
    return batch_pb2.BatchHeader(**fields)


def start(document_id: str, content: bytes, **changes: Any) -> Request:
    """One whole document in one message."""
    fields: dict[str, Any] = {"document_id": document_id, "size_bytes": len(content), "data": content} | changes
    return Request(document=batch_pb2.DocumentStart(**fields))


def lot(documents: Mapping[str, bytes], **changes: Any) -> Request:
    """Several documents in one message."""
    return Request(lot=batch_pb2.DocumentLot(documents=[start(name, content, **changes).document for name, content in documents.items()]))


def chunk(data: bytes = b"") -> Request:
    """A further piece of the document begun last."""
    return Request(chunk=batch_pb2.DocumentChunk(data=data))


def chunked(document_id: str, content: bytes, chunk_bytes: int) -> Iterator[Request]:
    """One document in several messages."""
    yield start(document_id, content, data=content[:chunk_bytes])
    for at in range(chunk_bytes, len(content), chunk_bytes):
        yield chunk(content[at : at + chunk_bytes])


@dataclass
class Answers:
    """All that a batch answered, in order. contents: put together from results and chunks, by index. lots: how many results each held."""

    accepted: signing_pb2.BatchAccepted | None = None
    results: list[batch_pb2.DocumentResult] = field(default_factory=list)
    contents: dict[int, bytes] = field(default_factory=dict)
    progress: list[batch_pb2.BatchProgress] = field(default_factory=list)
    lots: list[int] = field(default_factory=list)
    summary: batch_pb2.BatchSummary | None = None

    def take(self, message: signing_pb2.BatchSignDocumentsResponse) -> None:
        """Takes in one message, and that it stands where it may."""
        kind = message.WhichOneof("message")
        assert self.summary is None, f"{kind} after the summary"
        assert (self.accepted is None) == (kind == "accepted"), f"{kind} out of order"
        match kind:
            case "accepted":
                self.accepted = message.accepted
            case "result":
                self._require_whole()
                self.results.append(message.result)
                self.contents[message.result.index] = message.result.content
            case "lot":
                self.lots.append(len(message.lot.results))
                for result in message.lot.results:
                    self._require_whole()
                    self.results.append(result)
                    self.contents[result.index] = result.content
            case "chunk":
                self.contents[self.results[-1].index] += message.chunk.data
            case "progress":
                self._require_whole()
                self.progress.append(message.progress)
            case "summary":
                self._require_whole()
                self.summary = message.summary

    def _require_whole(self) -> None:
        """A result's chunks come before any other message."""
        if self.results:
            last = self.results[-1]
            assert len(self.contents[last.index]) == last.content_size_bytes

    def signed(self) -> dict[str, bytes]:
        """Contents of the signed documents, by document_id."""
        return {result.document_id: self.contents[result.index] for result in self.results if result.status.code == 0}

    def reasons(self) -> dict[int, str]:
        """Reasons of the failed documents, by index."""
        return {result.index: reason_of(result.status) for result in self.results if result.status.code}


def sign_batch(channel: grpc.Channel, documents: Mapping[str, bytes] | Iterable[Request], **changes: Any) -> Answers:
    """A whole batch. documents: whole ones by id, or messages as they are to be sent. Raises what the stream fails with."""
    messages = [start(name, content) for name, content in documents.items()] if isinstance(documents, Mapping) else documents
    return stream(channel, [Request(header=header(**changes)), *messages])


def stream(channel: grpc.Channel, messages: Iterable[Request], timeout_s: float = TIMEOUT_S) -> Answers:
    """Any messages; what the stream answered. Raises what it fails with."""
    answers = Answers()
    with our_errors():
        for message in signing_pb2_grpc.SigningServiceStub(channel).BatchSignDocuments(iter(messages), timeout=timeout_s):
            answers.take(message)
    return answers


def sign_document(channel: grpc.Channel, document: bytes, **changes: Any) -> signing_pb2.SignDocumentResponse:
    """SignDocument with the default plan. Raises what it fails with."""
    request: dict[str, Any] = {
        "request_id": fresh_id(),
        "school_id": SCHOOL,
        "document_id": "d",
        "plan": plan(),
        "document": document,
    } | changes
    with our_errors():
        return signing_pb2_grpc.SigningServiceStub(channel).SignDocument(signing_pb2.SignDocumentRequest(**request), timeout=TIMEOUT_S)


def sign_digests(channel: grpc.Channel, digests: Mapping[str, bytes], **changes: Any) -> signing_pb2.SignDigestsResponse:
    """SignDigests with a credential's default algorithm. Raises what it fails with."""
    items = [signing_pb2.DigestItem(document_id=name, digest=digest) for name, digest in digests.items()]
    request: dict[str, Any] = {"request_id": fresh_id(), "school_id": SCHOOL, "credential_id": "gvcn", "items": items} | changes
    with our_errors():
        return signing_pb2_grpc.SigningServiceStub(channel).SignDigests(signing_pb2.SignDigestsRequest(**request), timeout=TIMEOUT_S)


@contextlib.contextmanager
def our_errors() -> Iterator[None]:
    """A failed call as the leaf it stands for, with `code` of the call beside it."""
    try:
        yield
    except grpc.RpcError as error:
        call: Any = error
        ours = from_failed_call(call)
        ours.metadata["grpcCode"] = call.code().name
        raise ours from error


@contextlib.contextmanager
def refused(kind: type[SignerError], **metadata: str) -> Iterator[pytest.ExceptionInfo[SignerError]]:
    """The block fails with this leaf, and what its metadata must hold."""
    with pytest.raises(kind) as caught:
        yield caught
    for key, value in metadata.items():
        assert caught.value.metadata[key] == value, caught.value.metadata


def reason_of(status: status_pb2.Status) -> str:
    """The reason in a result's status."""
    return from_rpc_status(status).reason.value


def intents(journal: Path, request_id: str) -> list[str]:
    """The document_ids of every intent of a request, read from the database beside the daemon: what the key may have been used for."""
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        bodies = [msgspec.json.decode(body) for (body,) in database.execute("SELECT body FROM journal_entry WHERE kind = 'intent'")]
    return [body["document"] for body in bodies if body["request"] == request_id]


def metrics(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """A scrape: value by sample name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def metric(port: int, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    wanted = set(labels.items())
    return sum(value for (sample, found), value in metrics(port).items() if sample == name and wanted <= found)


def operations_call(channel: grpc.Channel, method: str, /, **fields: Any) -> Any:
    """A unary method of AdminService by its name; raises grpc.RpcError."""
    module = admin_tokens_pb2 if method.endswith(("Token", "Tokens")) else admin_operations_pb2
    request = getattr(module, f"{method}Request")(**fields)
    return getattr(admin_pb2_grpc.AdminServiceStub(channel), method)(request, timeout=TIMEOUT_S)


def reason_of_call(failed: grpc.RpcError) -> str:
    """The ErrorInfo reason of a call that failed."""
    return from_failed_call(failed).reason.value
