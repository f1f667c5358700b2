"""`signer audit verify|prove|export|watch`: what is proven here, and a witness that keeps checkpoints."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signer.cli.audit_segments import tell_archive
from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import is_json, json_option, note, print_json

if TYPE_CHECKING:
    from signer.client.audit import JournalCheckpoint
    from signer.formats.checkpoint import SignedCheckpoint

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_CODES = epilog(ExitCode.OK, ExitCode.SOME_FAILED, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
_CHECKED = Text("{checked} of {total} entries checked", "đã kiểm tra {checked}/{total} mục")
_HOLDS = Text("the journal holds: {entries} entries, each as it was written", "nhật ký nguyên vẹn: {entries} mục, đúng như khi ghi")
_BEGINS = Text(
    "it begins with the {kept} entries of the checkpoint that was kept, and a checkpoint covers {size}",
    "bắt đầu đúng bằng {kept} mục của điểm chốt đã giữ; điểm chốt mới nhất gồm {size} mục",
)
_SIGNED_BY = Text("the checkpoint is signed by {signer}", "điểm chốt được ký bởi {signer}")
_NOT_JUDGED = Text(
    "no --trust was given: whose key signed the checkpoint was not judged",
    "chưa có --trust: chưa xác định được ai đã ký điểm chốt",
)
_NOT_SIGNED = Text("the checkpoint's signature does not hold: {why}", "chữ ký của điểm chốt không hợp lệ: {why}")
_PROVEN = Text(
    "entry {index} stands in the log of {size} entries that the checkpoint signs",
    "mục {index} nằm trong nhật ký gồm {size} mục mà điểm chốt đã ký",
)
_WRITTEN = Text("{entries} entries written to {file}", "đã ghi {entries} mục vào {file}")
_KEPT = Text("kept: {size} entries at {time}", "đã giữ: {size} mục lúc {time}")
_TRUST = click.option("--trust", multiple=True, type=_FILE, metavar="PEM", help="CAs whose checkpoint keys are believed; may be repeated.")


@click.command(epilog=_CODES)
@click.option("--witness", type=_FILE, metavar="FILE", help="Checkpoints kept elsewhere; the last one of the file counts.")
@_TRUST
@connection_options
@json_option
@language_option
def verify(
    client_config: Path | None, connect_timeout_s: float, witness: Path | None, trust: tuple[Path, ...], **options: str | None
) -> None:
    """Have the journal read through, and prove that it still begins with what a checkpoint covered that was kept elsewhere.

    Archive files are read as well. One that is not there is named, and the exit code is 1: of its entries the hashes alone were checked.

    \b
    Example:
      signer audit verify --witness sealed/2026-05-30.note --trust ca.pem
    """  # noqa: D301  # click reads \b
    kept = None if witness is None else _last_of(witness)
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        latest = client.audit.require_consistent(kept.note) if kept else None
        for reading in client.audit.verify(kept.note if kept else ""):
            if sys.stderr.isatty():
                note(say(_CHECKED, checked=reading.checked, total=reading.total))
    is_signed = _judge([each for each in (kept, latest) if each is not None], trust)
    if is_json():
        print_json(
            {
                "holds": True,
                "entries": reading.checked,
                "archived": reading.archived,
                "missing_files": reading.missing_files,
                "foreign_files": reading.foreign_files,
                "witnessed": kept.checkpoint.size if kept else 0,
                "checkpoint_signed": is_signed,
            }
        )
    else:
        click.echo(say(_HOLDS, entries=reading.checked))
        tell_archive(reading)
        if kept is not None and latest is not None:
            click.echo(say(_BEGINS, kept=kept.checkpoint.size, size=latest.checkpoint.size))
    sys.exit(ExitCode.SOME_FAILED if is_signed is False or reading.missing_files else ExitCode.OK)


@click.command(epilog=_CODES)
@click.argument("index", type=click.IntRange(0))
@click.option("--save", "file", type=_NEW_FILE, metavar="FILE", help="Write entry, proof and checkpoint as JSON, for others to check.")
@_TRUST
@connection_options
@json_option
@language_option
def prove(
    index: int, client_config: Path | None, connect_timeout_s: float, file: Path | None, trust: tuple[Path, ...], **options: str | None
) -> None:
    """Prove that one entry stands in the journal (RFC 9162 inclusion proof).

    \b
    Example:
      signer audit prove 3051 --trust ca.pem --save proof-3051.json
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        proof = client.audit.prove(index)
    is_signed = _judge([proof.covered_by], trust)
    size = proof.covered_by.checkpoint.size
    told = {
        "entry": proof.entry.canonical.decode(),
        "index": index,
        "tree_size": size,
        "path": [b64encode(each).decode() for each in proof.path],
        "checkpoint": proof.covered_by.note,
    }
    if file is not None:
        from signer.cli.output import to_json

        file.write_text(to_json(told) + "\n", encoding="utf-8")
    if is_json():
        print_json(told)
    else:
        click.echo(say(_PROVEN, index=index, size=size))
    sys.exit(ExitCode.SOME_FAILED if is_signed is False else ExitCode.OK)


