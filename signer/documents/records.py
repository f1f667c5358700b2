"""A worker's look at one record before any key is used."""

from __future__ import annotations

from time import perf_counter

from signer.documents.wire import CheckedRecordReply, CheckRecordCall
from signer.formats.xml.reading import read
from signer.model import SlotRequest
from signer.records.examination import SlotVerdict, examine
from signer.records.layout import Layout
from signer.records.reading import Element


def check_record(call: CheckRecordCall, layouts: tuple[Layout, ...]) -> CheckedRecordReply:
    """Everything wrong with it; raises a leaf of DocumentError for what can't be read at all."""
    started_s = perf_counter()
    examination = examine(read(call.document).root, call.expectation, layouts, _judge)
    return CheckedRecordReply(
        layout_id=examination.layout_id,
        identity=examination.identity,
        slots=examination.slots,
        findings=examination.findings,
        document_s=perf_counter() - started_s,
    )


def _judge(_signature: Element, _request: SlotRequest, /) -> SlotVerdict:
    return SlotVerdict(valid=False, why="signatures are not verified by this release")
