"""What the journal costs: PAdES B-B with it, on either database, beside a daemon that keeps nothing of its signatures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.bench.ground import Ground, shorter
from tests.bench.measure import take_pairs
from tests.bench.pades import order_on
from tests.bench.row import Row, Target, row_of_pairs
from tests.support.postgres import cluster


def journal(ground: Ground) -> Iterator[Row]:
    """Documents/s with the journal over documents/s without one, on SQLite and on PostgreSQL."""
    yield _row(ground, "sqlite", Target(0.90))
    with cluster() as postgres:
        yield _row(ground, "postgresql", Target(0.85), journal={"url": postgres.database().url})


def _row(ground: Ground, name: str, target: Target, **changes: Any) -> Row:
    secret = ground.scratch(f"journal-{name}") / "activation.secret"
    secret.touch(0o600)
    secret.write_text("of a bench, whose journal nobody goes on with", encoding="utf-8")
    shared = {"activation": {"secrets": [f"file:{secret}"]}} | changes
    order = order_on(ground)
    with (
        ground.daemon(ground.config(f"journal-none-{name}"), prepare=keep_nothing) as without,
        ground.daemon(ground.config(f"journal-{name}", **shared)) as kept,
    ):
        for deployed in (without, kept):
            deployed.client.do(shorter(order))
        meter, bare = kept.meter(), without.meter()
        pairs = take_pairs(
            bare.metered(without.client.doing(order)), meter.metered(kept.client.doing(order)), ground.pace.pairs, ground.pace.calm
        )
        return row_of_pairs(
            f"journal-{name}",
            pairs,
            target=target,
            reference="a daemon that keeps nothing",
            rss_mb=meter.rss_mb(),
            cpu_us_per_item=meter.cpu_us_per_item(),
            details={"processes": 1, "batch": order.batch, "cpu_us_per_item_without": bare.cpu_us_per_item()},
        )


def keep_nothing() -> None:
    """In a daemon, before it begins: what signatures write is answered and forgotten; everything else is kept."""
    from signer.journal.committing import Committer  # noqa: PLC0415  # in the daemon's process
    from signer.journal.jobs import Change, Intend, Settle  # noqa: PLC0415

    commit = Committer.commit

    def forgetful(self: Committer, changes: Sequence[Change]) -> int:
        others = [job for job in changes if not isinstance(job, Intend | Settle)]
        for job in changes:
            job.result, job.error = [1] * len(job.keys) if isinstance(job, Intend) else None, None
        return commit(self, others) if others else 0

    Committer.commit = forgetful  # type: ignore[method-assign]
