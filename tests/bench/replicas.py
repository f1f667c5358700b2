"""Three daemons on one PostgreSQL behind HAProxy, beside one alone on it: what sharing costs where cores are the limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

from tests.bench.ground import Ground, LoadClient, shorter
from tests.bench.measure import Run, Sample, Spread, take_pairs
from tests.bench.orders import Order
from tests.bench.pades import order_on
from tests.bench.row import Row, Target
from tests.support.postgres import cluster
from tests.support.replicas import replicas

_COUNT = 3


def replicated(ground: Ground) -> Iterator[Row]:
    """PAdES B-B, three callers; through HAProxy to three daemons, against the same to one."""
    order = order_on(ground, seconds=max(ground.pace.seconds, 2.0))
    workers = {"token": {"processes": 1}, "documents": {"processes": 1}}
    with cluster() as postgres, ExitStack() as stack:
        alone = stack.enter_context(replicas(ground.world, postgres.database(), 1, **workers))
        three = stack.enter_context(replicas(ground.world, postgres.database(), _COUNT, **workers))
        to_one, to_three = ([_client(stack, ground, made.balancer.port) for _ in range(_COUNT)] for made in (alone, three))
        pool = stack.enter_context(ThreadPoolExecutor(_COUNT))
        for clients in (to_one, to_three):
            _all(pool, clients, shorter(order))()
        pairs = take_pairs(_all(pool, to_one, order), _all(pool, to_three, order), ground.pace.pairs)
    yield Row(
        bench="replicas",
        target=Target(0.90),
        reference="one daemon on the same PostgreSQL",
        figure=Spread.of(pair.ratio for pair in pairs),
        items_per_s=median(pair.subject.items_per_s for pair in pairs),
        reference_items_per_s=median(pair.reference.items_per_s for pair in pairs),
        p50_ms=median(pair.subject.p50_ms for pair in pairs),
        p99_ms=median(pair.subject.p99_ms for pair in pairs),
        pairs=len(pairs),
        details={"daemons": _COUNT, "processes": 1, "callers": _COUNT},
    )


def _client(stack: ExitStack, ground: Ground, port: int) -> LoadClient:
    return stack.enter_context(LoadClient(ground.world, port, "school"))


def _all(pool: ThreadPoolExecutor, clients: Sequence[LoadClient], order: Order) -> Run:
    return lambda: Sample.together(pool.map(lambda client: client.do(order), clients))
