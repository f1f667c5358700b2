"""The daemon itself killed with SIGKILL in the middle of batches, and started again on the same journal.

Afterwards the same ids complete: what had been released comes back byte for byte without a use of the key, what was under way is signed
again as another attempt, and the journal's chain is whole.
"""

from __future__ import annotations

import random
import threading
from pathlib import Path

from tests.support.batch import Delivery, Plan, collect, open_batch, sign_batch, sign_until_done
from tests.support.rig import FULL, Record, Rig, pdfsig_refusals, verified, wait_until
from tests.support.shim import Door

KILLS = 10 if FULL else 2
SIGN_S = 0.03


def kill_in_the_middle(rig: Rig, delivery: Delivery, dice: random.Random) -> None:
    """Starts a daemon, sends what is still missing, and kills the daemon after some of the results."""
    daemon = rig.start()
    rig.shim.delay(Door.SIGN, SIGN_S)
    after = dice.randrange(0, max(1, len(delivery.missing) // 2))
    with rig.channel() as channel:
        call = open_batch(channel, delivery.missing, delivery.request_id, Plan())
        uses_before = len(rig.shim.key_uses())
        results: list[int] = []

        def kill_then() -> None:
            wait_until(lambda: len(results) >= after and len(rig.shim.key_uses()) > uses_before, "the batch is in its middle")
            daemon.process.kill()

        killer = threading.Thread(target=kill_then)
        killer.start()
        end = collect(call, lambda _so_far: results.append(1))
        killer.join()
    daemon.process.wait()
    assert end.summary is None, "the batch ended before the daemon was killed"
    delivery.add(end)
    rig.shim.calm()


def test_after_the_daemon_was_killed_the_same_ids_complete_and_no_key_use_is_unaccounted_for(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path
) -> None:
    dice = random.Random(530)  # noqa: S311 (moments to kill, not keys)
    deliveries = []
    for number in range(KILLS):
        delivery = Delivery(f"killed-{number}", cards)
        deliveries.append(delivery)
        kill_in_the_middle(rig, delivery, dice)
    with rig.daemon():
        for delivery in deliveries:
            sign_until_done(rig.channel, cards, delivery.request_id, Plan(), delivery=delivery)
        uses = len(rig.shim.key_uses())
        for delivery in deliveries:
            with rig.channel() as channel:
                again = sign_batch(channel, cards, delivery.request_id, Plan())
            delivery.add(again)
            assert again.summary is not None
            assert again.summary.replayed == len(cards)
        assert len(rig.shim.key_uses()) == uses, "a repeat used a key"
    books = rig.books()
    record(
        "SIGKILL of the daemon in the middle of a batch",
        client_saw=", ".join(sorted({reason for delivery in deliveries for reason in delivery.passing_reasons})),
        lost=sum(delivery.lost for delivery in deliveries),
        extra_key_uses=books.extra_key_uses(rig.shim),
        kills=KILLS,
        documents=KILLS * len(cards),
        c_sign=len(rig.shim.key_uses()),
        intents=books.counts.intents,
        released=books.counts.released,
        unknown=books.counts.unknown,
        doubled=books.doubled + sum(delivery.doubled for delivery in deliveries),
        journal_entries=books.entries,
    )
    books.check(rig.shim)
    assert books.counts.open == 0
    assert (books.counts.unknown > 0) == (books.notes["recovered"] > 0)
    for delivery in deliveries:
        assert (delivery.lost, delivery.doubled, delivery.refused) == (0, 0, {})
        assert pdfsig_refusals(delivery, tmp_path) == []
    assert verified(deliveries[0], rig.world) == []
