"""Asking CAs over real HTTP: `openssl ocsp` and a shelf of CRLs, up, down, slow, huge and lying."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.ocsp import OCSPCertStatus
from prometheus_client import CollectorRegistry

from signer.errors import CertificateRevoked, CertificateStatusUnavailable, DeadlineExceeded
from signer.formats.status.answer import AnswerKind
from signer.formats.status.question import Question
from signer.revocation.settings import RevocationSettings
from signer.revocation.source import StatusSource
from signer.revocation.web import HttpWeb
from signer.telemetry.metrics import Metrics
from tests.support import cas, pki
from tests.support.cas import OpensslOcsp, Shelf

CRL = "/ca.crl"
OCSP = "/ocsp"


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with cas.shelf() as it:
        it.files[CRL] = cas.crl(pki.authority())
        yield it


@pytest.fixture
def responder(tmp_path: Path) -> Iterator[OpensslOcsp]:
    it = OpensslOcsp(tmp_path / "ocsp", pki.authority())
    yield it
    it.stop()


def issued(ocsp_url: str = "", crl_url: str = "") -> pki.Issued:
    return pki.issue("Teacher (DEMO)", pki.rsa_key(1), pki.authority(), extensions=cas.places(ocsp_url, crl_url))


def about(certificate: pki.Issued) -> Question:
    return Question(certificate.x509, pki.authority().x509)


@dataclass
class Asking:
    source: StatusSource
    registry: CollectorRegistry
    clock: list[timedelta]

    async def ask(self, certificate: pki.Issued, within_s: float = 60.0, *, fresh: bool = False) -> Any:
        return await self.source.answer(about(certificate), asyncio.get_running_loop().time() + within_s, fresh=fresh)

    def count(self, **labels: str) -> float:
        return self.registry.get_sample_value("signer_revocation_questions_total", labels) or 0.0


@asynccontextmanager
async def asking(**settings: Any) -> AsyncIterator[Asking]:
    registry = CollectorRegistry()
    made = RevocationSettings(**settings)
    web = HttpWeb(made)
    web.start()
    clock = [timedelta()]
    source = StatusSource(made, web, Metrics.on(registry), lambda: datetime.now(UTC) + clock[0])
    try:
        yield Asking(source, registry, clock)
    finally:
        await web.close()


async def test_ocsp_is_asked_first_and_its_answer_remembered(responder: OpensslOcsp, shelf: Shelf) -> None:
    teacher = issued(responder.url, shelf.url(CRL))
    responder.start((teacher.x509,))
    async with asking() as one:
        answers = await asyncio.gather(*(one.ask(teacher) for _ in range(5)))
        responder.stop()
        answers.append(await one.ask(teacher))
        assert {answer.kind for answer in answers} == {AnswerKind.OCSP}
        assert (one.count(source="ocsp", outcome="good"), one.count(source="ocsp", outcome="remembered")) == (1, 1)
    assert shelf.asked == []


async def test_the_crl_steps_in_when_ocsp_is_down_and_is_fetched_once(responder: OpensslOcsp, shelf: Shelf) -> None:
    teachers = [issued(responder.url, shelf.url(CRL)) for _ in range(5)]
    async with asking() as one:
        answers = await asyncio.gather(*(one.ask(teacher) for teacher in teachers))
        assert {answer.kind for answer in answers} == {AnswerKind.CRL}
        assert one.count(source="ocsp", outcome="unreachable") >= 1
        assert await one.ask(issued(responder.url, shelf.url(CRL)))
        assert one.count(source="ocsp", outcome="paused") >= 1, "an address that failed is left alone for a moment"
    assert shelf.asked == [CRL]


async def test_a_revoked_certificate_is_refused_by_ocsp_and_by_crl(responder: OpensslOcsp, shelf: Shelf) -> None:
    by_ocsp, by_crl = issued(responder.url), issued("", shelf.url(CRL))
    responder.start((), (by_ocsp.x509,))
    shelf.files[CRL] = cas.crl(pki.authority(), (by_crl.x509.serial_number,))
    async with asking() as one:
        for teacher in (by_ocsp, by_crl):
            with pytest.raises(CertificateRevoked) as told:
                await one.ask(teacher)
            assert told.value.metadata["serial"] == f"{teacher.x509.serial_number:x}"
        assert one.count(source="ocsp", outcome="revoked") == one.count(source="crl", outcome="revoked") == 1


async def test_a_lie_is_not_believed_counted_and_the_crl_asked(shelf: Shelf) -> None:
    teacher = issued(shelf.url(OCSP), shelf.url(CRL))
    shelf.files[OCSP] = cas.ocsp_answer(issued().x509, pki.authority())
    async with asking() as one:
        answer = await one.ask(teacher)
        assert answer.kind is AnswerKind.CRL
        assert one.registry.get_sample_value("signer_revocation_refused_total", {"source": "ocsp", "check": "certificate"}) == 1


async def test_nobody_to_ask_is_said_without_a_call() -> None:
    async with asking() as one:
        with pytest.raises(CertificateStatusUnavailable, match="neither an OCSP responder nor a CRL") as told:
            await one.ask(issued())
        assert told.value.retry_after_s is None, "repeating would not help"


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        ({"status": 503}, "http-status"),
        ({"status": 302, "location": "http://127.0.0.1:1/"}, "http-status"),
        ({"delay_s": 1.0}, "timed-out"),
        ({"files": {OCSP: bytes(3000), CRL: bytes(3000)}}, "too-long"),
    ],
    ids=["an error page", "a redirect", "slow", "huge"],
)
async def test_trouble_at_the_ca_ends_in_a_clear_refusal(shelf: Shelf, trouble: dict[str, Any], outcome: str) -> None:
    shelf.files[OCSP] = cas.ocsp_answer(issued().x509, pki.authority())
    for name, value in trouble.items():
        setattr(shelf, name, value)
    timeout_s = 0.3 if outcome == "timed-out" else 30.0
    async with asking(timeout_s=timeout_s, ocsp_bytes_max=2048, crl_bytes_max=2048) as one:
        with pytest.raises(CertificateStatusUnavailable) as told:
            await one.ask(issued(shelf.url(OCSP), shelf.url(CRL)))
        assert told.value.retry_after_s
        assert "ocsp" in told.value.message
        assert "crl" in told.value.message
        assert one.count(source="ocsp", outcome=outcome) == one.count(source="crl", outcome=outcome) == 1
    assert set(shelf.asked) == {OCSP, CRL}


async def test_after_a_failure_the_next_question_is_answered_again(shelf: Shelf) -> None:
    teacher = issued("", shelf.url(CRL))
    shelf.status = 500
    async with asking(pause_s=30) as one:
        with pytest.raises(CertificateStatusUnavailable):
            await one.ask(teacher)
        shelf.status = 200
        with pytest.raises(CertificateStatusUnavailable, match="left alone"):
            await one.ask(teacher)
        one.clock[0] = timedelta(seconds=31)
        assert (await one.ask(teacher)).kind is AnswerKind.CRL


async def test_an_answer_is_forgotten_when_its_time_is_over(shelf: Shelf) -> None:
    teacher = issued("", shelf.url(CRL))
    shelf.files[CRL] = cas.crl(pki.authority(), days=1)
    async with asking(cache_s_max=604_800) as one:
        await one.ask(teacher)
        one.clock[0] = timedelta(days=2)
        with pytest.raises(CertificateStatusUnavailable, match="stale"):
            await one.ask(teacher)
    assert shelf.asked == [CRL, CRL]


async def test_revoked_meanwhile_is_noticed_when_the_answer_is_forgotten(responder: OpensslOcsp) -> None:
    teacher = issued(responder.url)
    responder.start((teacher.x509,))
    async with asking(cache_s_max=60) as one:
        await one.ask(teacher)
        responder.start((), (teacher.x509,))
        assert await one.ask(teacher)
        one.clock[0] = timedelta(seconds=61)
        with pytest.raises(CertificateRevoked):
            await one.ask(teacher)


async def test_a_fresh_question_that_learns_of_a_revocation_ends_what_was_remembered(shelf: Shelf) -> None:
    """The old CRL as well: it would say "good" again as soon as OCSP is down."""
    teacher = issued(shelf.url(OCSP), shelf.url(CRL))
    async with asking(pause_s=0) as one:
        assert (await one.ask(teacher)).kind is AnswerKind.CRL
        shelf.files[OCSP] = cas.ocsp_answer(teacher.x509, pki.authority(), status=OCSPCertStatus.REVOKED)
        shelf.files[CRL] = cas.crl(pki.authority(), (teacher.x509.serial_number,))
        with pytest.raises(CertificateRevoked):
            await one.ask(teacher, fresh=True)
        del shelf.files[OCSP]
        with pytest.raises(CertificateRevoked):
            await one.ask(teacher)


async def test_nobody_waits_beyond_the_deadline_and_others_still_get_the_answer(shelf: Shelf) -> None:
    teacher = issued("", shelf.url(CRL))
    shelf.delay_s = 0.5
    async with asking() as one:
        patient = asyncio.create_task(one.ask(teacher))
        with pytest.raises(DeadlineExceeded):
            await one.ask(teacher, within_s=0.05)
        assert (await patient).kind is AnswerKind.CRL
    assert shelf.asked == [CRL]
