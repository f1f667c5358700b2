"""`signer sign --queue`: the first run hands the files over, every further one fetches what is signed by then."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from signer.cli.batch_words import STATE_WORDS, hours, moment
from signer.cli.failure import explanation
from signer.cli.language import Text, say
from signer.cli.output import note
from signer.cli.sign_files import Job

if TYPE_CHECKING:
    from signer.cli.sign_run import Run
    from signer.client import SignerClient
    from signer.client.authorization_values import Sad
    from signer.client.queue_values import BatchSchedule, QueuedBatch
    from signer.client.values import Plan

_Command = TypeVar("_Command", bound=Callable[..., Any])
_PRIORITIES = ("low", "normal", "high")
_STANDS = Text(
    "Batch {batch}: {state}; {left} documents have no outcome yet. Run the same command again to fetch them.",
    "Lô {batch}: {state}; còn {left} tài liệu chưa có kết quả. Chạy lại đúng lệnh này để lấy về.",
)
_WAITS = Text("It waits: {why}", "Đang chờ: {why}")


@dataclass(frozen=True, slots=True)
class Queueing:
    """How a batch is handed over. is_wanted: --queue was given."""

    is_wanted: bool
    priority: str
    until: str
    between: tuple[str, ...]
    label: str

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Queueing:
        """Takes the options of `queue_options` out of a command's; UsageError for one that needs --queue."""
        taken = cls(
            options.pop("queue"), options.pop("priority") or "", options.pop("until") or "", options.pop("between"), options.pop("label")
        )
        if not taken.is_wanted and (taken.priority or taken.until or taken.between):
            raise click.UsageError("--priority, --until and --between are for --queue")
        return taken

    def schedule(self) -> BatchSchedule:
        """When it may be worked on."""
        from signer.client.queue_values import BatchSchedule

        daily = tuple(hours(each) for each in self.between)
        return BatchSchedule(moment(self.until) if self.until else None, (), daily)


def queue_options(command: _Command) -> _Command:
    """--queue, and how."""
    for option in (
        click.option("--label", default="", metavar="TEXT", help="Words for the appliance's operators; no pupil's name."),
        click.option("--between", multiple=True, metavar="HH:MM-HH:MM", help="With --queue: only in these hours. May be repeated."),
        click.option("--until", metavar="YYYY-MM-DDTHH:MM", help="With --queue: what is not signed by then has failed."),
        click.option("--priority", type=click.Choice(_PRIORITIES), help="With --queue: among the school's batches.  [default: normal]"),
        click.option("--queue", is_flag=True, help="Hand over to be signed later; run again to fetch what is signed by then."),
    ):
        command = option(command)
    return command


def sign_queued(client: SignerClient, run: Run, plan: Plan, sad: Sad | None, queueing: Queueing, *, named: bool) -> bool:
    """Hands over or fetches; whether every file has its outcome. named: signatures name the files."""
    from signer.errors import SignerError

    try:
        batch = _batch(client, run, plan, sad, queueing, named=named)
        _fetch(client, run, batch)
    except SignerError as error:
        run.outcome.error = error
        return True
    if not run.outcome.left:
        return True
    note(say(_STANDS, batch=batch.id, state=say(STATE_WORDS[batch.state.value]), left=run.outcome.left))
    if batch.waiting is not None:
        note(say(_WAITS, why=explanation(batch.waiting)))
    return False


def _batch(client: SignerClient, run: Run, plan: Plan, sad: Sad | None, queueing: Queueing, *, named: bool) -> QueuedBatch:
    """The request's batch, submitted if there is none yet."""
    from signer.client.queue_values import BatchPriority

    for batch in client.batches.list(plan.school_id):
        if batch.request_id == run.state.request_id:
            return batch
    return client.batches.submit(
        run.documents(named=named),
        plan,
        run.state.request_id,
        label=queueing.label,
        priority=BatchPriority(queueing.priority or "normal"),
        schedule=queueing.schedule(),
        sad=sad,
    )


def _fetch(client: SignerClient, run: Run, batch: QueuedBatch) -> None:
    """Puts what has ended in its place, and says that it is kept."""
    by_id: dict[str, Job] = {job.document_id: job for job in run.pending}
    last = 0
    for each in client.batches.fetch(batch.school_id, batch.id):
        if each.result.document_id in by_id:
            run.keep(by_id[each.result.document_id], each.result)
        last = each.position
    if last:
        client.batches.acknowledge(batch.school_id, batch.id, last)
