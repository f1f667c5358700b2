"""SignDocument alone: what one signature takes a person who waits for it, beyond the token's own time."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from tests.bench.ground import Ground, shorter
from tests.bench.measure import Spread, take_pairs
from tests.bench.orders import Work
from tests.bench.pades import order_on
from tests.bench.row import Row, Target, mean_stages


def unloaded(ground: Ground) -> Iterator[Row]:
    """PAdES B-B, one call at a time, whole document back; the figure is its p50 minus that of C_Sign."""
    order = order_on(ground, work=Work.DOCUMENT, full=True)
    with ground.loop("cbql") as loop, ground.daemon(ground.config("single")) as deployed:
        deployed.client.do(shorter(order))
        meter = deployed.meter()
        pairs = take_pairs(
            lambda: loop.run(ground.pace.seconds), meter.metered(deployed.client.doing(order)), ground.pace.pairs, ground.pace.calm
        )
        yield Row(
            bench="sign-document-unloaded",
            target=Target(3.0, "ms", is_ceiling=True),
            reference="C_Sign alone, p50",
            figure=Spread.of(pair.subject.p50_ms - pair.reference.p50_ms for pair in pairs),
            items_per_s=median(pair.subject.items_per_s for pair in pairs),
            reference_items_per_s=median(pair.reference.items_per_s for pair in pairs),
            p50_ms=median(pair.subject.p50_ms for pair in pairs),
            p99_ms=median(pair.subject.p99_ms for pair in pairs),
            pairs=len(pairs),
            pairs_put_aside=sum(pair.put_aside for pair in pairs),
            stolen=median(pair.stolen for pair in pairs),
            stage_ms=mean_stages(pairs),
            rss_mb=meter.rss_mb(),
            cpu_us_per_item=meter.cpu_us_per_item(),
            details={
                "processes": 1,
                "c_sign_p50_ms": round(median(pair.reference.p50_ms for pair in pairs), 3),
                "c_sign_p99_ms": round(median(pair.reference.p99_ms for pair in pairs), 3),
                "overhead_p99_ms": round(median(pair.subject.p99_ms - pair.reference.p99_ms for pair in pairs), 3),
            },
        )
