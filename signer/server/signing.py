"""SigningService: convert, call the path, convert."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from signer.config.server import ServerSettings
from signer.errors import DocumentDigestMismatch, InvalidArgument, SignerError
from signer.pipeline.batch import Batch, SigningWork
from signer.pipeline.document import sign_documents
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.observe import Observer
from signer.server import convert, convert_forms
from signer.server.batch_stream import BatchStream
from signer.server.digests import answer_digests
from signer.server.document_stream import read_header
from signer.server.door import current_visit
from signer.server.limits import require_answerable, require_sendable, require_size
from signer.server.open_batches import OpenBatches
from signer.server.planning import ready_plan
from signer.server.queued.methods import QueueMethods
from signer.server.readiness import Readiness
from signer.server.rooms import Rooms
from signer.server.served import require_served
from signer.server.signature_states import answer_states
from signer.v1 import plan_pb2, signing_pb2

_T = TypeVar("_T")


class SigningService(QueueMethods):
    """What this release serves of SigningService."""

    def __init__(self, rooms: Rooms, settings: ServerSettings, batches: OpenBatches, readiness: Readiness) -> None:
        super().__init__(rooms.engine, settings, rooms.queue, lambda: readiness.is_draining)
        self._engine = rooms.engine
        self._log = rooms.log
        self._retention = rooms.material_retention
        self._evidence = rooms.time.evidence
        self._settings = settings
        self._batches = batches

    async def SignDigests(self, request: signing_pb2.SignDigestsRequest, context: Any) -> signing_pb2.SignDigestsResponse:  # noqa: N802, ARG002
        """Signs many digests in one call."""
        visit = current_visit()
        budget = visit.request(convert.identifier(request.school_id, "school_id"), convert.identifier(request.request_id, "request_id"))
        return await self._run(answer_digests(self._engine, budget, request, self._settings))

    async def SignDocument(self, request: signing_pb2.SignDocumentRequest, context: Any) -> signing_pb2.SignDocumentResponse:  # noqa: N802, ARG002
        """Signs one document of at most one message."""
        visit = current_visit()
        budget = visit.request(convert.identifier(request.school_id, "school_id"), convert.identifier(request.request_id, "request_id"))
        require_served(request)
        if request.plan.evidence.create:
            raise InvalidArgument("evidence is made over a batch; sign one document with BatchSignDocuments", field="plan.evidence")
        require_size(len(request.document), self._settings.limits.document_bytes_max)
        full = request.result_form != plan_pb2.RESULT_FORM_APPENDED_BYTES
        if full:
            require_answerable(len(request.document), self._settings.message_bytes_max)
        convert.file_name(request.file_name)
        announced = convert.sha256(request.sha256, "sha256")
        if announced and hashlib.sha256(request.document).digest() != announced:
            raise DocumentDigestMismatch("the document's bytes do not have the SHA-256 announced; it was damaged on its way")
        plan = await ready_plan(self._engine, budget, request.plan, request.activation)
        convert_forms.require_result_form(request.result_form, plan.profile)
        document_id = convert.identifier(request.document_id, "document_id")
        document = IncomingDocument(document_id, request.document, plan.placement, request.file_name)
        (signed,) = await self._run(sign_documents(self._engine, budget, plan, [document]))
        Observer(self._engine, plan).observe(signed)
        if isinstance(signed, SignerError):
            raise signed
        content = signed.additions.merge(request.document) if full else signed.additions.appended
        require_sendable(len(content), self._settings.message_bytes_max)
        return signing_pb2.SignDocumentResponse(
            content=content,
            info=convert.document_info(plan, signed, plan.placement.field_name),
            replayed=signed.replayed,
            times=convert.stage_times(signed.times),
        )

    async def BatchSignDocuments(  # noqa: N802
        self,
        request_iterator: AsyncIterator[signing_pb2.BatchSignDocumentsRequest],
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[signing_pb2.BatchSignDocumentsResponse]:
        """Signs a whole class, or a whole school."""
        header, budget = await read_header(request_iterator)
        require_served(header)
        convert.label(header.label)
        plan = await ready_plan(self._engine, budget, header.plan, header.activation)
        convert_forms.require_result_form(header.result_form, plan.profile)
        limits = self._settings.limits
        work = SigningWork(self._engine, budget, plan)
        batch = Batch(
            self._engine, budget, work, documents_max=limits.batch_in_flight_documents, bytes_max=limits.batch_in_flight_bytes_max
        )
        with self._batches.track(batch.tally, header.expected_documents):
            async for response in BatchStream(self._settings, batch, work, header, self._evidence).run(request_iterator):
                yield response

    async def GetSignatureStates(  # noqa: N802
        self,
        request: signing_pb2.GetSignatureStatesRequest,
        context: Any,  # noqa: ARG002
    ) -> signing_pb2.GetSignatureStatesResponse:
        """What became of signatures, by their ids."""
        return await answer_states(self._log, self._retention, request)

    async def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs work that must reach its journalled outcome even if the caller goes away meanwhile."""
        return await asyncio.shield(self._engine.start_task(work))
