"""Evidence records on the real journal, stamped by an authority with a key in memory: what a failure on either side of a commit leaves."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from signer.algorithms import DigestAlgorithm
from signer.errors import JournalUnavailable, RequestIdReused, TimestampInvalid, TimestampUnavailable, VerificationFailed
from signer.formats.evidence import read_evidence_record
from signer.journal import EvidenceArchive, EvidenceHead, Journal
from signer.journal.entries import NOTE, decode
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.evidence import EvidenceKeeping, create_evidence
from signer.pipeline.evidence_proofs import proofs_of, verify_evidence
from signer.pipeline.evidence_renewal import renew_by_hash_tree, renew_by_timestamp
from signer.pipeline.request import Request
from signer.store import open_engine
from signer.store.tables import journal_entry
from signer.telemetry.metrics import Metrics
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from tests.support import pki, rfc4998
from tests.support.stamping import authority
from tests.support.stores import SqliteStore, Store

SHA256, SHA512 = DigestAlgorithm.SHA256, DigestAlgorithm.SHA512
DOCUMENTS = {f"d{number:02}": b"document %d" % number for number in range(9)}


def digests(algorithm: DigestAlgorithm = SHA256, documents: dict[str, bytes] = DOCUMENTS) -> dict[str, bytes]:
    return {name: hashlib.new(algorithm.value, content).digest() for name, content in documents.items()}


class Clock:
    """The wall clock of authority and appliance alike."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 30, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Stamper:
    """The authority as the path's Timestamper. asked: how often. gate: what each answer waits for. is_down: nobody answers."""

    timestamp_bytes_max = 8192

    def __init__(self, clock: Clock, tsa: pki.Issued | None = None) -> None:
        self._authority = authority(tsa, clock)
        self._clock = clock
        self.asked = 0
        self.is_down = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float) -> Stamp:  # noqa: ARG002
        self.asked += 1
        await self.gate.wait()
        if self.is_down:
            raise TimestampUnavailable("down")
        return Stamp(await self._authority.stamp(imprint, digest_algorithm), self._clock())


