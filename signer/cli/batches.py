"""`signer batches`: batches that were handed over to be signed later (`signer sign --queue`)."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signer.cli.connection import given
from signer.cli.exits import ExitCode, epilog
from signer.cli.key_report import CODES, common_options

if TYPE_CHECKING:
    from signer.client.values import DocumentResult

_STATES = ("queued", "running", "paused", "waiting", "completed", "cancelled", "expired")
_SUFFIXES = {b"%PDF-": ".pdf", b"<?xml": ".xml"}
_SCHOOL = click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school whose batches they are.")


@click.group()
def batches() -> None:
    """Look after batches that are signed later: list, watch, pause, resume, cancel, fetch.

    `signer sign FOLDER --queue` hands one over, and fetches its files when it is run again.
    """


@batches.command("list", epilog=epilog(*CODES))
@_SCHOOL
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only in this state. May be repeated.")
@common_options
def list_(*, states: tuple[str, ...], client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List a school's batches, newest first.

    \b
    Example:
      signer batches list --school 79000001 --state waiting
    """  # noqa: D301  # click reads \b
    from signer.cli.batch_report import tell_all
    from signer.client.queue_values import BatchState

    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        tell_all(client.batches.list(values.get("school"), [BatchState(each) for each in states]))


@batches.command(epilog=epilog(*CODES))
@click.argument("batch_id")
@_SCHOOL
@common_options
def watch(batch_id: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Follow a batch until it ends: a line whenever it has changed. Ends with 1 when documents failed."""
    from signer.cli.batch_report import tell, tell_progress
    from signer.client.queue_values import QueuedBatch

    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        latest: QueuedBatch | None = None
        for news in client.batches.watch(values.get("school"), batch_id):
            if isinstance(news, QueuedBatch):
                latest = news
                tell_progress(news)
    if latest is not None:
        tell(latest)
        sys.exit(ExitCode.SOME_FAILED if latest.failed else ExitCode.OK)


@batches.command(epilog=epilog(*CODES))
@click.argument("batch_id")
@_SCHOOL
@common_options
def pause(batch_id: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Hold a batch before its next document."""
    from signer.cli.batch_report import tell

    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        tell(client.batches.pause(values.get("school"), batch_id))


@batches.command(epilog=epilog(*CODES))
@click.argument("batch_id")
@_SCHOOL
@common_options
def resume(batch_id: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Let a paused batch go on."""
    from signer.cli.batch_report import tell

    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        tell(client.batches.resume(values.get("school"), batch_id))


@batches.command(epilog=epilog(*CODES))
@click.argument("batch_id")
@_SCHOOL
@common_options
def cancel(batch_id: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """End a batch before its next document; what is signed can still be fetched."""
    from signer.cli.batch_report import tell

    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        tell(client.batches.cancel(values.get("school"), batch_id))


@batches.command(epilog=epilog(*CODES))
@click.argument("batch_id")
@_SCHOOL
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="FOLDER", help="Where signed files go.")
@click.option("--keep", is_flag=True, help="Don't have the appliance delete what is fetched.")
@common_options
def fetch(batch_id: str, *, out: Path, keep: bool, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Fetch what is signed by now, each as OUT/DOCUMENT_ID; the appliance then deletes it.

    For batches that other software submitted; `signer sign --queue` fetches its own, under the files' names.
    """
    from signer.cli.batch_report import tell
    from signer.cli.failure import explanation
    from signer.cli.output import note
    from signer.cli.sign_files import write_whole

    values = given(client_config, **options)
    values.require("school")
    school, last, failed = values.get("school"), 0, 0
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        for each in client.batches.fetch(school, batch_id):
            last = each.position
            if each.result.error is None:
                write_whole(out / _file_name(each.result), each.result.content)
            else:
                failed += 1
                note(f"{each.result.document_id}: {explanation(each.result.error)}")
        if last and not keep:
            client.batches.acknowledge(school, batch_id, last)
        tell(client.batches.get(school, batch_id))
    sys.exit(ExitCode.SOME_FAILED if failed else ExitCode.OK)


def _file_name(result: DocumentResult) -> str:
    """Its id, safe as a name, with what the content looks like."""
    safe = "".join(each if each.isalnum() or each in "._-@" else "_" for each in result.document_id).lstrip(".") or "document"
    suffix = _SUFFIXES.get(result.content[:5], "")
    return safe if safe.endswith(suffix) else safe + suffix
