"""`signer quotas`: how much clients and schools may use. For operators."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from signer.cli.client_report import CODES
from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import common_options
from signer.cli.language import Text, say
from signer.cli.output import is_json, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client.clients import QuotaInfo

_HEADINGS = (
    Text("Of", "Của"),
    Text("ID", "Mã"),
    Text("Signatures a second", "Chữ ký mỗi giây"),
    Text("Signatures a day", "Chữ ký mỗi ngày"),
    Text("RPCs at once", "Lời gọi đồng thời"),
    Text("Signed today", "Đã ký hôm nay"),
)
_SUBJECTS = {"client": Text("client", "máy khách"), "school": Text("school", "trường")}
_NONE = Text("no quota is set: nobody is limited", "chưa đặt hạn mức nào: không ai bị giới hạn")
_UNLIMITED = "–"


@click.group()
def quotas() -> None:
    """Say how much clients and schools may use: list, set. For operators.

    What is set holds with the next request; 0 is no limit. A rate is averaged over ten seconds, a day is Vietnam's.

    \b
    Example:
      signer quotas set --of-school 79000001 --per-day 20000 --per-second 50
    """  # noqa: D301  # click reads \b


@quotas.command(name="list", epilog=epilog(*CODES))
@common_options
def list_(**options: Any) -> None:
    """List the quotas, and what is used of them today."""
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        _print(signer.quotas.list())


@quotas.command(name="set", epilog=epilog(*CODES))
@click.option("--of-client", "client_id", metavar="ID", help="Whose: a client's.")
@click.option("--of-school", "school_id", metavar="ID", help="Whose: a school's.")
@click.option("--per-second", type=float, metavar="N", help="Signatures a second, averaged over ten; 0 or at least 0.1.")
@click.option("--per-day", type=click.IntRange(min=0), metavar="N", help="Signatures a day.")
@click.option("--rpcs", type=click.IntRange(min=0), metavar="N", help="RPCs at once.")
@common_options
def set_(
    client_id: str | None, school_id: str | None, per_second: float | None, per_day: int | None, rpcs: int | None, **options: Any
) -> None:
    """Set a client's or a school's quota: what is not given stays as it is."""
    from signer.client.clients import QuotaInfo

    if (client_id is None) == (school_id is None):
        raise click.UsageError("give --of-client or --of-school")
    named = QuotaInfo("client", client_id) if client_id is not None else QuotaInfo("school", school_id or "")
    given_ones = {"signatures_per_second_max": per_second, "signatures_per_day_max": per_day, "concurrent_rpcs_max": rpcs}
    changes: dict[str, Any] = {name: value for name, value in given_ones.items() if value is not None}
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        known = {(each.subject, each.subject_id): each for each in signer.quotas.list()}
        before = known.get((named.subject, named.subject_id), named)
        _print([signer.quotas.set(replace(before, **changes))])


def _print(found: Sequence[QuotaInfo]) -> None:
    if is_json():
        print_json({"quotas": [_members(quota) for quota in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(quota) for quota in found])


def _row(quota: QuotaInfo) -> list[str]:
    return [
        say(_SUBJECTS[quota.subject]),
        quota.subject_id,
        f"{quota.signatures_per_second_max:g}" if quota.signatures_per_second_max else _UNLIMITED,
        str(quota.signatures_per_day_max) if quota.signatures_per_day_max else _UNLIMITED,
        str(quota.concurrent_rpcs_max) if quota.concurrent_rpcs_max else _UNLIMITED,
        str(quota.signatures_today),
    ]


def _members(quota: QuotaInfo) -> dict[str, Any]:
    return {
        "of": quota.subject,
        "id": quota.subject_id,
        "signatures_per_second_max": quota.signatures_per_second_max,
        "signatures_per_day_max": quota.signatures_per_day_max,
        "concurrent_rpcs_max": quota.concurrent_rpcs_max,
        "signatures_today": quota.signatures_today,
    }
