"""Both sides of every door: the daemon dies just before a call took effect, and just after it did and its reply was lost.

One daemon after the other dies in the class that it was sent, each next one finds the journal as it was left, and the last one completes
all classes: what had been released by then is the same, whatever had happened to its reply.
"""

from __future__ import annotations

import itertools
import random
import signal
from functools import partial

import pytest

from tests.support.accountant import account
from tests.support.batch import Delivery, Plan, sign_batch, sign_until_done
from tests.support.rig import FULL, Record, Rig
from tests.support.sabotage import DaemonDoor, Side, die
from tests.support.under_fire import SEED

CALLS_MAX = 3
SHORT = [
    (DaemonDoor.COMMIT, Side.BEFORE),
    (DaemonDoor.COMMIT, Side.AFTER),
    (DaemonDoor.TOKEN, Side.AFTER),
    (DaemonDoor.OUTCOME, Side.AFTER),
]
STRIKES = list(itertools.product(DaemonDoor, Side)) if FULL else SHORT


@pytest.mark.timeout(1_800 if FULL else 300)
def test_a_reply_that_was_lost_costs_no_document_and_no_second_signature(rig: Rig, cards: dict[str, bytes], record: Record) -> None:
    dice = random.Random(SEED)  # noqa: S311 (calls to die in, not keys)
    deliveries = {strike: Delivery("-".join(each.name.lower() for each in strike), cards) for strike in STRIKES}
    for (door, side), delivery in deliveries.items():
        armed = rig.world.folder / f"{rig.name}.{delivery.request_id}"
        daemon = rig.start(prepare=partial(die, door, side, dice.randint(1, CALLS_MAX), armed))
        armed.touch()
        with rig.channel() as channel:
            delivery.add(sign_batch(channel, cards, delivery.request_id, Plan()))
        assert daemon.process.wait(60.0) == -signal.SIGKILL, f"it did not die at {door.name}"
        assert delivery.rounds[0].summary is None
    with rig.daemon():
        for delivery in deliveries.values():
            sign_until_done(rig.channel, cards, delivery.request_id, Plan(), delivery=delivery)
        uses = len(rig.shim.key_uses())
        with rig.channel() as channel:
            for delivery in deliveries.values():
                delivery.add(sign_batch(channel, cards, delivery.request_id, Plan()))
        assert len(rig.shim.key_uses()) == uses, "a repeat used a key"
    books = rig.books()
    for (door, side), delivery in deliveries.items():
        found = account([delivery], books, rig.shim)
        record(
            f"the daemon dies at {' '.join(door.name.lower().split('_'))}, {side.value}",
            client_saw=", ".join(sorted(delivery.passing_reasons)),
            extra_key_uses=books.extra_key_uses(rig.shim),
            **found.row(),
            seed=SEED,
            signed_before=len(delivery.rounds[0].signed),
        )
        assert (found.lost, found.doubled, found.unaudited, found.invalid) == (0, 0, 0, ())
        assert delivery.refused == {}
    books.check(rig.shim)
    assert books.counts.open == 0
