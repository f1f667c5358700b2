"""SIGKILL of everything the appliance is made of, at random moments of running classes, on either database.

Whatever dies: every document ends signed, none is released twice, no key is used without an intent, and what a caller holds stands in the
journal. Afterwards the same ids bring the same bytes and use no key. `make faults` kills each a hundred times.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from signer.client import SignerClient
from signer.client.audit import SignatureAccount
from tests.support.batch import Plan, sign_batch
from tests.support.postgres import Cluster, cluster
from tests.support.rig import FULL, Record, Rig, kill, only_full, pdfsig_refusals, verified, wait_until, workers
from tests.support.shim import Door
from tests.support.under_fire import Fire, Victim

KILLS = int(os.environ.get("SIGNER_FAULTS_KILLS", "100"))
KILLS_A_DAEMON = 10
"""The pause before a worker's restart grows with each loss: a fresh daemon now and then keeps the classes, not the pauses, under fire."""
AGAIN_WHILE_IT_STARTS = 0.2
SIGN_S = 0.01
SETTINGS: dict[str, Any] = {"documents": {"processes": 2}}


@dataclass
class TheDaemon:
    """Killed from outside, started again at once, as a service manager does."""

    rig: Rig

    def strike(self, _dice: random.Random) -> bool:
        assert self.rig.running is not None
        self.rig.running.process.kill()
        self.rig.running.process.wait()
        return True

    def mend(self, _dice: random.Random) -> None:
        self.rig.start(**SETTINGS)

    def is_whole(self) -> bool:
        return True


@dataclass
class AWorker:
    """One of two, while both are ready. The daemon replaces it; `module`'s replacement is killed as well now and then, while it starts."""

    rig: Rig
    prefix: str
    module: str = ""
    killed: int = 0

    def strike(self, dice: random.Random) -> bool:
        ready = self._ready()
        if len(ready) < 2:
            return False
        self.killed = dice.choice(ready)
        return kill(self.killed)

    def mend(self, dice: random.Random) -> None:
        if self.module and dice.random() < AGAIN_WHILE_IT_STARTS:
            others = set(self._ready())
            wait_until(lambda: any(kill(pid) for pid in self._started() - others - {self.killed}), "another one starts")

    def is_whole(self) -> bool:
        ready = self._ready()
        return len(ready) == 2 and self.killed not in ready

    def _ready(self) -> list[int]:
        assert self.rig.running is not None
        return self.rig.running.worker_pids(self.prefix)

    def _started(self) -> set[int]:
        assert self.rig.running is not None
        return set(workers(self.rig.running.process.pid, self.module))


@dataclass
class ThePostgres:
    """Postmaster and all its children."""

    server: Cluster

    def strike(self, _dice: random.Random) -> bool:
        self.server.kill()
        return True

    def mend(self, _dice: random.Random) -> None:
        self.server.start()

    def is_whole(self) -> bool:
        return True


@dataclass(frozen=True)
class Row:
    """A row of the matrix. make: the victim. short: how often it is killed when not all is asked for; 0: not at all."""

    victim: str
    database: str
    make: Callable[[Rig, Cluster | None], Victim]
    short: int = 0

    @property
    def kills(self) -> int:
        return KILLS if FULL else self.short


def _postgres(_rig: Rig, server: Cluster | None) -> Victim:
    assert server is not None
    return ThePostgres(server)


_MAKERS: dict[str, Callable[[Rig, Cluster | None], Victim]] = {
    "the daemon": lambda rig, _server: TheDaemon(rig),
    "a token worker": lambda rig, _server: AWorker(rig, "school-token", "signer.tokens.worker"),
    "a document worker": lambda rig, _server: AWorker(rig, "documents"),
    "PostgreSQL": _postgres,
}
ROWS = [
    *(
        Row(victim, "SQLite", _MAKERS[victim], short)
        for victim, short in (("the daemon", 2), ("a token worker", 3), ("a document worker", 2))
    ),
    *(Row(victim, "PostgreSQL", make, 2 if victim == "PostgreSQL" else 0) for victim, make in _MAKERS.items()),
]


@contextmanager
def database(rig: Rig, kind: str) -> Iterator[Cluster | None]:
    """The rig's journal is one of this kind while the block runs."""
    if kind == "SQLite":
        yield None
        return
    with cluster() as server:
        rig.journal_url = server.database().url
        yield server


@pytest.mark.timeout(7_200 if FULL else 300)
@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=() if row.short else only_full, id=f"{row.victim} on {row.database}") for row in ROWS]
)
def test_whatever_is_killed_nothing_is_lost_doubled_or_unaudited(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path, row: Row
) -> None:
    fire = Fire(rig, cards)
    with database(rig, row.database) as server:
        victim = row.make(rig, server)
        while len(fire.heal_s) < row.kills:
            with started(rig):
                rig.shim.delay(Door.SIGN, SIGN_S)
                with fire.under_load():
                    for _ in range(min(KILLS_A_DAEMON, row.kills - len(fire.heal_s))):
                        fire.kill(victim)
        with started(rig):
            repeat(rig, fire, cards)
            audited = audit(rig)
        books = rig.books()
    found = fire.report(
        record,
        f"SIGKILL of {row.victim}, journal on {row.database}",
        books,
        **fire.felt(),
        c_sign=len(rig.shim.key_uses()),
        intents=books.counts.intents,
        tokens_restored=books.notes["token-restored"],
    )
    assert audited.intents == sum(books.intents[digest] for digest in books.documents), "timestamps are no school's, and not in its account"
    assert (audited.signed + audited.failed + audited.unknown, audited.open) == (audited.intents, 0)
    assert audited.signed >= found.documents
    assert all(delivery.refused == {} for delivery in fire.deliveries)
    assert pdfsig_refusals(fire.deliveries[0], tmp_path) == []
    assert verified(fire.deliveries[-1], rig.world) == []


@contextmanager
def started(rig: Rig) -> Iterator[None]:
    """A daemon, whichever it is by then, ended in order."""
    rig.start(**SETTINGS)
    try:
        yield
    finally:
        rig.shim.calm()
        rig.running.stop()  # type: ignore[union-attr]  # it was started


def repeat(rig: Rig, fire: Fire, cards: dict[str, bytes]) -> None:
    """Everything once more: the same bytes, and no key is used."""
    uses = len(rig.shim.key_uses())
    with rig.channel() as channel:
        for delivery in fire.deliveries:
            again = sign_batch(channel, cards, delivery.request_id, Plan())
            delivery.add(again)
            assert again.summary is not None
            assert again.summary.replayed == len(cards)
    assert len(rig.shim.key_uses()) == uses, "a repeat used a key"


def audit(rig: Rig) -> SignatureAccount:
    """What `signer audit account` says."""
    assert rig.running is not None
    pki = rig.world.pki
    where = f"localhost:{rig.running.port}"
    with SignerClient(where, ca=pki / "tls-ca.crt", certificate=pki / "operator.crt", key=pki / "operator.key") as client:
        everything, *_each = client.audit.account()
    return everything
