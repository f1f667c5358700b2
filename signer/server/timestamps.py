"""TimestampService: convert, call the pipeline, convert."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from google.rpc import status_pb2

from signer.algorithms import DigestAlgorithm
from signer.config.server import ServerSettings
from signer.errors import InvalidArgument, VerificationFailed
from signer.journal import EvidenceHead
from signer.pipeline.authorities import Authorities
from signer.pipeline.batch import Batch
from signer.pipeline.engine import nobody_stamps
from signer.pipeline.evidence import EvidenceKeeping, create_evidence
from signer.pipeline.evidence_proofs import proofs_of, verify_evidence
from signer.pipeline.evidence_renewal import renew_by_hash_tree, renew_by_timestamp
from signer.pipeline.extension import ExtendingWork
from signer.pipeline.imprints import ImprintStamper, stamp_imprints
from signer.pipeline.request import Request
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server import convert_time as time
from signer.server.document_stream import read_header
from signer.server.door import current_visit
from signer.server.extend_stream import ExtendStream
from signer.server.limits import require_answer_fits, require_evidence_count, require_proof_count, require_stamp_count
from signer.server.open_batches import OpenBatches
from signer.timestamp.tsp import TimestampRequest
from signer.v1 import timestamp_pb2, timestamp_pb2_grpc

_T = TypeVar("_T")
_PAGE_SIZE_MAX = 100


@dataclass(frozen=True, slots=True)
class TimeRooms:
    """What the service stands on. stamps: None when nobody is configured to give timestamps."""

    evidence: EvidenceKeeping
    stamps: ImprintStamper | None
    authorities: Authorities


class TimestampService(timestamp_pb2_grpc.TimestampServiceServicer):
    """What this release serves of TimestampService."""

    def __init__(self, rooms: TimeRooms, settings: ServerSettings, batches: OpenBatches) -> None:
        self._rooms = rooms
        self._batches = batches
        self._evidence = rooms.evidence
        self._settings = settings

    async def StampImprints(  # noqa: N802
        self,
        request: timestamp_pb2.StampImprintsRequest,
        context: Any,  # noqa: ARG002
    ) -> timestamp_pb2.StampImprintsResponse:
        """Timestamps over imprints, many a call."""
        budget = _budget(request.school_id)
        algorithm = time.digest_algorithm(request.digest_algorithm, "digest_algorithm")
        policy_oid = time.policy_oid(request.policy_oid)
        if not request.imprints:
            raise InvalidArgument("imprints must not be empty", field="imprints")
        stamps = self._rooms.stamps
        if stamps is None:
            raise nobody_stamps()
        require_stamp_count(len(request.imprints), stamps.timestamp_bytes_max, self._settings)
        stamps.require_acceptable(algorithm, policy_oid)
        wanted = [
            TimestampRequest(
                time.digest(imprint, algorithm, "imprints"),
                algorithm,
                policy_oid=policy_oid or None,
                with_certificates=not request.omit_certificate,
            )
            for imprint in request.imprints
        ]
        return timestamp_pb2.StampImprintsResponse(results=map(time.timestamp_result, await stamp_imprints(stamps, budget, wanted)))

    async def ExtendDocuments(  # noqa: N802
        self,
        request_iterator: AsyncIterator[timestamp_pb2.ExtendDocumentsRequest],
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[timestamp_pb2.ExtendDocumentsResponse]:
        """Raises signed documents to a level."""
        header, budget = await read_header(request_iterator)
        if header.level not in convert.LEVELS:
            raise InvalidArgument("header.level is required: LEVEL_B_T, LEVEL_B_LT or LEVEL_B_LTA", field="header.level")
        engine, limits = self._evidence.engine, self._settings.limits
        work = ExtendingWork(engine, budget, convert.LEVELS[header.level])
        batch = Batch(engine, budget, work, documents_max=limits.batch_in_flight_documents, bytes_max=limits.batch_in_flight_bytes_max)
        with self._batches.track(batch.tally, header.expected_documents):
            async for response in ExtendStream(self._settings, batch, work, header).run(request_iterator):
                yield response

    async def CreateEvidenceRecord(  # noqa: N802
        self,
        request: timestamp_pb2.CreateEvidenceRecordRequest,
        context: Any,  # noqa: ARG002
    ) -> timestamp_pb2.CreateEvidenceRecordResponse:
        """One evidence record over many documents."""
        budget = _budget(request.school_id, request.request_id)
        algorithm = time.digest_algorithm(request.digest_algorithm, "digest_algorithm", DigestAlgorithm.SHA256)
        if not request.items:
            raise InvalidArgument("items must not be empty", field="items")
        require_evidence_count(len(request.items), self._settings)
        digests = time.evidence_items(request.items, algorithm)
        head = await self._run(create_evidence(self._evidence, budget, digests, algorithm))
        return timestamp_pb2.CreateEvidenceRecordResponse(evidence_record=time.evidence_record(head))

    async def GetEvidenceRecord(  # noqa: N802
        self,
        request: timestamp_pb2.GetEvidenceRecordRequest,
        context: Any,  # noqa: ARG002
    ) -> timestamp_pb2.GetEvidenceRecordResponse:
        """A record, and the proofs of documents asked for."""
        budget = _budget(request.school_id)
        record_id = convert.identifier(request.evidence_record_id, "evidence_record_id")
        require_proof_count(len(request.document_ids))
        document_ids = [convert.identifier(document_id, "document_ids") for document_id in request.document_ids]
        head, proofs = await proofs_of(self._evidence, budget.school_id, record_id, document_ids)
        response = timestamp_pb2.GetEvidenceRecordResponse(
            evidence_record=time.evidence_record(head), proofs=map(time.evidence_proof, proofs)
        )
        require_answer_fits(response.ByteSize(), len(proofs), self._settings)
        return response

    async def ListEvidenceRecords(  # noqa: N802
        self,
        request: timestamp_pb2.ListEvidenceRecordsRequest,
        context: Any,  # noqa: ARG002
    ) -> timestamp_pb2.ListEvidenceRecordsResponse:
        """A page of a school's records, newest first; the page token is the last id of the page before."""
        budget = _budget(request.school_id)
        archive = self._evidence.archive
        page_size = min(request.page_size or _PAGE_SIZE_MAX, _PAGE_SIZE_MAX)
        renew_before = time.moment(request.renew_before, "renew_before") if request.HasField("renew_before") else None
        below = await self._number_of(budget.school_id, request.page_token) if request.page_token else None
        page = await archive.page(budget.school_id, limit=page_size + 1, below=below, renew_before=renew_before)
        next_page_token = page[page_size - 1].record_id if len(page) > page_size else ""
        return timestamp_pb2.ListEvidenceRecordsResponse(
            evidence_records=map(time.evidence_record, page[:page_size]), next_page_token=next_page_token
        )

    async def VerifyEvidenceRecord(  # noqa: N802
        self,
        request: timestamp_pb2.VerifyEvidenceRecordRequest,
        context: Any,  # noqa: ARG002
    ) -> timestamp_pb2.VerifyEvidenceRecordResponse:
        """The verdict on a record for one document."""
        if not request.digests:
            raise InvalidArgument("digests must not be empty", field="digests")
        digests = time.document_digests(request.digests)
        try:
            proof = await verify_evidence(self._evidence, request.evidence_record, digests)
        except VerificationFailed as failed:
            return timestamp_pb2.VerifyEvidenceRecordResponse(verdict=to_rpc_status(failed))
        return timestamp_pb2.VerifyEvidenceRecordResponse(
            verdict=status_pb2.Status(),
            proven_time=convert.timestamp(proof.proven_time),
            renew_before=convert.timestamp(proof.renew_before),
        )

    async def RenewEvidenceRecord(  # noqa: N802
        self,
        request: timestamp_pb2.RenewEvidenceRecordRequest,
        context: Any,  # noqa: ARG002
    ) -> timestamp_pb2.RenewEvidenceRecordResponse:
        """A record renewed by timestamp or by hash tree."""
        budget = _budget(request.school_id, request.request_id)
        record_id = convert.identifier(request.evidence_record_id, "evidence_record_id")
        head = await self._run(self._renewal(request, budget, record_id))
        return timestamp_pb2.RenewEvidenceRecordResponse(evidence_record=time.evidence_record(head))

    async def ListTimestampAuthorities(  # noqa: N802
        self,
        request: timestamp_pb2.ListTimestampAuthoritiesRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> timestamp_pb2.ListTimestampAuthoritiesResponse:
        """Every authority, in order of preference; none is asked."""
        standings = self._rooms.authorities.standings()
        return timestamp_pb2.ListTimestampAuthoritiesResponse(authorities=map(time.timestamp_authority, standings))

    def _renewal(
        self, request: timestamp_pb2.RenewEvidenceRecordRequest, budget: Request, record_id: str
    ) -> Coroutine[Any, Any, EvidenceHead]:
        if request.kind == timestamp_pb2.RENEWAL_KIND_TIMESTAMP:
            for field in ("digest_algorithm", "items"):
                if getattr(request, field):
                    raise InvalidArgument(f"{field} is for RENEWAL_KIND_HASH_TREE", field=field)
            return renew_by_timestamp(self._evidence, budget, record_id)
        if request.kind == timestamp_pb2.RENEWAL_KIND_HASH_TREE:
            algorithm = time.digest_algorithm(request.digest_algorithm, "digest_algorithm")
            digests = time.evidence_items(request.items, algorithm)
            return renew_by_hash_tree(self._evidence, budget, record_id, digests, algorithm)
        raise InvalidArgument("kind must be RENEWAL_KIND_TIMESTAMP or RENEWAL_KIND_HASH_TREE", field="kind")

    async def _number_of(self, school_id: str, page_token: str) -> int:
        last = await self._evidence.archive.find(school_id, convert.identifier(page_token, "page_token"))
        if last is None:
            raise InvalidArgument("page_token must be the next_page_token of the answer before", field="page_token")
        return last.number

    async def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs work that must reach the archive once its timestamp was given, even if the caller goes away meanwhile."""
        return await asyncio.shield(self._evidence.engine.start_task(work))


def _budget(school_id: str, request_id: str | None = None) -> Request:
    """The visit's work for a school that the caller speaks for; request_id: None for a method without."""
    named = "" if request_id is None else convert.identifier(request_id, "request_id")
    return current_visit().request(convert.identifier(school_id, "school_id"), named)
