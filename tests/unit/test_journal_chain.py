from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.algorithms import SignatureAlgorithm
from signer.errors import JournalDamaged
from signer.formats.merkle import Leaves, Range, consistency_proof, inclusion_proof, leaf_hash, root_of
from signer.journal import ChainReport, Intent, Journal, NoteKind, Outcome, OutcomeKind, verify_chain
from signer.journal.entries import CHAIN_START, NoteEntry, chain_hash, encode
from signer.journal.log_nodes import LogNodes, kept, read_range
from signer.journal.material import pack, unpack
from signer.model import SignatureKey
from signer.store import open_engine

ENTRIES = 2_005  # more than two portions of a verifier's reading
Tampering = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A journal's whole file, closed."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"

    async def write() -> None:
        journal = Journal(f"sqlite:///{path}")
        await journal.start()
        keys = [SignatureKey("school", "class", f"pupil-{number:04d}") for number in range(ENTRIES // 2)]
        digest = sha256(b"x").digest()
        await journal.intend(
            [Intent(each, digest, "c", "k", "5a", SignatureAlgorithm.RSA_PKCS1_SHA256, digest, "pades/b-b") for each in keys]
        )
        await journal.settle([Outcome(each, 1, OutcomeKind.RELEASED, b"material", digest) for each in keys])
        await journal.note(NoteKind.STOPPED, "signer")
        await journal.stop()

    asyncio.run(write())
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, written: bytes) -> Path:
    copy = tmp_path / "journal.db"
    copy.write_bytes(written)
    return copy


def verified(path: Path, tampering: Tampering | None = None, witnessed: Mapping[int, bytes] | None = None) -> ChainReport:
    if tampering is not None:
        with sqlite3.connect(path) as connection:
            for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {trigger}")
            tampering(connection)
    with open_engine(f"sqlite:///{path}", must_exist=True).connect() as connection:
        return verify_chain(connection, witnessed)


def rehash(connection: sqlite3.Connection, index: int, body: bytes) -> None:
    """Change an entry as one would who knows how leaves are hashed."""
    leaf = leaf_hash(body)
    connection.execute("UPDATE journal_entry SET body = ?, leaf_hash = ? WHERE entry_index = ?", (body, leaf, index))


def swap(connection: sqlite3.Connection, first: int, second: int) -> None:
    for old, new in ((first, -1), (second, first), (-1, second)):
        connection.execute("UPDATE journal_entry SET entry_index = ? WHERE entry_index = ?", (new, old))


def body_of(connection: sqlite3.Connection, index: int) -> bytes:
    body: bytes = connection.execute("SELECT body FROM journal_entry WHERE entry_index = ?", (index,)).fetchone()[0]
    return body


def insert_between(connection: sqlite3.Connection, index: int) -> None:
    connection.execute("UPDATE journal_entry SET entry_index = -entry_index - 1 WHERE entry_index >= ?", (index,))
    connection.execute("UPDATE journal_entry SET entry_index = -entry_index WHERE entry_index < 0")
    connection.execute(
        "INSERT INTO journal_entry SELECT ?, kind, body, leaf_hash, chain_hash FROM journal_entry WHERE entry_index = ?", (index, index - 1)
    )


def test_an_untouched_journal_verifies_to_the_hash_of_its_last_entry(path: Path) -> None:
    report = verified(path)
    with sqlite3.connect(path) as connection:
        last = connection.execute("SELECT chain_hash FROM journal_entry ORDER BY entry_index DESC LIMIT 1").fetchone()[0]
        bodies = [body for (body,) in connection.execute("SELECT body FROM journal_entry ORDER BY entry_index")]
    assert report == ChainReport(ENTRIES, last, root_of(map(leaf_hash, bodies)))


@pytest.mark.parametrize(
    ("tampering", "index"),
    [
        pytest.param(
            lambda db: db.execute("UPDATE journal_entry SET body = CAST(body || ' ' AS BLOB) WHERE entry_index = 7"), 7, id="changed"
        ),
        pytest.param(lambda db: db.execute("UPDATE journal_entry SET body = CAST(body AS TEXT) WHERE entry_index = 8"), 8, id="made-text"),
        pytest.param(lambda db: rehash(db, 1500, body_of(db, 1500).replace(b'"school"', b'"5choo1"')), 1500, id="changed-and-rehashed"),
        pytest.param(lambda db: db.execute("UPDATE journal_entry SET kind = 'failed' WHERE entry_index = 1003"), 1003, id="kind-changed"),
        pytest.param(
            lambda db: db.execute("UPDATE journal_entry SET leaf_hash = zeroblob(32) WHERE entry_index = 5"), 5, id="leaf-changed"
        ),
        pytest.param(
            lambda db: db.execute("UPDATE journal_entry SET chain_hash = zeroblob(32) WHERE entry_index = 5"), 5, id="chain-changed"
        ),
        pytest.param(lambda db: db.execute("DELETE FROM journal_entry WHERE entry_index = 0"), 0, id="first-removed"),
        pytest.param(lambda db: db.execute("DELETE FROM journal_entry WHERE entry_index = 1000"), 1000, id="removed-between-portions"),
        pytest.param(lambda db: db.execute("DELETE FROM journal_entry WHERE entry_index BETWEEN 3 AND 1900"), 3, id="many-removed"),
        pytest.param(
            lambda db: (
                db.execute("DELETE FROM journal_entry WHERE entry_index = 9"),
                db.execute("UPDATE journal_entry SET entry_index = entry_index - 1 WHERE entry_index > 9"),
            ),
            9,
            id="removed-and-renumbered",
        ),
        pytest.param(lambda db: swap(db, 20, 21), 20, id="reordered"),
        pytest.param(lambda db: swap(db, 0, 2004), 0, id="first-and-last-swapped"),
        pytest.param(lambda db: insert_between(db, 30), 30, id="inserted"),
        pytest.param(
            lambda db: db.execute(
                "INSERT INTO journal_entry SELECT -1, kind, body, leaf_hash, chain_hash FROM journal_entry WHERE entry_index = 0"
            ),
            0,
            id="put-before-the-first",
        ),
        pytest.param(
            lambda db: db.execute(
                "INSERT INTO journal_entry SELECT 2005, kind, body, leaf_hash, chain_hash FROM journal_entry WHERE entry_index = 0"
            ),
            2005,
            id="appended",
        ),
        pytest.param(lambda db: db.execute("UPDATE log_node SET hash = zeroblob(32) WHERE node_index = 2"), 767, id="log-hash-changed"),
        pytest.param(lambda db: db.execute("DELETE FROM log_node WHERE node_index = 6"), 1791, id="log-hash-removed"),
        pytest.param(lambda db: db.execute("INSERT INTO log_node VALUES (8, 7, zeroblob(32))"), 2005, id="log-hash-added"),
    ],
)
def test_tampering_is_found_at_the_first_bad_entry(path: Path, tampering: Tampering, index: int) -> None:
    with pytest.raises(JournalDamaged) as raised:
        verified(path, tampering)
    assert raised.value.metadata == {"index": str(index)}


def rewrite(connection: sqlite3.Connection, count: int, changed: int) -> None:
    """Keep `count` entries, one of them with other words, and make every hash anew: what somebody can do who owns the file."""
    bodies = [body for (body,) in connection.execute("SELECT body FROM journal_entry ORDER BY entry_index LIMIT ?", (count,))]
    bodies[changed] = bodies[changed].replace(b'"school"', b'"5choo1"')
    connection.execute("DELETE FROM journal_entry")
    connection.execute("DELETE FROM log_node")
    chain, log = CHAIN_START, Range()
    for index, body in enumerate(bodies):
        leaf = leaf_hash(body)
        chain, (log, complete) = chain_hash(chain, leaf), log.extended(leaf)
        kind = json.loads(body)["kind"]
        connection.execute("INSERT INTO journal_entry VALUES (?, ?, ?, ?, ?)", (index, kind, body, leaf, chain))
        connection.executemany("INSERT INTO log_node VALUES (?, ?, ?)", kept(log.size, complete))


def test_a_cut_and_a_journal_written_anew_show_only_against_a_root_kept_elsewhere(path: Path) -> None:
    before = verified(path)
    assert verified(path, witnessed={before.entries: before.root}) == before
    assert verified(path, lambda db: rewrite(db, ENTRIES, changed=5)).entries == ENTRIES
    with pytest.raises(JournalDamaged, match=f"entry {ENTRIES} .* written anew"):
        verified(path, witnessed={before.entries: before.root})
    assert verified(path, lambda db: db.execute("DELETE FROM journal_entry WHERE entry_index >= 2000")).entries == 2000
    with pytest.raises(JournalDamaged, match="entry 2000 is missing"):
        verified(path, witnessed={before.entries: before.root})


def test_a_checkpoint_in_the_database_is_held_against_the_entries(path: Path) -> None:
    roots = {size: root_of(leaves(path)[:size]) for size in (1, 700, ENTRIES)}

    def put(connection: sqlite3.Connection, size: int, root: bytes) -> object:
        return connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, 0, '', x'')", (size, root))

    assert verified(path, lambda db: [put(db, size, root) for size, root in roots.items()]).root == roots[ENTRIES]
    with pytest.raises(JournalDamaged, match="another root than the one kept elsewhere"):
        verified(path, witnessed={700: roots[1]})
    with pytest.raises(JournalDamaged, match=r"entry 700 .* written anew"):
        verified(path, lambda db: put(db, 700, roots[1]))


def leaves(path: Path) -> list[bytes]:
    with sqlite3.connect(path) as connection:
        return [leaf for (leaf,) in connection.execute("SELECT leaf_hash FROM journal_entry ORDER BY entry_index")]


@given(st.integers(1, ENTRIES), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_proofs_from_the_database_are_those_over_all_leaves(path: Path, size: int, data: st.DataObject) -> None:
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    whole = leaves(path)[:size]
    with open_engine(f"sqlite:///{path}", must_exist=True).connect() as connection:
        nodes = LogNodes(connection)
        assert inclusion_proof(nodes, index, size) == inclusion_proof(Leaves(whole), index, size)
        assert consistency_proof(nodes, first, size) == consistency_proof(Leaves(whole), first, size)
        assert read_range(connection, size).root == root_of(whole)


def test_a_database_of_a_release_without_a_log_gets_one_at_its_next_start(path: Path) -> None:
    before = verified(path)

    async def restart() -> None:
        journal = Journal(f"sqlite:///{path}")
        await journal.start()
        await journal.stop()

    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM log_node WHERE node_index > 2")
    asyncio.run(restart())
    assert verified(path) == before


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
