"""PDFs of records, before anything is prepared: earlier signatures are verified, and the order is kept as far as a PDF tells it.

A document worker looks at each as CheckRecords does; the PDF of a record costs as much as verifying it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from signer.documents.wire import CheckRecordCall
from signer.errors import InternalError, SignerError
from signer.pipeline.forms.form import Arrived
from signer.records.calendar import vietnamese_day
from signer.records.examination import Expectation
from signer.records.problem import refusal

if TYPE_CHECKING:
    from signer.pipeline.lot import Lot


async def refusals(lot: Lot, arrived: Sequence[Arrived]) -> list[SignerError | None]:
    """Why each must not be signed, RecordUnfit or a leaf of DocumentError; None for one that may, and for what are no records."""
    if lot.plan.record is None:
        return [None] * len(arrived)
    return list(await asyncio.gather(*(_refusal(lot, each) for each in arrived)))


async def _refusal(lot: Lot, arrived: Arrived) -> SignerError | None:
    records, plan = lot.engine.records, lot.plan.record
    if records is None or plan is None:
        raise InternalError("records are signed by a plan that names a role, where layouts are known")
    expectation = Expectation(plan, records.schools.code_of(lot.request.school_id), vietnamese_day(lot.signing_time))
    call = CheckRecordCall(
        document=arrived.document.content, expectation=expectation, trust=records.trust(), now=lot.signing_time.isoformat()
    )
    try:
        reply = await records.workers.check_record(call)
    except SignerError as error:
        return error
    return refusal(reply.findings) if reply.findings else None
