"""The usual bench: a daemon under one kind of load, against a reference of the same kind of work."""

from __future__ import annotations

from typing import Any

from tests.bench.ground import Deployment, Ground, shorter
from tests.bench.measure import Run, take_pairs
from tests.bench.orders import Order
from tests.bench.row import Row, Target, row_of_pairs


def row_against(
    bench: str, ground: Ground, deployed: Deployment, order: Order, reference: Run, *, target: Target | None, name: str, **details: Any
) -> Row:
    """Warms both up, takes the pairs, and says what the daemon, its workers and the client spent. name: of the reference."""
    deployed.client.do(shorter(order))
    reference()
    meter = deployed.meter()
    pairs = take_pairs(reference, meter.metered(deployed.client.doing(order)), ground.pace.pairs, ground.pace.calm)
    return row_of_pairs(
        bench,
        pairs,
        target=target,
        reference=name,
        rss_mb=meter.rss_mb(),
        cpu_us_per_item=meter.cpu_us_per_item(),
        details={"processes": 1, **details},
    )
