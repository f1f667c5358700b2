"""A daemon whose journal can't be written: nothing is signed without an intent, nothing released without its outcome; room heals it.

The daemon's limit of file sizes is lowered from outside while it runs, so each write of the journal fails as on a full disk.
"""

from __future__ import annotations

import resource
from pathlib import Path

from tests.support.batch import Delivery, Plan, sign_batch, sign_until_done
from tests.support.daemon import Running
from tests.support.rig import Record, Rig, pdfsig_refusals, verified

WARM_UP = 4
ROOM_DOCUMENTS = 2
"""The room that is left: about what so many documents took in the warm-up; less than the rest of the class needs, however it is grouped."""


def limit_files(daemon: Running, size_bytes: int) -> None:
    """No file of the daemon may grow beyond it from now on."""
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def largest_file(rig: Rig, daemon: Running) -> int:
    """Of those the daemon writes: journal, its WAL, the log."""
    names = [f"{rig.name}.db", f"{rig.name}.db-wal"]
    return max(path.stat().st_size for path in [*[rig.world.folder / name for name in names], daemon.log] if path.exists())


def test_while_the_journal_is_full_nothing_is_released_unwritten_and_it_heals_when_there_is_room(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path
) -> None:
    delivery = Delivery("full", cards)
    with rig.daemon() as daemon:
        empty_bytes = largest_file(rig, daemon)
        with rig.channel() as channel:
            warm = sign_batch(channel, dict(list(cards.items())[:WARM_UP]), "warm", Plan())
            assert len(warm.signed) == WARM_UP
            before = sign_batch(channel, dict(list(cards.items())[: len(cards) // 3]), "full", Plan())
            delivery.add(before)
            full_bytes = largest_file(rig, daemon)
            limit_files(daemon, full_bytes + (full_bytes - empty_bytes) * ROOM_DOCUMENTS // (WARM_UP + len(before.signed)))
            first = sign_batch(channel, cards, "full", Plan())
            delivery.add(first)
            released = {document for request, document in rig.books().released if request == "full"}
            uses = len(rig.shim.key_uses())
            second = sign_batch(channel, delivery.missing, "full", Plan())
            delivery.add(second)
            limit_files(daemon, resource.RLIM_INFINITY)
        assert len(rig.shim.key_uses()) - uses <= len(second.results), "a key was used without an intent"
        sign_until_done(rig.channel, cards, "full", Plan(), delivery=delivery)
    with rig.daemon():
        """A timestamp whose outcome could not be written is never asked for again: the next start settles it."""
    books = rig.books()
    record(
        "the journal's disk is full",
        client_saw=", ".join(sorted({*first.reasons.values(), *second.reasons.values()})),
        lost=delivery.lost,
        extra_key_uses=books.extra_key_uses(rig.shim),
        signed_before=len(first.signed),
        doubled=books.doubled + delivery.doubled,
        unknown=books.counts.unknown,
    )
    assert first.signed.keys() >= before.signed.keys(), "what is stored is still answered"
    assert first.reasons
    assert {*first.reasons.values(), *second.reasons.values()} <= {"JOURNAL_UNAVAILABLE", "TIMESTAMP_UNAVAILABLE"}
    assert set(first.signed) == released, "what the client holds stands in the journal, and nothing else does"
    books.check(rig.shim)
    assert books.counts.open == 0
    assert (delivery.lost, delivery.doubled, delivery.refused) == (0, 0, {})
    assert pdfsig_refusals(delivery, tmp_path) == []
    assert verified(delivery, rig.world) == []
