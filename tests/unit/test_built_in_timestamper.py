"""The authority's key behind the real journal: who asked, what was given, and what is left when token, journal or caller fail."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from asn1crypto import tsp as asn1_tsp
from prometheus_client import CollectorRegistry

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import (
    ClockUntrusted,
    DeadlineExceeded,
    JournalUnavailable,
    QueueFull,
    SignatureOutcomeUnknown,
    SignerError,
    TimestampUnavailable,
    TokenRemoved,
    TokenUnavailable,
)
from signer.journal import Journal
from signer.journal.entries import decode
from signer.journal.model import Intent, Outcome
from signer.model import SignatureKey
from signer.pipeline.engine import Engine
from signer.pipeline.timestamping import BuiltInTimestamper
from signer.store import open_engine
from signer.telemetry.metrics import Metrics
from signer.timestamp.clock.settings import ClockSettings, GuardKind
from signer.timestamp.settings import TimestampSettings
from signer.timestamp.tsp import PkiFailure, RequestRefused, TimestampRequest
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.tokens.jobs import TokenSignature
from signer.tokens.settings import CredentialSettings
from tests.support import pki
from tests.support.stores import Store
from tests.unit.test_credentials_table import found, ready

RSA = SignatureAlgorithm.RSA_PKCS1_SHA256
ASKED = TimestampRequest(hashlib.sha256(b"document").digest(), DigestAlgorithm.SHA256, nonce=1, with_certificates=True)
SETTINGS = TimestampSettings(
    credential="tsa", policy_oid="2.999.1", clock=ClockSettings(guard=GuardKind.UNGUARDED), digest_algorithms=(DigestAlgorithm.SHA256,)
)


@dataclass
class Token:
    """A token in memory. lots: digests of each call; lines: whose turn it was; script: what the next calls meet instead of a signature."""

    lots: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    script: list[SignerError] = field(default_factory=list)
    lot_max: int = 8
    opened: asyncio.Event | None = None

    def submit(
        self, *, digests: Sequence[bytes], line: str, check: Callable[[], None], **_: Any
    ) -> asyncio.Future[list[TokenSignature | SignerError]]:
        check()
        self.lots.append(len(digests))
        self.lines.append(line)
        return asyncio.ensure_future(self._sign(digests))

    async def _sign(self, digests: Sequence[bytes]) -> list[TokenSignature | SignerError]:
        if self.opened is not None:
            await self.opened.wait()
        if self.script:
            error = self.script.pop(0)
            return [error.copy() for _ in digests]
        return [TokenSignature(pki.sign(pki.tsa().key, RSA, digest), 0.0, 0.0) for digest in digests]


@dataclass
class Books:
    """The journal, whose intents or outcomes may fail to be written."""

    journal: Journal
    fails: str = ""

    async def intend(self, intents: Sequence[Intent]) -> list[int]:
        return list(await self._unless("intend", self.journal.intend, intents))

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        await self._unless("settle", self.journal.settle, outcomes)

    async def look_up(self, wanted: Sequence[SignatureKey]) -> dict[SignatureKey, Any]:
        return dict(await self.journal.look_up(wanted))

    async def _unless(self, name: str, call: Callable[[Any], Any], arguments: Any) -> Any:
        if self.fails == name:
            raise JournalUnavailable("disk full")
        return await call(arguments)


@dataclass
class Here:
    timestamper: BuiltInTimestamper
    token: Token
    books: Books
    url: str

    async def entries(self) -> list[dict[str, Any]]:
        """All but notes."""
        with open_engine(self.url, must_exist=True).connect() as connection:
            found = [decode(row[0]) for row in connection.exec_driver_sql("SELECT body FROM journal_entry ORDER BY entry_index")]
        return [entry for entry in found if entry["kind"] != "note"]


def in_s(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest_asyncio.fixture
async def here(store: Store) -> AsyncIterator[Here]:
    async with opened(store) as made:
        yield made


def opened(store: Store, settings: TimestampSettings = SETTINGS, clock: Callable[[], datetime] | None = None) -> Any:
    return _Opened(store.url, settings, clock)


class _Opened:
    def __init__(self, url: str, settings: TimestampSettings, clock: Callable[[], datetime] | None) -> None:
        self._url, self._settings, self._clock = url, settings, clock
        self._journal = Journal(url)

    async def __aenter__(self) -> Here:
        await self._journal.start()
        token, books = Token(), Books(self._journal)
        credentials = CredentialTable(
            (CredentialSettings("tsa", "token", key_label="tsa"),), Issuers([pki.authority().x509, pki.root().x509])
        )
        credentials.refresh("token", ready(found(pki.tsa(), key=pki.tsa().key, label="tsa")))
        metrics = Metrics.on(CollectorRegistry())
        engine = Engine(books, None, {"token": token}, credentials, metrics, lambda: datetime.now(UTC))  # type: ignore[arg-type]
        clock = self._clock or engine.utc_now
        return Here(BuiltInTimestamper(engine, self._settings, self._journal, clock), token, books, self._url)

    async def __aexit__(self, *_: object) -> None:
        await self._journal.stop()


async def test_each_timestamp_has_its_intent_and_outcome_under_its_serial_number_and_who_asked(here: Here) -> None:
    issued = await here.timestamper.stamp_request(ASKED, in_s(20), "http:192.0.2.7")
    signature = asn1_tsp.ContentInfo.load(issued.encoded)["content"]["signer_infos"][0]["signature"].native
    intent, outcome = await here.entries()
    assert (intent["kind"], intent["school"], intent["request"], intent["document"]) == ("intent", "", "timestamp", f"{issued.serial:x}")
    assert (intent["client"], intent["credential"], intent["plan"]) == ("http:192.0.2.7", "tsa", "rfc3161")
    assert (outcome["kind"], outcome["document"]) == ("released", intent["document"])
    assert outcome["signature"] == hashlib.sha256(signature).hexdigest()


async def test_what_a_client_asks_for_at_once_travels_together_and_clients_take_turns_at_the_token(here: Here) -> None:
    await here.timestamper.stamp_request(ASKED, in_s(20))  # serial numbers are there from now on: nothing waits before the key
    clients = ["signer", "http:192.0.2.7", "vnedu"] * 10
    issued = await asyncio.gather(*(here.timestamper.stamp_request(ASKED, in_s(20), client) for client in clients))
    assert here.token.lots == [1, 10, 10, 10]
    assert here.token.lines == ["", "", "http:192.0.2.7", "vnedu"]
    assert {one.serial for one in issued} == set(range(2, 32))
    intents = [entry for entry in await here.entries() if entry["kind"] == "intent"][1:]
    assert {entry["document"]: entry["client"] for entry in intents} == {
        f"{one.serial:x}": client for one, client in zip(issued, clients, strict=True)
    }


async def test_more_than_a_worker_holds_comes_back_by_portions_so_that_the_token_always_has_something_to_sign(here: Here) -> None:
    await here.timestamper.stamp_request(ASKED, in_s(20))
    await asyncio.gather(*(here.timestamper.stamp_request(ASKED, in_s(20)) for _ in range(40)))
    assert here.token.lots == [1, 32, 8]
    assert [entry["kind"] for entry in await here.entries()].count("released") == 41


@pytest.mark.parametrize(
    ("asked", "failure"),
    [
        (replace(ASKED, policy_oid="1.2.3"), PkiFailure.UNACCEPTED_POLICY),
        (replace(ASKED, imprint=bytes(48), digest_algorithm=DigestAlgorithm.SHA384), PkiFailure.BAD_ALGORITHM),
    ],
)
async def test_what_the_configuration_does_not_serve_is_refused_without_a_key_use(
    here: Here, asked: TimestampRequest, failure: PkiFailure
) -> None:
    with pytest.raises(RequestRefused) as refused:
        await here.timestamper.stamp_request(asked, in_s(20))
    assert refused.value.failure is failure
    assert (here.token.lots, await here.entries()) == ([], [])


async def test_a_clock_that_can_not_vouch_stops_every_way_before_the_key(store: Store) -> None:
    def unsure() -> datetime:
        raise ClockUntrusted("the clock is 3 s off")

    async with opened(store, clock=unsure) as here:
        with pytest.raises(ClockUntrusted):
            await here.timestamper.stamp_request(ASKED, in_s(20))
        with pytest.raises(ClockUntrusted):
            await here.timestamper.stamp(ASKED.imprint, ASKED.digest_algorithm, in_s(20))
        assert (here.token.lots, await here.entries()) == ([], [])


@pytest.mark.parametrize("error", [QueueFull("full", retry_after_s=2), TokenUnavailable("absent")])
async def test_what_the_token_says_reaches_the_caller_and_a_signature_hears_that_no_timestamp_is_to_be_had(
    here: Here, error: SignerError
) -> None:
    here.token.script = [error] * 10
    with pytest.raises(type(error)):
        await here.timestamper.stamp_request(ASKED, in_s(1))
    here.token.script = [error] * 10
    with pytest.raises(TimestampUnavailable) as unavailable:
        await here.timestamper.stamp(ASKED.imprint, ASKED.digest_algorithm, in_s(1))
    assert (unavailable.value.retry_after_s, unavailable.value.metadata["cause"]) == (error.retry_after_s, error.reason.value)


async def test_a_worker_that_died_costs_another_attempt_under_the_same_serial_number(here: Here) -> None:
    here.token.script = [SignatureOutcomeUnknown("died"), TokenRemoved("away")]
    issued = await here.timestamper.stamp_request(ASKED, in_s(20))
    kinds = [entry["kind"] for entry in await here.entries() if entry["document"] == f"{issued.serial:x}"]
    assert kinds == ["intent", "unknown", "intent", "failed", "intent", "released"]


@pytest.mark.parametrize(("fails", "key_uses"), [("intend", 0), ("settle", 1)])
async def test_without_a_journal_nothing_is_given_and_before_the_intent_no_key_is_used(here: Here, fails: str, key_uses: int) -> None:
    here.books.fails = fails
    with pytest.raises(JournalUnavailable):
        await here.timestamper.stamp_request(ASKED, in_s(20))
    assert len(here.token.lots) == key_uses
    here.books.fails = ""
    assert (await here.timestamper.stamp_request(ASKED, in_s(20))).serial == 2, "the number that was not given is never used"


async def test_a_deadline_that_has_passed_uses_no_key_and_one_that_passes_meanwhile_gives_nothing(here: Here) -> None:
    with pytest.raises(DeadlineExceeded):
        await here.timestamper.stamp_request(ASKED, in_s(-1))
    assert here.token.lots == []
    here.token.opened = asyncio.Event()
    with pytest.raises(DeadlineExceeded):
        await here.timestamper.stamp_request(ASKED, in_s(0.2))
    here.token.opened.set()
    await here.timestamper._engine.drain(20)
    kinds = [entry["kind"] for entry in await here.entries()]
    assert kinds == ["intent", "released"], "a key use that was begun is accounted for, also when nobody waits"


async def test_one_who_went_away_before_the_key_was_used_uses_none(here: Here) -> None:
    await here.timestamper.stamp_request(ASKED, in_s(20))
    gone = asyncio.create_task(here.timestamper.stamp_request(ASKED, in_s(20)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await here.timestamper._engine.drain(20)
    assert here.token.lots == [1]


async def test_with_ordering_times_and_serial_numbers_have_one_order_also_after_a_restart(store: Store) -> None:
    settings = replace(SETTINGS, ordering=True, serial_prefix=3)
    issued = []
    for _ in range(2):
        async with opened(store, settings) as here:
            issued += await asyncio.gather(*(here.timestamper.stamp_request(ASKED, in_s(20)) for _ in range(50)))
    by_serial = sorted(issued, key=lambda one: one.serial)
    assert [one.gen_time for one in by_serial] == sorted({one.gen_time for one in issued})
    assert {one.serial >> 64 for one in issued} == {3}
    assert asn1_tsp.ContentInfo.load(issued[0].encoded)["content"]["encap_content_info"]["content"].parsed["ordering"].native is True
