"""`signer records`: which of a class may be signed, before any key is used; and the layouts that the daemon knows."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import language_option
from signer.cli.output import json_option
from signer.cli.record_life import calendar, correct, history, list_, recall

_ROLES = ("subject-teacher", "homeroom-teacher", "principal", "vice-principal", "clerk")


@click.group()
def records() -> None:
    """Check, list, correct and recall records, and set when they lock; list the layouts that the daemon knows."""


@records.command(
    epilog=epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
    + "\n  1    at least one record is not fit to be signed"
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILE_OR_FOLDER...")
@click.option("--role", required=True, type=click.Choice(_ROLES), help="In which role the records would be signed.")
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="Whose records they are.")
@click.option("--subject", "subject_id", default="", metavar="ID", help="Whose marks a subject teacher signs, by the Id in the record.")
@click.option("--class", "class_id", default="", metavar="NAME", help="Refuse records of another class. Default: any.")
@click.option(
    "--year", "school_year", type=int, default=0, metavar="YEAR", help="Refuse records of another school year; 2025 is 2025-2026."
)
@click.option("--layout", "layout_id", default="", metavar="ID", help="Refuse records of another layout. Default: recognised from each.")
@click.option("--credential", envvar="SIGNER_CREDENTIAL", metavar="ID", help="The credential that would sign, looked at as well.")
@connection_options
@json_option
@language_option
def check(  # noqa: PLR0917  # click passes by name
    sources: tuple[Path, ...],
    role: str,
    subject_id: str,
    class_id: str,
    school_year: int,
    layout_id: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Check which records may be signed in a role now, and what the others lack.

    Uses no key and changes nothing. Folders are searched for .xml. What is told of a record never repeats a pupil's data.

    \b
    Examples:
      signer records check class-1A/ --role homeroom-teacher --school 79000001
      signer records check class-9B/ --role subject-teacher --subject GV_TOAN --json
    """  # noqa: D301  # click reads \b
    from signer.cli.record_files import find
    from signer.cli.record_report import tell
    from signer.model import RecordPlan, Role

    values = given(client_config, **options)
    values.require("school")
    files = find(sources)
    plan = RecordPlan(Role(role), layout_id, None, subject_id, class_id, school_year)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.records.check(
            [each.document for each in files], plan, school_id=values.get("school"), credential_id=values.get("credential")
        )
    tell(found, {each.document.id: each.name for each in files})
    sys.exit(ExitCode.SOME_FAILED if found.unfit else ExitCode.OK)


@records.command(epilog=epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED))
@connection_options
@json_option
@language_option
def layouts(client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List the layouts of records that the daemon knows, with their slots in the order of signing.

    \b
    Example:
      signer records layouts
    """  # noqa: D301  # click reads \b
    from signer.cli.record_report import tell_layouts

    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        tell_layouts(client.records.layouts())


for _verb in (list_, history, correct, recall, calendar):
    records.add_command(_verb)
