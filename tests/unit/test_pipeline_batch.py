"""A batch's window, its order and its accounts. The journal is the real one; documents are refused by the one who would prepare them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from signer.algorithms import SignatureAlgorithm
from signer.documents.wire import PrepareCall, PreparedReply
from signer.errors import DocumentNotPdf, InvalidArgument, SignerError
from signer.formats.insertions import Additions
from signer.formats.pades.appearance.artwork import Artwork
from signer.journal import Intent, Journal, Outcome, OutcomeKind
from signer.model import Credential, FieldPlacement, Level, Profile, SignatureKey
from signer.pipeline.batch import Batch, ItemOutcome, SigningWork
from signer.pipeline.document import sign_documents
from signer.pipeline.engine import Engine
from signer.pipeline.item import SignedDocument
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.material import Finished, encode
from signer.pipeline.plan import ReadyPlan, fingerprint
from signer.pipeline.request import Request
from signer.telemetry.metrics import Metrics
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.tokens.jobs import TokenSignature
from tests.support import pki

ALGORITHM = SignatureAlgorithm.RSA_PKCS1_SHA256
FIELD = FieldPlacement("GVCN")
SOON_S = 60.0


class Refuser:
    """Refuses every document, once its gate is open. lots: how many came together."""

    def __init__(self) -> None:
        self.lots: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def prepare(self, calls: Sequence[PrepareCall], artwork: Artwork | None = None) -> list[PreparedReply | SignerError]:  # noqa: ARG002
        self.lots.append(len(calls))
        await self.gate.wait()
        return [DocumentNotPdf("no PDF") for _ in calls]


class Unused:
    """The door of a token of some speed that no document of these tests reaches."""

    def __init__(self, lot_max: int = 8) -> None:
        self.lot_max = lot_max

    def submit(self, **_digests: object) -> asyncio.Future[list[TokenSignature | SignerError]]:
        raise AssertionError("a key was used")


class Stumbler:
    """Has a bug."""

    async def prepare(self, calls: Sequence[PrepareCall], artwork: Artwork | None = None) -> list[PreparedReply | SignerError]:  # noqa: ARG002
        raise RuntimeError(f"a pupil's name, {len(calls)} times")


class Bench:
    """A batch with small limits."""

    def __init__(self, journal: Journal, door: Unused | None = None, documents_max: int = 4) -> None:
        self.refuser = Refuser()
        credentials = CredentialTable((), Issuers([]))
        metrics = Metrics.on(CollectorRegistry())
        self.engine = Engine(journal, self.refuser, {"token": door or Unused()}, credentials, metrics, lambda: datetime.now(UTC))
        leaf = pki.issue("batch", pki.rsa_key(1), pki.authority())
        credential = Credential("gvcn", "token", b"\x01", "gvcn", "1", leaf.der, (), (ALGORITHM,))
        plan = ReadyPlan(Profile.PADES, Level.B_B, credential, ALGORITHM, FIELD, "1f")
        clock_s = asyncio.get_running_loop().time
        request = Request("client", "1", "r", clock_s() + 60, clock_s)
        self.work = SigningWork(self.engine, request, plan)
        self.batch = Batch(self.engine, request, self.work, documents_max=documents_max, bytes_max=1000)

    async def submit(self, first: int, count: int, size_bytes: int = 10) -> None:
        for number in range(first, first + count):
            await self.batch.submit(number, IncomingDocument(f"d{number}", b"x" * size_bytes, FIELD))

    async def take(self, count: int) -> list[ItemOutcome[SignedDocument]]:
        taken: list[ItemOutcome[SignedDocument]] = []
        outcomes = self.batch.outcomes()
        while len(taken) < count:
            taken += await asyncio.wait_for(anext(outcomes), SOON_S)
        return taken


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    await journal.start()
    made = Bench(journal)
    yield made
    made.refuser.gate.set()
    await made.engine.drain(SOON_S)
    await journal.stop()


async def settled(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not is_true():  # noqa: ASYNC110 - what is waited for is nobody's event
            await asyncio.sleep(0.005)


async def test_a_caller_that_takes_no_results_is_read_no_further(bench: Bench) -> None:
    """Its documents stay within the window, ended ones included, until their results are taken."""
    reading = asyncio.create_task(bench.submit(0, 20))
    await settled(lambda: bench.batch.tally.failed == 4)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not reading.done()
    assert bench.batch.tally.received == 4
    taken = len(await bench.take(1))
    await settled(lambda: bench.batch.tally.received == 4 + taken)
    await bench.take(20 - taken)
    await asyncio.wait_for(reading, SOON_S)
    assert sum(bench.refuser.lots) == 20


async def test_the_window_is_one_of_bytes_as_well_and_one_large_document_passes_alone(bench: Bench) -> None:
    reading = asyncio.create_task(bench.submit(0, 3, size_bytes=600))
    await settled(lambda: bench.batch.tally.failed == 1)
    assert bench.batch.tally.received == 1
    await bench.take(3)
    await asyncio.wait_for(reading, SOON_S)
    await asyncio.wait_for(bench.submit(3, 1, size_bytes=5000), SOON_S)
    assert len(await bench.take(1)) == 1


async def test_the_first_document_waits_for_nobody_and_later_ones_travel_together(bench: Bench) -> None:
    bench.refuser.gate.clear()
    await bench.submit(0, 1)
    await settled(lambda: bench.refuser.lots == [1])
    await bench.submit(1, 3)
    await settled(lambda: bench.refuser.lots == [1, 3])


async def test_the_first_documents_that_came_in_one_message_leave_together(bench: Bench) -> None:
    bench.refuser.gate.clear()
    await bench.submit(0, 3)
    await settled(lambda: bench.refuser.lots == [3])


async def test_what_waits_leaves_when_nothing_is_ahead_any_more(bench: Bench) -> None:
    await bench.submit(0, 1)
    await bench.take(1)
    await bench.submit(1, 2)
    assert [outcome.index for outcome in await bench.take(2)] == [1, 2]


async def test_a_lot_behind_two_full_ones_waits_until_it_is_full_or_until_they_are_through(tmp_path: Path) -> None:
    """Otherwise a full window, which takes in what has just left it, would make ever smaller lots."""
    journal = Journal(f"sqlite:///{tmp_path / 'wide.db'}")
    await journal.start()
    wide = Bench(journal, Unused(lot_max=2), documents_max=20)
    wide.refuser.gate.clear()
    await wide.submit(0, 4)
    await settled(lambda: wide.refuser.lots == [2, 2])
    await wide.submit(4, 1)
    await asyncio.sleep(0.02)  # ten times what a lot waits for company where less is ahead
    assert wide.refuser.lots == [2, 2]
    await wide.submit(5, 1)
    await settled(lambda: wide.refuser.lots == [2, 2, 2])
    await wide.submit(6, 1)
    wide.refuser.gate.set()
    assert sorted(outcome.index for outcome in await wide.take(7)) == list(range(7))
    await wide.engine.drain(SOON_S)
    await journal.stop()


async def test_every_document_is_accounted_for_and_the_outcomes_end(bench: Bench) -> None:
    outcomes: list[ItemOutcome[SignedDocument]] = []

    async def read() -> None:
        await bench.submit(0, 7)
        bench.batch.refuse(7, "seventh", InvalidArgument("bad", field="document_id"))
        await bench.submit(8, 3)
        bench.batch.refuse(11, "last", InvalidArgument("bad", field="document_id"))
        bench.batch.end_of_input()

    reading = asyncio.create_task(read())
    async with asyncio.timeout(SOON_S):
        outcomes = [outcome async for together in bench.batch.outcomes() for outcome in together]
    await reading
    assert sorted(outcome.index for outcome in outcomes) == list(range(12))
    assert [outcome.content is None for outcome in sorted(outcomes, key=lambda one: one.index)] == [index in {7, 11} for index in range(12)]
    tally = bench.batch.tally
    assert (tally.received, tally.failed, tally.signed, tally.replayed, tally.pending) == (12, 12, 0, 0, 0)
    assert tally.failures == {"DOCUMENT_NOT_PDF": 10, "INVALID_ARGUMENT": 2}


async def test_an_empty_batch_ends_at_once(bench: Bench) -> None:
    bench.batch.end_of_input()
    assert [outcome async for outcome in bench.batch.outcomes()] == []


async def test_documents_of_a_cancelled_batch_reach_nobody(bench: Bench) -> None:
    bench.batch.request.cancel()
    await bench.submit(0, 3)
    assert [outcome.result.reason.value for outcome in await bench.take(3) if isinstance(outcome.result, SignerError)] == ["CANCELLED"] * 3
    assert bench.refuser.lots == []


@pytest.mark.parametrize("count", [1, 4])
async def test_a_bug_ends_its_documents_with_a_reference_and_no_detail(count: int, bench: Bench) -> None:
    bench.engine.preparer = Stumbler()
    await bench.submit(0, count)
    for outcome in await bench.take(count):
        assert isinstance(outcome.result, SignerError)
        assert outcome.result.reason.value == "INTERNAL"
        assert "pupil" not in outcome.result.message + str(outcome.result.metadata)
        assert outcome.result.metadata["reference"]


async def test_a_stored_outcome_counts_although_its_document_can_be_prepared_no_more(bench: Bench) -> None:
    """Here the refuser refuses all; one of them was signed before."""
    request, plan = bench.batch.request, bench.work.plan
    stored = IncomingDocument("d1", b"signed before", FIELD)
    content_sha256 = sha256(stored.content).digest()
    key = SignatureKey(request.school_id, request.request_id, stored.document_id)
    intent = Intent(key, fingerprint(plan, FIELD, content_sha256), "client", "gvcn", "1f", ALGORITHM, b"d" * 32, plan.name)
    material = Finished(Additions(b"update"), datetime.now(UTC), None, "1f", ALGORITHM, b"w" * 32)
    journal = bench.engine.ledger
    (attempt,) = await journal.intend([intent])
    await journal.settle([Outcome(key, attempt, OutcomeKind.RELEASED, encode(material), b"s" * 32)])
    new, replayed = await sign_documents(bench.engine, request, plan, [IncomingDocument("d0", b"new", FIELD), stored])
    assert isinstance(new, DocumentNotPdf)
    assert isinstance(replayed, SignedDocument)
    assert (replayed.material, replayed.replayed, replayed.source_sha256) == (material, True, content_sha256)
