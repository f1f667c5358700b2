"""`signer people list`, `show`, `add`, `change`, `disable` and `enable`."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, common_options
from signer.cli.language import Text, say
from signer.cli.output import cell, is_json, note, print_json, print_table
from signer.cli.people_options import ROLE, SCHOOL

if TYPE_CHECKING:
    from signer.client import PersonFile, PersonInfo

_HEADINGS = (
    Text("Person", "Người"),
    Text("Name", "Họ tên"),
    Text("E-mail", "Thư điện tử"),
    Text("Factors", "Yếu tố"),
    Text("State", "Trạng thái"),
)
_STATES = ("none", "code-issued", "set", "delayed", "locked")
_OFF, _ON = Text("disabled", "đã khóa"), Text("active", "hoạt động")
_NONE = Text("nobody", "chưa có ai")
_DONE = Text("{person} is {state}", "{person}: {state}")
_ROLES = (Text("Role", "Vai trò"), Text("For", "Phạm vi"), Text("Valid", "Hiệu lực"), Text("Id", "Mã"))
_LENT = (Text("Acts for", "Thay cho"), Text("By", "Người thay"), *_ROLES)


@click.command(name="list", epilog=epilog(*CODES))
@SCHOOL
@ROLE
@click.option("--factors", type=click.Choice(_STATES), help="Only those whose factors are so.")
@common_options
def list_(role: str | None, factors: str | None, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List people: all, or those with a role in a school.

    \b
    Example:
      signer people list --school 79000001 --factors none
    """  # noqa: D301  # click reads \b
    from signer.cli.people_words import role_of
    from signer.people.factor import FactorsState

    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        wanted = role_of(role) if role else None
        state = FactorsState(factors) if factors else None
        found = list(client.people.list(values.get("school"), role=wanted, factors_state=state))
    if is_json():
        print_json({"people": [members(info) for info in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(info) for info in found])


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@common_options
def show(person: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Show a person: roles, past ones included, who acts for whom, credentials.

    \b
    Example:
      signer people show lan
    """  # noqa: D301  # click reads \b
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.people.get(person)
    _tell_file(found)


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@click.option("--name", required=True, metavar="NAME", help="As it stands in certificates.")
@click.option("--email", default="", metavar="ADDRESS", help="Where notices go.")
@common_options
def add(person: str, name: str, email: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Add a person. The id is the Department's own, never a personal number.

    \b
    Example:
      signer people add lan --name "Nguyễn Thị Lan"
    """  # noqa: D301  # click reads \b
    from signer.people.person import Person

    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        tell_person(client.people.add(Person(person, name, email)))


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@click.option("--name", metavar="NAME", help="As it stands in certificates.")
@click.option("--email", metavar="ADDRESS", help="Where notices go; '' for nowhere.")
@common_options
def change(
    person: str, name: str | None, email: str | None, client_config: Path | None, connect_timeout_s: float, **options: str | None
) -> None:
    """Change a person's name or e-mail address.

    \b
    Example:
      signer people change lan --name "Trần Thị Lan"
    """  # noqa: D301  # click reads \b
    wanted: dict[str, Any] = {"display_name": name, "email": email}
    _change(person, {field: value for field, value in wanted.items() if value is not None}, client_config, connect_timeout_s, options)


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@common_options
def disable(person: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Refuse a person everything from now on: signing, deciding, signing in. Roles and keys stay.

    \b
    Example:
      signer people disable lan
    """  # noqa: D301  # click reads \b
    _change(person, {"disabled": True}, client_config, connect_timeout_s, options)


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@common_options
def enable(person: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Let a disabled person act again.

    \b
    Example:
      signer people enable lan
    """  # noqa: D301  # click reads \b
    _change(person, {"disabled": False}, client_config, connect_timeout_s, options)


def _change(
    person: str, changes: dict[str, Any], client_config: Path | None, connect_timeout_s: float, options: dict[str, str | None]
) -> None:
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        there = client.people.get(person).info.person
        tell_person(client.people.change(replace(there, **changes)))


def tell_person(info: PersonInfo) -> None:
    """A person as they are now."""
    if is_json():
        print_json(members(info))
    else:
        note(say(_DONE, person=info.person.id, state=say(_OFF if info.person.disabled else _ON)))


def _tell_file(found: PersonFile) -> None:
    from signer.cli.people_words import assignment_members, delegation_members, scope_words, window_words

    if is_json():
        roles = [assignment_members(each) for each in found.assignments]
        lent = [delegation_members(each) for each in found.delegations]
        print_json({**members(found.info), "roles": roles, "delegations": lent, "credentials": list(found.credential_ids)})
        return
    print_table([say(heading) for heading in _HEADINGS], [_row(found.info)])
    if found.assignments:
        rows = [[each.role.value, scope_words(each.scope), window_words(each.valid), each.id] for each in found.assignments]
        print_table([say(heading) for heading in _ROLES], rows)
    if found.delegations:
        rows = [
            [each.from_person_id, each.to_person_id, each.role.value, each.school_id, window_words(each.valid), each.id]
            for each in found.delegations
        ]
        print_table([say(heading) for heading in _LENT], rows)
    if found.credential_ids:
        note(", ".join(found.credential_ids))


def _row(info: PersonInfo) -> list[Any]:
    from signer.cli.people_words import state_words

    person = info.person
    kinds = ", ".join(sorted(kind.value for kind in info.factors))
    factors = f"{state_words(info.factors_state)} ({kinds})" if kinds else state_words(info.factors_state)
    state = cell(say(_OFF), "red") if person.disabled else cell(say(_ON), "green")
    return [person.id, person.display_name, person.email, factors, state]


def members(info: PersonInfo) -> dict[str, Any]:
    """A person in JSON."""
    person = info.person
    return {
        "id": person.id,
        "name": person.display_name,
        "email": person.email,
        "disabled": person.disabled,
        "factors_state": info.factors_state.value if info.factors_state else None,
        "factors": sorted(kind.value for kind in info.factors),
    }
