"""`signer clients create` and `set`."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from signer.cli.client_certificates import sha256_of
from signer.cli.client_report import CODES, print_clients
from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import common_options

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KINDS = ("school-software", "edge", "operator", "auditor")


@click.command(epilog=epilog(*CODES))
@click.argument("client_id", metavar="ID")
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="What it may call; see docs/clients.md.")
@click.option("--name", "display_name", default="", metavar="TEXT", help="Words for people.")
@click.option(
    "--for-school",
    "school_ids",
    multiple=True,
    metavar="ID",
    help="A school it may act for; may be given often. Operators and auditors without one see all, and sign for none.",
)
@click.option("--certificate", "files", multiple=True, type=_FILE, metavar="FILE", help="PEM: its TLS certificate; may be given often.")
@click.option("--sha256", "prints", multiple=True, metavar="HEX", help="The SHA-256 of its certificate instead; colons are ignored.")
@click.option("--digests", "may_sign_digests", is_flag=True, help="It may sign digests, where the appliance can't see what it signs.")
@common_options
def create(  # noqa: PLR0917  # click passes by name
    client_id: str,
    kind: str,
    display_name: str,
    school_ids: tuple[str, ...],
    files: tuple[Path, ...],
    prints: tuple[str, ...],
    may_sign_digests: bool,
    **options: Any,
) -> None:
    """Add a client. The same again changes nothing.

    \b
    Example:
      signer clients create vnedu --kind school-software --for-school 79000001 --certificate vnedu.crt
    """  # noqa: D301  # click reads \b
    from signer.client.clients import CertificateEntry, ClientInfo

    certificates = tuple(CertificateEntry(each) for each in (*map(sha256_of, files), *prints))
    wanted = ClientInfo(client_id, kind, display_name, school_ids, certificates, may_sign_digests)
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        print_clients([signer.clients.create(wanted)])


@click.command(name="set", epilog=epilog(*CODES))
@click.argument("client_id", metavar="ID")
@click.option("--name", "display_name", metavar="TEXT", help="Words for people.")
@click.option("--add-school", "added", multiple=True, metavar="ID", help="A school it may act for from now on; may be given often.")
@click.option("--remove-school", "removed", multiple=True, metavar="ID", help="A school it may act for no longer; may be given often.")
@click.option("--digests/--no-digests", "may_sign_digests", default=None, help="Whether it may sign digests.")
@click.option("--disable/--enable", "disabled", default=None, help="Refuse it everything, or let it in again.")
@common_options
def set_(  # noqa: PLR0917  # click passes by name
    client_id: str,
    display_name: str | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    may_sign_digests: bool | None,
    disabled: bool | None,
    **options: Any,
) -> None:
    """Change a client: what is not given stays as it is.

    \b
    Examples:
      signer clients set vnedu --add-school 79000002
      signer clients set vnedu --disable
    """  # noqa: D301  # click reads \b
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        before = signer.clients.get(client_id)
        wanted = replace(
            before,
            display_name=before.display_name if display_name is None else display_name,
            school_ids=tuple(sorted({*before.school_ids, *added} - set(removed))),
            may_sign_digests=before.may_sign_digests if may_sign_digests is None else may_sign_digests,
            disabled=before.disabled if disabled is None else disabled,
        )
        print_clients([signer.clients.update(wanted)])
