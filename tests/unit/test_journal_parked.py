from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from signer.algorithms import SignatureAlgorithm
from signer.journal import Intent, Journal, Outcome, OutcomeKind
from signer.journal.rows import count_parked, read_parked
from signer.model import SignatureKey
from signer.store import open_engine
from tests.support.stores import Store

SIGNATURE = sha256(b"signature").digest()


def key(number: int) -> SignatureKey:
    return SignatureKey("school-1", "class-5A", f"pupil-{number}")


@pytest.fixture
async def journal(store: Store) -> AsyncIterator[Journal]:
    journal = Journal(store.url)
    await journal.start()
    yield journal
    await journal.stop()


async def end(journal: Journal, number: int, kind: OutcomeKind) -> None:
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
    await journal.intend([Intent(key(number), bytes(32), "vnedu", "principal", "5a01", algorithm, bytes(32), "pades/b-t")])
    await journal.settle([Outcome(key(number), 1, kind, *((b"material", SIGNATURE) if kind is not OutcomeKind.FAILED else ()))])


async def test_parked_signatures_are_found_oldest_first_and_page_by_page(journal: Journal) -> None:
    for number in range(5):
        await end(journal, number, OutcomeKind.PARKED)
    first = await journal.parked(limit=2)
    rest = await journal.parked(after=first[-1][0], limit=10)
    assert [parked for _, parked in [*first, *rest]] == [key(number) for number in range(5)]
    assert await journal.parked(after=rest[-1][0], limit=10) == []
    assert await journal.parked_count() == 5


async def test_only_what_waits_for_its_timestamp_is_parked(journal: Journal) -> None:
    for number, kind in enumerate((OutcomeKind.RELEASED, OutcomeKind.FAILED, OutcomeKind.PARKED, OutcomeKind.PARKED)):
        await end(journal, number, kind)
    await journal.settle([Outcome(key(2), 1, OutcomeKind.RELEASED, b"whole", SIGNATURE)])
    assert [parked for _, parked in await journal.parked(limit=10)] == [key(3)]
    assert await journal.parked_count() == 1


async def test_looking_for_parked_ones_reads_no_other_signature(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    journal = Journal(url)
    await journal.start()
    await end(journal, 1, OutcomeKind.PARKED)
    asked: list[tuple[str, Any]] = []
    engine = open_engine(url)
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, parameters, *_: asked.append((statement, parameters)))
    with engine.connect() as connection:
        assert len(read_parked(connection, -1, 10)) == count_parked(connection) == 1
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all() for statement, parameters in asked[-2:]]
    assert len(plans) == 2
    for plan in plans:
        assert "INDEX signature_parked" in str(plan)
    await journal.stop()
