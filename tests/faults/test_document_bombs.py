"""Document workers exhausted and bombed: only the document that does harm fails, and no key is used for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.batch import Delivery, Plan, collect, open_batch, sign_batch
from tests.support.bombs import many_objects
from tests.support.daemon import Running
from tests.support.rig import Record, Rig, kill, pdfsig_refusals, wait_until

SLOW_BOMB = many_objects(1_000_000)


@dataclass(frozen=True)
class Bombing:
    """A document that does harm, and the limits it meets."""

    fault: str
    bomb: bytes
    limits: dict[str, float]


BOMBINGS = [
    Bombing("a document that takes too long", SLOW_BOMB, {"document_s_max": 5.0, "memory_mib_max": 4096}),
    Bombing("a document that takes too much memory", many_objects(40_000_000), {"document_s_max": 60.0, "memory_mib_max": 128}),
]


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
