"""SubmitBatch: a stream of documents into rows, accepted as a whole or not at all.

Documents are written some sixteen or a megabyte at a time, one write beside the reading of the next; so memory stays flat whatever the
batch's length. A repeat of an accepted request writes nothing: it is compared.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from signer.config.server import ServerSettings
from signer.errors import BatchTooLarge, InvalidArgument, NotServedYet, RequestIdReused, SignerError
from signer.model import Profile
from signer.pipeline.allowing import Refusal
from signer.pipeline.engine import Engine
from signer.pipeline.plan import ReadyPlan
from signer.pipeline.request import Request
from signer.queue import documents, rows
from signer.queue.model import BatchIds, EndedDocument, Portion, QueuedBatch, QueuedDocument
from signer.queue.settings import QueueSettings
from signer.queue.store import QueueStore
from signer.server import convert, convert_forms
from signer.server.arrivals import Arrivals
from signer.server.door import current_visit
from signer.server.planning import ready_plan
from signer.server.queued import convert as queue_convert
from signer.server.queued.results import failed
from signer.server.served import require_served
from signer.v1 import batch_pb2, queue_pb2

_PORTION_DOCUMENTS_MAX: Final = 16
_PORTION_BYTES_MAX: Final = 1024 * 1024
_REFUSED_TOLD_MAX: Final = 1_000
"""In the response; the contract's number."""
_ID_BYTES: Final = 16
_encode: Final = msgspec.msgpack.Encoder().encode


