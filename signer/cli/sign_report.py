"""What `signer sign` and `signer extend` show: progress while it works, then what became of every file."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signer.cli.failure import error_members, explanation, next_step, reason_name
from signer.cli.language import Text, say
from signer.cli.output import clean, console, note, print_json, print_table
from signer.model import StageTimes

if TYPE_CHECKING:
    from collections.abc import Callable

    from signer.cli.exits import ExitCode
    from signer.cli.sign_evidence import Evidence
    from signer.cli.sign_files import Job
    from signer.client import DocumentResult, Progress, Summary
    from signer.errors import SignerError

_CONNECTING = Text("Connecting", "Đang kết nối")
_WAITING = Text("Waiting, trying again: {why}", "Đang chờ, sẽ thử lại: {why}")
_RATE = Text("{rate:.1f}/s", "{rate:.1f}/giây")
_FAILED_SO_FAR = Text("{count} failed", "{count} lỗi")
_HEADINGS = (Text("File", "Tệp"), Text("Reason", "Mã lỗi"), Text("Why", "Nguyên nhân"), Text("Next step", "Việc cần làm"))
_ROWS = {
    "documents": Text("Documents", "Số tài liệu"),
    "replayed": Text("Done before, fetched again", "Đã xong từ trước, lấy lại"),
    "skipped": Text("Done before, in place", "Đã xong từ trước, tệp còn nguyên"),
    "failed": Text("Failed", "Lỗi"),
    "left": Text("Without outcome, run again", "Chưa có kết quả, cần chạy lại"),
    "elapsed": Text("Time", "Thời gian"),
    "rate": Text("Documents a second", "Tài liệu mỗi giây"),
    "times": Text(
        "Mean time an item: queue / document / token / timestamp / journal",
        "Thời gian trung bình: hàng đợi / tài liệu / thiết bị / dấu thời gian / nhật ký",
    ),
    "output": Text("Files", "Tệp kết quả"),
    "evidence": Text("Proofs", "Tệp bằng chứng"),
    "request": Text("Request id", "Mã yêu cầu"),
}
_PROOFS = Text("{written} written, {kept} in place, in {folder}", "{written} tệp mới, {kept} tệp có sẵn, trong {folder}")
_NO_PROOFS = Text("not all: {why}", "chưa đủ: {why}")
_MS = 1000


@unique
class Deed(Enum):
    """What a run does to documents; the value is the key of its count in JSON."""

    SIGN = "signed"
    EXTEND = "extended"


_DOING = {Deed.SIGN: Text("Signing", "Đang ký"), Deed.EXTEND: Text("Archiving", "Đang lưu trữ")}
_DONE = {Deed.SIGN: Text("Signed", "Đã ký"), Deed.EXTEND: Text("Archived", "Đã lưu trữ")}
_FAILURES = {Deed.SIGN: Text("Not signed", "Chưa ký được"), Deed.EXTEND: Text("Not archived", "Chưa lưu trữ được")}


@dataclass(slots=True)
class Outcome:
    """What has become of a run so far."""

    request_id: str
    output: Path
    jobs: list[Job]
    deed: Deed
    skipped: list[Job] = field(default_factory=list)
    written: list[tuple[Job, DocumentResult]] = field(default_factory=list)
    failures: list[tuple[Job, SignerError]] = field(default_factory=list)
    summary: Summary | None = None
    error: SignerError | None = None
    evidence: Evidence | None = None

    @property
    def left(self) -> int:
        """Files without an outcome."""
        return len(self.jobs) - len(self.skipped) - len(self.written) - len(self.failures)

    @property
    def signatures_per_second(self) -> float:
        """Over the whole run."""
        return len(self.written) / self.summary.elapsed_s if self.summary and self.summary.elapsed_s else 0.0


@contextmanager
def shown_progress(total: int, deed: Deed) -> Iterator[Callable[[Progress], None]]:
    """A live bar on a terminal; elsewhere one line whenever the reason to wait changes."""
    screen = console(error=True)
    if not screen.is_terminal:
        yield _tell_waits()
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TextColumn("{task.fields[failed]}", style="red"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("ETA {task.fields[eta]}"),
    )
    with bars.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(say(_CONNECTING), total=total, rate="", failed="", eta="-:--")

        def show(progress: Progress) -> None:
            bar.update(
                task,
                completed=progress.done,
                description=_description(progress, deed),
                rate=say(_RATE, rate=progress.signatures_per_second) if progress.signatures_per_second else "",
                failed=say(_FAILED_SO_FAR, count=progress.failed) if progress.failed else "",
                eta=_clock(progress.remaining_s),
            )

        yield show


def _tell_waits() -> Callable[[Progress], None]:
    last = ""

    def tell(progress: Progress) -> None:
        nonlocal last
        why = explanation(progress.problem) if progress.problem is not None else ""
        if why and why != last:
            note(say(_WAITING, why=why))
        last = why or last

    return tell


def _description(progress: Progress, deed: Deed) -> str:
    from rich.markup import escape

    if progress.problem is not None:
        return escape(clean(say(_WAITING, why=reason_name(progress.problem))))
    return say(_CONNECTING if progress.phase.value == "connecting" else _DOING[deed])


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def print_outcome(outcome: Outcome) -> None:
    """The tables: what failed, then the counts."""
    if outcome.failures:
        rows = [(job.name, reason_name(error), explanation(error), next_step(error)) for job, error in outcome.failures]
        print_table([say(heading) for heading in _HEADINGS], rows, title=say(_FAILURES[outcome.deed]))
    print_table(["", ""], list(_counts(outcome)))


def _counts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    replayed = sum(result.replayed for _, result in outcome.written)
    counts = {
        "documents": len(outcome.jobs),
        "done": len(outcome.written) - replayed,
        "replayed": replayed,
        "skipped": len(outcome.skipped),
        "failed": len(outcome.failures),
        "left": outcome.left,
    }
    rows = _ROWS | {"done": _DONE[outcome.deed]}
    for name, count in counts.items():
        if count or name in {"documents", "done", "failed"}:
            yield say(rows[name]), str(count)
    summary = outcome.summary
    if summary is not None and outcome.written:
        yield say(_ROWS["elapsed"]), f"{summary.elapsed_s:.2f} s"
        yield say(_ROWS["rate"]), f"{outcome.signatures_per_second:.1f}"
        if summary.signed:
            times = summary.times
            stages = (times.queue_s, times.document_s, times.token_s, times.timestamp_s, times.journal_s)
            yield say(_ROWS["times"]), " / ".join(f"{stage_s / summary.signed * _MS:.1f}" for stage_s in stages) + " ms"
    yield say(_ROWS["output"]), str(outcome.output)
    if outcome.evidence is not None:
        yield say(_ROWS["evidence"]), _proofs(outcome.evidence)
    yield say(_ROWS["request"]), outcome.request_id


def _proofs(evidence: Evidence) -> str:
    counts = say(_PROOFS, written=len(evidence.written), kept=len(evidence.kept), folder=evidence.folder)
    return counts if evidence.error is None else f"{counts}; {say(_NO_PROOFS, why=explanation(evidence.error))}"


def print_outcome_json(outcome: Outcome, code: ExitCode) -> None:
    """The same for machines."""
    summary = outcome.summary
    replayed = sum(result.replayed for _, result in outcome.written)
    members: dict[str, Any] = {
        "request_id": outcome.request_id,
        "output": str(outcome.output),
        "summary": {
            "documents": len(outcome.jobs),
            outcome.deed.value: len(outcome.written) - replayed,
            "replayed": replayed,
            "skipped": len(outcome.skipped),
            "failed": len(outcome.failures),
            "without_outcome": outcome.left,
            "elapsed_s": round(summary.elapsed_s, 3) if summary else 0.0,
            "signatures_per_second": round(outcome.signatures_per_second, 3),
            "interruptions": summary.interruptions if summary else 0,
            "times_s": _stage_seconds(summary),
        },
        "files": [_file_members(job, result) for job, result in outcome.written],
        "failures": [{"file": job.name, "document_id": job.document_id, **error_members(error)} for job, error in outcome.failures],
        "evidence": _evidence_members(outcome.evidence),
        "error": error_members(outcome.error) if outcome.error else None,
        "exit_code": int(code),
    }
    print_json(members)


def _evidence_members(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {
        "record_id": evidence.record_id,
        "folder": str(evidence.folder),
        "written": len(evidence.written),
        "in_place": len(evidence.kept),
        "error": error_members(evidence.error) if evidence.error else None,
    }


def _stage_seconds(summary: Summary | None) -> dict[str, float]:
    """Sums over the items; stages of different items overlap."""
    times = summary.times if summary else StageTimes()
    stages = {
        "queue": times.queue_s,
        "document": times.document_s,
        "token": times.token_s,
        "timestamp": times.timestamp_s,
        "journal": times.journal_s,
    }
    return {name: round(seconds, 6) for name, seconds in stages.items()}


def _file_members(job: Job, result: DocumentResult) -> dict[str, Any]:
    info = result.info
    return {
        "file": job.name,
        "output": str(job.output),
        "document_id": job.document_id,
        "replayed": result.replayed,
        "signed_sha256": info.signed_sha256.hex() if info else "",
        "signing_time": info.signing_time.isoformat() if info and info.signing_time else "",
        "timestamp_time": info.timestamp_time.isoformat() if info and info.timestamp_time else None,
        "certificate_serial": info.certificate_serial if info else "",
    }
