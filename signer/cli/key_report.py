"""What the verbs of `signer keys` share: options, and the table of keys with the files of their requests."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from signer.cli.connection import connection_options
from signer.cli.exits import ExitCode
from signer.cli.language import Text, language_option, say
from signer.cli.output import is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client import KeyOutcome

_Command = TypeVar("_Command", bound=Callable[..., Any])
CODES = (ExitCode.OK, ExitCode.SOME_FAILED, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
FOLDER = click.Path(file_okay=False, path_type=Path)
_HEADINGS = (Text("Credential", "Chứng thư ký"), Text("Request", "Yêu cầu cấp"), Text("Remarks", "Ghi chú"))
_AGAIN = Text("was there already", "đã có sẵn")
_NONE = Text("no key", "chưa có khóa nào")


def common_options(command: _Command) -> _Command:
    """The options of every verb of `signer keys`."""
    return connection_options(json_option(language_option(command)))


def tell_made(outcomes: Iterable[KeyOutcome], out: Path) -> None:
    """Writes each request as it comes; one row a key. Ends the program."""
    from signer.cli.key_files import write_request

    rows: list[tuple[KeyOutcome, str]] = [(outcome, str(write_request(out, outcome)) if outcome.request else "") for outcome in outcomes]
    if is_json():
        print_json({"keys": [_members(outcome, file) for outcome, file in rows]})
    elif not rows:
        note(say(_NONE))
    else:
        remarks = [problem_of(outcome.error) or (say(_AGAIN) if outcome.replayed else "") for outcome, _file in rows]
        cells = [[outcome.credential_id, file, remark] for (outcome, file), remark in zip(rows, remarks, strict=True)]
        print_table([say(heading) for heading in _HEADINGS], cells)
    sys.exit(ExitCode.OK if all(outcome.ok for outcome, _file in rows) else ExitCode.SOME_FAILED)


def _members(outcome: KeyOutcome, file: str) -> dict[str, Any]:
    return {
        "credential": outcome.credential_id,
        "request": file or None,
        "replayed": outcome.replayed,
        "problem": problem_of(outcome.error) or None,
    }


def problem_of(error: Any) -> str:
    """Reason and message of an item's error; empty for none."""
    return "" if error is None else f"{error.reason.value}: {error.message}"
