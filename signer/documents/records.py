"""A worker's look at one record: what is wrong with it, before any key is used, and where it is signed."""

from __future__ import annotations

from time import perf_counter

from signer.documents.record_judge import RecordJudge
from signer.documents.wire import CheckedRecordReply, CheckRecordCall, ExaminedXmlReply, FindSlotCall
from signer.formats.xml.examine import examine as examine_xml
from signer.formats.xml.reading import read
from signer.records.examination import examine, slot_to_sign
from signer.records.layout import Layout


def check_record(call: CheckRecordCall, layouts: tuple[Layout, ...]) -> CheckedRecordReply:
    """Everything wrong with it; raises a leaf of DocumentError for what can't be read at all."""
    started_s = perf_counter()
    document = read(call.document)
    examination = examine(document.root, call.expectation, layouts, RecordJudge(document, call.trust, call.now))
    return CheckedRecordReply(
        layout_id=examination.layout_id,
        identity=examination.identity,
        slots=examination.slots,
        findings=examination.findings,
        document_s=perf_counter() - started_s,
    )


def find_slot(call: FindSlotCall, layouts: tuple[Layout, ...]) -> ExaminedXmlReply:
    """Where a fit record takes its signature; raises RecordUnfit, or a leaf of DocumentError for what can't be read at all."""
    started_s = perf_counter()
    document = read(call.document)
    request = slot_to_sign(document.root, call.expectation, layouts, RecordJudge(document, call.trust, call.now))
    return ExaminedXmlReply(examined=examine_xml(document, request), document_s=perf_counter() - started_s)
