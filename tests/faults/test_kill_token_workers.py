"""Token workers killed with SIGKILL at random moments of running batches: no document is lost, none is signed twice.

The killer takes mostly workers that serve, now and then one that is just starting. What died with a digest in its hands is signed
again by the daemon itself, or the caller is told ABORTED and repeats; the shim's count of C_Sign is held against the journal's intents.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.batch import Delivery, Plan, sign_until_done
from tests.support.daemon import Running
from tests.support.rig import FULL, Record, Rig, kill, pdfsig_refusals, verified, workers
from tests.support.shim import Door

KILLS = 50 if FULL else 8
KILLS_A_DAEMON = 10
"""The pause before a restart doubles with each loss: a fresh daemon now and then keeps the batches, not the pauses, under fire."""
PAUSE_S = (0.05, 0.9)
STARTING_SHARE = 0.2
SIGN_S = 0.015


@dataclass
class Killer:
    """Kills random token workers while `batch_runs` is set, until it has killed `kills_max`."""

    daemon: Running
    kills_max: int
    seed: int
    batch_runs: threading.Event = field(default_factory=threading.Event)
    kills: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def is_done(self) -> bool:
        return self.kills >= self.kills_max

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        dice = random.Random(self.seed)  # noqa: S311 (moments to kill, not keys)
        while not self.is_done and not self._stop.is_set():
            time.sleep(dice.uniform(*PAUSE_S))
            victims = workers(self.daemon.process.pid) if dice.random() < STARTING_SHARE else self.daemon.worker_pids("school-token")
            if victims and self.batch_runs.is_set() and kill(dice.choice(victims)):
                self.kills += 1


def batches_under_fire(rig: Rig, killer: Killer, cards: dict[str, bytes], name: str) -> list[Delivery]:
    """Signs the class again and again, under new ids each time, until the killer is done; the last batch runs in peace."""
    deliveries: list[Delivery] = []
    with killer.at_work():
        while not killer.is_done:
            killer.batch_runs.set()
            deliveries.append(sign_until_done(rig.channel, cards, f"{name}-{len(deliveries)}", Plan()))
            killer.batch_runs.clear()
    return deliveries


def test_no_document_is_lost_or_signed_twice_when_token_workers_are_killed_at_random_moments(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path
) -> None:
    deliveries: list[Delivery] = []
    kills = 0
    started_s = time.monotonic()
    while kills < KILLS:
        with rig.daemon() as daemon:
            rig.shim.delay(Door.SIGN, SIGN_S)
            killer = Killer(daemon, min(KILLS_A_DAEMON, KILLS - kills), seed=kills)
            deliveries += batches_under_fire(rig, killer, cards, f"round-{kills}")
            kills += killer.kills
    books = rig.books()
    record(
        "SIGKILL of random token workers",
        client_saw=", ".join(sorted({reason for delivery in deliveries for reason in delivery.passing_reasons})) or "signed",
        lost=sum(delivery.lost for delivery in deliveries),
        extra_key_uses=books.extra_key_uses(rig.shim),
        kills=kills,
        batches=len(deliveries),
        documents=sum(len(delivery.documents) for delivery in deliveries),
        c_sign=len(rig.shim.key_uses()),
        intents=books.counts.intents,
        released=books.counts.released,
        unknown=books.counts.unknown,
        doubled=books.doubled + sum(delivery.doubled for delivery in deliveries),
        resent=sum(sum(delivery.passing_reasons.values()) for delivery in deliveries),
        tokens_restored=books.notes["token-restored"],
        seconds=round(time.monotonic() - started_s, 1),
    )
    books.check(rig.shim)
    assert books.counts.open == 0
    for delivery in deliveries:
        assert delivery.refused == {}
        assert (delivery.lost, delivery.doubled) == (0, 0)
        assert pdfsig_refusals(delivery, tmp_path) == []
    assert verified(deliveries[0], rig.world) == []
    assert {(delivery.request_id, document_id) for delivery in deliveries for document_id in cards} <= books.released.keys()
