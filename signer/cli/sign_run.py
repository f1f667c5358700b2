"""A run of `signer sign` or `signer extend`: what is done already, what is left to send, and each result in its place."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from typing import TYPE_CHECKING

import click

from signer.cli.exits import ExitCode, exit_code
from signer.cli.failure import explanation, next_step
from signer.cli.language import Text, say
from signer.cli.output import clean, is_json, note
from signer.cli.sign_files import Job, Layout, write_whole
from signer.cli.sign_report import Deed, Outcome, print_outcome, print_outcome_json
from signer.cli.sign_state import RequestState

if TYPE_CHECKING:
    from signer.client import Document, DocumentBatch, DocumentResult
    from signer.errors import SignerError

_INTERRUPTED = Text(
    "signer: interrupted; run the same command again to continue", "signer: đã dừng giữa chừng; chạy lại đúng lệnh này để làm tiếp"
)
_STOPPED = Text("signer: stopped: {why}. Next: {step}", "signer: dừng: {why}. Việc cần làm: {step}")


class _OutputNotWritten(click.ClickException):
    """A full disk or a folder without permission: every further file would meet the same."""

    exit_code = ExitCode.INCOMPLETE


class Run:
    """One run over the files of a layout, with the request's state open."""

    def __init__(self, layout: Layout, jobs: list[Job], state: RequestState, deed: Deed, *, fresh: bool) -> None:
        """UsageError if an output is there that this request did not write."""
        self.state = state
        self.outcome = Outcome(state.request_id, layout.output, jobs, deed)
        self.outcome.failures = [(job, _unreadable(job)) for job in jobs if job.unreadable]
        self.pending: list[Job] = []
        for job in (job for job in jobs if not job.unreadable):
            (self.outcome.skipped if state.is_done(job) else self.pending).append(job)
        _refuse_strange_outputs([] if fresh else [job for job in self.pending if not state.is_ours(job)])

    def documents(self, *, named: bool = False) -> list[Document]:
        """What is to be sent. named: with the files' names, which may be pupils'."""
        from signer.client import Document

        return [Document(job.document_id, job.source.read_bytes, file_name=job.source.name if named else "") for job in self.pending]

    def take(self, batch: DocumentBatch) -> bool:
        """Puts every result in its place; False if the user interrupted it. What ended the batch is kept in the outcome."""
        from signer.errors import SignerError

        by_id = {job.document_id: job for job in self.pending}
        try:
            with batch:
                for result in batch:
                    self.keep(by_id[result.document_id], result)
        except SignerError as error:
            self.outcome.error = error
        except KeyboardInterrupt:
            note(say(_INTERRUPTED))
            return False
        finally:
            self.outcome.summary = batch.summary
        return True

    def keep(self, job: Job, result: DocumentResult) -> None:
        """Puts a result in its place."""
        if result.error is not None:
            self.outcome.failures.append((job, result.error))
            return
        self.state.record(job, result.info.signed_sha256.hex() if result.info else "")
        try:
            write_whole(job.output, result.content)
        except OSError as error:
            raise _OutputNotWritten(
                f"{clean(str(job.output))} can't be written: {error.strerror}; mend that and run again to continue"
            ) from error
        self.outcome.written.append((job, result))


def tell(outcome: Outcome, *, interrupted: bool) -> ExitCode:
    """Prints what became of every file; the exit code that says it to scripts."""
    code = ExitCode.INTERRUPTED if interrupted else _code(outcome)
    if is_json():
        print_outcome_json(outcome, code)
        return code
    print_outcome(outcome)
    if outcome.error is not None:
        note(say(_STOPPED, why=explanation(outcome.error), step=next_step(outcome.error)))
    return code


def _code(outcome: Outcome) -> ExitCode:
    if outcome.error is not None:
        return exit_code(outcome.error)
    is_proven = outcome.evidence is None or outcome.evidence.is_complete
    return ExitCode.OK if is_proven and not outcome.failures else ExitCode.SOME_FAILED


def _unreadable(job: Job) -> SignerError:
    from signer.errors import InvalidArgument

    return InvalidArgument(f"the file can't be read: {job.unreadable}", field="document")


def _refuse_strange_outputs(strange: list[Job]) -> None:
    if strange:
        raise click.UsageError(
            f"{clean(str(strange[0].output))} exists and is not of this request, or was changed since ({len(strange)} such files); "
            "choose another --out, or replace them with --fresh"
        )
