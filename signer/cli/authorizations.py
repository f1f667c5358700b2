"""`signer authorizations`: what holders of keys allow to be signed with them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client.authorization_values import AuthorizationInfo

_CODES = epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
_STATES = ("pending", "granted", "spent", "rejected", "expired", "revoked")
_HEADINGS = (
    Text("Authorization", "Cho phép"),
    Text("State", "Trạng thái"),
    Text("Person", "Người"),
    Text("Credential", "Khoá"),
    Text("Class", "Lớp"),
    Text("Signed", "Đã ký"),
    Text("Created", "Lúc"),
)
_NONE = Text("nobody was asked for anything", "chưa ai được đề nghị cho phép")


@click.group()
def authorizations() -> None:
    """Look at what holders of keys allow to be signed with them, and end it.

    Files are allowed with `signer sign --authorize PERSON` or `--ask PERSON`.

    \b
    Example:
      signer authorizations list --school 79000001 --state pending
    """  # noqa: D301  # click reads \b


_school_option = click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school in whose name is signed.")


@authorizations.command("list", epilog=_CODES)
@_school_option
@click.option("--person", default="", metavar="ID", help="Only those of this holder.")
@click.option("--state", "states", type=click.Choice(_STATES), multiple=True, help="Only those in this state; give one for each.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Most of them, the newest first.")
@connection_options
@json_option
@language_option
def list_(  # click passes by name
    person: str, states: tuple[str, ...], limit: int, client_config: Path | None, connect_timeout_s: float, **options: str | None
) -> None:
    """List them, newest first."""
    from signer.people.authorization import AuthorizationState  # noqa: PLC0415  # loaded where needed

    values = given(client_config, **options)
    values.require("school")
    wanted = [AuthorizationState(state) for state in states]
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        _print(list(islice(client.authorizations.list(values.get("school", ""), person_id=person, states=wanted), limit)))


@authorizations.command(epilog=_CODES)
@click.argument("authorization_id", metavar="ID")
@_school_option
@click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")
@connection_options
@json_option
@language_option
def revoke(  # click passes by name
    authorization_id: str, reason: str, client_config: Path | None, connect_timeout_s: float, **options: str | None
) -> None:
    """End one: nothing more is signed under it."""
    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        _print([client.authorizations.revoke(values.get("school", ""), authorization_id, reason)])


def _print(found: list[AuthorizationInfo]) -> None:
    if is_json():
        print_json({"authorizations": [_members(each) for each in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(each) for each in found])


def _row(each: AuthorizationInfo) -> tuple[str, ...]:
    signed = f"{each.signed_count} / {each.allowed_count}"
    created = f"{each.created.astimezone():%Y-%m-%d %H:%M}"
    return (each.id, each.state.value, each.person_id, each.credential_id, each.class_name, signed, created)


def _members(each: AuthorizationInfo) -> dict[str, Any]:
    return {
        "id": each.id,
        "state": each.state.value,
        "school": each.school_id,
        "credential": each.credential_id,
        "person": each.person_id,
        "client": each.client_id,
        "class": each.class_name,
        "summary": each.summary,
        "allowed": each.allowed_count,
        "signed": each.signed_count,
        "request": each.spent_by or each.request_id,
        "factors": sorted(kind.value for kind in each.factors),
        "created": each.created.isoformat(),
        "decided": each.decided.isoformat() if each.decided else None,
        "expires": each.expires.isoformat(),
    }
