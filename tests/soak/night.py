"""A district's night: so many records handed over in the evening, worked off while nobody asks, picked up in the morning.

What must hold: every record comes back signed, once, and is kept by nobody afterwards; and the daemon holds no more after the last one
than after the first ones. A record counts a third each time: handed over, worked off, picked up.

`make night` does 100,000; CI does a short form (tests/e2e/test_queue_night.py).
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from signer.journal import accounting
from signer.store import open_engine
from signer.v1 import queue_pb2
from tests.bench.usage import daemon_groups
from tests.soak.figures import Growth, growths
from tests.soak.looks import Look, look
from tests.soak.report import KIB_PER_DOCUMENT_MAX
from tests.support import pdfs
from tests.support.calls import metric, plan
from tests.support.daemon import Running, World, build_world, running_daemon
from tests.support.queued import Queue
from tests.support.waiting import until

_CARDS = 24
_POLL_S = 1.0
_WITHIN_S = 3 * 3600.0
_WARM_UP = 0.1
"""Of the records, before what is held counts."""
_LEFT = (
    "SELECT (SELECT count(*) FROM queued_portion) + (SELECT count(*) FROM queued_item WHERE made IS NOT NULL)"
    " + (SELECT count(*) FROM queued_batch WHERE bytes <> 0)"
)


class NotAsItShould(Exception):
    """A record did not come back as it must."""


@dataclass(frozen=True, slots=True)
class Night:
    """documents: of all batches together. look_s: at most so often is looked at what processes hold."""

    documents: int
    batches: int
    look_s: float = 5.0

    @property
    def batch(self) -> int:
        """Documents of one."""
        return self.documents // self.batches


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a night. seconds: by phase. rows_left: with a document in them after the pick-up. turns_left: in the engine's line."""

    came: int
    released: int
    intents: int
    rows_left: int
    turns_left: int
    seconds: Mapping[str, float]
    looks: Sequence[Look]

    @property
    def growths(self) -> list[Growth]:
        """After the warm-up, by process; those that check signatures come with their worker's first one."""
        last = self.looks[-1]
        return growths([each for each in self.looks if each.documents >= _WARM_UP * last.documents and len(each.pids) == len(last.pids)])


def settings(name: str) -> dict[str, dict[str, object]]:
    """What its daemon needs; name: of its journal."""
    two: dict[str, object] = {"processes": 2}
    return {"token": two, "documents": two, "queue": {}, "journal": {"url": f"sqlite:///{name}.db"}}


def spend(world: World, name: str, night: Night, tell: Callable[[str], None] = lambda _line: None) -> Account:
    """Evening, night and morning of a daemon of its own. NotAsItShould when a document did not come back signed."""
    cards = [pdfs.report_card(number, pages=1) for number in range(_CARDS)]
    with running_daemon(world.config(f"{name}.toml", **settings(name))) as daemon, world.channel(daemon.port) as channel:
        # A look at a daemon that still starts its workers would find others later.
        until(lambda: [len(daemon.worker_pids(each)) for each in ("school-token", "documents")] == [2, 2], "every worker to serve")
        queue = Queue(channel)
        batch_ids: list[str] = []
        phases = {
            "handed over": _hand_over(queue, cards, night, batch_ids),
            "worked off": _work_off(queue, night, batch_ids),
            "picked up": _pick_up(queue, cards, batch_ids),
        }
        seconds, looks = _watched(daemon, phases, night.look_s, tell)
    with open_engine(f"sqlite:///{world.folder / name}.db", must_exist=True).connect() as journal:
        counts = accounting(journal)
    rows_left = _count(world.folder / f"{name}.db.queue", _LEFT)
    turns_left = _count(world.folder / f"{name}.db.turns", "SELECT count(*) FROM workflow_status")
    return Account(night.batch * night.batches, counts.released, counts.intents, rows_left, turns_left, seconds, looks)


def faults(told: Account, kib_per_document_max: float = KIB_PER_DOCUMENT_MAX) -> list[str]:
    """What must not be; empty when all is well."""
    found = []
    if (told.released, told.intents) != (told.came, told.came):
        found.append(f"{told.came} came, {told.released} were released, for {told.intents} intents")
    if told.rows_left or told.turns_left:
        found.append(f"{told.rows_left} rows with documents and {told.turns_left} turns are left")
    grown = [each for each in told.growths if each.kib_per_document > kib_per_document_max]
    return found + [f"{each.process} grew {each.kib_per_document:.2f} KiB a document" for each in grown]


