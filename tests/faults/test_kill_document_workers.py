"""Document workers killed, exhausted and bombed: only the document that does harm fails, and no key is used for it."""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.batch import Delivery, Plan, collect, open_batch, sign_batch, sign_until_done
from tests.support.bombs import many_objects
from tests.support.daemon import Running
from tests.support.rig import FULL, Record, Rig, kill, pdfsig_refusals, wait_until

DAEMONS = 5 if FULL else 1
KILLS_A_DAEMON = 4 if FULL else 2
"""The pause before a restart doubles with each loss: fresh daemons keep the batches, not the pauses, under fire."""
PAUSE_S = (0.0, 0.15)
SLOW_BOMB = many_objects(1_000_000)


@dataclass(frozen=True)
class Bombing:
    """A document that does harm, and the limits it meets."""

    fault: str
    bomb: bytes
    limits: dict[str, float]


BOMBINGS = [
    Bombing("a document that takes too long", SLOW_BOMB, {"document_s_max": 3.0, "memory_mib_max": 4096}),
    Bombing("a document that takes too much memory", many_objects(40_000_000), {"document_s_max": 60.0, "memory_mib_max": 128}),
]


def kill_document_workers(daemon: Running, kills: list[int], stop: threading.Event) -> None:
    """Kills one of two ready workers at a time, so that the other ends the suspect meanwhile and no document is suspected twice."""
    dice = random.Random(7)  # noqa: S311 (moments to kill, not keys)
    while len(kills) < KILLS_A_DAEMON and not stop.is_set():
        victims = daemon.worker_pids("documents")
        time.sleep(dice.uniform(*PAUSE_S))
        if len(victims) == 2 and kill(victim := dice.choice(victims)):
            kills.append(victim)
            wait_until(lambda: victim not in daemon.worker_pids("documents"), "the killed worker is reaped")


def test_no_document_is_lost_when_document_workers_are_killed_at_random_moments(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path
) -> None:
    deliveries: list[Delivery] = []
    kills = 0
    for number in range(DAEMONS):
        killed: list[int] = []
        stop = threading.Event()
        with rig.daemon(documents={"processes": 2}) as daemon:
            killer = threading.Thread(target=kill_document_workers, args=(daemon, killed, stop))
            killer.start()
            try:
                while killer.is_alive():
                    deliveries.append(sign_until_done(rig.channel, cards, f"round-{number}-{len(deliveries)}", Plan()))
            finally:
                stop.set()
                killer.join()
        kills += len(killed)
    books = rig.books()
    record(
        "SIGKILL of random document workers",
        client_saw=", ".join(sorted({reason for delivery in deliveries for reason in delivery.passing_reasons})) or "signed",
        lost=sum(delivery.lost for delivery in deliveries),
        extra_key_uses=books.extra_key_uses(rig.shim),
        kills=kills,
        documents=sum(len(delivery.documents) for delivery in deliveries),
    )
    assert kills == DAEMONS * KILLS_A_DAEMON
    books.check(rig.shim)
    assert books.counts.intents == books.counts.released == 2 * len(deliveries) * len(cards)
    for delivery in deliveries:
        assert delivery.refused == {}
        assert (delivery.lost, delivery.doubled) == (0, 0)
    assert pdfsig_refusals(deliveries[0], tmp_path) == []


@pytest.mark.parametrize("bombing", BOMBINGS, ids=lambda bombing: bombing.fault)
def test_a_bomb_fails_alone(rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path, bombing: Bombing) -> None:
    neighbours = dict(list(cards.items())[:8])
    documents = {"bomb-1": bombing.bomb, **neighbours, "bomb-2": bombing.bomb[:-1]}
    with rig.daemon(documents={"processes": 2} | bombing.limits) as daemon, rig.channel() as channel:
        end = sign_batch(channel, documents, "bombed", Plan(), timeout_s=90.0)
        heal_s = wait_until(lambda: len(daemon.worker_pids("documents")) == 2, "both document workers are back")
    books = rig.books()
    delivery = Delivery("bombed", neighbours)
    delivery.add(end)
    record(
        bombing.fault,
        client_saw=", ".join(sorted(set(end.reasons.values()))),
        lost=len(neighbours) - len(end.signed),
        extra_key_uses=books.extra_key_uses(rig.shim),
        heal_s=round(heal_s, 2),
    )
    assert end.reasons == {"bomb-1": "DOCUMENT_TOO_COSTLY", "bomb-2": "DOCUMENT_TOO_COSTLY"}
    assert set(end.signed) == set(neighbours)
    assert pdfsig_refusals(delivery, tmp_path) == []
    books.check(rig.shim)
    assert books.counts.intents == 2 * len(neighbours), "no intent for a document that was never prepared"


def test_a_document_that_ends_its_worker_twice_fails_alone(rig: Rig, cards: dict[str, bytes], record: Record) -> None:
    neighbours = dict(list(cards.items())[:4])
    with rig.daemon(documents={"processes": 1, "document_s_max": 60.0, "memory_mib_max": 4096}) as daemon, rig.channel() as channel:
        call = open_batch(channel, {"murderer": SLOW_BOMB, **neighbours}, "murder", Plan(), timeout_s=90.0)
        for _ in range(2):
            kill(busy_document_worker(daemon))
        end = collect(call)
    books = rig.books()
    record(
        "a document that kills its worker, each time",
        client_saw=", ".join(sorted(set(end.reasons.values()))),
        lost=len(neighbours) - len(end.signed),
        extra_key_uses=books.extra_key_uses(rig.shim),
    )
    assert end.reasons == {"murderer": "DOCUMENT_TOO_COSTLY"}
    assert set(end.signed) == set(neighbours)
    books.check(rig.shim)


def busy_document_worker(daemon: Running) -> int:
    """The one worker, once it has worked longer since it was ready than all neighbours together take: it is at the bomb."""
    since: dict[int, float] = {}

    def is_busy() -> bool:
        for pid in daemon.worker_pids("documents"):
            used_s = cpu_s(pid)
            if used_s - since.setdefault(pid, used_s) > 1.0:
                return True
        return False

    wait_until(is_busy, "the worker is at the bomb")
    return list(since)[-1]


def cpu_s(pid: int) -> float:
    """CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
