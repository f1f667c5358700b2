"""`signer schools`: the schools that clients call for. For operators."""

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
from signer.cli.output import cell, is_json, note, print_json, print_table
from signer.people.client import SchoolTier

if TYPE_CHECKING:
    from signer.client.clients import SchoolInfo

_HEADINGS = (
    Text("School", "Trường"),
    Text("MA_TRUONG", "MA_TRUONG"),
    Text("Name", "Tên"),
    Text("Weight", "Trọng số"),
    Text("Tier", "Cấp học"),
    Text("State", "Trạng thái"),
)
_NONE = Text("no school", "chưa có trường nào")
_ON, _OFF = Text("enabled", "đang dùng"), Text("disabled", "đã khóa")
_CONFIGURED = Text("in the configuration", "trong tệp cấu hình")
_WEIGHT = click.IntRange(1, 100)
_TIER = click.Choice([tier.value for tier in SchoolTier])
_TIERS = {
    SchoolTier.UNKNOWN: Text("–", "–"),
    SchoolTier.PRIMARY: Text("primary", "tiểu học"),
    SchoolTier.LOWER_SECONDARY: Text("lower secondary", "THCS"),
    SchoolTier.UPPER_SECONDARY: Text("upper secondary", "THPT"),
    SchoolTier.OTHER: Text("other", "khác"),
}


@click.group()
def schools() -> None:
    """Look after schools: list, create, set. For operators.

    A disabled school is refused everything, with the next call. Schools that the daemon's configuration merely names are shown too, and may
    be created.

    \b
    Example:
      signer schools create 79000001 --name "TH Lê Văn Tám" --weight 2
    """  # noqa: D301  # click reads \b


@schools.command(name="list", epilog=epilog(*CODES))
@common_options
def list_(**options: Any) -> None:
    """List the schools."""
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        _print(signer.schools.list())


@schools.command(epilog=epilog(*CODES))
@click.argument("school_id", metavar="ID")
@click.option("--code", default="", metavar="CODE", help="MA_TRUONG, as its records name it. Default: the id.")
@click.option("--name", "display_name", default="", metavar="TEXT", help="Its name.")
@click.option("--weight", type=_WEIGHT, default=1, show_default=True, help="Its share of a token when schools wait for it.")
@click.option("--tier", type=_TIER, default=SchoolTier.UNKNOWN.value, help="What it teaches, for figures by tier.")
@common_options
def create(school_id: str, code: str, display_name: str, weight: int, tier: str, **options: Any) -> None:
    """Add a school. The same again changes nothing."""
    from signer.client.clients import SchoolInfo

    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        _print([signer.schools.create(SchoolInfo(school_id, code or school_id, display_name, weight, tier=tier))])


@schools.command(name="set", epilog=epilog(*CODES))
@click.argument("school_id", metavar="ID")
@click.option("--code", metavar="CODE", help="MA_TRUONG, as its records name it.")
@click.option("--name", "display_name", metavar="TEXT", help="Its name.")
@click.option("--weight", type=_WEIGHT, help="Its share of a token when schools wait for it.")
@click.option("--tier", type=_TIER, help="What it teaches, for figures by tier.")
@click.option("--disable/--enable", "disabled", default=None, help="Refuse it everything, or serve it again.")
@common_options
def set_(school_id: str, **options: Any) -> None:
    """Change a school: what is not given stays as it is."""
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    given_ones = {name: options.pop(name) for name in ("code", "display_name", "weight", "tier", "disabled")}
    changes: dict[str, Any] = {name: value for name, value in given_ones.items() if value is not None}
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        _print([signer.schools.update(replace(signer.schools.get(school_id), **changes))])


def _print(found: Sequence[SchoolInfo]) -> None:
    if is_json():
        print_json({"schools": [_members(school) for school in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(school) for school in found])


def _row(school: SchoolInfo) -> list[Any]:
    state = say(_OFF) if school.disabled else say(_ON) if school.etag else say(_CONFIGURED)
    return [
        school.id,
        school.code,
        school.display_name,
        str(school.weight),
        say(_TIERS[SchoolTier(school.tier)]),
        cell(state, "red" if school.disabled else ""),
    ]


def _members(school: SchoolInfo) -> dict[str, Any]:
    return {
        "id": school.id,
        "code": school.code,
        "display_name": school.display_name,
        "weight": school.weight,
        "tier": school.tier,
        "disabled": school.disabled,
        "configured": not school.etag,
    }