def text(told: Account) -> str:
    """For whoever reads it, and for docs/queue.md."""
    phases = [f"{name}: {seconds:.0f} s more" for name, seconds in told.seconds.items()]
    grown = [_line(each) for each in told.growths]
    counts = f"{told.came} came, {told.released} released, {told.intents} intents, {told.rows_left} rows and {told.turns_left} turns left"
    return "\n".join([*phases, *grown, counts])


def _line(growth: Growth) -> str:
    first, last = growth.first, growth.last
    held = f"{first.rss_bytes / 1e6:.1f} → {last.rss_bytes / 1e6:.1f} MB, {growth.kib_per_document:.3f} KiB a document"
    return f"{growth.process}: {held}, descriptors {first.descriptors} → {last.descriptors}, threads {first.threads} → {last.threads}"


def _watched(
    daemon: Running, phases: Mapping[str, Iterator[int]], look_s: float, tell: Callable[[str], None]
) -> tuple[dict[str, float], list[Look]]:
    """Seconds by phase, and what was held meanwhile. A phase tells how many documents it has done since it told last."""
    seconds, looks, steps, looked_s = {}, [], 0, 0.0
    for name, phase in phases.items():
        began_s = time.monotonic()
        for done in phase:
            steps += done
            if time.monotonic() - looked_s >= look_s:
                looked_s = time.monotonic()
                sessions = round(metric(daemon.metrics_port(), "signer_token_sessions", state="open"))
                looks.append(look(lambda: daemon_groups(daemon.process.pid), steps // len(phases), sessions))
                tell(f"{name}: {steps} steps, daemon {looks[-1].holdings['daemon'].rss_bytes / 1e6:.1f} MB")
        seconds[name] = time.monotonic() - began_s
    return seconds, looks


def _hand_over(queue: Queue, cards: Sequence[bytes], night: Night, batch_ids: list[str]) -> Iterator[int]:
    numbers = itertools.count()
    for batch in range(night.batches):
        documents = {f"record-{number}": cards[number % len(cards)] for number in itertools.islice(numbers, night.batch)}
        batch_ids.append(queue.submit(documents, f"night-{batch}", plan=plan("ec")).batch_id)
        yield len(documents)


def _work_off(queue: Queue, night: Night, batch_ids: Sequence[str]) -> Iterator[int]:
    """Asks now and then how far it is."""
    until_s, told = time.monotonic() + _WITHIN_S, 0
    while told < night.batch * night.batches:
        batches = [queue.get(batch_id) for batch_id in batch_ids]
        ended = sum(batch.progress.signed + batch.progress.failed for batch in batches)
        if any(batch.progress.failed for batch in batches) or time.monotonic() > until_s:
            raise NotAsItShould("\n".join(map(str, batches)))
        yield ended - told
        told = ended
        time.sleep(_POLL_S)
    for batch_id in batch_ids:
        queue.ended(batch_id)


def _pick_up(queue: Queue, cards: Sequence[bytes], batch_ids: Sequence[str]) -> Iterator[int]:
    """One batch after the other, each record looked at; then it is acknowledged."""
    for batch_id in batch_ids:
        request = queue_pb2.FetchBatchResultsRequest(school_id=queue.school_id, batch_id=batch_id)
        position = 0
        for response in queue.stub.FetchBatchResults(request):
            result, position = response.item.result, position + 1
            sent = cards[int(result.document_id.removeprefix("record-")) % len(cards)]
            if (
                response.item.position != position
                or result.status.code
                or not result.content.startswith(sent)
                or b"/ByteRange" not in (result.content[len(sent) :])
            ):
                raise NotAsItShould(f"{batch_id} {result.document_id} at {response.item.position}: {result.status}")
        if queue.acknowledge(batch_id, position) != position:
            raise NotAsItShould(f"{batch_id}: not all {position} could be acknowledged")
        yield position


def _count(path: Path, query: str) -> int:
    with closing(sqlite3.connect(path)) as rows:
        return int(rows.execute(query).fetchone()[0])


@click.command()
@click.option("--documents", type=click.IntRange(min=100), default=100_000, show_default=True)
@click.option("--batches", type=click.IntRange(1, 50), default=20, show_default=True)
def main(documents: int, batches: int) -> None:
    """Hand over, work off and pick up, and say what grew. Exit code 1 when anything did, or is missing."""
    with tempfile.TemporaryDirectory() as folder:
        told = spend(build_world(Path(folder) / "world"), "night", Night(documents, batches), click.echo)
    click.echo(f"{text(told)}\nload {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} cores")
    if found := faults(told):
        raise click.ClickException("\n".join(found))


if __name__ == "__main__":
    main()
