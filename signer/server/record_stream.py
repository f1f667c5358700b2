"""CheckRecords: records in, a report for each in the order they came, then the summary."""

from __future__ import annotations

from signer.config.server import ServerSettings
from signer.documents.wire import CheckedRecordReply
from signer.errors import SignerError
from signer.pipeline.record_check import ClassCheck
from signer.pipeline.request import Request
from signer.server import convert_records
from signer.server.look_stream import LookStream
from signer.v1 import record_pb2

_Response = record_pb2.CheckRecordsResponse


class RecordStream(LookStream[_Response, CheckedRecordReply]):
    """One stream after its header."""

    def __init__(self, settings: ServerSettings, check: ClassCheck, request: Request) -> None:
        super().__init__(settings, request)
        self._check = check

    async def look(self, content: bytes) -> CheckedRecordReply | SignerError:
        """What is wrong with one record by itself."""
        return await self._check.look(content)

    def answer(self, document_id: str, found: CheckedRecordReply | SignerError) -> _Response:
        """Its report, beside its class."""
        return _Response(report=convert_records.report(self._check.judge(document_id, found)))

    def summary(self) -> _Response:
        """Of the class."""
        return _Response(summary=convert_records.summary(self._check.tally))
