"""RecordService: convert, ask, convert."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from signer.config.server import ServerSettings
from signer.control.records import Records
from signer.errors import InvalidArgument
from signer.model import Profile
from signer.pipeline.engine import Engine
from signer.pipeline.record_check import ClassCheck, RecordRooms
from signer.pipeline.role_check import require_role
from signer.server import convert, convert_records
from signer.server.door import current_visit
from signer.server.record_stream import RecordStream
from signer.server.register import RegisterMethods
from signer.server.served import require_served
from signer.v1 import record_pb2


class RecordService(RegisterMethods):
    """What this release serves of RecordService."""

    def __init__(self, rooms: RecordRooms, engine: Engine, settings: ServerSettings, register: Records) -> None:
        super().__init__(register)
        self._rooms = rooms
        self._engine = engine
        self._settings = settings

    async def ListLayouts(  # noqa: N802
        self,
        request: record_pb2.ListLayoutsRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> record_pb2.ListLayoutsResponse:
        """Those that came with the appliance, and the configured ones."""
        return record_pb2.ListLayoutsResponse(layouts=[convert_records.layout(each) for each in self._rooms.layouts])

    async def CheckRecords(  # noqa: N802
        self,
        request_iterator: AsyncIterator[record_pb2.CheckRecordsRequest],
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[record_pb2.CheckRecordsResponse]:
        """A class before any key is used."""
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("message") != "header":
            raise InvalidArgument("the first message of the stream must be the header", field="header")
        header = first.header
        request = current_visit().request(convert.identifier(header.school_id, "header.school_id"), "")
        require_served(header.record, "header.record.")
        check = ClassCheck(self._rooms, request.school_id, convert_records.record_plan(header.record, "header.record."))
        if header.credential_id:
            credential_id = convert.identifier(header.credential_id, "header.credential_id")
            credential = await self._engine.credential(credential_id, request.school_id)
            self._engine.credentials.require_usable(credential, self._engine.utc_now())
            check.acting = await require_role(self._engine, credential, request.school_id, Profile.MINISTRY_XML, check.plan)
        async for response in RecordStream(self._settings, check, request).run(request_iterator):
            yield response
