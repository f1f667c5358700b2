"""Several daemons on one PostgreSQL: one log, one released signature a key, and nobody's end is anybody's but their own."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from signer.errors import JournalUnavailable, SignatureInProgress, SignatureSettled
from signer.journal import Journal, NoteKind, SignatureState, verify_chain
from signer.journal.entries import decode
from signer.journal.jobs import Change
from signer.journal.ledger import Ledger
from signer.store import open_engine
from signer.store.tables import journal_entry
from tests.support.postgres import Cluster
from tests.support.stores import PostgresStore
from tests.unit.test_journal import intent, key, outcome

CUT = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
    "WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1"
)


class Unfit(Change):
    """Brings a text that PostgreSQL can't hold."""

    __slots__ = ()

    def apply(self, connection: Connection, ledger: Ledger) -> None:  # noqa: ARG002
        connection.execute(select(journal_entry.c.kind).where(journal_entry.c.kind == "nul\0"))


@pytest.fixture
def store(postgres_store: PostgresStore) -> PostgresStore:
    postgres_store.empty()
    return postgres_store


@asynccontextmanager
async def daemons(store: PostgresStore, count: int, url: str = "") -> AsyncIterator[list[Journal]]:
    made = [Journal(url or store.url, busy_timeout_s=5.0) for _ in range(count)]
    await asyncio.gather(*(journal.start() for journal in made))
    try:
        yield made
    finally:
        await asyncio.gather(*(journal.stop() for journal in made))


def entries(store: PostgresStore) -> list[dict[str, object]]:
    with open_engine(store.url).connect() as connection:
        verify_chain(connection)
        return [decode(body) for body in connection.execute(select(journal_entry.c.body).order_by(journal_entry.c.entry_index)).scalars()]


def cut_presence(store: PostgresStore) -> None:
    """Ends the sessions that say which daemons are there, as a server does whose machine was parted from theirs."""
    store.tamper(CUT)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(1200):
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to pass within a minute")


async def test_their_entries_make_one_dense_log_whoever_writes(store: PostgresStore) -> None:
    async with daemons(store, 3) as journals:

        async def sign(journal: Journal, name: str) -> None:
            keys = [key(f"{name}-{number}") for number in range(20)]
            for each in keys:
                await journal.intend([intent(each)])
                await journal.settle([outcome(each)])

        await asyncio.gather(*(sign(journal, f"{at}-{lot}") for at, journal in enumerate(journals) for lot in range(3)))
        counts = await journals[0].accounting()
    assert (counts.intents, counts.released, counts.open) == (180, 180, 0)
    assert [entry["index"] for entry in entries(store)] == list(range(360))