class Bench:
    """An archive and what it needs. store: its database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock()
        self.stamper = Stamper(self.clock)
        self.journal = Journal(store.url, busy_timeout_s=store.busy_timeout_s)
        unused: Any = None
        metrics = Metrics.on(CollectorRegistry())
        self.engine = Engine(self.journal, unused, {}, CredentialTable((), Issuers([])), metrics, self.clock, self.stamper, patience_s=0)
        self.keeping = EvidenceKeeping(self.engine, EvidenceArchive(self.journal), lambda: (pki.root().der,))

    def request(self, request_id: str = "r", school_id: str = "1") -> Request:
        clock_s = asyncio.get_running_loop().time
        return Request("client", school_id, request_id, clock_s() + 60, clock_s)

    async def create(self, request_id: str = "r", given: dict[str, bytes] | None = None) -> EvidenceHead:
        return await create_evidence(self.keeping, self.request(request_id), given or digests(), SHA256)

    async def proofs(self, head: EvidenceHead) -> list[bytes]:
        _head, found = await proofs_of(self.keeping, head.school_id, head.record_id, list(DOCUMENTS))
        assert all(isinstance(proof.record, bytes) for proof in found)
        return [proof.record for proof in found if isinstance(proof.record, bytes)]

    async def kept(self) -> int:
        return len(await self.keeping.archive.page("1", limit=100, below=None, renew_before=None))


@pytest_asyncio.fixture
async def bench(store: Store) -> AsyncIterator[Bench]:
    made = Bench(store)
    await made.journal.start()
    yield made
    made.stamper.gate.set()
    await made.engine.drain(10)
    await made.journal.stop()


async def test_a_timestamp_whose_record_could_not_be_written_promises_nothing_and_a_repeat_makes_it_anew(bench: Bench) -> None:
    with bench.store.locked(), pytest.raises(JournalUnavailable):
        await bench.create()
    assert (bench.stamper.asked, await bench.kept()) == (1, 0)
    head = await bench.create()
    assert (bench.stamper.asked, await bench.kept()) == (2, 1)
    for proof, content in zip(await bench.proofs(head), DOCUMENTS.values(), strict=True):
        rfc4998.stamps_that_prove(proof, [content])


async def test_a_record_whose_answer_was_lost_is_returned_by_the_repeat_without_another_timestamp(bench: Bench) -> None:
    bench.stamper.gate.clear()
    caller = asyncio.create_task(_shielded(bench))
    while not bench.stamper.asked:  # noqa: ASYNC110 - nobody's event
        await asyncio.sleep(0.005)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    bench.stamper.gate.set()
    await bench.engine.drain(10)
    assert await bench.kept() == 1
    head = await bench.create()
    assert (bench.stamper.asked, await bench.kept(), head.documents) == (1, 1, len(DOCUMENTS))


async def _shielded(bench: Bench) -> EvidenceHead:
    """As the door calls it."""
    return await asyncio.shield(bench.engine.start_task(bench.create()))


async def test_parallel_requests_of_the_same_ids_share_one_timestamp(bench: Bench) -> None:
    heads = await asyncio.gather(*(bench.create() for _ in range(10)))
    assert len({head.record_id for head in heads}) == 1
    assert bench.stamper.asked == 1


async def test_no_timestamp_leaves_nothing_and_the_same_ids_are_free(bench: Bench) -> None:
    bench.stamper.is_down = True
    with pytest.raises(TimestampUnavailable):
        await bench.create()
    bench.stamper.is_down = False
    assert (await bench.create(given={"d": bytes(32)})).documents == 1


async def test_evidence_that_our_own_verification_refuses_is_not_kept(bench: Bench) -> None:
    stranger = pki.issue("Root thứ ba (DEMO)", pki.rsa_key(140), is_ca=True)
    strange = EvidenceKeeping(bench.engine, bench.keeping.archive, lambda: (stranger.der,))
    with pytest.raises(TimestampInvalid, match="ca_files"):
        await create_evidence(strange, bench.request(), digests(), SHA256)
    assert await bench.kept() == 0


async def test_what_is_kept_gives_the_same_bytes_after_a_restart(bench: Bench, store: Store) -> None:
    head = await bench.create()
    await renew_by_timestamp(bench.keeping, bench.request("renew"), head.record_id)
    before = await bench.proofs(head)
    await bench.journal.stop()
    again = Bench(store)
    await again.journal.start()
    try:
        assert await again.proofs(head) == before
        assert await again.create() == await again.keeping.require("1", head.record_id)
        assert again.stamper.asked == 0
    finally:
        await again.journal.stop()
        await bench.journal.start()


@pytest.mark.parametrize("by_hash_tree", [False, True], ids=["by timestamp", "by hash tree"])
async def test_a_renewal_that_could_not_be_written_leaves_the_record_as_it_was(by_hash_tree: bool, bench: Bench) -> None:
    head = await bench.create()
    before = await bench.proofs(head)

    async def renew() -> EvidenceHead:
        if by_hash_tree:
            return await renew_by_hash_tree(bench.keeping, bench.request("renew"), head.record_id, digests(SHA512), SHA512)
        return await renew_by_timestamp(bench.keeping, bench.request("renew"), head.record_id)

    with bench.store.locked(), pytest.raises(JournalUnavailable):
        await renew()
    assert await bench.keeping.require("1", head.record_id) == head
    assert await bench.proofs(head) == before
    renewed = await renew()
    assert renewed.timestamps == 2
    assert await renew() == renewed, "the repeat of a renewal that was written renews no second time"
    assert bench.stamper.asked == 3


async def test_every_renewal_begins_with_the_bytes_that_it_renews(bench: Bench) -> None:
    head = await bench.create()
    stages = [await bench.proofs(head)]
    for number in range(4):
        bench.clock.now += timedelta(days=1)
        if number == 2:
            await renew_by_hash_tree(bench.keeping, bench.request(f"r{number}"), head.record_id, digests(SHA512), SHA512)
        else:
            await renew_by_timestamp(bench.keeping, bench.request(f"r{number}"), head.record_id)
        stages.append(await bench.proofs(head))
    for position, content in enumerate(DOCUMENTS.values()):
        chains = [read_evidence_record(stage[position]).chains for stage in stages]
        flat = [[stamp.encoded for chain in stage for stamp in chain] for stage in chains]
        assert [len(stage) for stage in flat] == [1, 2, 3, 4, 5]
        assert all(flat[number + 1][: number + 1] == flat[number] for number in range(4))
        assert len(rfc4998.stamps_that_prove(stages[-1][position], [content])) == 5
        both = {algorithm: hashlib.new(algorithm.value, content).digest() for algorithm in (SHA256, SHA512)}
        assert (await verify_evidence(bench.keeping, stages[-1][position], both)).proven_time == head.span.first


async def test_parallel_renewals_follow_one_another(bench: Bench) -> None:
    head = await bench.create()
    await asyncio.gather(*(renew_by_timestamp(bench.keeping, bench.request(f"r{number}"), head.record_id) for number in range(4)))
    now = await bench.keeping.require("1", head.record_id)
    assert (now.timestamps, bench.stamper.asked) == (5, 5)
    for proof, content in zip(await bench.proofs(head), DOCUMENTS.values(), strict=True):
        assert len(rfc4998.stamps_that_prove(proof, [content])) == 5


async def test_a_record_that_ran_out_is_not_renewed(bench: Bench) -> None:
    head = await bench.create()
    bench.clock.now = head.span.renew_before + timedelta(days=1)
    with pytest.raises(VerificationFailed, match="not renewed in time"):
        await renew_by_timestamp(bench.keeping, bench.request("late"), head.record_id)
    assert bench.stamper.asked == 1


async def test_a_renewals_request_id_is_for_that_renewal(bench: Bench) -> None:
    head, other = await bench.create(), await bench.create("other")
    await renew_by_timestamp(bench.keeping, bench.request("once"), head.record_id)
    for record_id in (head.record_id, other.record_id):
        with pytest.raises(RequestIdReused):
            await renew_by_hash_tree(bench.keeping, bench.request("once"), record_id, digests(SHA512), SHA512)
    with pytest.raises(RequestIdReused):
        await renew_by_timestamp(bench.keeping, bench.request("once"), other.record_id)


async def test_records_are_noted_in_the_journal_in_the_commit_that_keeps_them(bench: Bench) -> None:
    head = await bench.create()
    await renew_by_timestamp(bench.keeping, bench.request("renew"), head.record_id)
    with open_engine(bench.store.url).connect() as connection:
        bodies = connection.execute(
            select(journal_entry.c.body).where(journal_entry.c.kind == NOTE).order_by(journal_entry.c.entry_index)
        ).scalars()
        notes = [note for note in map(decode, bodies) if note["subject"] == head.record_id]
    assert [(note["note"], note["detail"]["request"]) for note in notes] == [("evidence-made", "r"), ("evidence-renewed", "renew")]
    assert notes[0]["detail"]["documents"] == len(DOCUMENTS)


async def test_ten_thousand_documents_cost_their_ids_and_a_digest_each(bench: Bench) -> None:
    many = {f"class-1A-2026/pupil-{number:05}": hashlib.sha256(b"%d" % number).digest() for number in range(10_000)}
    head = await bench.create(given=many)
    _head, [proof] = await proofs_of(bench.keeping, "1", head.record_id, ["class-1A-2026/pupil-09999"])
    assert isinstance(proof.record, bytes)
    assert len(rfc4998.stamps_that_prove(proof.record, [b"9999"])) == 1
    if isinstance(bench.store, SqliteStore):  # a file is no longer than what is in it
        await bench.journal.stop()
        size_bytes = bench.store.path.stat().st_size
        await bench.journal.start()
        assert size_bytes / len(many) < 120, "of which 25 are the id and 32 the digest"
