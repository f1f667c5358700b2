"""Rows of queued batches, on both databases: who comes too late changes nothing, and nothing is counted twice."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from signer.access.appliance_keys import ApplianceKeys
from signer.errors import JournalDamaged, QueueFull
from signer.queue import documents, keeping, rows
from signer.queue.model import (
    BatchIds,
    EndedDocument,
    Ending,
    Made,
    Portion,
    QueuedBatch,
    QueuedDocument,
    QueuePriority,
    QueueState,
    Wish,
)
from signer.queue.settings import QueueSettings
from signer.queue.store import QueueStore
from signer.store.queue_tables import metadata
from tests.support.stores import Store

NOW = datetime(2026, 5, 25, 8, tzinfo=UTC)
KEYS = ApplianceKeys([b"k" * 32])
SETTINGS = QueueSettings(school_batches_max=2)


@pytest.fixture(name="store")
async def queue_store(store: Store) -> AsyncIterator[QueueStore]:
    made = QueueStore(store.url, KEYS)
    await made.start()
    yield made
    await made.run(metadata.drop_all)
    await made.stop()


def ids(request_id: str = "r") -> BatchIds:
    return BatchIds(secrets.token_hex(8), "school", request_id, "client")


def arrival(of: BatchIds, deadline: datetime = NOW + timedelta(days=1)) -> rows.Arrival:
    return rows.Arrival(of, documents.sealed_header(KEYS, of.batch_id, b"header"), QueuePriority.NORMAL, 3, NOW, deadline)


async def accepted(store: QueueStore, of: BatchIds, count: int = 3, **options: datetime) -> QueuedBatch:
    number = await store.run(rows.begin_arrival, arrival(of, **options), SETTINGS)
    arrived = tuple(QueuedDocument(index, f"d{index}", b"", b"content %d" % index) for index in range(count))
    await store.run(documents.add_portion, KEYS, number, of.batch_id, Portion(0, arrived))
    assert await store.run(rows.accept, number, of, b"print", count)
    found = await store.run(rows.find, of.batch_id)
    assert found is not None
    return found


def signed(index: int, portion: int = 0) -> EndedDocument:
    return EndedDocument(index, f"d{index}", portion, Ending.SIGNED, "", Made(b"result", b"additions"))


async def test_what_still_arrives_is_not_there_and_a_second_one_of_the_request_is_not_accepted(store: QueueStore) -> None:
    one, other = ids(), ids()
    numbers = [await store.run(rows.begin_arrival, arrival(each), SETTINGS) for each in (one, other)]
    assert await store.run(rows.find, one.batch_id) is None
    assert await store.run(rows.accept, numbers[0], one, b"", 0)
    assert not await store.run(rows.accept, numbers[1], other, b"", 0)
    assert await store.run(keeping.forget_cut_off, NOW, is_start=False) == 0
    assert await store.run(keeping.forget_cut_off, NOW + timedelta(days=2), is_start=False) == 1


async def test_a_school_and_all_schools_have_only_so_much_room(store: QueueStore) -> None:
    for request_id in ("1", "2"):
        await accepted(store, ids(request_id))
    with pytest.raises(QueueFull):
        await store.run(rows.begin_arrival, arrival(ids("3")), SETTINGS)
    with pytest.raises(QueueFull):
        await store.run(rows.require_room, QueueSettings(bytes_max=1))


async def test_a_turn_begins_and_ends_once_and_only_as_the_row_stands(store: QueueStore) -> None:
    batch = (await accepted(store, ids())).ids.batch_id
    assert await store.run(rows.begin_turn, batch, 1, "w") is None
    assert await store.run(rows.begin_turn, batch, 0, "w") is not None
    assert await store.run(rows.begin_turn, batch, 0, "other") is None
    ended = await store.run(rows.end_turn, batch, 0, QueueState.WAITING, waiting=b"why", idle_turns=1)
    assert ended is not None
    assert (ended.state, ended.turn, ended.waiting, ended.idle_turns) == (QueueState.WAITING, 1, b"why", 1)
    assert await store.run(rows.end_turn, batch, 0, QueueState.QUEUED) is None


async def test_a_wish_counts_when_the_turn_ends_unless_everything_is_done(store: QueueStore) -> None:
    for request_id, wish, end, becomes in (
        ("1", Wish.PAUSE, QueueState.QUEUED, QueueState.PAUSED),
        ("2", Wish.CANCEL, QueueState.COMPLETED, QueueState.COMPLETED),
    ):
        batch = (await accepted(store, ids(request_id))).ids.batch_id
        await store.run(rows.begin_turn, batch, 0, "w")
        asked = await store.run(rows.ask, batch, wish)
        assert asked is not None
        assert (asked.state, asked.wish) == (QueueState.RUNNING, wish)
        ended = await store.run(rows.end_turn, batch, 0, end)
        assert ended is not None
        assert ended.state is becomes


async def test_pausing_cancelling_and_resuming_without_a_turn_hold_at_once(store: QueueStore) -> None:
    batch = (await accepted(store, ids())).ids.batch_id
    steps = [
        await store.run(rows.ask, batch, Wish.PAUSE),
        await store.run(rows.ask, batch, Wish.PAUSE),
        await store.run(rows.resume, batch),
        await store.run(rows.ask, batch, Wish.CANCEL),
        await store.run(rows.resume, batch),
    ]
    states = [(found.state, found.turn) for found in steps if found is not None]
    paused, queued, cancelled = QueueState.PAUSED, QueueState.QUEUED, QueueState.CANCELLED
    assert states == [(paused, 1), (paused, 1), (queued, 2), (cancelled, 3), (cancelled, 3)]


async def test_what_a_daemon_that_went_away_worked_on_is_taken_up_once(store: QueueStore) -> None:
    batch = (await accepted(store, ids())).ids.batch_id
    await store.run(keeping.report_worker, "gone", NOW)
    await store.run(keeping.report_worker, "here", NOW + timedelta(seconds=90))
    await store.run(rows.begin_turn, batch, 0, "gone")
    silent = await store.run(keeping.silent_workers, "here", NOW + timedelta(seconds=90), is_alone=False)
    assert silent == ["gone"]
    assert await store.run(keeping.silent_workers, "here", NOW + timedelta(seconds=30), is_alone=False) == []
    assert await store.run(keeping.silent_workers, "here", NOW, is_alone=True) == ["gone"]
    assert [lost.ids.batch_id for lost in await store.run(rows.left_behind, silent)] == [batch]
    taken = await store.run(rows.take_up, batch, 0)
    assert taken is not None
    assert (taken.state, taken.turn, taken.is_interrupted) == (QueueState.QUEUED, 1, True)
    assert await store.run(rows.take_up, batch, 0) is None


async def test_an_outcome_is_kept_once_and_positions_have_no_gap(store: QueueStore) -> None:
    batch = await accepted(store, ids())
    assert await store.run(documents.keep, KEYS, batch.ids.batch_id, batch.number, [signed(1)]) == 1
    assert await store.run(documents.keep, KEYS, batch.ids.batch_id, batch.number, [signed(1), signed(0)]) == 2
    portion = await store.run(documents.open_portion, KEYS, batch, -1)
    assert portion is not None
    assert portion.ended == {0, 1}
    failed = EndedDocument(2, "d2", 0, Ending.FAILED, "DOCUMENT_DAMAGED", Made(b"", b""))
    await store.run(documents.keep, KEYS, batch.ids.batch_id, batch.number, [failed])
    await store.run(documents.close_portions, batch, [0])
    assert await store.run(documents.open_portion, KEYS, batch, -1) is None
    items = await store.run(documents.items, KEYS, batch, 0, limit=10)
    assert [(item.position, item.index) for item in items] == [(1, 1), (2, 0), (3, 2)]
    assert await store.run(documents.failures, batch.number) == {"DOCUMENT_DAMAGED": 1}
    found = await store.run(rows.find, batch.ids.batch_id)
    assert found is not None
    assert (found.ended, found.signed, found.failed, found.left) == (3, 2, 1, 0)


async def test_acknowledged_documents_leave_their_portion_and_the_last_one_takes_it_along(store: QueueStore) -> None:
    batch = await accepted(store, ids())
    await store.run(documents.keep, KEYS, batch.ids.batch_id, batch.number, [signed(0), signed(1), signed(2)])
    assert await store.run(documents.delete_between, KEYS, batch, 0, 2, limit=10) == [1, 2]
    left = await store.run(documents.portion, KEYS, batch, 0)
    assert left is not None
    assert [document.document_id for document in left.documents] == ["d2"]
    assert await store.run(documents.delete_between, KEYS, batch, 0, 9, limit=10) == [3]
    assert await store.run(documents.portion, KEYS, batch, 0) is None
    assert all(item.made is None for item in await store.run(documents.items, KEYS, batch, 0, limit=10))
    assert (await store.run(keeping.vitals)).bytes == 0


async def test_what_is_sealed_for_one_batch_opens_for_no_other(store: QueueStore) -> None:
    one, other = await accepted(store, ids("1")), await accepted(store, ids("2"))
    assert documents.opened_header(KEYS, one).header == b"header"
    with pytest.raises(JournalDamaged):
        documents.opened_header(KEYS, replace(one, header=other.header))


async def test_what_is_past_its_time_ends_and_goes(store: QueueStore) -> None:
    batch = await accepted(store, ids(), deadline=NOW + timedelta(hours=1))
    assert await store.run(rows.overdue, NOW) == []
    (overdue,) = await store.run(rows.overdue, NOW + timedelta(hours=1))
    assert overdue.state is QueueState.EXPIRED
    await store.run(rows.close, batch.ids.batch_id, NOW, NOW + timedelta(days=1))
    assert await store.run(rows.overdue, NOW + timedelta(hours=2)) == []
    history = timedelta(days=10)
    assert await store.run(keeping.forget_results, NOW, history) == 0
    assert await store.run(keeping.forget_results, NOW + timedelta(days=2), history) == 1
    assert await store.run(documents.portion, KEYS, batch, 0) is None
    assert await store.run(keeping.forget_results, NOW + timedelta(days=20), history) == 1
    assert await store.run(rows.find, batch.ids.batch_id) is None
