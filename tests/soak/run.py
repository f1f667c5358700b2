"""Rounds of all works against one daemon; a look after each."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.bench.documents import plain_documents
from tests.bench.usage import daemon_groups
from tests.soak.looks import Look, look
from tests.soak.works import WORKS, Desk, Work, cards_in
from tests.support import looks as images
from tests.support.calls import metric
from tests.support.daemon import SCHOOL, Running, World

_CARDS = 12
_LANES = 2


class Pace(msgspec.Struct, frozen=True):
    """rounds: all of them; warm_up: of these, the first ones, which are not held against anything. batch: documents of one work."""

    rounds: int
    warm_up: int
    batch: int


LONG = Pace(rounds=45, warm_up=10, batch=12)
SHORT = Pace(rounds=14, warm_up=6, batch=4)


@dataclass(frozen=True, slots=True)
class Run:
    """looks: after each round. signatures: by work, over all rounds."""

    pace: Pace
    looks: Sequence[Look]
    signatures: Counter[str]

    @property
    def steady(self) -> Sequence[Look]:
        """The looks after the warm-up, its last one included."""
        return self.looks[self.pace.warm_up - 1 :]


def settings(world: World) -> dict[str, Any]:
    """What a daemon needs for all works; its image is made here."""
    (world.folder / "teacher.png").write_bytes(images.signature_png())
    image = {"id": "teacher", "schools": [SCHOOL], "style": "person", "width_pt": 120.0, "file": "teacher.png", "credential": "gvcn"}
    two = {"processes": 2}
    return {"images": [image], "token": two, "documents": two, "journal": {"url": "sqlite:///soak.db"}}


def soak(
    world: World, daemon: Running, pace: Pace, on_round: Callable[[Look], None] = lambda _look: None, *, works: Mapping[str, Work] = WORKS
) -> Run:
    """All rounds. on_round: told of each look. Each round has a connection of its own; two works are done at a time."""
    cards, numbers = cards_in(plain_documents(world.folder, _CARDS)), itertools.count(1)
    signatures = Counter(dict.fromkeys(works, 0))
    found: list[Look] = []
    for _ in range(pace.rounds):
        with world.channel(daemon.port) as channel:
            signatures.update(_round(Desk(channel, cards, numbers), works, pace.batch))
        sessions = round(metric(daemon.metrics_port(), "signer_token_sessions", state="open"))
        found.append(look(lambda: daemon_groups(daemon.process.pid), signatures.total(), sessions))
        on_round(found[-1])
    return Run(pace, found, signatures)


def _round(desk: Desk, works: Mapping[str, Work], batch: int) -> dict[str, int]:
    """How many signatures and timestamps each work made."""
    with ThreadPoolExecutor(_LANES) as lanes:
        under_way = {name: lanes.submit(work, desk, batch) for name, work in works.items()}
        return {name: done.result() for name, done in under_way.items()}
