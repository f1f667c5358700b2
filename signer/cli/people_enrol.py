"""`signer people enrol` and `revoke`: a key for each person, and its end."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.bars import bar
from signer.cli.connection import given
from signer.cli.exits import ExitCode, epilog
from signer.cli.key_making import KINDS
from signer.cli.key_report import CODES, FOLDER, common_options, problem_of, tell_made
from signer.cli.language import Text, say
from signer.cli.output import is_json, print_json, print_table
from signer.cli.people_options import ROLE

if TYPE_CHECKING:
    from signer.client import KeyOutcome, NewKey, SignerClient

_MAKING = Text("Making keys", "Đang tạo khóa")
_HEADINGS = (Text("Credential", "Chứng thư ký"), Text("State", "Trạng thái"), Text("Remarks", "Ghi chú"))
_CONFIRM = Text(
    "Disable {person} and destroy their keys for good? Nothing can ever be signed with them again",
    "Khóa {person} và hủy vĩnh viễn các khóa của họ? Không bao giờ ký lại được bằng các khóa này",
)


@click.command(epilog=epilog(*CODES))
@click.argument("people", nargs=-1)
@click.option(
    "--from", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help="CSV, as `keys generate`."
)
@ROLE
@click.option("--token", required=True, metavar="NAME", help="The token that generates the keys.")
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="Their school; without names or a file, everybody with a role in it.")
@click.option("--kind", type=click.Choice(KINDS), default="ec-p256", show_default=True, help="Kind and size of the keys.")
@click.option(
    "--storage",
    type=click.Choice(("token", "wrapped")),
    default="wrapped",
    show_default=True,
    help="In the token, or encrypted by it and kept in the daemon's store: for more keys than a token holds.",
)
@click.option("--organization", default="", metavar="NAME", help="O of every request.")
@click.option("--unit", "units", multiple=True, metavar="NAME", help="OU of every request, outermost first; may be repeated.")
@click.option("--locality", default="", metavar="NAME", help="L of every request.")
@click.option("--out", type=FOLDER, default=Path(), metavar="FOLDER", help="Where the requests are written. Default: here.")
@common_options
def enrol(
    *,
    people: tuple[str, ...],
    file: Path | None,
    role: str | None,
    token: str,
    kind: str,
    storage: str,
    organization: str,
    units: tuple[str, ...],
    locality: str,
    out: Path,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Make a key for each person, with the certificate request for the CA. Only its holder can let it sign.

    For the people named, for those of a CSV file (columns as for `signer keys generate`; person is required), or for everybody with a role
    in the school. A credential is called as its person unless the file says otherwise. A repeat makes no key twice: it writes the requests
    of those that wait for their certificate again. Next: `signer keys import` for the certificates, `signer people codes` for the codes.

    \b
    Example:
      signer people enrol --school 79000001 --token hsm --organization "TRƯỜNG TIỂU HỌC LÊ VĂN TÁM" --out requests/
    """  # noqa: D301  # click reads \b
    from signer.algorithms import KeyKind
    from signer.client import Subject
    from signer.model import KeyStorage

    values = given(client_config, **options)
    common = {"token": token, "school_id": values.get("school"), "kind": KeyKind(kind), "storage": KeyStorage(storage)}
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        if file is not None:
            wanted = _from_file(file, common)
        else:
            subject = Subject("", organization=organization, organizational_units=units, locality=locality)
            wanted = list(_of_people(client, people, role, subject, common))
        with bar(say(_MAKING), len(wanted)) as show:
            outcomes = list(_enrolled(client, wanted, show))
        tell_made(outcomes, out)


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@click.option("--approval", "approvals", multiple=True, metavar="CREDENTIAL=ID", help="Of a key's destruction, where one is needed.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@common_options
def revoke(
    *,
    person: str,
    approvals: tuple[str, ...],
    reason: str,
    yes: bool,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Disable a person for good: their keys sign no more from now on, and are destroyed.

    A key whose destruction four eyes must allow is disabled at once and destroyed by the same command with its approval. Tell the CA to
    revoke the certificates as well.

    \b
    Example:
      signer people revoke lan --reason "left on 2026-03-01"
    """  # noqa: D301  # click reads \b
    from signer.errors import SignerError
    from signer.model import CredentialState

    allowed = dict(each.partition("=")[::2] for each in approvals)
    if not yes:
        click.confirm(say(_CONFIRM, person=person), abort=True, err=True)
    rows: list[dict[str, str]] = []
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.people.get(person)
        if not found.info.person.disabled:
            client.people.change(replace(found.info.person, disabled=True))
        for credential in found.credential_ids:
            row = {"credential": credential, "state": "", "problem": ""}
            try:
                row["state"] = client.keys.set_state(credential, CredentialState.DISABLED, reason=reason).state
            except SignerError as error:
                row["problem"] = problem_of(error)
            try:
                row["state"], row["problem"] = client.keys.destroy(credential, approval_id=allowed.get(credential, "")).state, ""
            except SignerError as error:
                row["problem"] = problem_of(error)
            rows.append(row)
    if is_json():
        print_json(
            {"person": person, "disabled": True, "credentials": [{name: value or None for name, value in row.items()} for row in rows]}
        )
    else:
        print_table([say(heading) for heading in _HEADINGS], [list(row.values()) for row in rows])
    sys.exit(ExitCode.SOME_FAILED if any(row["problem"] for row in rows) else ExitCode.OK)


def _from_file(file: Path, common: dict[str, Any]) -> list[NewKey]:
    from signer.cli.key_files import read_people

    wanted = read_people(file, common)
    nobody = next((key.credential_id for key in wanted if not key.person_id), None)
    if nobody is not None:
        raise click.UsageError(f"{file}: credential {nobody} has no person")
    return wanted


def _of_people(client: SignerClient, names: tuple[str, ...], role: str | None, subject: Any, common: dict[str, Any]) -> Iterator[NewKey]:
    from signer.cli.people_words import role_of
    from signer.client import NewKey

    school = common["school_id"]
    if names:
        people = [client.people.get(name).info for name in names]
    elif school:
        people = [info for info in client.people.list(school, role=role_of(role) if role else None) if not info.person.disabled]
    else:
        raise click.UsageError("name the people, or give --school or --from")
    for info in people:
        person = info.person
        named = replace(subject, common_name=person.display_name)
        yield NewKey(person.id, person_id=person.id, subject=named, display_name=person.display_name, **common)


def _enrolled(client: SignerClient, wanted: list[NewKey], show: Any) -> Iterator[KeyOutcome]:
    for each in client.people.enrol(wanted):
        show(each.done)
        yield each.key