@click.command(epilog=_CODES)
@click.argument("file", type=_NEW_FILE)
@click.option("--from", "first", type=click.IntRange(0), default=0, show_default=True, help="The first entry.")
@connection_options
@json_option
@language_option
def export(file: Path, client_config: Path | None, connect_timeout_s: float, first: int, **options: str | None) -> None:
    """Write every entry to FILE, one line each, exactly as it is hashed; the checkpoint over them goes to FILE.note.

    A line's leaf hash is SHA-256 over a zero byte and the line without its end; from entry 0 on, the root over them is the checkpoint's.

    \b
    Example:
      signer audit export journal-2026.jsonl
    """  # noqa: D301  # click reads \b
    from signer.client.audit import JournalEntry

    entries = 0
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client, file.open("wb") as lines:
        for told in client.audit.export(first):
            if isinstance(told, JournalEntry):
                lines.write(told.canonical + b"\n")
                entries += 1
            else:
                file.with_name(file.name + ".note").write_text(told.note, encoding="utf-8")
    if is_json():
        print_json({"file": str(file), "entries": entries, "first": first})
    else:
        click.echo(say(_WRITTEN, entries=entries, file=file))


@click.command(epilog=_CODES)
@click.argument("file", type=_NEW_FILE)
@click.option("--once", is_flag=True, help="Keep the latest and end.")
@connection_options
@language_option
def watch(file: Path, client_config: Path | None, connect_timeout_s: float, *, once: bool, **options: str | None) -> None:
    """Be the journal's witness: keep each checkpoint in FILE, once it is proven to continue the one before.

    Ends with an error as soon as the journal no longer begins with what was kept: then FILE shows what it was.

    \b
    Example:
      signer audit watch /media/witness/notes.txt
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        for found in client.audit.watch():
            kept = _last_of(file) if file.exists() and file.stat().st_size else None
            if kept is None or found.checkpoint.size > kept.checkpoint.size:
                proven = found if kept is None else client.audit.require_consistent(kept.note)
                save(file, proven)
                note(say(_KEPT, size=proven.checkpoint.size, time=f"{proven.made:%Y-%m-%d %H:%M:%S}"))
            if once:
                return


def save(file: Path, found: JournalCheckpoint) -> None:
    """Appends a note, a blank line after it."""
    with file.open("a", encoding="utf-8") as notes:
        notes.write(found.note + "\n")


def show_checkpoint(found: JournalCheckpoint) -> None:
    """The note as it is published, or its parts as JSON."""
    if is_json():
        checkpoint = found.checkpoint
        root = b64encode(checkpoint.root).decode()
        print_json({"origin": checkpoint.origin, "size": checkpoint.size, "root": root, "time": found.made.isoformat(), "note": found.note})
    else:
        click.echo(found.note, nl=False)


def _last_of(file: Path) -> SignedCheckpoint:
    from signer.formats.checkpoint import read_notes

    return read_notes(file.read_text(encoding="utf-8"))[-1]


def _judge(checkpoints: list[SignedCheckpoint | JournalCheckpoint], trust: tuple[Path, ...]) -> bool | None:
    """Whether keys signed them whose CA is believed, told to people; None where no CA was given."""
    if not checkpoints:
        return None
    if not trust:
        note(say(_NOT_JUDGED))
        return None
    from signer.cli.verify_files import anchors
    from signer.validation.cms import verify_cms
    from signer.validation.report import Indication

    for each in checkpoints:
        (report,) = verify_cms(each.cms, anchors(trust, (), ()), content=each.checkpoint.text.encode()).signatures
        if report.indication is not Indication.TOTAL_PASSED:
            note(say(_NOT_SIGNED, why="; ".join(report.problems) or report.indication.value))
            return False
        note(say(_SIGNED_BY, signer=report.signer))
    return True
