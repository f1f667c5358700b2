"""Raising under ids of its own: whatever fails, before or after it took effect, a repeat of the ids ends with one outcome."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from signer.algorithms import DigestAlgorithm
from signer.documents.wire import ExamineCall, ExaminedReply, ExtendCall, ExtendedReply, Trust
from signer.documents.worker import Known, answer
from signer.errors import Cancelled, DocumentTooCostly, JournalUnavailable, SignerError
from signer.formats.status import crl
from signer.formats.status.answer import Answer, Terms
from signer.formats.status.question import Question
from signer.journal import Journal
from signer.journal.jobs import Change, Settle
from signer.model import FieldPlacement, Level
from signer.pipeline.doors import ArchiveDoors, Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.extension import ExtendedDocument, ExtendingWork
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.request import Request
from signer.telemetry.metrics import Metrics
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.validation.pdf import verify_pdf
from signer.validation.report import Indication
from signer.validation.trust import TrustAnchors
from tests.support import cas, pdfs, pki, stamping

TEACHER = pki.issue("Teacher (DEMO)", pki.rsa_key(1), pki.authority())
TRUST = Trust(signing=(pki.root().der,), timestamping=(pki.root().der,), intermediates=(pki.authority().der,), allow_sha1=False)


@cache
def signed() -> bytes:
    return pdfs.signed(pdfs.report_card(1, pages=1), signer=TEACHER, chain=(pki.authority(),))


@dataclass
class Workers:
    """Document workers' own code, here; error: what the next examination ends with."""

    error: Exception | None = None
    extended: int = 0

    async def examine(self, call: ExamineCall) -> ExaminedReply:
        error, self.error = self.error, None
        if error is not None:
            raise error
        reply = await asyncio.to_thread(answer, call, Known())
        assert isinstance(reply, ExaminedReply)
        return reply

    async def extend(self, call: ExtendCall) -> ExtendedReply:
        self.extended += 1
        reply = await asyncio.to_thread(answer, call, Known())
        assert isinstance(reply, ExtendedReply)
        return reply


@dataclass
class Cas:
    """Everybody is good. asked: serial numbers."""

    asked: list[str] = field(default_factory=list)

    async def answer(self, question: Question, deadline_s: float, *, fresh: bool = False) -> Answer:  # noqa: ARG002
        self.asked.append(question.serial)
        issuer = pki.root() if question.issuer == pki.root().x509 else pki.authority()
        now = datetime.now(UTC)
        return crl.judge(crl.Crl.read(cas.crl(issuer)), question, Terms(at=now, now=now))


class Tsa:
    """The built-in authority's code with a key in memory."""

    timestamp_bytes_max = 8192

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float) -> Stamp:  # noqa: ARG002
        now = datetime.now(UTC)
        return Stamp(await stamping.authority(clock=lambda: now).stamp(imprint, digest_algorithm), now)


def let_the_next_outcome_fail(journal: Journal, when: str) -> None:
    """Its commit fails before it took effect, or after."""
    assert journal._writer is not None
    committer = journal._writer._committer
    assert committer is not None
    commit, armed = committer.commit, [True]

    def failing(changes: Sequence[Change]) -> int:
        if not armed or not any(isinstance(change, Settle) for change in changes):
            return commit(changes)
        armed.clear()
        if when == "after":
            commit(changes)
        raise OperationalError("COMMIT", None, OSError("the disk is full"))

    committer.commit = failing  # type: ignore[method-assign]


@dataclass
class Bench:
    engine: Engine
    journal: Journal
    workers: Workers
    cas: Cas

    async def extend(self, level: Level = Level.B_LTA, *, request: Request | None = None) -> ExtendedDocument | SignerError:
        work = ExtendingWork(self.engine, request or self.request(), level)
        (result,) = await work.run([IncomingDocument("d", signed(), FieldPlacement(""))])
        return result

    def request(self) -> Request:
        clock_s = asyncio.get_running_loop().time
        return Request("client", "1", "r", clock_s() + 60, clock_s)


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    journal, workers, status = Journal(f"sqlite:///{tmp_path / 'journal.db'}"), Workers(), Cas()
    await journal.start()
    engine = Engine(
        ledger=journal,
        preparer=workers,  # type: ignore[arg-type]  # nothing is prepared here
        keys={},
        credentials=CredentialTable((), Issuers([])),
        metrics=Metrics.on(CollectorRegistry()),
        utc_now=lambda: datetime.now(UTC),
        timestamper=Tsa(),
    )
    engine.archive = ArchiveDoors(workers, status, TRUST)
    yield Bench(engine, journal, workers, status)
    await journal.stop()


def done(result: ExtendedDocument | SignerError) -> ExtendedDocument:
    assert isinstance(result, ExtendedDocument), result
    return result


async def test_a_document_is_raised_once_under_its_ids(bench: Bench) -> None:
    first, second = done(await bench.extend()), done(await bench.extend())
    assert (first.replayed, second.replayed) == (False, True)
    assert second.material == first.material
    trust = TrustAnchors(TRUST.signing, TRUST.timestamping, TRUST.intermediates)
    report = await asyncio.to_thread(verify_pdf, first.additions.merge(signed()), trust)
    assert report.indication is Indication.TOTAL_PASSED
    assert len(report.signatures) == 3
    assert bench.workers.extended == 2, "a timestamp for the signature; validation data with the archive timestamp"


async def test_each_certificate_is_asked_for_once_a_document(bench: Bench) -> None:
    await bench.extend()
    everyone = {TEACHER, pki.tsa(), pki.authority()}
    assert sorted(bench.cas.asked) == sorted(f"{each.x509.serial_number:x}" for each in everyone)


@pytest.mark.parametrize("fails", ["before", "after"])
async def test_a_journal_that_fails_at_the_outcome_releases_nothing_and_a_repeat_ends_well(bench: Bench, fails: str) -> None:
    let_the_next_outcome_fail(bench.journal, fails)
    assert isinstance(await bench.extend(), JournalUnavailable)
    again = done(await bench.extend())
    assert again.replayed == (fails == "after")
    assert (await bench.journal.accounting()).balanced
    assert (await bench.journal.accounting()).released == 1


@pytest.mark.parametrize("error", [DocumentTooCostly("too long"), RuntimeError("a bug")])
async def test_a_failure_gives_the_ids_back(bench: Bench, error: Exception) -> None:
    bench.workers.error = error
    told: list[object] = [None]
    with contextlib.suppress(RuntimeError):
        told = [await bench.extend()]
    assert told == [error if isinstance(error, SignerError) else None]
    assert (await bench.journal.accounting()).failed == 1
    assert not done(await bench.extend()).replayed


async def test_a_request_that_was_cancelled_goes_no_further(bench: Bench) -> None:
    request = bench.request()
    request.cancel()
    assert isinstance(await bench.extend(request=request), Cancelled)
    assert (await bench.journal.accounting()).intents == 0
    assert bench.workers.extended == 0


async def test_two_repeats_at_once_share_one_outcome(bench: Bench) -> None:
    first, second = [done(each) for each in await asyncio.gather(bench.extend(), bench.extend())]
    assert first.material == second.material
    assert {first.replayed, second.replayed} == {True, False}
