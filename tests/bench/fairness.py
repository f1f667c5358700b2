"""A class of 35 of one school while another school signs 10,000 documents with the same token."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from tests.bench.ground import Ground
from tests.bench.measure import Pair, Sample, Spread
from tests.bench.pades import order_on
from tests.bench.row import Row, Target
from tests.support.daemon import OTHER_SCHOOL

_CLASS = 35
_CROWD = 10_000
_HEAD_START_S = 0.5
_SETTLE_S = 0.3
"""After a cancelled batch: what was in its window is signed or dropped by then."""


def fairness(ground: Ground) -> Iterator[Row]:
    """PAdES B-B; the figure is the class's time beside the other school over its time alone."""
    a_class = order_on(ground, "other", school=OTHER_SCHOOL, batch=_CLASS, whole_batches=True)
    crowd = order_on(ground, batch=_CROWD, seconds=3600)
    with ground.daemon(ground.config("fairness")) as deployed, deployed.another_client("other-school") as other:
        other.do(a_class)

        def beside_the_crowd() -> Sample:
            deployed.client.begin(crowd)
            time.sleep(_HEAD_START_S)
            sample = other.do(a_class)
            crowds.append(deployed.client.end())
            time.sleep(_SETTLE_S)
            return sample

        crowds: list[Sample] = []
        pairs = [Pair(other.do(a_class), beside_the_crowd()) for _ in range(ground.pace.pairs)]
        rss_mb = deployed.meter().rss_mb()
    yield Row(
        bench="fairness",
        target=Target(2.5, is_ceiling=True),
        reference="the class alone",
        figure=Spread.of(pair.subject.p50_ms / pair.reference.p50_ms for pair in pairs),
        items_per_s=median(pair.subject.items_per_s for pair in pairs),
        reference_items_per_s=median(pair.reference.items_per_s for pair in pairs),
        p50_ms=median(pair.subject.p50_ms for pair in pairs),
        p99_ms=median(pair.subject.p99_ms for pair in pairs),
        pairs=len(pairs),
        rss_mb=rss_mb,
        details={
            "processes": 1,
            "class_alone_p50_ms": round(median(pair.reference.p50_ms for pair in pairs), 1),
            "crowd_items_per_s": round(median(sample.items_per_s for sample in crowds), 1),
        },
    )
