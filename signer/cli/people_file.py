"""The file of a Department's people and roles: CSV, a row a role, as a spreadsheet writes it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from signer.access.department import ImportedRow, RowEffect
from signer.cli.people_words import end_of_day, first_moment, role_of
from signer.client import RowOutcome
from signer.errors import InvalidArgument
from signer.people.client import Window
from signer.people.person import Assignment, Person, Scope

COLUMNS: Final = ("person", "name", "email", "disabled", "role", "school", "year", "class", "subject", "from", "until")
_REQUIRED: Final = ("person",)
_TRUE: Final = frozenset({"1", "x", "yes", "true", "có"})
_FALSE: Final = frozenset({"", "0", "no", "false", "không"})
_YEAR_DIGITS: Final = 4


def read_department(file: Path) -> tuple[list[ImportedRow], list[RowOutcome]]:
    """The rows, and those that can't be read. UsageError for a file that is no such table.

    Separated by commas or semicolons, UTF-8. Empty lines are left out; a row without a role is the person alone.
    """
    rows: list[ImportedRow] = []
    refused: list[RowOutcome] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as content:
            heading = content.readline()
            content.seek(0)
            table = csv.DictReader(content, delimiter=";" if heading.count(";") > heading.count(",") else ",")
            _require_columns(file, table.fieldnames or ())
            for row in table:
                values = {str(name): (value or "").strip() for name, value in row.items() if name is not None}
                if not any(values.values()):
                    continue
                try:
                    rows.append(_row(table.line_num, values, is_longer=None in row))
                except (ValueError, InvalidArgument) as error:
                    why = error if isinstance(error, InvalidArgument) else InvalidArgument(str(error), field="row")
                    refused.append(RowOutcome(table.line_num, RowEffect.REFUSED, values.get("person", ""), error=why))
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file}: not UTF-8; save it as «CSV UTF-8»") from error
    except csv.Error as error:
        raise click.UsageError(f"{file}: no CSV: {error}") from error
    return rows, refused


def _require_columns(file: Path, headings: object) -> None:
    names = [str(name) for name in headings] if isinstance(headings, (list, tuple)) else []
    unknown = sorted(set(names) - set(COLUMNS))
    missing = [name for name in _REQUIRED if name not in names]
    if unknown or missing:
        wrong = f"unknown column {unknown[0]!r}" if unknown else f"column {missing[0]!r} is missing"
        raise click.UsageError(f"{file}: {wrong}; the columns are {', '.join(COLUMNS)}")


def _row(line: int, values: Mapping[str, str], *, is_longer: bool) -> ImportedRow:
    if is_longer:
        raise ValueError("more values than columns")
    person_id = values["person"]
    person = Person(person_id, values.get("name", ""), values.get("email", ""), _is_true(values.get("disabled", "")))
    if not values.get("role"):
        return ImportedRow(line, person)
    scope = Scope(values.get("school", ""), _year(values.get("year", "")), values.get("class", ""), values.get("subject", ""))
    valid = Window(first_moment(values.get("from", "")), end_of_day(values.get("until", "")))
    return ImportedRow(line, person, Assignment("", person_id, role_of(values["role"]), scope, valid))


def _is_true(word: str) -> bool:
    if word.lower() not in _TRUE | _FALSE:
        raise InvalidArgument(f"disabled is {word!r}; write yes or no", field="disabled")
    return word.lower() in _TRUE


def _year(text: str) -> int:
    """`2025`, or `2025-2026` as school years are called."""
    first = text.replace("–", "-").split("-")[0].strip()
    if not first:
        return 0
    if not first.isdecimal() or len(first) != _YEAR_DIGITS:
        raise InvalidArgument(f"year is {text!r}; write 2025 or 2025-2026", field="year")
    return int(first)
