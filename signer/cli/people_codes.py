"""`signer people code` and `codes`: what people set their factors with, once."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.bars import bar
from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, common_options
from signer.cli.language import Text, say
from signer.cli.output import is_json, note, print_json, print_table
from signer.cli.people_options import ROLE, SCHOOL

if TYPE_CHECKING:
    from signer.client import EnrolmentCode, PersonInfo, SignerClient

_HEADINGS = (Text("Person", "Người"), Text("Code", "Mã dùng một lần"), Text("Until", "Hạn dùng"), Text("Where", "Nơi dùng"))
_COLUMNS = ("person", "name", "email", "code", "until", "page")
_MAKING = Text("Making codes", "Đang tạo mã")
_WRITTEN = Text(
    "{count} codes are in {file}. Hand each to its person alone, then delete the file.",
    "{count} mã nằm trong {file}. Giao từng mã cho đúng người, rồi xóa tệp.",
)


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@common_options
def code(person: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Make a one-time code with which a person sets PIN and TOTP. It is shown this once; the last one ends.

    \b
    Example:
      signer people code lan
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        made = client.people.code(person)
    if is_json():
        print_json(_members(made))
    else:
        print_table([say(heading) for heading in _HEADINGS], [[person, made.code.reveal(), _until(made), made.page_uri]])


@click.command(epilog=epilog(*CODES))
@SCHOOL
@ROLE
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="CSV; mode 0600, and new.")
@common_options
def codes(role: str | None, out: Path, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Make one-time codes for all who have no factors yet, into a CSV file that only its owner reads.

    \b
    Example:
      signer people codes --school 79000001 --out codes.csv
    """  # noqa: D301  # click reads \b
    from signer.cli.people_words import role_of
    from signer.people.factor import FactorsState

    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        wanted = role_of(role) if role else None
        people = [
            info
            for state in (FactorsState.NONE, FactorsState.CODE_ISSUED)
            for info in client.people.list(values.get("school"), role=wanted, factors_state=state)
            if not info.person.disabled
        ]
        with bar(say(_MAKING), len(people)) as show:
            count = _write(out, _made(client, people, show))
    if is_json():
        print_json({"codes": count, "file": str(out)})
    else:
        note(say(_WRITTEN, count=count, file=out))


def _made(client: SignerClient, people: list[PersonInfo], show: Any) -> Iterator[tuple[PersonInfo, EnrolmentCode]]:
    for done, info in enumerate(people, 1):
        yield info, client.people.code(info.person.id)
        show(done)


def _write(out: Path, made: Iterator[tuple[PersonInfo, EnrolmentCode]]) -> int:
    """The file, row by row: codes that were made are kept whatever stops the rest."""
    import csv

    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.UsageError(f"{out}: {error.strerror}") from error
    count = 0
    with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        for info, each in made:
            person = info.person
            rows.writerow((person.id, person.display_name, person.email, each.code.reveal(), _until(each), each.page_uri))
            file.flush()
            count += 1
    return count


def _until(made: EnrolmentCode) -> str:
    from signer.records.calendar import VIETNAM

    return f"{made.expires.astimezone(VIETNAM):%Y-%m-%d %H:%M}"


def _members(made: EnrolmentCode) -> dict[str, str]:
    return {"person": made.person_id, "code": made.code.reveal(), "until": made.expires.isoformat(), "page": made.page_uri}
