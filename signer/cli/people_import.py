"""`signer people import`."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.bars import bar
from signer.cli.connection import given
from signer.cli.exits import ExitCode, epilog
from signer.cli.key_report import CODES, common_options, problem_of
from signer.cli.language import Text, say
from signer.cli.output import cell, is_json, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client import ImportOutcome, RowOutcome

_HEADINGS = (Text("Line", "Dòng"), Text("Effect", "Thay đổi"), Text("Person", "Người"), Text("What", "Nội dung"))
_ROWS_SHOWN = 200
_MORE = Text("… and {count} more rows; --json has all of them", "… và {count} dòng nữa; --json có đủ")
_SUMMARY = Text(
    "{read} rows: {created} add, {updated} change, {ended} roles end, {refused} refused. {state}",
    "{read} dòng: thêm {created}, sửa {updated}, kết thúc {ended} vai trò, từ chối {refused}. {state}",
)
_APPLIED = Text("Applied.", "Đã áp dụng.")
_DRY = Text("Nothing was changed: a dry run.", "Chưa thay đổi gì: chạy thử.")
_REFUSED = Text("Nothing was changed: mend the refused rows and run it again.", "Chưa thay đổi gì: sửa các dòng bị từ chối rồi chạy lại.")
_NOTHING = Text("Nothing to change.", "Không có gì thay đổi.")
_SENDING = Text("Sending rows", "Đang gửi")
_EFFECTS = {
    "create": (Text("add", "thêm"), "green"),
    "update": (Text("change", "sửa"), "yellow"),
    "end": (Text("end", "kết thúc"), "yellow"),
    "refused": (Text("refused", "từ chối"), "red"),
    "unchanged": (Text("same", "như cũ"), ""),
}


@click.command(name="import", epilog=epilog(*CODES))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would change, and what is wrong.")
@click.option("--end-missing", is_flag=True, help="End the roles that the file does not have, of the schools and school years it names.")
@common_options
def import_(
    file: Path, dry_run: bool, end_missing: bool, client_config: Path | None, connect_timeout_s: float, **options: str | None
) -> None:
    """Import people and their roles from a CSV file, a row a role: all of it or nothing.

    The columns are person, name, email, disabled, role, school, year, class, subject, from and until; only person is required. Roles by
    their names or the regulation's words (GVCN, giáo viên bộ môn, …); dates as 2026-05-31 or 31/05/2026, the last day still counts. What a
    row leaves empty of a person stays as it is; a disabled person is enabled by `signer people enable` alone.

    \b
    Examples:
      signer people import department.csv --dry-run
      signer people import school.csv --end-missing
    """  # noqa: D301  # click reads \b
    from signer.cli.people_file import read_department

    rows, unreadable = read_department(file)
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client, bar(say(_SENDING), len(rows)) as show:
        outcome = client.people.bring(rows, dry_run=dry_run or bool(unreadable), end_missing=end_missing, on_progress=show)
    results = sorted((*outcome.rows, *unreadable), key=lambda row: (row.line == 0, row.line))
    refused = outcome.refused + len(unreadable)
    _tell(outcome, results, refused, dry_run=dry_run)
    sys.exit(ExitCode.SOME_FAILED if refused else ExitCode.OK)


def _tell(outcome: ImportOutcome, results: list[RowOutcome], refused: int, *, dry_run: bool) -> None:
    counts = {
        "read": outcome.read + refused - outcome.refused,
        "created": outcome.created,
        "updated": outcome.updated,
        "ended": outcome.ended,
        "refused": refused,
    }
    if is_json():
        print_json({"applied": outcome.applied, **counts, "results": [_members(row) for row in results]})
        return
    # The refused first: they are what is to be done.
    shown = sorted(results, key=lambda row: row.error is None)[:_ROWS_SHOWN]
    if shown:
        print_table([say(heading) for heading in _HEADINGS], [_cells(row) for row in shown])
    if len(results) > len(shown):
        note(say(_MORE, count=len(results) - len(shown)))
    state = _REFUSED if refused else _DRY if dry_run else _APPLIED if results else _NOTHING
    note(say(_SUMMARY, **counts, state=say(state)))


def _cells(row: RowOutcome) -> list[Any]:
    word, style = _EFFECTS[row.effect.value]
    return [str(row.line or ""), cell(say(word), style), row.person_id, problem_of(row.error) or "; ".join(row.changes)]


def _members(row: RowOutcome) -> dict[str, Any]:
    problem = row.error
    return {
        "line": row.line or None,
        "effect": row.effect.value,
        "person": row.person_id,
        "changes": list(row.changes),
        "problem": problem_of(problem) or None,
        "field": problem.metadata.get("field") if problem else None,
    }
