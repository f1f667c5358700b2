"""`signer audit segments|archive|read`: old entries that were moved into files."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import cell, is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client.audit import JournalReading, JournalSegment

_CODES = epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_HEADINGS = (
    Text("First entry", "Mục đầu"),
    Text("Entries", "Số mục"),
    Text("Written from", "Ghi từ"),
    Text("to", "đến"),
    Text("Archived", "Lưu trữ lúc"),
    Text("MB", "MB"),
    Text("File", "Tệp"),
)
_NONE = Text("no segment is full yet", "chưa có đoạn nhật ký nào đầy")
_NONE_DUE = Text("no segment is past its retention", "chưa có đoạn nhật ký nào quá hạn lưu")
_ARCHIVED = Text(
    "entries {first} to {last} are in {file} now, and no longer in the database",
    "các mục {first}–{last} nay nằm trong {file}, không còn trong cơ sở dữ liệu",
)
_IN_FILES = Text("{entries} of them are in archive files", "{entries} mục trong số đó nằm trong các tệp lưu trữ")
_MISSING = Text(
    "{file} is not there: of its entries the hashes alone were checked",
    "không thấy {file}: chỉ kiểm tra được giá trị băm của các mục trong đó",
)
_FOREIGN = Text("{file} is named as the archive's own and is not on record", "{file} mang tên tệp lưu trữ nhưng không có trong sổ")
_READ = Text("{entries} entries, which lead to the root in its name", "{entries} mục, dẫn đúng đến giá trị gốc trong tên tệp")


@click.command(epilog=_CODES)
@connection_options
@json_option
@language_option
def segments(client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List the journal's segments: stretches of entries that are full, and the files of those that were archived.

    \b
    Example:
      signer audit segments --json
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.audit.segments()
    if is_json():
        print_json({"segments": [_members(each) for each in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(each) for each in found])


@click.command(epilog=_CODES)
@connection_options
@json_option
@language_option
def archive(client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Move entries that are past their retention into files now, while signing goes on. For operators.

    The daemon does it by itself, at the interval of [journal.archive]; proofs and accounts go on as before. What was stopped half-way is
    gone on with.

    \b
    Example:
      signer audit archive
    """  # noqa: D301  # click reads \b
    done: list[dict[str, Any]] = []
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        for each in client.audit.archive():
            done.append(_members(each))
            if not is_json():
                click.echo(say(_ARCHIVED, first=each.first, last=each.first + each.entries - 1, file=each.file))
    if is_json():
        print_json({"archived": done})
    elif not done:
        note(say(_NONE_DUE))


@click.command(epilog=epilog(ExitCode.OK, ExitCode.SOME_FAILED, ExitCode.USAGE))
@click.argument("file", type=_FILE)
@click.option("--lines", is_flag=True, help="Write its entries to the standard output, one a line.")
@json_option
@language_option
def read(file: Path, *, lines: bool) -> None:
    """Read one archive file, with no daemon, and check that its entries lead to the root in its name.

    Whether that root is the log's says `signer audit verify`, or the inclusion proof of one of its entries.

    \b
    Example:
      signer audit read archive/000000065536-….jsonl.gz --lines
    """  # noqa: D301  # click reads \b
    from signer.errors import JournalDamaged
    from signer.formats.merkle import leaf_hash, root_of
    from signer.journal.segment_file import bodies_of

    leaves: list[bytes] = []
    for body in bodies_of(file):
        leaves.append(leaf_hash(body))
        if lines:
            click.echo(body.decode())
    root = root_of(leaves)
    if root.hex() not in file.name:
        raise JournalDamaged(f"{file.name} does not lead to the root in its name: an entry was changed, removed or added", file=file.name)
    if is_json() and not lines:
        print_json({"file": file.name, "entries": len(leaves), "root": root.hex()})
    elif lines:
        note(say(_READ, entries=len(leaves)))
    else:
        click.echo(say(_READ, entries=len(leaves)))
    sys.exit(ExitCode.OK)


def tell_archive(reading: JournalReading) -> None:
    """What a reading of the whole journal found of archive files."""
    if reading.archived:
        click.echo(say(_IN_FILES, entries=reading.archived))
    for file in reading.missing_files:
        note(say(_MISSING, file=file))
    for file in reading.foreign_files:
        note(say(_FOREIGN, file=file))


def _members(segment: JournalSegment) -> dict[str, Any]:
    return {
        "first": segment.first,
        "entries": segment.entries,
        "start": segment.start.isoformat(),
        "end": segment.end.isoformat(),
        "root": segment.root.hex(),
        "file": segment.file,
        "sha256": segment.file_sha256.hex(),
        "bytes": segment.file_bytes,
        "archived": None if segment.archived is None else segment.archived.isoformat(),
    }


def _row(segment: JournalSegment) -> tuple[Any, ...]:
    times = (f"{segment.start:%Y-%m-%d %H:%M}", f"{segment.end:%Y-%m-%d %H:%M}")
    archived = "" if segment.archived is None else f"{segment.archived:%Y-%m-%d %H:%M}"
    size = f"{segment.file_bytes / 1e6:.1f}" if segment.file_bytes else ""
    return (str(segment.first), str(segment.entries), *times, *map(cell, (archived, size, segment.file)))
