"""ExtendDocuments: a stream of documents (`document_stream`) with what only this method says."""

from __future__ import annotations

from signer.config.server import ServerSettings
from signer.errors import InvalidArgument
from signer.model import FieldPlacement
from signer.pipeline.batch import Batch
from signer.pipeline.extension import ExtendedDocument, ExtendingWork
from signer.server import convert
from signer.server.document_stream import DocumentStream
from signer.v1 import batch_pb2, common_pb2, signature_pb2, timestamp_pb2

_NO_FIELD = FieldPlacement("")


class ExtendStream(DocumentStream[timestamp_pb2.ExtendDocumentsResponse, ExtendedDocument]):
    """One stream after its header."""

    response = timestamp_pb2.ExtendDocumentsResponse

    def __init__(
        self, settings: ServerSettings, batch: Batch[ExtendedDocument], work: ExtendingWork, header: timestamp_pb2.ExtendHeader
    ) -> None:
        super().__init__(settings, batch, placement=_NO_FIELD, expected_documents=header.expected_documents, in_lots=header.results_in_lots)
        self._level = convert.LEVEL_NUMBERS[work.level]

    def check_start(self, start: batch_pb2.DocumentStart) -> None:
        """A timestamp's field has a name of its own."""
        if start.field_name:
            raise InvalidArgument("document.field_name is for signatures; leave it unset", field="document.field_name")

    def info(self, done: ExtendedDocument, field: str) -> signature_pb2.SignatureInfo:  # noqa: ARG002
        """The last document timestamp added, if any; no signer's part is set."""
        info = signature_pb2.SignatureInfo(
            profile=common_pb2.PROFILE_PADES,
            level=self._level,
            source_sha256=done.source_sha256,
            signed_sha256=done.material.sha256,
            field_name=done.material.field_name,
        )
        if done.material.timestamp_time is not None:
            info.timestamp_time.CopyFrom(convert.timestamp(done.material.timestamp_time))
        return info
