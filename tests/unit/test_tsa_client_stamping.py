"""Shortage of timestamps: nothing is lost, nothing is signed twice, and what the caller chose follows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.client.convert_plan import signing_plan
from signer.client.retries import is_passing
from signer.client.values import Plan
from signer.documents.pool import DocumentPool
from signer.documents.settings import DocumentSettings
from signer.errors import TimestampInvalid, TimestampPending, TimestampUnavailable
from signer.formats.cms.template import CmsTemplate
from signer.journal import Intent, Journal, Outcome, OutcomeKind, SignatureState
from signer.journal.leading import AloneLeading
from signer.model import Level, SignatureKey
from signer.pipeline.completer import Completer
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.forms.form import Signer
from signer.pipeline.forms.pades import PadesPrepared
from signer.pipeline.material import Finished, Parked, decode, encode
from signer.pipeline.parking import complete
from signer.pipeline.plan import Shortage
from signer.pipeline.request import Request
from signer.pipeline.stamping import stamp_signature
from signer.telemetry.metrics import Metrics
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.v1 import plan_pb2
from tests.support import pki
from tests.support.waiting import until_true

NOW = datetime(2026, 5, 30, 10, 0, tzinfo=UTC)
RSA = SignatureAlgorithm.RSA_PKCS1_SHA256
SIGNATURE = b"signature value"
IMPRINT = sha256(SIGNATURE).digest()
STAMP = Stamp(b"\x30\x03\x02\x01\x01", NOW)


@dataclass
class Scripted:
    """A timestamper that raises what it is told to, in order, then stamps. imprints: what it was asked for."""

    failures: list[Exception] = field(default_factory=list)
    stamp_given: Stamp = STAMP
    imprints: list[bytes] = field(default_factory=list)

    @property
    def timestamp_bytes_max(self) -> int:
        return 1000

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float) -> Stamp:
        assert digest_algorithm is DigestAlgorithm.SHA256
        assert deadline_s > 0
        await asyncio.sleep(0)
        self.imprints.append(imprint)
        if self.failures:
            raise self.failures.pop(0)
        return self.stamp_given


@dataclass
class Park:
    """Counts how often the signature was parked."""

    times: int = 0

    async def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    journal = Journal(f"sqlite:///{path}")
    await journal.start()
    yield journal
    await journal.stop()


def engine_with(journal: Journal, timestamper: Scripted, patience_s: float = 5.0) -> Engine:
    return Engine(
        ledger=journal,
        preparer=DocumentPool(DocumentSettings(), processes=1, log_level="info", on_loss=lambda _worker, _cause: None),
        keys={},
        credentials=CredentialTable((), Issuers(())),
        metrics=Metrics.on(CollectorRegistry()),
        utc_now=lambda: NOW,
        timestamper=timestamper,
        patience_s=patience_s,
    )


def request(within_s: float = 60.0) -> Request:
    clock_s = asyncio.get_running_loop().time
    return Request("client", "school", "class-5A", clock_s() + within_s, clock_s)


def unavailable(retry_after_s: float | None = None) -> TimestampUnavailable:
    return TimestampUnavailable("no authority", retry_after_s=retry_after_s)


async def test_who_waits_gets_its_timestamp_when_an_authority_comes_back(journal: Journal) -> None:
    park, timestamper = Park(), Scripted([unavailable(), TimestampInvalid("lied")])
    stamp = await stamp_signature(engine_with(journal, timestamper), request(), Shortage.FAIL, IMPRINT, park)
    assert stamp is STAMP
    assert timestamper.imprints == [IMPRINT] * 3
    assert park.times == 1, "parked before the first wait, once"


async def test_without_a_shortage_nothing_is_parked(journal: Journal) -> None:
    park = Park()
    await stamp_signature(engine_with(journal, Scripted()), request(), Shortage.FAIL, IMPRINT, park)
    assert park.times == 0


async def test_who_wants_it_parked_is_told_at_once_that_it_is_pending(journal: Journal) -> None:
    park, timestamper = Park(), Scripted([unavailable(retry_after_s=600)])
    with pytest.raises(TimestampPending) as pending:
        await stamp_signature(engine_with(journal, timestamper), request(), Shortage.PARK, IMPRINT, park)
    assert (park.times, len(timestamper.imprints)) == (1, 1)
    assert pending.value.retry_after_s == 60


@pytest.mark.parametrize(("patience_s", "within_s"), [(0.5, 60.0), (60.0, 0.6)])
async def test_patience_ends_with_the_first_of_its_own_limit_and_the_deadline(journal: Journal, patience_s: float, within_s: float) -> None:
    """Pauses double from a tenth of a second: there is time for three questions, not for a fourth."""
    timestamper = Scripted([unavailable() for _ in range(1000)])
    with pytest.raises(TimestampUnavailable):
        await stamp_signature(engine_with(journal, timestamper, patience_s), request(within_s), Shortage.FAIL, IMPRINT, Park())
    assert 1 <= len(timestamper.imprints) <= 3


async def test_nobody_waits_for_an_authority_that_will_not_be_ready_in_time(journal: Journal) -> None:
    timestamper = Scripted([unavailable(retry_after_s=600)])
    with pytest.raises(TimestampUnavailable):
        await stamp_signature(engine_with(journal, timestamper), request(), Shortage.FAIL, IMPRINT, Park())
    assert len(timestamper.imprints) == 1


@pytest.mark.parametrize("leave", [lambda asked: asked.cancel(), lambda asked: asked.drained.set()])
async def test_a_caller_that_leaves_ends_the_wait(journal: Journal, leave: Callable[[Request], None]) -> None:
    asked, park = request(), Park()
    engine = engine_with(journal, Scripted([unavailable(retry_after_s=50) for _ in range(9)]), patience_s=55.0)
    waiting = asyncio.create_task(stamp_signature(engine, asked, Shortage.FAIL, IMPRINT, park))
    await until_true(lambda: park.times == 1, "the first wait")
    leave(asked)
    with pytest.raises(TimestampUnavailable):
        await asyncio.wait_for(waiting, 30.0)
    assert park.times == 1


def parked_material(contents_bytes: int = 8000) -> Parked:
    template = CmsTemplate.build(pki.tsa().der, (), RSA)
    update = b"12 0 obj << /Contents <" + b"0" * (2 * contents_bytes) + b">/ByteRange [0 1 2 3] >> endobj"
    prepared = PadesPrepared(template.signed_attributes(bytes(32)), update, update.index(b"<0") + 1, 2 * contents_bytes)
    return Parked(prepared, Signer(pki.tsa().der, (), RSA), signature=SIGNATURE, signing_time=NOW, certificate_serial="5a01")


def key(number: int) -> SignatureKey:
    return SignatureKey("school", "class-5A", f"pupil-{number}")


async def park(journal: Journal, number: int, material: Parked | None = None) -> None:
    await journal.intend([Intent(key(number), bytes(32), "vnedu", "principal", "5a01", RSA, bytes(32), "pades/b-t")])
    outcome = Outcome(key(number), 1, OutcomeKind.PARKED, encode(material or parked_material()), sha256(SIGNATURE).digest())
    await journal.settle([outcome])


async def states(journal: Journal, count: int) -> list[SignatureState]:
    stored = await journal.look_up([key(number) for number in range(count)])
    return [stored[key(number)].state for number in range(count)]


async def test_every_parked_signature_gets_its_timestamp_under_its_own_ids(journal: Journal) -> None:
    for number in range(40):
        await park(journal, number)
    engine = engine_with(journal, Scripted())
    assert await Completer(engine, journal, AloneLeading(), interval_s=1).round() == 40
    assert set(await states(journal, 40)) == {SignatureState.RELEASED}
    stored = (await journal.look_up([key(0)]))[key(0)]
    finished = decode(stored.material)
    assert isinstance(finished, Finished)
    assert STAMP.timestamp.hex().encode() in finished.additions.appended
    assert (stored.attempts, finished.timestamp_time, finished.signed_sha256) == (1, NOW, b"")
    accounting = await journal.accounting()
    assert (accounting.intents, accounting.released, accounting.parked) == (40, 40, 0)
    assert await Completer(engine, journal, AloneLeading(), interval_s=1).round() == 0


async def test_while_the_shortage_lasts_nobody_is_asked_for_all_of_them(journal: Journal) -> None:
    for number in range(40):
        await park(journal, number)
    timestamper = Scripted([unavailable() for _ in range(100)])
    engine = engine_with(journal, timestamper)
    assert await Completer(engine, journal, AloneLeading(), interval_s=1).round() == 0
    assert len(timestamper.imprints) < 40
    timestamper.failures.clear()
    assert await Completer(engine, journal, AloneLeading(), interval_s=1).round() == 40


async def test_what_somebody_works_on_is_left_to_them(journal: Journal) -> None:
    await park(journal, 0)
    await park(journal, 1)
    engine = engine_with(journal, Scripted())
    async with engine.inside([key(0)]):
        assert await Completer(engine, journal, AloneLeading(), interval_s=1).round() == 1
    assert await states(journal, 2) == [SignatureState.PARKED, SignatureState.RELEASED]


async def test_one_that_cannot_be_completed_hides_none_behind_it(journal: Journal, path: Path) -> None:
    for number in range(3):
        await park(journal, number)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE material SET content = x'00' WHERE outcome = (SELECT min(outcome) FROM material)")
    engine = engine_with(journal, Scripted())
    assert await Completer(engine, journal, AloneLeading(), interval_s=1).round() == 2
    assert await journal.parked_count() == 1


async def test_a_timestamp_that_does_not_fit_leaves_the_signature_parked(journal: Journal) -> None:
    await park(journal, 0, parked_material(contents_bytes=100))
    engine = engine_with(journal, Scripted())
    assert await Completer(engine, journal, AloneLeading(), interval_s=1).round() == 0
    assert await states(journal, 1) == [SignatureState.PARKED]


async def test_what_another_replica_completed_first_stands(journal: Journal) -> None:
    await park(journal, 0)
    engine, material = engine_with(journal, Scripted()), parked_material()
    stored = (await journal.look_up([key(0)]))[key(0)]
    first = await complete(engine, key(0), stored, material, STAMP)
    second = await complete(engine, key(0), stored, material, Stamp(b"\x30\x03\x02\x01\x02", NOW))
    assert second == first


def test_the_signature_value_is_what_is_stamped() -> None:
    assert parked_material().imprint == IMPRINT


def test_the_python_client_asks_for_parking_and_then_leaves_the_parked_alone() -> None:
    plan = signing_plan(Plan("school", "principal", Level.B_T, park_without_timestamp=True))
    assert plan.timestamp_shortage == plan_pb2.TIMESTAMP_SHORTAGE_PARK
    assert not is_passing(TimestampPending("parked", retry_after_s=60))
    assert is_passing(unavailable())
