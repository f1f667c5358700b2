"""A database that does not answer: nothing is signed without an intent, nobody waits for ever, and it goes on by itself."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.batch import Plan, sign_batch
from tests.support.postgres import cluster
from tests.support.rig import Record, Rig, wait_until
from tests.support.shim import Door
from tests.support.under_fire import Fire, signs

HANGS_S = 7.0
"""Longer than a commit waits for SQLite's lock."""
SIGN_S = 0.02

Hang = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def locked(rig: Rig) -> Iterator[Hang]:
    """SQLite, whose write lock another program holds."""

    @contextlib.contextmanager
    def hang() -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(Path(rig.journal_url.removeprefix("sqlite:///")), isolation_level=None)) as other:
            wait_until(lambda: _took_lock(other), "the write lock")
            yield
            other.execute("ROLLBACK")

    yield hang


def _took_lock(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


@contextlib.contextmanager
def frozen(rig: Rig) -> Iterator[Hang]:
    """PostgreSQL, all of whose processes are stopped."""
    with cluster() as server:
        rig.journal_url = server.database().url
        yield server.frozen


@pytest.mark.parametrize("database", [locked, frozen], ids=["SQLite-locked", "PostgreSQL-stopped"])
def test_while_the_database_hangs_no_key_is_used_unwritten_and_it_goes_on_by_itself(
    rig: Rig, cards: dict[str, bytes], record: Record, database: Callable[[Rig], contextlib.AbstractContextManager[Hang]]
) -> None:
    fire = Fire(rig, cards)
    with database(rig) as hang:
        with rig.daemon():
            rig.shim.delay(Door.SIGN, SIGN_S)
            with fire.under_load():
                wait_until(lambda: bool(rig.shim.key_uses()), "a class is under way")
                with hang():
                    time.sleep(HANGS_S / 2)
                    uses = len(rig.shim.key_uses())
                    time.sleep(HANGS_S / 2)
                    assert len(rig.shim.key_uses()) == uses, "a key was used while no intent could be written"
                heal_s = wait_until(lambda: signs(rig), "it signs again")
            with rig.channel() as channel:
                for delivery in fire.deliveries:
                    delivery.add(sign_batch(channel, cards, delivery.request_id, Plan()))
        with rig.daemon():
            """What could not be written is settled by the next start."""
        books = rig.books()
    fault = f"the journal's database hangs for {HANGS_S:g} s: {(database.__doc__ or '').strip('.')}"
    fire.report(record, fault, books, heal_s=round(heal_s, 2))
