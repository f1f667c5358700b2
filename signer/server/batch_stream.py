"""BatchSignDocuments: a stream of documents (`document_stream`) with what only this method says.

It begins with `accepted`, tells its progress at the interval asked for, and makes the evidence record before its summary where the plan
wants one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any

from signer.config.server import ServerSettings
from signer.errors import InvalidArgument, SignerError
from signer.formats.insertions import Additions
from signer.journal import EvidenceHead
from signer.model import Profile
from signer.pipeline.batch import Batch, ItemOutcome, SigningWork
from signer.pipeline.evidence import EvidenceKeeping
from signer.pipeline.evidence_batch import cover_batch
from signer.pipeline.item import SignedDocument
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server.document_stream import DocumentStream
from signer.v1 import batch_pb2, plan_pb2, signature_pb2, signing_pb2

_Response = signing_pb2.BatchSignDocumentsResponse
_PROGRESS_S_MIN = 0.1


class BatchStream(DocumentStream[_Response, SignedDocument]):
    """One stream after its header."""

    response = _Response

    def __init__(
        self,
        settings: ServerSettings,
        batch: Batch[SignedDocument],
        work: SigningWork,
        header: batch_pb2.BatchHeader,
        evidence: EvidenceKeeping,
    ) -> None:
        super().__init__(
            settings, batch, placement=work.plan.placement, expected_documents=header.expected_documents, in_lots=header.results_in_lots
        )
        self._work = work
        self._plan = work.plan
        self._header = header
        self._evidence = evidence
        self._covered: EvidenceHead | SignerError | None = None

    def opening(self) -> Sequence[_Response]:
        """Accepted, with the limits."""
        limits = self.settings.limits
        accepted = signing_pb2.BatchAccepted(
            algorithm=convert.ALGORITHM_NUMBERS[self._plan.algorithm],
            certificate_chain=[self._plan.credential.certificate, *self._plan.credential.chain],
            document_bytes_max=limits.document_bytes_max,
            documents_max=limits.batch_documents_max,
            message_bytes_max=self.settings.message_bytes_max,
        )
        return [_Response(accepted=accepted)]

    def upkeep(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Progress, where it is asked for."""
        if not self._header.HasField("progress_interval"):
            return ()
        return (self._tell_progress(max(_PROGRESS_S_MIN, self._header.progress_interval.ToNanoseconds() / 1e9)),)

    def check_start(self, start: batch_pb2.DocumentStart) -> None:
        """Fields are a PDF's."""
        if start.field_name and self._plan.profile is not Profile.PADES:
            raise InvalidArgument("document.field_name is for PROFILE_PADES; leave it unset", field="document.field_name")

    def content(self, outcome: ItemOutcome[SignedDocument], additions: Additions) -> bytes:
        """In the form asked for."""
        if self._header.result_form == plan_pb2.RESULT_FORM_APPENDED_BYTES:
            return additions.appended
        return super().content(outcome, additions)

    def info(self, done: SignedDocument, field: str) -> signature_pb2.SignatureInfo:
        """The signature."""
        return convert.document_info(self._plan, done, field)

    async def finish(self) -> None:
        """The evidence record."""
        if self._plan.evidence is not None:
            self._covered = await cover_batch(self._evidence, self._work, self._plan.evidence)

    def complete_summary(self, summary: batch_pb2.BatchSummary) -> None:
        """What became of the evidence record."""
        if isinstance(self._covered, SignerError):
            summary.evidence_status.CopyFrom(to_rpc_status(self._covered))
        elif self._covered is not None:
            summary.evidence_record_id = self._covered.record_id
            summary.evidence_status.SetInParent()

    async def _tell_progress(self, interval_s: float) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(interval_s)
                await self.outbox.put([_Response(progress=self._progress())])

    def _progress(self) -> batch_pb2.BatchProgress:
        tally = self.batch.tally
        elapsed_s = asyncio.get_running_loop().time() - self.started_s
        progress = batch_pb2.BatchProgress(
            expected=self.expected_documents,
            received=tally.received,
            signed=tally.signed + tally.replayed,
            failed=tally.failed,
            queued=tally.received - tally.ended,
            elapsed=convert.duration(elapsed_s),
            signatures_per_second=tally.signed / elapsed_s if elapsed_s else 0.0,
        )
        left = self.expected_documents - tally.ended
        if self.expected_documents and tally.ended:
            progress.remaining.CopyFrom(convert.duration(max(0.0, elapsed_s / tally.ended * left)))
        return progress
