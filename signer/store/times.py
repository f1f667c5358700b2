"""Times as columns have them: microseconds since 1970, UTC, on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """Since 1970, UTC."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def moment(time_us: int) -> datetime:
    """Of microseconds since 1970, UTC, exactly."""
    return _EPOCH + timedelta(microseconds=time_us)


def moment_or_none(time_us: int | None) -> datetime | None:
    """The same of a column that may be NULL."""
    return None if time_us is None else moment(time_us)
