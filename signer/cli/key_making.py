"""`signer keys generate` and `signer keys csr`."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, FOLDER, common_options, tell_made

if TYPE_CHECKING:
    from signer.client import NewKey

KINDS = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384")


@click.command(epilog=epilog(*CODES))
@click.argument("credential", required=False)
@click.option("--from", "people", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help="CSV: a key a row.")
@click.option("--token", required=True, metavar="NAME", help="The token that generates them, by its name in the daemon's configuration.")
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="Whose keys; none: the appliance's own.")
@click.option("--person", default="", metavar="ID", help="The holder; none: an organisation.")
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="Kind and size of the keys.")
@click.option(
    "--storage",
    type=click.Choice(("token", "wrapped")),
    default="token",
    show_default=True,
    help="In the token, or encrypted by it and kept in the daemon's store: for more keys than a token holds.",
)
@click.option("--common-name", default="", metavar="NAME", help="CN of the certificate request.")
@click.option("--organization", default="", metavar="NAME", help="O.")
@click.option("--unit", "units", multiple=True, metavar="NAME", help="OU, outermost first; may be repeated.")
@click.option("--locality", default="", metavar="NAME", help="L.")
@click.option("--user-id", default="", metavar="ID", help="UID, such as CCCD:… or MST:….")
@click.option("--out", type=FOLDER, default=Path(), metavar="FOLDER", help="Where the requests are written. Default: here.")
@common_options
def generate(credential: str | None, people: Path | None, out: Path, **options: Any) -> None:
    """Generate keys, each with its certificate request for the CA.

    One key by its credential's id, or as many as a CSV file has rows, with the columns credential, person, common_name, organization, units
    (separated by semicolons), locality, user_id, email and display_name; the first and common_name are required. A repeat makes no key
    twice: it writes the requests again.

    \b
    Examples:
      signer keys generate seal --token hsm --school 79000001 --common-name "TRƯỜNG TIỂU HỌC LÊ VĂN TÁM"
      signer keys generate --from teachers.csv --token hsm --school 79000001 --kind ec-p256 --storage wrapped --out requests/
    """  # noqa: D301  # click reads \b
    if (credential is None) == (people is None):
        raise click.UsageError("give a credential's id, or a CSV file with --from")
    subject = {name: options.pop(name) for name in ("common_name", "organization", "units", "locality", "user_id")}
    person, token, kind, storage = (options.pop(name) for name in ("person", "token", "kind", "storage"))
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    values = given(config, **options)
    common = {"token": token, "school_id": values.get("school"), **_key_options(kind, storage)}
    wanted = _people(people, common) if people else [_one(str(credential), person, subject, common)]
    with values.connect(connect_timeout_s=timeout_s) as client:
        tell_made(client.keys.generate(wanted), out)


@click.command(epilog=epilog(*CODES))
@click.argument("credentials", nargs=-1)
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school. Default: all.")
@click.option("--out", type=FOLDER, default=Path(), metavar="FOLDER", help="Where the requests are written. Default: here.")
@common_options
def csr(credentials: tuple[str, ...], out: Path, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Write certificate requests (PKCS#10) of the credentials named, or of all that wait for their certificate.

    \b
    Example:
      signer keys csr --school 79000001 --out requests/
    """  # noqa: D301  # click reads \b
    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        tell_made(client.keys.requests(credentials, school_id=values.get("school")), out)


def _key_options(kind: str, storage: str) -> dict[str, Any]:
    from signer.algorithms import KeyKind
    from signer.model import KeyStorage

    return {"kind": KeyKind(kind), "storage": KeyStorage(storage)}


def _people(file: Path, common: dict[str, Any]) -> list[NewKey]:
    from signer.cli.key_files import read_people

    return read_people(file, common)


def _one(credential: str, person: str, subject: dict[str, Any], common: dict[str, Any]) -> NewKey:
    from signer.client import NewKey, Subject

    asked = Subject(organizational_units=subject.pop("units"), **subject) if subject["common_name"] else None
    return NewKey(credential, person_id=person, subject=asked, **common)
