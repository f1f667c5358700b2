"""`signer keys`: the life of keys, from their generation to their destruction. For operators."""

from __future__ import annotations

import click

from signer.cli.key_import import import_
from signer.cli.key_making import csr, generate
from signer.cli.key_renewal import renew
from signer.cli.key_states import destroy, disable, enable, list_


@click.group()
def keys() -> None:
    """Generate keys and certificate requests, import certificates, renew, disable and destroy. For operators."""


for _verb in (generate, csr, import_, renew, disable, enable, destroy, list_):
    keys.add_command(_verb)