class Submitting:
    """One submission after its first message: `arrivals.Sink`, then `accept`. number: None for a repeat, which is only compared."""

    def __init__(self, store: QueueStore, settings: QueueSettings, ids: BatchIds, plan: ReadyPlan, header: batch_pb2.BatchHeader) -> None:
        self.number: int | None = None
        self.received = 0
        self.refusals: list[EndedDocument] = []
        self._store = store
        self._settings = settings
        self._ids = ids
        self._profile = plan.profile
        self._fingerprint = hashlib.sha256(_without_activation(header))
        self._waiting: list[QueuedDocument] = []
        self._waiting_bytes = 0
        self._portions = 0
        self._writing: asyncio.Task[None] | None = None

    @property
    def fingerprint(self) -> bytes:
        """Of the header without the holder's word, and of each document in order."""
        return self._fingerprint.digest()

    def check_start(self, start: batch_pb2.DocumentStart) -> None:
        """Fields are a PDF's."""
        if start.field_name and self._profile is not Profile.PADES:
            raise InvalidArgument("document.field_name is for PROFILE_PADES; leave it unset", field="document.field_name")

    async def arrived(self, index: int, start: batch_pb2.DocumentStart, content: bytes) -> None:
        """A whole document."""
        self.received += 1
        said = batch_pb2.DocumentStart(file_name=start.file_name, field_name=start.field_name)
        self._fingerprint.update(_encode((start.document_id, hashlib.sha256(content).digest(), said.SerializeToString())))
        if self.number is None:
            return
        if start.HasField("list_proof"):
            said.list_proof.CopyFrom(start.list_proof)
        self._waiting.append(QueuedDocument(index, start.document_id, said.SerializeToString(), content))
        self._waiting_bytes += len(content)
        if len(self._waiting) >= _PORTION_DOCUMENTS_MAX or self._waiting_bytes >= _PORTION_BYTES_MAX:
            await self._write()

    def refused(self, index: int, document_id: str, error: SignerError) -> None:
        """A document that counts as failed."""
        self.received += 1
        self._fingerprint.update(_encode((document_id[: convert.IDENTIFIER_MAX], error.reason.value)))
        self.refusals.append(failed(index, document_id, -1, error))

    async def finish(self) -> None:
        """All that came is durable."""
        if self._waiting:
            await self._write()
        if self._writing is not None:
            await self._writing

    def require_all(self, expected: int) -> None:
        """InvalidArgument when fewer documents came."""
        if self.received < expected:
            raise InvalidArgument(
                f"{self.received} documents came, header.expected_documents says {expected}: nothing was accepted",
                field="header.expected_documents",
            )

    async def drop(self) -> None:
        """Nothing of it stays."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self.number is not None:
            number = self.number
            await self._store.run(documents.delete_batch, number)

    def accept(self, connection: Connection) -> bool:
        """Part of a transaction: the batch is accepted, with those refused; False when its repeat was faster."""
        if self.number is None or not rows.accept(connection, self.number, self._ids, self.fingerprint, self.received):
            return False
        documents.keep(connection, self._store.sealer, self._ids.batch_id, self.number, self.refusals)
        return True

    async def _write(self) -> None:
        if self._writing is not None:
            await self._writing
        portion = Portion(self._portions, tuple(self._waiting))
        self._portions, self._waiting, self._waiting_bytes = self._portions + 1, [], 0
        self._writing = asyncio.create_task(self._store.run(self._add, portion))

    def _add(self, connection: Connection, portion: Portion) -> None:
        if self.number is not None:
            rows.require_room(connection, self._settings)
            documents.add_portion(connection, self._store.sealer, self.number, self._ids.batch_id, portion)


async def submit(
    engine: Engine, store: QueueStore, server: ServerSettings, settings: QueueSettings, messages: AsyncIterator[Any]
) -> tuple[QueuedBatch, list[EndedDocument], bool]:
    """A submission, accepted: the batch, its header sealed; what was refused; and whether it is new.

    Raises what stops a stream at its header, QueueFull, BatchTooLarge, and RequestIdReused for another content under the same ids.
    """
    submission, request = await _read_submission(messages)
    header = submission.header
    _require_queueable(header, settings)
    plan = await ready_plan(engine, request, header.plan, header.activation)
    if isinstance(plan.presented, Refusal):
        raise plan.presented.error
    convert_forms.require_result_form(header.result_form, plan.profile)
    now = engine.utc_now()
    schedule = queue_convert.schedule(submission.schedule, now, timedelta(days=settings.deadline_days_max))
    ids = BatchIds(secrets.token_hex(_ID_BYTES), request.school_id, request.request_id, request.client_id)
    sealed = documents.sealed_header(store.sealer, ids.batch_id, submission.SerializeToString())
    arrival = rows.Arrival(ids, sealed, queue_convert.priority(submission.priority), header.expected_documents, now, schedule.deadline)
    submitting = Submitting(store, settings, ids, plan, header)
    if await store.run(rows.find_request, ids.school_id, ids.request_id) is None:
        submitting.number = await store.run(rows.begin_arrival, arrival, settings)
    try:
        await Arrivals(server, submitting, documents_max=header.expected_documents).read(messages, request.drained)
        request.check()
        await submitting.finish()
        submitting.require_all(header.expected_documents)
        is_new = await store.run(submitting.accept)
    except BaseException:
        await asyncio.shield(submitting.drop())
        raise
    if not is_new:
        await submitting.drop()
    batch = await store.run(_same, ids, submitting.fingerprint)
    return batch, submitting.refusals[:_REFUSED_TOLD_MAX], is_new


def _same(connection: Connection, ids: BatchIds, fingerprint: bytes) -> QueuedBatch:
    found = rows.find_request(connection, ids.school_id, ids.request_id)
    batch = rows.find(connection, found[0]) if found else None
    if found is None or batch is None or found[1] != fingerprint:
        raise RequestIdReused("another batch was submitted under this request_id: choose a new one, or send the same documents and plan")
    return batch


async def _read_submission(messages: AsyncIterator[Any]) -> tuple[queue_pb2.BatchSubmission, Request]:
    first = await anext(aiter(messages), None)
    if first is None or first.WhichOneof("message") != "submission":
        raise InvalidArgument("the first message of the stream must be the submission", field="submission")
    header = first.submission.header
    school_id = convert.identifier(header.school_id, "header.school_id")
    return first.submission, current_visit().request(school_id, convert.identifier(header.request_id, "header.request_id"))


def _require_queueable(header: batch_pb2.BatchHeader, settings: QueueSettings) -> None:
    require_served(header)
    convert.label(header.label)
    if not header.expected_documents:
        raise InvalidArgument(
            "header.expected_documents is required: a broken upload must not pass for a whole one", field="header.expected_documents"
        )
    if header.expected_documents > settings.documents_max:
        raise BatchTooLarge(
            f"{header.expected_documents} documents in one batch, the limit is {settings.documents_max} (queue.documents_max)",
            limitCount=settings.documents_max,
        )
    if header.plan.evidence.create:
        raise NotServedYet("no evidence is made over a queued batch: ask CreateEvidenceRecord once it has ended", field="plan.evidence")


def _without_activation(header: batch_pb2.BatchHeader) -> bytes:
    """Who repeats may bring a newer word of the holder's."""
    bare = batch_pb2.BatchHeader()
    bare.CopyFrom(header)
    bare.ClearField("activation")
    return bare.SerializeToString(deterministic=True)
