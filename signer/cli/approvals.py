"""`signer approvals`: four eyes. What waits for whose word, and the word itself."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import click

from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, common_options

_KINDS = (
    "correction",
    "recall",
    "seal-above-count",
    "key-destruction",
    "factor-unlock",
    "pin-release",
    "calendar-change",
    "policy-change",
    "trust-change",
)
_STATES = ("pending", "granted", "rejected", "withdrawn", "expired", "used")
_SCHOOL = click.option("--school", envvar="SIGNER_SCHOOL", default="", metavar="ID", help="The school. Default: the appliance as a whole.")
_AS = click.option("--as", "person", required=True, metavar="PERSON", help="Whose word it is.")


@click.group()
def approvals() -> None:
    """Let several people allow what one alone must not: list, ask, agree, refuse, withdraw; and say who must agree to what.

    Corrections and recalls of records are asked for with `signer records correct` and `recall`.
    """


@approvals.command("list", epilog=epilog(*CODES))
@click.option("--school", envvar="SIGNER_SCHOOL", default="", metavar="ID", help="Only of this school.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only of this kind.")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only in this state.")
@click.option("--awaiting", default="", metavar="PERSON", help="Only those whose next step this person may decide.")
@common_options
def list_(
    *,
    school: str,
    kinds: tuple[str, ...],
    states: tuple[str, ...],
    awaiting: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """List approvals, newest first.

    \b
    Example:
      signer approvals list --awaiting hanh
    """  # noqa: D301  # click reads \b
    from signer.cli.approval_report import tell_list
    from signer.people.approval import ApprovalKind, ApprovalState

    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        wanted = [ApprovalKind(each) for each in kinds], [ApprovalState(each) for each in states]
        tell_list(list(client.approvals.list(school, kinds=wanted[0], states=wanted[1], awaiting_person_id=awaiting)))


@approvals.command(epilog=epilog(*CODES))
@click.argument("approval_id")
@common_options
def show(approval_id: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Show an approval: what it allows, why, and how far its steps are."""
    from signer.cli.approval_report import tell

    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        tell(client.approvals.get(approval_id))


@approvals.command(epilog=epilog(*CODES))
@click.argument("kind", type=click.Choice(_KINDS[2:]))
@click.argument("subject")
@_SCHOOL
@click.option("--as", "person", required=True, metavar="PERSON", help="Who asks; they can't decide a step.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@click.option("--bound", "bounds", multiple=True, metavar="NAME=VALUE", help="A bound of the act, such as count=1225. May be repeated.")
@click.option("--request-id", default="", metavar="ID", help="The same again returns the same approval. Default: a new one.")
@common_options
def ask(
    *,
    kind: str,
    subject: str,
    school: str,
    person: str,
    reason: str,
    bounds: tuple[str, ...],
    request_id: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Ask for an approval of an operator's act. SUBJECT: a credential's, person's or token's id, a CA's SHA-256, a school year, a kind.

    \b
    Examples:
      signer approvals ask key-destruction teacher-7 --school 79000001 --as lan --reason "left the school"
      signer approvals ask seal-above-count seal --school 79000001 --as thu --bound count=1225 --reason "end of year"
    """  # noqa: D301  # click reads \b
    from signer.cli.approval_report import tell
    from signer.people.approval import ApprovalKind

    if any("=" not in each for each in bounds):
        raise click.BadParameter("write NAME=VALUE", param_hint="--bound")
    parameters = dict(each.split("=", 1) for each in bounds)
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        wanted = request_id or str(uuid.uuid4())
        tell(client.approvals.ask(ApprovalKind(kind), subject, person, reason, wanted, school_id=school, parameters=parameters))


@approvals.command(epilog=epilog(*CODES))
@click.argument("approval_id")
@_AS
@click.option("--comment", default="", metavar="TEXT", help="Words for those who come after.")
@common_options
def agree(
    *, approval_id: str, person: str, comment: str, client_config: Path | None, connect_timeout_s: float, **options: str | None
) -> None:
    """Agree to the next step, with PIN and one-time code, which are asked for. The approval is shown before."""
    from signer.cli.approval_report import decide
    from signer.people.approval import Decision

    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        decide(client, approval_id, person, Decision.AGREE, comment)


@approvals.command(epilog=epilog(*CODES))
@click.argument("approval_id")
@_AS
@click.option("--comment", required=True, metavar="TEXT", help="Why.")
@common_options
def refuse(
    *, approval_id: str, person: str, comment: str, client_config: Path | None, connect_timeout_s: float, **options: str | None
) -> None:
    """Refuse the next step, which ends the approval; PIN and one-time code are asked for."""
    from signer.cli.approval_report import decide
    from signer.people.approval import Decision

    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        decide(client, approval_id, person, Decision.REFUSE, comment)


@approvals.command(epilog=epilog(*CODES))
@click.argument("approval_id")
@_AS
@common_options
def withdraw(*, approval_id: str, person: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Withdraw an approval that was not used; by the person who asked for it."""
    from signer.cli.approval_report import tell

    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        tell(client.approvals.withdraw(approval_id, person))


@approvals.command(epilog=epilog(*CODES))
@click.argument("kind", required=False, type=click.Choice(_KINDS))
@click.option("--step", "steps", multiple=True, metavar="ROLE[|ROLE…]", help="Who decides a step, in their order. May be repeated.")
@click.option("--nobody", is_flag=True, help="Nobody needs to agree any more.")
@_SCHOOL
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How long an approval lives.")
@click.option("--count-above", type=click.IntRange(min=0), default=0, help="Above how many seals; for seal-above-count.")
@click.option("--approval", "approval_id", default="", metavar="ID", help="Where those must agree whom the present policy names.")
@common_options
def policy(
    *,
    kind: str | None,
    steps: tuple[str, ...],
    nobody: bool,
    school: str,
    days: int,
    count_above: int,
    approval_id: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Show who must agree to what, or say it for one kind. For operators.

    An appliance begins without people, so its operators' acts need nobody's word; a policy that is set is changed only when those agree
    whom it names.

    \b
    Examples:
      signer approvals policy
      signer approvals policy key-destruction --step operator --step operator
    """  # noqa: D301  # click reads \b
    from signer.cli.approval_report import tell_policies
    from signer.cli.people_words import role_of
    from signer.people.approval import ApprovalKind, ApprovalPolicy

    if kind is not None and not steps and not nobody:
        raise click.UsageError("say who decides with --step, or --nobody")
    try:
        roles = tuple(frozenset(role_of(role) for role in step.split("|")) for step in steps)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--step") from error
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        if kind is None:
            tell_policies(client.approvals.policies(school))
            return
        wanted = ApprovalPolicy(ApprovalKind(kind), school, roles, timedelta(days=days), count_above)
        tell_policies([client.approvals.set_policy(wanted, approval_id)])
