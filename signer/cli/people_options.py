"""Options that several verbs of `signer people` share."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from datetime import datetime

import click


def role_word(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """A role's name, from its name or the regulation's word for it."""
    from signer.cli.people_words import role_of

    try:
        return role_of(value).value if value else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def first_day(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """The first moment of a day in Vietnam."""
    from signer.cli.people_words import first_moment

    try:
        return first_moment(value or "")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def last_day(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """The first moment after a day in Vietnam."""
    from signer.cli.people_words import end_of_day

    try:
        return end_of_day(value or "")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


SCHOOL = click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school. Default: every one.")
ROLE = click.option("--role", callback=role_word, metavar="ROLE", help="Only this role, such as homeroom-teacher or GVCN.")
FROM = click.option("--from", "start", callback=first_day, metavar="DAY", help="First day, such as 2025-09-05. Default: always.")
UNTIL = click.option("--until", "end", callback=last_day, metavar="DAY", help="Last day, which still counts.")
