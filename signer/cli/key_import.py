"""`signer keys import`."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path

import click

from signer.cli.bars import bar
from signer.cli.connection import given
from signer.cli.exits import ExitCode, epilog
from signer.cli.key_report import CODES, common_options, problem_of
from signer.cli.language import Text, say
from signer.cli.output import is_json, print_json, print_table

_HEADINGS = (Text("File", "Tệp"), Text("Credential", "Chứng thư ký"), Text("Valid until", "Hết hạn"), Text("Remarks", "Ghi chú"))
_IMPORTING = Text("Importing certificates", "Đang nhập chứng thư")


@click.command(name="import", epilog=epilog(*CODES))
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would become of each.")
@common_options
def import_(files: tuple[Path, ...], dry_run: bool, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Import issued certificates: files (PEM or DER), or folders of them.

    Each is matched to its key by its public key and checked against the daemon's CAs; from then on its credential signs.

    \b
    Example:
      signer keys import issued/ --dry-run
    """  # noqa: D301  # click reads \b
    from signer.cli.key_files import read_certificates

    found = list(read_certificates(files))
    results = []
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client, bar(say(_IMPORTING), len(found)) as show:
        for result in client.keys.bring([content for _file, content in found], dry_run=dry_run):
            results.append(result)
            show(len(results))
    rows = []
    for (file, _content), result in zip(found, results, strict=True):
        until = result.credential.not_after if result.credential else None
        rows.append(
            {
                "file": str(file),
                "credential": result.credential.id if result.credential else "",
                "not_after": until.isoformat() if until else "",
                "problem": problem_of(result.error),
            }
        )
    if is_json():
        print_json({"certificates": [{name: value or None for name, value in row.items()} for row in rows]})
    else:
        cells = [[row["file"], row["credential"], row["not_after"][:10], row["problem"]] for row in rows]
        print_table([say(heading) for heading in _HEADINGS], cells)
    sys.exit(ExitCode.SOME_FAILED if any(row["problem"] for row in rows) else ExitCode.OK)
