"""Words and times of queued batches on the command line."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import click

from signer.cli.language import Text

if TYPE_CHECKING:
    from signer.client.queue_values import Hours

STATE_WORDS = {
    "queued": Text("queued", "đang xếp hàng"),
    "running": Text("being signed", "đang ký"),
    "paused": Text("paused", "tạm dừng"),
    "waiting": Text("waiting", "đang chờ thiết bị"),
    "completed": Text("completed", "đã xong"),
    "cancelled": Text("cancelled", "đã hủy"),
    "expired": Text("expired", "quá hạn"),
    "unknown": Text("unknown", "không rõ"),
}
"""By the value of `signer.client.queue_values.BatchState`."""
_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")
_DAY_MINUTES = 1440


def hours(text: str) -> Hours:
    """`07:30-17:00`, and midnight as 24:00 or 00:00; BadParameter for anything else."""
    from signer.client.queue_values import Hours

    found = _HOURS.fullmatch(text)
    start, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, -1)
    if not 0 <= end <= _DAY_MINUTES:
        raise click.BadParameter("write HH:MM-HH:MM, in Vietnam's time, such as 07:30-17:00 or 22:00-05:00", param_hint="--between")
    return Hours(start, end or _DAY_MINUTES)


def moment(text: str) -> datetime:
    """A time of Vietnam unless it says otherwise; BadParameter when it is none."""
    from signer.records.calendar import VIETNAM

    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("write YYYY-MM-DDTHH:MM, in Vietnam's time", param_hint="--until") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=VIETNAM)


def shown(at: datetime | None) -> str:
    """In Vietnam's time; empty for none."""
    from signer.records.calendar import VIETNAM

    return at.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M") if at else ""
