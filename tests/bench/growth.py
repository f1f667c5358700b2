"""Batches from a class to a district: the rate stays, and the daemon's memory does not grow with what it signed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from tests.bench.ground import Deployment, Ground, shorter
from tests.bench.measure import Pair, Spread, take_pairs
from tests.bench.orders import Order
from tests.bench.pades import order_on
from tests.bench.row import Row, Target, row_of_pairs
from tests.bench.usage import rss_bytes

_KIB = 1024


def growth(ground: Ground) -> Iterator[Row]:
    """PAdES B-B in batches of each size, each against batches of the usual size; then resident memory over all of them."""
    with ground.daemon(ground.config("growth")) as deployed:
        usual = order_on(ground)
        deployed.client.do(shorter(_sized(usual, max(ground.pace.growth))))
        before, documents = _rss(deployed), 0
        for size in ground.pace.growth:
            pairs = take_pairs(
                deployed.client.doing(usual), deployed.client.doing(_sized(usual, size)), ground.pace.pairs, ground.pace.calm
            )
            documents += sum(pair.reference.items + pair.subject.items for pair in pairs)
            yield _rate_row(size, pairs, ground)
        yield _memory_row(before, _rss(deployed), documents)


def _sized(order: Order, batch: int) -> Order:
    return msgspec.structs.replace(order, batch=batch)


def _rate_row(size: int, pairs: list[Pair], ground: Ground) -> Row:
    return row_of_pairs(
        f"growth-{size}",
        pairs,
        target=Target(0.9),
        reference=f"batches of {ground.pace.batch}",
        details={"processes": 1, "batch": size},
    )


def _memory_row(before: Mapping[str, int], after: Mapping[str, int], documents: int) -> Row:
    grown = {group: (after[group] - before[group]) / _KIB / documents for group in before}
    return Row(
        bench="growth-memory",
        target=Target(1.0, "KiB/document", is_ceiling=True),
        reference="RSS of the daemon after one batch of the greatest size",
        figure=Spread.of([grown["daemon"]]),
        rss_mb={group: round(value / 1e6, 1) for group, value in after.items()},
        details={"documents": documents, "kib_per_document": {group: round(value, 3) for group, value in grown.items()}},
    )


def _rss(deployed: Deployment) -> dict[str, int]:
    return {group: rss_bytes(pids) for group, pids in deployed.groups().items() if group != "client"}
