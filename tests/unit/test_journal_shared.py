"""What much material has in common is stored once, comes back to the byte, and goes with the last that needs it: on both databases."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table, delete, func, select, update

from signer.errors import JournalDamaged
from signer.journal import Journal, Outcome, OutcomeKind
from signer.journal.shared import RUN_BYTES_MIN, SHARED, pack_shared, unpack_shared
from signer.store import open_engine
from signer.store.tables import material as material_table
from signer.store.tables import shared_run
from tests.support.stores import Store
from tests.unit.test_journal import SIGNATURE, intent, key

FONT = random.Random(1).randbytes(4000)  # noqa: S311  # the same each time
IMAGE = random.Random(2).randbytes(9000)  # noqa: S311
NOW = datetime(2026, 5, 29, 22, 0, tzinfo=UTC)


def material(number: int) -> bytes:
    return b"%06d" % number + FONT + bytes(3000) + IMAGE + b"end of %d" % number


def outcome(document_id: str, number: int, kind: OutcomeKind = OutcomeKind.RELEASED) -> Outcome:
    return Outcome(key(document_id), 1, kind, material(number), SIGNATURE, shared=(IMAGE, FONT, b"too short"))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


async def started(store: Store, clock: Clock) -> Journal:
    journal = Journal(store.url, clock=clock)
    await journal.start()
    return journal


def count(store: Store, table: Table) -> tuple[int, int]:
    """Rows, and bytes of content."""
    with open_engine(store.url).connect() as connection:
        rows, size = connection.execute(select(func.count(), func.coalesce(func.sum(func.length(table.c.content)), 0))).one()
    return rows, size


CHUNKS = st.binary(max_size=40)
RUNS = st.lists(st.binary(min_size=RUN_BYTES_MIN, max_size=RUN_BYTES_MIN + 300), max_size=4)


@given(RUNS, st.lists(CHUNKS, min_size=5, max_size=5), st.randoms(use_true_random=False), st.booleans())
def test_whatever_is_shared_comes_back_to_the_byte(runs: list[bytes], chunks: list[bytes], order: random.Random, with_zeros: bool) -> None:
    used = [run for run in runs if order.random() < 0.8]
    whole = b"".join(piece for pair in zip(chunks, [*used, *[b""] * 5], strict=False) for piece in pair) + bytes(2000 * with_zeros)
    encoding, packed, named = pack_shared(whole, runs)
    assert unpack_shared(encoding, packed, named.get) == whole
    assert (encoding == SHARED) == bool(named)


async def test_a_parked_signature_that_is_completed_still_keeps_its_artwork_once(store: Store) -> None:
    clock = Clock()
    journal = await started(store, clock)
    await journal.intend([intent(key("pupil"))])
    await journal.settle([outcome("pupil", 1, OutcomeKind.PARKED)])
    parked = (await journal.look_up([key("pupil")]))[key("pupil")]
    assert set(parked.shared) == {IMAGE, FONT}
    before = count(store, material_table)
    await journal.settle([Outcome(key("pupil"), 1, OutcomeKind.RELEASED, material(2), SIGNATURE, shared=parked.shared)])
    await journal.stop()
    assert count(store, material_table) == before
    assert count(store, shared_run) == (2, len(FONT) + len(IMAGE))


async def test_a_class_keeps_its_artwork_once(store: Store) -> None:
    clock = Clock()
    journal = await started(store, clock)
    names = [f"pupil-{number}" for number in range(60)]
    await journal.intend([intent(key(name)) for name in names])
    await journal.settle([outcome(name, number) for number, name in enumerate(names)])
    await journal.stop()
    assert count(store, shared_run) == (2, len(FONT) + len(IMAGE))
    assert count(store, material_table)[1] < 60 * 200
    again = await started(store, clock)
    stored = await again.look_up([key(name) for name in names])
    assert [stored[key(name)].material for name in names] == [material(number) for number in range(60)]
    await again.stop()


async def test_runs_that_are_there_and_new_ones_go_together(store: Store) -> None:
    clock, seal = Clock(), random.Random(3).randbytes(700)  # noqa: S311  # the same each time
    journal = await started(store, clock)
    await journal.intend([intent(key(name)) for name in ("first", "second")])
    await journal.settle([outcome("first", 1)])
    clock.now += timedelta(hours=2)
    sealed = FONT + seal + IMAGE
    await journal.settle([Outcome(key("second"), 1, OutcomeKind.RELEASED, sealed, SIGNATURE, shared=(seal, FONT, IMAGE))])
    stored = await journal.look_up([key("first"), key("second")])
    assert (stored[key("first")].material, stored[key("second")].material) == (material(1), sealed)
    assert set(stored[key("second")].shared) == {seal, FONT, IMAGE}
    await journal.stop()


async def test_what_is_shared_goes_with_the_last_material_that_needs_it(store: Store) -> None:
    clock = Clock()
    journal = await started(store, clock)
    await journal.intend([intent(key(name)) for name in ("old", "parked", "new")])
    await journal.settle([outcome("old", 1), outcome("parked", 2, OutcomeKind.PARKED)])
    clock.now = NOW + timedelta(days=30)
    await journal.settle([outcome("new", 3)])
    assert await journal.forget_material(NOW + timedelta(days=1)) == 1
    assert (await journal.look_up([key("parked"), key("new")]))[key("parked")].material == material(2)
    assert await journal.forget_material(NOW + timedelta(days=40)) == 1
    assert (await journal.look_up([key("parked")]))[key("parked")].material == material(2), "parked material is kept, and what it needs"
    await journal.settle([outcome("parked", 4)])
    assert await journal.forget_material(NOW + timedelta(days=40)) == 1
    assert count(store, shared_run)[0] == 0
    await journal.stop()


async def test_material_without_its_shared_part_is_never_returned(store: Store) -> None:
    journal = await started(store, Clock())
    await journal.intend([intent(key("a"))])
    await journal.settle([outcome("a", 1)])
    for spoil in (update(shared_run).values(content=bytes(len(FONT))), delete(shared_run)):
        store.tamper(spoil)
        with pytest.raises(JournalDamaged):
            await journal.look_up([key("a")])
    await journal.stop()
