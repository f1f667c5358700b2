"""`signer people unlock`: a person who tried too often is let in again."""

from __future__ import annotations

from pathlib import Path

import click

from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, common_options


@click.command(epilog=epilog(*CODES))
@click.argument("person")
@click.option(
    "--approval", "approval_id", default="", metavar="ID", help="The approval, by two operators unless the policy says otherwise."
)
@common_options
def unlock(*, person: str, approval_id: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Let a person who gave wrong factors too often try again. Who is not locked stays as they are, and no approval is spent.

    \b
    Example:
      signer approvals ask factor-unlock lan --as lan --reason "forgot the PIN, remembered it"
      signer people unlock lan --approval ap-…
    """  # noqa: D301  # click reads \b
    from signer.cli.people_list import tell_person  # noqa: PLC0415  # what a command does not use is not loaded

    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        tell_person(client.people.unlock(person, approval_id))
