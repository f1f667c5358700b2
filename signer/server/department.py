"""AdminService: the import of a whole Department. For operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

from signer.access.department import ImportedRow, RowEffect, RowResult
from signer.control.department import import_department
from signer.errors import InvalidArgument
from signer.server import convert_people
from signer.server.door import current_operator
from signer.server.people import PeopleRooms
from signer.v1 import admin_pb2_grpc, admin_people_pb2

_Response = admin_people_pb2.ImportPeopleResponse
_ROWS_MAX: Final = 500_000


class DepartmentMethods(admin_pb2_grpc.AdminServiceServicer):
    """Rows in, every difference out, then the summary."""

    def __init__(self, rooms: PeopleRooms) -> None:
        self._department = rooms

    async def ImportPeople(  # noqa: N802
        self,
        request_iterator: AsyncIterator[admin_people_pb2.ImportPeopleRequest],
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[_Response]:
        """All or nothing."""
        client_id = current_operator("import people")
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("message") != "header":
            raise InvalidArgument("the first message of the stream must be the header", field="header")
        header = first.header
        rows, refused = await _read(request_iterator)
        imported = await import_department(
            self._department.people,
            client_id,
            rows,
            self._department.utc_now(),
            dry_run=header.dry_run or bool(refused),
            end_missing=header.end_missing,
        )
        results = sorted((*imported.difference.results, *refused), key=lambda result: result.line or _ROWS_MAX * 2)
        for result in results:
            if result.effect is not RowEffect.UNCHANGED:
                yield convert_people.row_message(result)
        counts = Counter(result.effect for result in results)
        yield _Response(
            summary=admin_people_pb2.ImportSummary(
                applied=imported.is_applied,
                rows=len(rows) + len(refused),
                created=counts[RowEffect.CREATE],
                updated=counts[RowEffect.UPDATE],
                ended=counts[RowEffect.END],
                refused=counts[RowEffect.REFUSED],
            )
        )


async def _read(messages: AsyncIterator[admin_people_pb2.ImportPeopleRequest]) -> tuple[list[ImportedRow], list[RowResult]]:
    """The rows, and those that can't be read as rows."""
    rows: list[ImportedRow] = []
    refused: list[RowResult] = []
    async for message in messages:
        if message.WhichOneof("message") != "rows":
            raise InvalidArgument("after the header come rows", field="message")
        for raw in message.rows.rows:
            row = convert_people.imported_row(raw)
            if isinstance(row, ImportedRow):
                rows.append(row)
            else:
                refused.append(row)
        if len(rows) + len(refused) > _ROWS_MAX:
            raise InvalidArgument(f"more than {_ROWS_MAX:,} rows; import school by school", field="rows")
    return rows, refused
