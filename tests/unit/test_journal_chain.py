"""The chain and the log over it, on both databases: whatever is changed behind the journal's back is found, and where."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, literal, select, text, update

from signer.algorithms import SignatureAlgorithm
from signer.errors import JournalDamaged
from signer.formats.merkle import Range, consistency_proof, inclusion_proof, leaf_hash, root_of
from signer.journal import ChainReport, Intent, Journal, NoteKind, Outcome, OutcomeKind, verify_chain
from signer.journal.entries import CHAIN_START, NoteEntry, chain_hash, encode
from signer.journal.log_nodes import LogNodes, kept, read_range
from signer.journal.material import pack, unpack
from signer.model import SignatureKey
from signer.store import open_engine
from signer.store.log_tables import checkpoint, log_node
from signer.store.statements import inserting, upserting
from signer.store.tables import journal_entry
from tests.support.merkle import Leaves
from tests.support.stores import SqliteStore, Store

ENTRIES = 2_005  # more than two portions of a verifier's reading
Tampering = Callable[[Connection], object]
entry = journal_entry.c
ZEROS = bytes(32)


def write(store: Store) -> None:
    async def run() -> None:
        journal = Journal(store.url)
        await journal.start()
        keys = [SignatureKey("school", "class", f"pupil-{number:04d}") for number in range(ENTRIES // 2)]
        digest = sha256(b"x").digest()
        await journal.intend(
            [Intent(each, digest, "c", "k", "5a", SignatureAlgorithm.RSA_PKCS1_SHA256, digest, "pades/b-b") for each in keys]
        )
        await journal.settle([Outcome(each, 1, OutcomeKind.RELEASED, b"material", digest) for each in keys])
        await journal.note(NoteKind.STOPPED, "signer")
        await journal.stop()

    asyncio.run(run())


@pytest.fixture
def written(store: Store) -> Store:
    """A journal of so many entries, closed."""
    store.kept("chain", lambda: write(store))
    return store


def verified(store: Store, tampering: Tampering | None = None, witnessed: Mapping[int, bytes] | None = None) -> ChainReport:
    """With what was done to the journal undone again."""
    with store.as_owner() as connection:
        try:
            if tampering is not None:
                tampering(connection)
            return verify_chain(connection, witnessed)
        finally:
            connection.rollback()


def at(index: int) -> Any:
    return update(journal_entry).where(entry.entry_index == index)


def body_of(connection: Connection, index: int) -> bytes:
    return bytes(connection.execute(select(entry.body).where(entry.entry_index == index)).scalar_one())


def rehash(connection: Connection, index: int, body: bytes) -> None:
    """Change an entry as one would who knows how leaves are hashed."""
    connection.execute(at(index).values(body=body, leaf_hash=leaf_hash(body)))


def swap(connection: Connection, first: int, second: int) -> None:
    for old, new in ((first, -1), (second, first), (-1, second)):
        connection.execute(at(old).values(entry_index=new))


def move(connection: Connection, start: int, by: int) -> None:
    """All from there on, by a way on which no two ever have the same number."""
    connection.execute(update(journal_entry).where(entry.entry_index >= start).values(entry_index=-entry.entry_index - 1))
    connection.execute(update(journal_entry).where(entry.entry_index < 0).values(entry_index=-entry.entry_index - 1 + by))


def copy(connection: Connection, source: int, target: int) -> None:
    columns = select(literal(target), entry.kind, entry.body, entry.leaf_hash, entry.chain_hash)
    connection.execute(insert(journal_entry).from_select(journal_entry.columns.keys(), columns.where(entry.entry_index == source)))


def remove(connection: Connection, first: int, last: int | None = None) -> None:
    connection.execute(delete(journal_entry).where(entry.entry_index.between(first, first if last is None else last)))


def remove_and_renumber(connection: Connection, index: int) -> None:
    remove(connection, index)
    move(connection, index + 1, by=-1)


def insert_between(connection: Connection, index: int) -> None:
    move(connection, index, by=1)
    copy(connection, index - 1, index)


def cut(connection: Connection) -> None:
    connection.execute(delete(journal_entry).where(entry.entry_index >= 2000))


def test_an_untouched_journal_verifies_to_the_hash_of_its_last_entry(written: Store) -> None:
    report = verified(written)
    with open_engine(written.url).connect() as connection:
        rows = connection.execute(select(entry.body, entry.chain_hash).order_by(entry.entry_index)).all()
    assert report == ChainReport(ENTRIES, rows[-1].chain_hash, root_of(leaf_hash(row.body) for row in rows))


@pytest.mark.parametrize(
    ("tampering", "index"),
    [
        pytest.param(lambda db: db.execute(at(7).values(body=body_of(db, 7) + b" ")), 7, id="changed"),
        pytest.param(lambda db: rehash(db, 1500, body_of(db, 1500).replace(b'"school"', b'"5choo1"')), 1500, id="changed-and-rehashed"),
        pytest.param(lambda db: db.execute(at(1003).values(kind="failed")), 1003, id="kind-changed"),
        pytest.param(lambda db: db.execute(at(5).values(leaf_hash=ZEROS)), 5, id="leaf-changed"),
        pytest.param(lambda db: db.execute(at(5).values(chain_hash=ZEROS)), 5, id="chain-changed"),
        pytest.param(lambda db: remove(db, 0), 0, id="first-removed"),
        pytest.param(lambda db: remove(db, 1000), 1000, id="removed-between-portions"),
        pytest.param(lambda db: remove(db, 3, 1900), 3, id="many-removed"),
        pytest.param(lambda db: remove_and_renumber(db, 9), 9, id="removed-and-renumbered"),
        pytest.param(lambda db: swap(db, 20, 21), 20, id="reordered"),
        pytest.param(lambda db: swap(db, 0, 2004), 0, id="first-and-last-swapped"),
        pytest.param(lambda db: insert_between(db, 30), 30, id="inserted"),
        pytest.param(lambda db: copy(db, 0, -1), 0, id="put-before-the-first"),
        pytest.param(lambda db: copy(db, 0, 2005), 2005, id="appended"),
        pytest.param(
            lambda db: db.execute(update(log_node).where(log_node.c.node_index == 2).values(hash=ZEROS)), 767, id="log-hash-changed"
        ),
        pytest.param(lambda db: db.execute(delete(log_node).where(log_node.c.node_index == 6)), 1791, id="log-hash-removed"),
        pytest.param(lambda db: inserting(log_node).execute(db, [(8, 7, ZEROS)]), 2005, id="log-hash-added"),
    ],
)
def test_tampering_is_found_at_the_first_bad_entry(written: Store, tampering: Tampering, index: int) -> None:
    with pytest.raises(JournalDamaged) as raised:
        verified(written, tampering)
    assert raised.value.metadata == {"index": str(index)}


def test_an_entry_that_was_made_text_is_found_where_a_database_knows_no_types(tmp_path: Path, sqlite_shelf: Path) -> None:
    store = SqliteStore(tmp_path / "journal.db", sqlite_shelf)
    store.kept("chain", lambda: write(store))
    with pytest.raises(JournalDamaged) as raised:
        verified(store, lambda db: db.execute(text("UPDATE journal_entry SET body = CAST(body AS TEXT) WHERE entry_index = 8")))
    assert raised.value.metadata == {"index": "8"}


def rewrite(connection: Connection, count: int, changed: int) -> None:
    """Keep `count` entries, one of them with other words, and make every hash anew: what somebody can do who owns the database."""
    bodies = list(connection.execute(select(entry.body).order_by(entry.entry_index).limit(count)).scalars())
    bodies[changed] = bodies[changed].replace(b'"school"', b'"5choo1"')
    connection.execute(delete(journal_entry))
    connection.execute(delete(log_node))
    chain, log = CHAIN_START, Range()
    rows, nodes = list[Any](), list[Any]()
    for index, body in enumerate(bodies):
        leaf = leaf_hash(body)
        chain, (log, complete) = chain_hash(chain, leaf), log.extended(leaf)
        rows.append((index, json.loads(body)["kind"], body, leaf, chain))
        nodes += kept(log.size, complete)
    inserting(journal_entry).execute(connection, rows)
    inserting(log_node).execute(connection, nodes)


def test_a_cut_and_a_journal_written_anew_show_only_against_a_root_kept_elsewhere(written: Store) -> None:
    before = verified(written)
    witnessed = {before.entries: before.root}

    def written_anew(connection: Connection) -> None:
        rewrite(connection, ENTRIES, changed=5)

    assert verified(written, witnessed=witnessed) == before
    assert verified(written, written_anew).entries == ENTRIES
    with pytest.raises(JournalDamaged, match=f"entry {ENTRIES} .* written anew"):
        verified(written, written_anew, witnessed)
    assert verified(written, cut).entries == 2000
    with pytest.raises(JournalDamaged, match="entry 2000 is missing"):
        verified(written, cut, witnessed)


def test_a_checkpoint_in_the_database_is_held_against_the_entries(written: Store) -> None:
    roots = {size: root_of(leaves(written)[:size]) for size in (1, 700, ENTRIES)}

    def put(connection: Connection, changed: Mapping[int, bytes]) -> None:
        upserting(checkpoint).execute(connection, [(size, root, 0, "", b"") for size, root in changed.items()])

    assert verified(written, lambda db: put(db, roots)).root == roots[ENTRIES]
    with pytest.raises(JournalDamaged, match="another root than the one kept elsewhere"):
        verified(written, lambda db: put(db, roots), {700: roots[1]})
    with pytest.raises(JournalDamaged, match=r"entry 700 .* written anew"):
        verified(written, lambda db: put(db, roots | {700: roots[1]}))


def leaves(store: Store) -> list[bytes]:
    with open_engine(store.url, must_exist=True).connect() as connection:
        return list(connection.execute(select(entry.leaf_hash).order_by(entry.entry_index)).scalars())


def test_proofs_from_the_database_are_those_over_all_leaves(written: Store) -> None:
    every = leaves(written)

    @given(st.integers(1, ENTRIES), st.data())
    @settings(max_examples=written.examples)
    def are_the_same(size: int, data: st.DataObject) -> None:
        index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
        whole = every[:size]
        nodes = LogNodes(connection)
        assert inclusion_proof(nodes, index, size) == inclusion_proof(Leaves(whole), index, size)
        assert consistency_proof(nodes, first, size) == consistency_proof(Leaves(whole), first, size)
        assert read_range(connection, size).root == root_of(whole)

    with open_engine(written.url, must_exist=True).connect() as connection:
        are_the_same()


async def test_a_database_of_a_release_without_a_log_gets_one_at_its_next_start(written: Store) -> None:
    before = verified(written)
    written.tamper(delete(log_node).where(log_node.c.node_index > 2))
    journal = Journal(written.url)
    await journal.start()
    await journal.stop()
    assert verified(written) == before


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(subject=texts, detail=st.dictionaries(st.sampled_from("abcxyz"), texts | st.integers(-(2**53), 2**53)))
def test_entries_are_canonical_json(subject: str, detail: dict[str, str | int]) -> None:
    body = encode(NoteEntry("2026-05-29T22:00:00.000000Z", dict(sorted(detail.items())), 7, "note", "started", subject))
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


runs = st.builds(lambda byte, count: bytes([byte]) * count, st.integers(0, 3), st.integers(0, 3000))


@given(st.lists(runs | st.binary(max_size=400), max_size=8).map(b"".join))
def test_material_comes_back_as_it_went(content: bytes) -> None:
    encoding, stored = pack(content)
    assert unpack(encoding, stored) == content
    assert len(stored) <= len(content)


@pytest.mark.parametrize(
    "padded", [b"\x30" * 2000 + bytes(4000), b"\x30" * 1000 + bytes(4000) + b"\x31" * 1000, (b"\x30" * 200 + bytes(800)) * 6], ids=len
)
def test_padding_is_not_stored(padded: bytes) -> None:
    assert len(pack(padded)[1]) <= len(padded) - padded.count(0) + 16


@pytest.mark.parametrize("encoding", [1, 2])
def test_spoiled_packed_material_is_a_typed_error(encoding: int) -> None:
    with pytest.raises(JournalDamaged):
        unpack(encoding, b"short")
