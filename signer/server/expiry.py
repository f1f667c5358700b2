"""How many certificates of credentials end when: counted by classes of time left, so that ten thousand of them cost five series."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from signer.telemetry.metrics import Metrics

_LOOK_S = 60.0
_CLASSES = ((timedelta(0), "ended"), (timedelta(days=7), "7d"), (timedelta(days=30), "30d"), (timedelta(days=90), "90d"))
_LATER = "later"
CLASSES = (*(name for _most, name in _CLASSES), _LATER)
"""Values of the label `left`, the most urgent first."""


def time_left(not_after: datetime, now: datetime) -> str:
    """The class of a certificate that ends at not_after: the shortest time that is not over-stated."""
    return next((name for most, name in _CLASSES if not_after - now <= most), _LATER)


async def keep_counted(metrics: Metrics, ends: Callable[[], Iterable[datetime]], utc_now: Callable[[], datetime]) -> None:
    """Counts once a minute, until cancelled. ends: when each certificate in use ends."""
    while True:
        now = utc_now()
        found = Counter(time_left(not_after, now) for not_after in ends())
        for name in CLASSES:
            metrics.credential_certificates.labels(left=name).set(found[name])
        await asyncio.sleep(_LOOK_S)
