"""`signer timestamp`: who gives the appliance its timestamps, and which evidence records it keeps for a school."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.names import common_name
from signer.cli.output import cell, is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client import EvidenceRecord, SignerClient, TimestampAuthority

_CODES = (ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
_READY = "READY"
_MS = 1000
_HEADINGS = (
    Text("Authority", "Máy chủ dấu thời gian"),
    Text("State", "Trạng thái"),
    Text("Latency", "Độ trễ"),
    Text("Holder", "Chủ thể"),
    Text("Valid until", "Hết hạn"),
    Text("Clock offset", "Lệch đồng hồ"),
    Text("Asked again", "Thử lại lúc"),
    Text("Remarks", "Ghi chú"),
)
_NONE = Text(
    "nobody gives timestamps here; see [[stamping.servers]] and [timestamp] in the daemon's configuration",
    "chưa có máy chủ dấu thời gian; xem [[stamping.servers]] và [timestamp] trong cấu hình dịch vụ",
)
_RECORD_HEADINGS = (
    Text("Evidence record", "Bằng chứng"),
    Text("Request", "Yêu cầu"),
    Text("Documents", "Số tài liệu"),
    Text("Proven since", "Chứng minh từ"),
    Text("Latest timestamp", "Dấu thời gian mới nhất"),
    Text("Renew before", "Gia hạn trước"),
    Text("Remarks", "Ghi chú"),
)
_NO_RECORD = Text("no evidence record", "chưa có bằng chứng nào")


@click.group()
def timestamp() -> None:
    """Show who gives the appliance its timestamps; list and renew the evidence records it keeps."""


@timestamp.command(epilog=epilog(*_CODES))
@connection_options
@json_option
@language_option
def authorities(client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List who gives timestamps, in order of preference, and how each does.

    Nobody is asked: the answer is what the daemon knows.

    \b
    Example:
      signer timestamp authorities
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.time.authorities()
    if is_json():
        print_json({"authorities": [_members(authority) for authority in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(authority) for authority in found])


@timestamp.command(epilog=epilog(*_CODES, ExitCode.SOME_FAILED))
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school.")
@click.option("--due-days", type=click.IntRange(min=0), metavar="DAYS", help="Only those to be renewed within so many days.")
@click.option("--renew", is_flag=True, help="Renew each one listed by a new timestamp; documents are not needed.")
@connection_options
@json_option
@language_option
def records(due_days: int | None, renew: bool, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List the evidence records that the appliance keeps for a school, newest first; renew those that run out.

    \b
    Examples:
      signer timestamp records --school 79000001
      signer timestamp records --school 79000001 --due-days 365 --renew
    """  # noqa: D301  # click reads \b
    values = given(client_config, **options)
    values.require("school")
    if renew and due_days is None:
        raise click.UsageError("--renew needs --due-days: a renewal too early only makes proofs longer")
    before = None if due_days is None else datetime.now(UTC) + timedelta(days=due_days)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        found = list(client.time.evidence_records(values.get("school"), renew_before=before))
        problems = [_renewed(client, found, number) if renew else "" for number in range(len(found))]
    if is_json():
        print_json({"records": [{**_record_members(one), "problem": why} for one, why in zip(found, problems, strict=True)]})
    elif not found:
        note(say(_NO_RECORD))
    else:
        rows = [[*_record_row(one), why] for one, why in zip(found, problems, strict=True)]
        print_table([say(heading) for heading in _RECORD_HEADINGS], rows)
    sys.exit(ExitCode.SOME_FAILED if any(problems) else ExitCode.OK)


def _renewed(client: SignerClient, found: list[EvidenceRecord], number: int) -> str:
    """Puts the renewed record in place of the old one; why it could not be renewed, if so."""
    from signer.errors import RemoteError, SignerError

    record = found[number]
    try:
        # Named after what it renews: the same command, repeated after a broken connection, renews no record twice.
        request_id = f"renew/{record.id}/{record.latest_time:%Y%m%dT%H%M%S}"
        found[number] = client.time.renew_evidence(record.id, school_id=record.school_id, request_id=request_id)
    except RemoteError:
        raise
    except SignerError as error:
        return error.message
    return ""


def _row(authority: TimestampAuthority) -> list[Any]:
    return [
        authority.name,
        cell(authority.state, "green" if authority.state == _READY else "red"),
        "" if authority.latency_s is None else f"{authority.latency_s * _MS:.0f} ms",
        common_name(authority.subject) if authority.subject else "",
        f"{authority.not_after:%Y-%m-%d}" if authority.not_after else "",
        "" if authority.clock_offset_s is None else f"{authority.clock_offset_s * _MS:+.1f} ms",
        f"{authority.retry_time.astimezone():%H:%M:%S}" if authority.retry_time else "",
        authority.message,
    ]


def _members(authority: TimestampAuthority) -> dict[str, Any]:
    return {
        "name": authority.name,
        "built_in": authority.is_built_in,
        "state": authority.state,
        "message": authority.message,
        "retry_time": authority.retry_time.isoformat() if authority.retry_time else None,
        "latency_s": authority.latency_s,
        "subject": authority.subject,
        "not_after": authority.not_after.isoformat() if authority.not_after else None,
        "clock_offset_s": authority.clock_offset_s,
    }


def _record_row(record: EvidenceRecord) -> list[Any]:
    times = (record.first_time, record.latest_time, record.renew_before)
    return [record.id, record.request_id, str(record.documents), *(f"{time.astimezone():%Y-%m-%d %H:%M}" for time in times)]


def _record_members(record: EvidenceRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "school": record.school_id,
        "request_id": record.request_id,
        "documents": record.documents,
        "digest_algorithm": record.digest_algorithm.value if record.digest_algorithm else "",
        "first_time": record.first_time.isoformat(),
        "latest_time": record.latest_time.isoformat(),
        "renew_before": record.renew_before.isoformat(),
        "chains": record.chains,
    }
