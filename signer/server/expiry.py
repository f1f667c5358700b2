"""How many certificates of credentials end when: counted by classes of time left, so that ten thousand of them cost five series."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta

from signer.errors import JournalUnavailable
from signer.pipeline.engine import Engine
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics

_log = get_logger(__name__)
_LOOK_S = 60.0
_CLASSES = ((timedelta(0), "ended"), (timedelta(days=7), "7d"), (timedelta(days=30), "30d"), (timedelta(days=90), "90d"))
_LATER = "later"
CLASSES = (*(name for _most, name in _CLASSES), _LATER)
"""Values of the label `left`, the most urgent first."""


def time_left(not_after: datetime, now: datetime) -> str:
    """The class of a certificate that ends at not_after: the shortest time that is not over-stated."""
    return next((name for most, name in _CLASSES if not_after - now <= most), _LATER)


async def keep_counted(metrics: Metrics, engine: Engine) -> None:
    """Counts once a minute, until cancelled: those of the configuration one by one, those of the store in one query."""
    while True:
        now = engine.utc_now()
        ends = engine.credentials.certificate_ends()
        found = Counter(time_left(not_after, now) for not_after in ends)
        if engine.kept is not None:
            try:
                kept = await engine.kept.store.count_ends([now + most for most, _name in _CLASSES])
            except JournalUnavailable as error:
                _log.warning("certificates of the store not counted", message=error.message)
            else:
                found.update(dict(zip(CLASSES, kept.counts, strict=True)))
                ends += [kept.first] if kept.first else []
        for name in CLASSES:
            metrics.credential_certificates.labels(left=name).set(found[name])
        if ends:
            metrics.credential_certificate_first_end.set(min(ends).timestamp())
        await asyncio.sleep(_LOOK_S)
