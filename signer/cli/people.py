"""`signer people`: who there is, in which roles, who acts for whom; their enrolment. For operators."""

from __future__ import annotations

import click

from signer.cli.people_codes import code, codes
from signer.cli.people_enrol import enrol, revoke
from signer.cli.people_import import import_
from signer.cli.people_list import add, change, disable, enable, list_, show
from signer.cli.people_roles import assign, delegate, delegations, end_delegation, end_role, roles
from signer.cli.people_unlock import unlock


@click.group()
def people() -> None:
    """Look after people: import, give roles, let one act for another, enrol, hand out codes. For operators."""


for _verb in (
    list_,
    show,
    import_,
    add,
    change,
    disable,
    enable,
    roles,
    assign,
    end_role,
    delegations,
    delegate,
    end_delegation,
    enrol,
    code,
    codes,
    revoke,
    unlock,
):
    people.add_command(_verb)