async def test_of_duplicates_on_three_daemons_one_may_use_the_key(store: PostgresStore) -> None:
    async with daemons(store, 3) as journals:
        calls = [journal.intend([intent(key())]) for journal in journals for _ in range(5)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["SignatureInProgress"] * 14 + ["list"]
        settled = await asyncio.gather(*(journal.settle([outcome(key())]) for journal in journals), return_exceptions=True)
        assert sorted(type(result).__name__ for result in settled) == ["NoneType", "SignatureSettled", "SignatureSettled"]
        stored = [(await journal.look_up([key()]))[key()].state for journal in journals]
        assert stored == [SignatureState.RELEASED] * 3


async def test_serials_are_given_once_among_all(store: PostgresStore) -> None:
    async with daemons(store, 3) as journals:
        given = await asyncio.gather(*(journal.reserve_serials(7) for journal in journals for _ in range(10)))
    assert sorted(serial for serials in given for serial in serials) == list(range(1, 211))


async def test_one_that_starts_leaves_the_others_attempts_alone(store: PostgresStore) -> None:
    async with daemons(store, 1) as (first,):
        await first.intend([intent(key())])
        async with daemons(store, 1) as (second,):
            assert (await second.accounting()).open == 1
            with pytest.raises(SignatureInProgress):
                await second.intend([intent(key())])
        await first.settle([outcome(key())])
        assert (await first.accounting()).released == 1


async def test_what_one_left_open_at_its_end_is_given_up_by_those_who_stay(store: PostgresStore) -> None:
    async with daemons(store, 1) as (stays,):
        async with daemons(store, 1) as (goes,):
            await goes.intend([intent(key("met")), intent(key("left"))])
        attempts: list[int] = []

        async def is_begun() -> bool:
            with contextlib.suppress(SignatureInProgress):  # until the server has noticed that the other is gone
                attempts.extend(await stays.intend([intent(key("met"))]))
            return bool(attempts)

        await eventually(is_begun)
        assert attempts == [2]

        async def is_settled() -> bool:
            return (await stays.accounting()).unknown == 2

        await eventually(is_settled)
        assert {entry["detail"] for entry in entries(store) if entry["kind"] == "unknown"} <= {
            "the daemon ended with it under way",
            "its outcome could not be written",
        }


async def test_one_that_lost_its_presence_takes_along_what_it_has_under_way(store: PostgresStore) -> None:
    async with daemons(store, 1) as (journal,):
        await journal.intend([intent(key())])
        cut_presence(store)
        await journal.note(NoteKind.CLOCK_CHANGED, "clock")
        async with daemons(store, 1) as (other,):
            with pytest.raises(SignatureInProgress):
                await other.intend([intent(key())])
        await journal.settle([outcome(key())])
        assert (await journal.accounting()).released == 1


async def test_what_was_given_up_while_it_was_parted_is_not_released(store: PostgresStore) -> None:
    async with daemons(store, 1) as (parted,):
        assert parted._writer is not None
        assert parted._writer._committer is not None
        parted._writer._committer._next_look_s = math.inf  # else it may notice before the other one does
        await parted.intend([intent(key())])
        cut_presence(store)
        async with daemons(store, 1) as (other,):
            assert await other.intend([intent(key())]) == [2]
            with pytest.raises(SignatureSettled):
                await parted.settle([outcome(key())])
            await other.settle([outcome(key(), attempt=2)])
            assert (await parted.look_up([key()]))[key()].attempts == 2
    assert [entry["kind"] for entry in entries(store)] == ["intent", "unknown", "note", "intent", "released"]


async def test_an_attempt_whose_outcome_could_not_be_written_is_given_up_while_its_daemon_lives(store: PostgresStore) -> None:
    journal = Journal(store.url, busy_timeout_s=0.5)
    await journal.start()
    await journal.intend([intent(key())])
    with store.locked(), pytest.raises(JournalUnavailable):
        await journal.settle([outcome(key())])

    async def is_given_up() -> bool:
        return (await journal.accounting()).unknown == 1

    await eventually(is_given_up)
    await journal.stop()


async def test_a_log_that_was_restored_meanwhile_is_gone_on_with_as_it_is(store: PostgresStore) -> None:
    async with daemons(store, 1) as (journal,):
        for number in range(3):
            await journal.note(NoteKind.CLOCK_CHANGED, f"clock {number}")
        store.tamper("DELETE FROM journal_entry WHERE entry_index = 2")
        await journal.note(NoteKind.CLOCK_CHANGED, "after the restore")
    assert [entry["subject"] for entry in entries(store)] == ["clock 0", "clock 1", "after the restore"]


async def test_one_callers_unfit_text_fails_that_call_alone(store: PostgresStore) -> None:
    async with daemons(store, 1) as (journal,):
        calls = [journal.intend([intent(key(f"pupil-{number}"))]) for number in range(5)]
        unfit = journal.run(Unfit(asyncio.get_running_loop()))
        results = await asyncio.gather(*calls, unfit, journal.intend([intent(key("after"))]), return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["list"] * 5 + ["InvalidArgument", "list"]


async def test_a_password_file_that_went_is_told_and_heals_when_it_is_back(postgres: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(postgres.password, encoding="utf-8")
    database = postgres.database()
    journal = Journal(f"{database.tcp_url}?password_file={file}")
    await journal.start()
    file.unlink()
    postgres.sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'signer' AND datname = current_database()",
        database.name,
    )
    for _ in range(2):  # the first finds its connection gone, the second can make no other
        with pytest.raises(JournalUnavailable):
            await journal.note(NoteKind.CLOCK_CHANGED, "clock")
    file.write_text(postgres.password, encoding="utf-8")
    await journal.note(NoteKind.CLOCK_CHANGED, "clock")
    await journal.stop()
