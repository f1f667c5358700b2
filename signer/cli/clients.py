"""`signer clients`: who may call the appliance, for which schools, with which certificates. For operators."""

from __future__ import annotations

import click

from signer.cli.client_certificates import revoke, rotate
from signer.cli.client_changes import create, set_
from signer.cli.client_report import CODES, print_clients
from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import common_options


@click.group()
def clients() -> None:
    """Say who may call, and for which schools; renew and revoke their certificates. For operators.

    Clients are school software, edge appliances, operators and auditors. Those of the daemon's configuration file ([[clients]]) are shown,
    and change there. What is set holds with the next call, on open connections too.

    \b
    Examples:
      signer clients create vnedu --kind school-software --for-school 79000001 --certificate vnedu.crt
      signer clients rotate vnedu vnedu-2027.crt --overlap-days 14
      signer clients revoke vnedu vnedu.crt
    """  # noqa: D301  # click reads \b


@clients.command(name="list", epilog=epilog(*CODES))
@click.option("--for-school", "school_id", default="", metavar="ID", help="Only those that may act for this school.")
@common_options
def list_(school_id: str, client_config: str | None, connect_timeout_s: float, **options: str | None) -> None:
    """List the clients: kind, schools, certificates, and when they last called."""
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as signer:  # type: ignore[arg-type]
        print_clients(signer.clients.list(school_id))


for _verb in (create, set_, rotate, revoke):
    clients.add_command(_verb)
