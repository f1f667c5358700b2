"""What `signer batches` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from signer.cli.batch_words import STATE_WORDS, shown
from signer.cli.failure import error_members, explanation
from signer.cli.language import Text, say
from signer.cli.output import is_json, note, print_json, print_table
from signer.client.queue_values import QueuedBatch

_HEADINGS = (
    Text("Batch", "Lô"),
    Text("Label", "Nhãn"),
    Text("State", "Trạng thái"),
    Text("Documents", "Số tài liệu"),
    Text("Signed", "Đã ký"),
    Text("Failed", "Lỗi"),
    Text("Left", "Còn lại"),
    Text("Accepted", "Nhận lúc"),
    Text("Until", "Hạn"),
    Text("Remarks", "Ghi chú"),
)
_NONE = Text("no queued batch", "không có lô ký chờ nào")
_PROGRESS = Text(
    "{state}: {signed} signed, {failed} failed, {left} left{why}", "{state}: đã ký {signed}, lỗi {failed}, còn lại {left}{why}"
)


def tell(batch: QueuedBatch) -> None:
    """One batch."""
    tell_all([batch])


def tell_all(batches: Iterable[QueuedBatch]) -> None:
    """A table, or JSON."""
    found = list(batches)
    if is_json():
        print_json({"batches": [members(batch) for batch in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(batch) for batch in found])


def tell_progress(batch: QueuedBatch) -> None:
    """One line for people, on standard error."""
    why = f"; {explanation(batch.waiting)}" if batch.waiting is not None else ""
    note(say(_PROGRESS, state=say(STATE_WORDS[batch.state.value]), signed=batch.signed, failed=batch.failed, left=batch.left, why=why))


def members(batch: QueuedBatch) -> dict[str, Any]:
    """For machines."""
    return {
        "batch_id": batch.id,
        "request_id": batch.request_id,
        "school": batch.school_id,
        "label": batch.label,
        "credential": batch.credential_id,
        "state": batch.state.value,
        "waiting": error_members(batch.waiting) if batch.waiting else None,
        "priority": batch.priority.value,
        "documents": batch.received,
        "signed": batch.signed,
        "failed": batch.failed,
        "left": batch.left,
        "created": batch.created.isoformat(),
        "deadline": batch.deadline.isoformat(),
        "ended": batch.ended.isoformat() if batch.ended else None,
        "results_expire": batch.results_expire.isoformat() if batch.results_expire else None,
    }


def _row(batch: QueuedBatch) -> list[str]:
    remarks = explanation(batch.waiting) if batch.waiting is not None else ""
    counts = [str(count) for count in (batch.received, batch.signed, batch.failed, batch.left)]
    return [batch.id, batch.label, say(STATE_WORDS[batch.state.value]), *counts, shown(batch.created), shown(batch.deadline), remarks]
