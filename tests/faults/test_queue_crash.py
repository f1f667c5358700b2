"""The daemon killed with SIGKILL at random moments of a queued batch: the next one goes on by itself, nobody sends anything again."""

from __future__ import annotations

import random
from functools import partial

from signer.v1 import queue_pb2
from tests.support.queued import Queue
from tests.support.rig import FULL, Record, Rig, wait_until
from tests.support.shim import Door

KILLS = 10 if FULL else 2
SIGN_S = 0.3
"""So slow that the class does not end before the kill comes."""


def _is_past(rig: Rig, queue: Queue, batch_id: str, uses: int) -> bool:
    return len(rig.shim.key_uses()) > uses or queue.get(batch_id).HasField("end_time")


def test_a_queued_batch_outlives_kills_of_the_daemon_with_nothing_lost_doubled_or_unaudited(
    rig: Rig, cards: dict[str, bytes], record: Record
) -> None:
    dice = random.Random(811)  # noqa: S311 (moments to kill, not keys)
    batch_id, kills = "", 0
    for _ in range(KILLS):
        daemon = rig.start(queue={})
        with rig.channel() as channel:
            queue = Queue(channel)
            if not batch_id:
                rig.shim.delay(Door.SIGN, SIGN_S)
                batch_id = queue.submit(cards, "queued").batch_id
            uses = len(rig.shim.key_uses())
            after = uses + dice.randrange(0, 1 + len(cards) // (2 * KILLS))
            wait_until(partial(_is_past, rig, queue, batch_id, after), "the batch goes on by itself")
            is_in_the_middle = not queue.get(batch_id).HasField("end_time")
        daemon.process.kill()
        daemon.process.wait()
        kills += is_in_the_middle
    rig.shim.calm()
    with rig.daemon(queue={}), rig.channel() as channel:
        queue = Queue(channel)
        ended = queue.ended(batch_id)
        fetched = queue.fetch(batch_id)
        uses = len(rig.shim.key_uses())
        replayed = queue.submit(cards, "queued")
        assert (replayed.batch_id, len(rig.shim.key_uses())) == (batch_id, uses)
    books = rig.books()
    record(
        "SIGKILL of the daemon in a queued batch",
        client_saw="nothing: it was not there",
        lost=len(cards) - len(fetched.contents) + len(fetched.reasons),
        extra_key_uses=books.extra_key_uses(rig.shim),
        kills=kills,
        documents=len(cards),
        c_sign=len(rig.shim.key_uses()),
        intents=books.counts.intents,
        released=books.counts.released,
        unknown=books.counts.unknown,
        doubled=books.doubled,
        journal_entries=books.entries,
    )
    assert kills, "no kill came in the middle"
    assert ended.state == queue_pb2.BATCH_STATE_COMPLETED
    assert fetched.reasons == {}
    assert fetched.positions == list(range(1, len(cards) + 1))
    assert all(fetched.contents[key].startswith(content) and len(fetched.contents[key]) > len(content) for key, content in cards.items())
    books.check(rig.shim)
    assert books.counts.open == 0
