"""SigningService: convert, call the path, convert."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from google.rpc import status_pb2

from signer.config.server import ServerSettings
from signer.errors import DocumentDigestMismatch, InvalidArgument, SignerError
from signer.model import Level, Profile
from signer.pipeline.batch import Batch, SigningWork
from signer.pipeline.digests import NO_FIELD, DigestResult, IncomingDigest, SignedDigest, sign_digests
from signer.pipeline.document import sign_documents
from signer.pipeline.engine import Engine
from signer.pipeline.evidence import EvidenceKeeping
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.observe import Observer
from signer.pipeline.plan import ReadyPlan, make_ready, with_artwork
from signer.pipeline.request import Request
from signer.rpc_status import to_rpc_status
from signer.server import convert, convert_forms, convert_pades, convert_time
from signer.server.batch_stream import BatchStream
from signer.server.document_stream import read_header
from signer.server.door import current_visit
from signer.server.limits import duplicate, require_answerable, require_digest_count, require_sendable, require_size
from signer.server.open_batches import OpenBatches
from signer.server.served import require_all_served, require_served
from signer.v1 import plan_pb2, signing_pb2, signing_pb2_grpc

_T = TypeVar("_T")


async def ready_plan(engine: Engine, request: Request, plan: plan_pb2.SigningPlan) -> ReadyPlan:
    """The plan of a message, checked; raises what stops the whole request."""
    profile, level = convert.profile(plan.profile), convert.level(plan.level)
    ready = await make_ready(
        engine,
        request,
        profile=profile,
        level=level,
        credential_id=convert.identifier(plan.credential_id, "plan.credential_id"),
        algorithm=convert.algorithm(plan.algorithm),
        placement=convert_pades.placement(plan.pades),
        shortage=convert.shortage(plan.timestamp_shortage, level),
        evidence=convert_time.wanted_evidence(plan),
        options=convert_forms.form_options(plan, profile),
    )
    return await with_artwork(engine, request, ready)


class SigningService(signing_pb2_grpc.SigningServiceServicer):
    """What this release serves of SigningService."""

    def __init__(self, engine: Engine, evidence: EvidenceKeeping, settings: ServerSettings, batches: OpenBatches) -> None:
        self._engine = engine
        self._evidence = evidence
        self._settings = settings
        self._batches = batches

    async def SignDigests(self, request: signing_pb2.SignDigestsRequest, context: Any) -> signing_pb2.SignDigestsResponse:  # noqa: N802, ARG002
        """Signs many digests in one call."""
        visit = current_visit()
        budget = visit.request(convert.identifier(request.school_id, "school_id"), convert.identifier(request.request_id, "request_id"))
        self._check_digests(request)
        plan = await make_ready(
            self._engine,
            budget,
            profile=Profile.DIGEST,
            level=Level.B_B,
            credential_id=convert.identifier(request.credential_id, "credential_id"),
            algorithm=convert.algorithm(request.algorithm),
            placement=NO_FIELD,
        )
        items = [IncomingDigest(convert.identifier(item.document_id, "items.document_id"), item.digest) for item in request.items]
        unique: dict[str, IncomingDigest] = {}
        for item in items:
            unique.setdefault(item.document_id, item)
        signed = await self._run(sign_digests(self._engine, budget, plan, list(unique.values())))
        by_id: dict[str, DigestResult] = dict(zip(unique, signed, strict=True))
        response = signing_pb2.SignDigestsResponse(certificate_chain=[plan.credential.certificate, *plan.credential.chain])
        observer = Observer(self._engine.metrics, plan)
        for item in items:
            result = by_id[item.document_id] if unique[item.document_id] is item else duplicate(item.document_id)
            observer.observe(result)
            response.results.append(_digest_result(plan, item, result))
        return response

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
        plan = await ready_plan(self._engine, budget, request.plan)
        document = IncomingDocument(convert.identifier(request.document_id, "document_id"), request.document, plan.placement)
        (signed,) = await self._run(sign_documents(self._engine, budget, plan, [document]))
        Observer(self._engine.metrics, plan).observe(signed)
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
        plan = await ready_plan(self._engine, budget, header.plan)
        limits = self._settings.limits
        work = SigningWork(self._engine, budget, plan)
        batch = Batch(
            self._engine, budget, work, documents_max=limits.batch_in_flight_documents, bytes_max=limits.batch_in_flight_bytes_max
        )
        with self._batches.track(batch.tally, header.expected_documents):
            async for response in BatchStream(self._settings, batch, work, header, self._evidence).run(request_iterator):
                yield response

    def _check_digests(self, request: signing_pb2.SignDigestsRequest) -> None:
        require_served(request)
        if request.level:
            raise InvalidArgument("level must not be set for bare signatures", field="level")
        if not request.items:
            raise InvalidArgument("items must not be empty", field="items")
        require_digest_count(len(request.items), self._settings)
        require_all_served(request.items, "items.")

    async def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs work that must reach its journalled outcome even if the caller goes away meanwhile."""
        return await asyncio.shield(self._engine.start_task(work))


def _digest_result(plan: ReadyPlan, item: IncomingDigest, result: DigestResult) -> signing_pb2.DigestResult:
    if isinstance(result, SignedDigest):
        return signing_pb2.DigestResult(
            document_id=item.document_id,
            status=status_pb2.Status(),
            signature=result.material.additions.appended,
            replayed=result.replayed,
            info=convert.signature_info(plan, result.material, "", b""),
            times=convert.stage_times(result.times),
        )
    return signing_pb2.DigestResult(document_id=item.document_id, status=to_rpc_status(result))
