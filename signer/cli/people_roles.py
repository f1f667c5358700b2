"""`signer people roles`, `assign`, `end-role`, `delegations`, `delegate` and `end-delegation`."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, common_options
from signer.cli.language import Text, say
from signer.cli.output import is_json, note, print_json, print_table
from signer.cli.people_options import FROM, ROLE, SCHOOL, UNTIL, last_day, role_word

if TYPE_CHECKING:
    from signer.people.person import Assignment, Delegation

_ROLE_HEADINGS = (
    Text("Person", "Người"),
    Text("Role", "Vai trò"),
    Text("For", "Phạm vi"),
    Text("Valid", "Hiệu lực"),
    Text("Id", "Mã"),
)
_LENT_HEADINGS = (
    Text("Absent", "Người vắng"),
    Text("Acts", "Người thay"),
    Text("Role", "Vai trò"),
    Text("For", "Phạm vi"),
    Text("Valid", "Hiệu lực"),
    Text("Why", "Lý do"),
    Text("Id", "Mã"),
)
_NONE = Text("nothing", "chưa có gì")
_PERSON = click.option("--person", default="", metavar="ID", help="Only of this person.")
_ALL = click.option("--all", "past", is_flag=True, help="Past and future ones as well.")
_ROLE = click.option("--role", required=True, callback=role_word, metavar="ROLE", help="Such as homeroom-teacher, or GVCN.")
_END = click.option("--until", "end", callback=last_day, metavar="DAY", help="Last day, which still counts. Default: it ends now.")


@click.command(epilog=epilog(*CODES))
@SCHOOL
@ROLE
@_PERSON
@_ALL
@common_options
def roles(role: str | None, person: str, past: bool, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List who has which role now.

    \b
    Example:
      signer people roles --school 79000001 --role GVCN
    """  # noqa: D301  # click reads \b
    from signer.cli.people_words import role_of

    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        wanted = role_of(role) if role else None
        found = list(client.people.assignments(values.get("school"), person_id=person, role=wanted, valid_at=_now(past=past)))
    _tell_roles(found)


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@_ROLE
@click.option("--school", envvar="SIGNER_SCHOOL", default="", metavar="ID", help="The school; the Department's own roles have none.")
@click.option("--year", default=0, type=int, metavar="YEAR", help="The school year's first year. Default: every one.")
@click.option("--class", "class_id", default="", metavar="CLASS", help="Default: every one. Homeroom teachers need one.")
@click.option("--subject", "subject_id", default="", metavar="SUBJECT", help="Default: every one. Subject teachers need one.")
@FROM
@UNTIL
@common_options
def assign(
    *,
    person: str,
    role: str,
    school: str,
    start: datetime | None,
    end: datetime | None,
    year: int,
    class_id: str,
    subject_id: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Give a person a role in a school.

    \b
    Example:
      signer people assign lan --role GVCN --school 79000001 --year 2025 --class 1A
    """  # noqa: D301  # click reads \b
    from signer.cli.people_words import role_of
    from signer.people.client import Window
    from signer.people.person import Assignment, Scope

    wanted = Assignment("", person, role_of(role), Scope(school, year, class_id, subject_id), Window(start, end))
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        _tell_roles([client.people.assign(wanted)])


@click.command(name="end-role", epilog=epilog(*CODES))
@click.argument("role_id")
@_END
@common_options
def end_role(role_id: str, end: datetime | None, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """End a role, by its id as `roles` lists it.

    \b
    Example:
      signer people end-role role-6f0c… --until 2026-05-31
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        _tell_roles([client.people.end_assignment(role_id, end)])


@click.command(epilog=epilog(*CODES))
@SCHOOL
@_PERSON
@_ALL
@common_options
def delegations(person: str, past: bool, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List who acts for whom now.

    \b
    Example:
      signer people delegations --school 79000001
    """  # noqa: D301  # click reads \b
    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        _tell_delegations(list(client.people.delegations(values.get("school"), person_id=person, valid_at=_now(past=past))))


@click.command(epilog=epilog(*CODES))
@click.argument("absent")
@click.argument("acting")
@_ROLE
@click.option("--school", envvar="SIGNER_SCHOOL", required=True, metavar="ID", help="The school.")
@click.option("--class", "class_ids", multiple=True, metavar="CLASS", help="May be repeated. Default: all of the absent person's.")
@click.option("--subject", "subject_ids", multiple=True, metavar="SUBJECT", help="May be repeated. Default: all of the absent person's.")
@FROM
@click.option("--until", "end", required=True, callback=last_day, metavar="DAY", help="Last day, which still counts.")
@click.option("--reason", default="", metavar="TEXT", help="Such as the number of the decision; it is journalled.")
@common_options
def delegate(
    *,
    absent: str,
    acting: str,
    role: str,
    school: str,
    class_ids: tuple[str, ...],
    subject_ids: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    reason: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Let somebody act for a person who is absent, has moved or left; each signature says so.

    \b
    Example:
      signer people delegate lan hoa --role GVCN --school 79000001 --until 2026-05-31 --reason "QĐ 12/2026"
    """  # noqa: D301  # click reads \b
    from signer.cli.people_words import role_of
    from signer.people.client import Window
    from signer.people.person import Delegation

    wanted = Delegation("", absent, acting, role_of(role), school, frozenset(class_ids), frozenset(subject_ids), Window(start, end), reason)
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        _tell_delegations([client.people.delegate(wanted)])


@click.command(name="end-delegation", epilog=epilog(*CODES))
@click.argument("delegation_id")
@_END
@common_options
def end_delegation(
    delegation_id: str, end: datetime | None, client_config: Path | None, connect_timeout_s: float, **options: str | None
) -> None:
    """End a delegation, by its id as `delegations` lists it.

    \b
    Example:
      signer people end-delegation delegation-6f0c…
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        _tell_delegations([client.people.end_delegation(delegation_id, end)])


def _now(*, past: bool) -> datetime | None:
    from datetime import UTC

    return None if past else datetime.now(UTC)


def _tell_roles(found: list[Assignment]) -> None:
    from signer.cli.people_words import assignment_members, scope_words, window_words

    if is_json():
        print_json({"roles": [assignment_members(each) for each in found]})
    elif not found:
        note(say(_NONE))
    else:
        rows = [[each.person_id, each.role.value, scope_words(each.scope), window_words(each.valid), each.id] for each in found]
        print_table([say(heading) for heading in _ROLE_HEADINGS], rows)


def _tell_delegations(found: list[Delegation]) -> None:
    from signer.cli.people_words import delegation_members

    if is_json():
        print_json({"delegations": [delegation_members(each) for each in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _LENT_HEADINGS], [_lent(each) for each in found])


def _lent(value: Delegation) -> list[Any]:
    from signer.cli.people_words import window_words

    for_what = " ".join((value.school_id, *sorted(value.class_ids), *sorted(value.subject_ids)))
    return [value.from_person_id, value.to_person_id, value.role.value, for_what, window_words(value.valid), value.reason, value.id]
