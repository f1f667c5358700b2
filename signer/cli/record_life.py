"""`signer records history`, `list`, `correct`, `recall` and `calendar`: a record beyond its signatures."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, common_options
from signer.cli.people_options import last_day

_SCHOOL = click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="Whose records they are.")
_AS = click.option("--as", "person", required=True, metavar="PERSON", help="Who asks.")
_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why.")
_REQUEST = click.option("--request-id", default="", metavar="ID", help="The same again returns the same approval. Default: a new one.")
_STATES = ("signing", "released", "locked", "correction-pending", "correction-allowed", "replaced", "recall-pending", "recalled")
_SLOTS = ("GVBM", "GVCN", "CBQL", "KY_PHAT_HANH")


@click.command(epilog=epilog(*CODES))
@click.argument("record_uuid")
@_SCHOOL
@common_options
def history(*, record_uuid: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Show all that happened to a record: who signed, who asked for what and why, who allowed it.

    \b
    Example:
      signer records history 0b0e9a30-… --school 79000001
    """  # noqa: D301  # click reads \b
    from signer.cli.register_report import tell_history

    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        tell_history(client.register.get(values.get("school"), record_uuid))


@click.command("list", epilog=epilog(*CODES))
@_SCHOOL
@click.option("--year", "school_year", type=int, required=True, metavar="YEAR", help="The school year; 2025 is 2025-2026.")
@click.option("--class", "class_id", default="", metavar="NAME", help="Only of this class.")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only in this state.")
@click.option("--awaiting", type=click.Choice(_SLOTS), help="Only those that lack this signature, and no earlier one.")
@common_options
def list_(
    *,
    school_year: int,
    class_id: str,
    states: tuple[str, ...],
    awaiting: str | None,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """List the records of a school year that were signed here, by class."""
    from signer.cli.register_report import tell_records
    from signer.model import RecordSlot
    from signer.records.states import RecordState

    values = given(client_config, **options)
    values.require("school")
    slot = RecordSlot(awaiting) if awaiting else None
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        wanted = [RecordState(each) for each in states]
        tell_records(list(client.register.list(values.get("school"), school_year, class_id=class_id, states=wanted, awaiting=slot)))


@click.command(epilog=epilog(*CODES))
@click.argument("record_uuid")
@click.argument("replacement_uuid")
@_SCHOOL
@_AS
@_REASON
@click.option("--changes", default="", metavar="TEXT", help="What changes, for those who decide; kept until they have.")
@_REQUEST
@common_options
def correct(
    *,
    record_uuid: str,
    replacement_uuid: str,
    person: str,
    reason: str,
    changes: str,
    request_id: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Ask for the correction of a locked record, as a teacher of it. REPLACEMENT_UUID: of the record that will replace it.

    \b
    Example:
      signer records correct OLD-UUID NEW-UUID --as lan --reason "a mark was entered wrongly" --changes "Maths: 8 → 9"
    """  # noqa: D301  # click reads \b
    from signer.cli.approval_report import tell

    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        wanted = request_id or str(uuid.uuid4())
        tell(client.register.correct(values.get("school"), record_uuid, replacement_uuid, person, reason, wanted, changes=changes))


@click.command(epilog=epilog(*CODES))
@click.argument("record_uuid")
@_SCHOOL
@_AS
@_REASON
@_REQUEST
@common_options
def recall(
    *,
    record_uuid: str,
    person: str,
    reason: str,
    request_id: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Ask the Department to recall a record, as a leader of the school."""
    from signer.cli.approval_report import tell

    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        tell(client.register.recall(values.get("school"), record_uuid, person, reason, request_id or str(uuid.uuid4())))


@click.command(epilog=epilog(*CODES))
@click.argument("school_year", type=click.IntRange(2000, 2199))
@click.option("--for-school", default="", metavar="ID", help="The school. Default: all that have no dates of their own.")
@click.option("--regulations", is_flag=True, help="Set the regulations' dates: 30 May, 30 June, 15 August.")
@click.option("--release-by", callback=last_day, metavar="DAY", help="Last day to release records.")
@click.option("--lock", callback=last_day, metavar="DAY", help="Last day on which records change.")
@click.option("--supplementary-lock", callback=last_day, metavar="DAY", help="The same with supplementary assessment.")
@click.option("--approval", "approval_id", default="", metavar="ID", help="To move a lock date that has passed.")
@common_options
def calendar(
    *,
    school_year: int,
    for_school: str,
    regulations: bool,
    release_by: datetime | None,
    lock: datetime | None,
    supplementary_lock: datetime | None,
    approval_id: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Show the dates by which a school year locks, or set them. Records of a year without dates don't lock. Setting is for operators.

    \b
    Examples:
      signer records calendar 2025
      signer records calendar 2025 --regulations
      signer records calendar 2025 --regulations --lock 2026-07-10
    """  # noqa: D301  # click reads \b
    from dataclasses import replace

    from signer.cli.register_report import tell_calendar
    from signer.records.calendar import regular_calendar

    given_dates = {"release_by": release_by, "lock_time": lock, "supplementary_lock_time": supplementary_lock}
    changes: dict[str, Any] = {name: value for name, value in given_dates.items() if value is not None}
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        if not regulations and not changes:
            tell_calendar(client.register.calendar(school_year, for_school), for_school)
            return
        present = regular_calendar(school_year) if regulations else client.register.calendar(school_year, for_school)
        tell_calendar(client.register.set_calendar(replace(present, **changes), for_school, approval_id), for_school)
