"""`signer audit`: what an auditor asks of the journal, and proves of it without believing the daemon (`audit_proofs`)."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.audit_proofs import export, prove, save, show_checkpoint, verify, watch
from signer.cli.audit_segments import archive, read, segments
from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import cell, is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client.audit import JournalEntry, SignatureAccount

_CODES = epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
_HEADINGS = (
    Text("Entry", "Mục"),
    Text("Written", "Thời điểm"),
    Text("Kind", "Loại"),
    Text("School", "Trường"),
    Text("Client", "Phần mềm"),
    Text("Person", "Người"),
    Text("Credential", "Chứng thư ký"),
    Text("Request", "Yêu cầu"),
    Text("Document", "Tài liệu"),
    Text("Remarks", "Ghi chú"),
)
_ACCOUNT_HEADINGS = (
    Text("Credential", "Chứng thư ký"),
    Text("Intents", "Dự định ký"),
    Text("Signed", "Đã ký"),
    Text("Failed", "Không ký"),
    Text("Unknown", "Chưa rõ"),
    Text("Under way", "Đang ký"),
)
_SUM = Text("all", "tất cả")
_NO_ENTRY = Text("no entry fits", "không có mục nào phù hợp")
_KINDS = (
    *("INTENT", "SIGNED", "FAILED", "OUTCOME_UNKNOWN", "TIMESTAMP", "AUTHORIZATION", "APPROVAL"),
    *("CREDENTIAL", "PERSON", "ADMINISTRATION", "TOKEN", "DAEMON"),
)
_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def audit() -> None:
    """Read the journal, keep its checkpoints elsewhere, and prove what it says. For auditors and operators.

    Proofs are checked by this program (RFC 9162): a daemon that lies is found out. For that a checkpoint must be kept where the daemon
    can't reach it: `signer audit watch`, or `signer audit checkpoint --save`.

    \b
    Example:
      signer audit checkpoint --make --save sealed/2026-05-30.note --cert auditor.crt --key auditor.key
      signer audit verify --witness sealed/2026-05-30.note --trust ca.pem
    """  # noqa: D301  # click reads \b


@audit.command("list", epilog=_CODES)
@click.option("--school", metavar="ID", default="", help="Only this school's.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS, case_sensitive=False), help="Only these kinds; may be repeated.")
@click.option("--since", type=_DAY, help="Only written from then on (UTC).")
@click.option("--until", type=_DAY, help="Only written before then (UTC).")
@click.option("--credential", "credential_id", metavar="ID", default="", help="Only about this credential.")
@click.option("--person", "person_id", metavar="ID", default="", help="Only about this person.")
@click.option("--request", "request_id", metavar="ID", default="", help="Only of this request.")
@click.option("--document", "document_id", metavar="ID", default="", help="Only about this document.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Most entries shown.")
@click.option("--oldest-first", is_flag=True, help="From the journal's beginning; else the newest come first.")
@connection_options
@json_option
@language_option
def list_(client_config: Path | None, connect_timeout_s: float, **options: Any) -> None:
    """List entries of the journal.

    \b
    Example:
      signer audit list --document 1A-07.pdf
    """  # noqa: D301  # click reads \b
    from signer.client.audit import JournalFilter

    limit, oldest_first = options.pop("limit"), options.pop("oldest_first")
    wanted = JournalFilter(
        school_id=options.pop("school"),
        kinds=tuple(options.pop("kinds")),
        start=_utc(options.pop("since")),
        end=_utc(options.pop("until")),
        **{name: options.pop(name) for name in ("credential_id", "person_id", "request_id", "document_id")},
    )
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        found = list(islice(client.audit.entries(wanted, newest_first=not oldest_first), limit))
    if is_json():
        print_json({"entries": [_members(entry) for entry in found]})
    elif not found:
        note(say(_NO_ENTRY))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(entry) for entry in found])


@audit.command(epilog=_CODES)
@click.option("--school", metavar="ID", default="", help="Only this school's.")
@click.option("--since", type=_DAY, help="Only intents from then on (UTC).")
@click.option("--until", type=_DAY, help="Only intents before then (UTC).")
@connection_options
@json_option
@language_option
def account(client_config: Path | None, connect_timeout_s: float, **options: Any) -> None:
    """Account for every use of every key: intents = signed + failed + unknown + under way."""
    from signer.client.audit import JournalFilter

    wanted = JournalFilter(school_id=options.pop("school"), start=_utc(options.pop("since")), end=_utc(options.pop("until")))
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        everything, *each = client.audit.account(wanted)
    if is_json():
        print_json({"sum": _counts(everything), "credentials": {one.credential_id: _counts(one) for one in each}})
    else:
        rows = [_account_row(one) for one in [*each, everything]]
        print_table([say(heading) for heading in _ACCOUNT_HEADINGS], rows)


@audit.command(epilog=_CODES)
@click.option("--make", is_flag=True, help="Make a new one that covers every entry.")
@click.option("--save", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Append the note to this file.")
@connection_options
@json_option
@language_option
def checkpoint(client_config: Path | None, connect_timeout_s: float, *, make: bool, file: Path | None, **options: str | None) -> None:
    """Show the latest checkpoint: the journal's size and root, signed. Keep it where the daemon can't reach.

    \b
    Example:
      signer audit checkpoint --make --save sealed/2026-05-30.note
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.audit.checkpoint(make=make)
    if file is not None:
        save(file, found)
    show_checkpoint(found)


for _command in (verify, prove, export, watch, segments, archive, read):
    audit.add_command(_command)


def _utc(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)


def _members(entry: JournalEntry) -> dict[str, Any]:
    return {
        "index": entry.index,
        "time": entry.at.isoformat(),
        "kind": entry.kind,
        "school": entry.school_id,
        "client": entry.client_id,
        "person": entry.person_id,
        "acting_for": entry.acting_for_person_id,
        "credential": entry.credential_id,
        "request": entry.request_id,
        "document": entry.document_id,
        "authorization": entry.authorization_id,
        "reason": entry.reason,
        "details": entry.details,
    }


def _row(entry: JournalEntry) -> tuple[Any, ...]:
    told = entry.reason or entry.details.get("note", "") or entry.details.get("plan", "")
    named = (entry.school_id, entry.client_id, entry.person_id, entry.credential_id, entry.request_id, entry.document_id, told)
    return (str(entry.index), f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.kind, *map(cell, named))


def _account_row(one: SignatureAccount) -> tuple[Any, ...]:
    return (cell(one.credential_id or say(_SUM)), *(str(count) for count in _counts(one).values()))


def _counts(one: SignatureAccount) -> dict[str, int]:
    return {"intents": one.intents, "signed": one.signed, "failed": one.failed, "unknown": one.unknown, "open": one.open}
