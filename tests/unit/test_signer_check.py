"""The certificate that is to sign is looked at before its key is used: usage, chain, status; once a window, whatever the class."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from prometheus_client import CollectorRegistry

from signer.documents.wire import Trust
from signer.errors import CertificateExpired, CertificateRevoked, CertificateStatusUnavailable, CertificateUnusable, DeadlineExceeded
from signer.model import Credential
from signer.pipeline.request import Request
from signer.pipeline.signer_check import SignerCheck
from signer.revocation.settings import RevocationSettings, UnknownStatus
from signer.revocation.source import StatusSource
from signer.revocation.web import HttpWeb
from signer.telemetry.metrics import CertificateVerdict, Metrics
from tests.support import cas, pki
from tests.support.cas import Shelf
from tests.support.sha1 import sha1_signed
from tests.support.waiting import until_true

CRL = "/ca.crl"
ROOT_CRL = "/root.crl"


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with cas.shelf() as it:
        yield it


@dataclass
class Bench:
    check: SignerCheck
    registry: CollectorRegistry
    clock: list[timedelta]
    told: list[tuple[str, str]] = field(default_factory=list)

    async def sign(self, signer: pki.Issued, *, is_long_term: bool = False, within_s: float = 60.0, documents: int = 1) -> None:
        clock_s = asyncio.get_running_loop().time
        request = Request("client", "1", "r", clock_s() + within_s, clock_s)
        await self.check.require(request, credential_of(signer), is_long_term=is_long_term, documents=documents)

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def credential_of(signer: pki.Issued) -> Credential:
    return Credential("cbql", "token", b"", "", "1", signer.der, (), ())


def trust(*roots: pki.Issued, intermediates: tuple[pki.Issued, ...] = ()) -> Trust:
    return Trust(
        signing=tuple(each.der for each in roots),
        timestamping=(),
        intermediates=tuple(each.der for each in intermediates),
        allow_sha1=False,
    )


@asynccontextmanager
async def checking(believed: Trust, **settings: Any) -> AsyncIterator[Bench]:
    registry = CollectorRegistry()
    metrics = Metrics.on(registry)
    made = RevocationSettings(**settings)
    web = HttpWeb(made)
    web.start()
    clock = [timedelta()]
    told: list[tuple[str, str]] = []

    def now() -> datetime:
        return datetime.now(UTC) + clock[0]

    status = StatusSource(made, web, metrics, now)
    check = SignerCheck(status, lambda: believed, made, metrics, now, on_unknown=lambda *what: told.append(what))
    try:
        yield Bench(check, registry, clock, told)
    finally:
        await web.close()


def teacher(shelf: Shelf, issuer: pki.Issued | None = None, **how: Any) -> pki.Issued:
    """A leaf whose CA and root tell its status by CRL."""
    issuer = issuer or pki.root()
    shelf.files.setdefault(CRL, cas.crl(issuer))
    return pki.issue("Trần Văn Giáo", pki.rsa_key(1), issuer, extensions=cas.places("", shelf.url(CRL)), **how)


async def test_a_good_certificate_is_asked_about_once_for_a_whole_class(shelf: Shelf) -> None:
    signer = teacher(shelf)
    async with checking(trust(pki.root())) as bench:
        await asyncio.gather(*(bench.sign(signer) for _ in range(35)))
        await bench.sign(signer, is_long_term=True)
        assert shelf.asked == [CRL]
        assert bench.count("signer_certificate_checks_total", outcome="good") == 1
        assert (bench.told, bench.count("signer_signed_without_status_total")) == ([], 0)


async def test_what_is_told_of_a_credential_is_when_its_cas_last_said_that_it_is_good(shelf: Shelf) -> None:
    signer = teacher(shelf)
    async with checking(trust(pki.root()), cache_s_max=0) as bench:
        assert bench.check.good_at(credential_of(signer)) is None
        before = datetime.now(UTC)
        await bench.sign(signer)
        told = bench.check.good_at(credential_of(signer))
        assert told is not None
        assert before <= told <= datetime.now(UTC)
        shelf.files[CRL] = cas.crl(pki.root(), (signer.x509.serial_number,))
        with pytest.raises(CertificateRevoked):
            await bench.sign(signer)
        assert bench.check.good_at(credential_of(signer)) is None


async def test_the_window_ends_with_the_cache_or_with_the_answer_whichever_comes_first(shelf: Shelf) -> None:
    signer = teacher(shelf)
    async with checking(trust(pki.root()), cache_s_max=600) as bench:
        await bench.sign(signer)
        bench.clock[0] = timedelta(seconds=599)
        await bench.sign(signer)
        assert bench.count("signer_certificate_checks_total", outcome="good") == 1
        bench.clock[0] = timedelta(seconds=601)
        await bench.sign(signer)
        assert bench.count("signer_certificate_checks_total", outcome="good") == 2
        assert shelf.asked == [CRL, CRL]


@pytest.mark.parametrize("is_long_term", [False, True])
async def test_a_revoked_certificate_signs_at_no_level_and_is_asked_about_again_each_time(shelf: Shelf, is_long_term: bool) -> None:
    signer = teacher(shelf)
    shelf.files[CRL] = cas.crl(pki.root(), (signer.x509.serial_number,))
    async with checking(trust(pki.root()), cache_s_max=0) as bench:
        for _ in range(2):
            with pytest.raises(CertificateRevoked):
                await bench.sign(signer, is_long_term=is_long_term)
        shelf.files[CRL] = cas.crl(pki.root())
        await bench.sign(signer, is_long_term=is_long_term)


async def test_a_revoked_ca_above_it_counts_as_much(shelf: Shelf) -> None:
    authority = pki.issue("CA (DEMO)", pki.rsa_key(101), pki.root(), is_ca=True, extensions=cas.places("", shelf.url(ROOT_CRL)))
    shelf.files[ROOT_CRL] = cas.crl(pki.root(), (authority.x509.serial_number,))
    signer = teacher(shelf, authority)
    async with checking(trust(pki.root(), intermediates=(authority,))) as bench:
        with pytest.raises(CertificateRevoked):
            await bench.sign(signer)


async def test_unknown_status_is_let_through_with_a_mark_or_refused_as_the_policy_says_and_never_above_b_t(shelf: Shelf) -> None:
    signer = teacher(shelf)
    shelf.status = 503
    async with checking(trust(pki.root())) as bench:
        await bench.sign(signer, documents=35)
        await bench.sign(signer)
        assert bench.count("signer_signed_without_status_total") == 36
        assert [credential for credential, _why in bench.told] == ["cbql"], "told once a window"
        with pytest.raises(CertificateStatusUnavailable):
            await bench.sign(signer, is_long_term=True)
    async with checking(trust(pki.root()), unknown_status=UnknownStatus.REFUSE) as bench:
        with pytest.raises(CertificateStatusUnavailable):
            await bench.sign(signer)
        assert bench.told == []


async def test_a_ca_that_is_away_is_asked_again_behind_the_documents_backs(shelf: Shelf) -> None:
    signer = teacher(shelf)
    shelf.status = 503
    async with checking(trust(pki.root()), pause_s=10) as bench:
        await bench.sign(signer)
        shelf.delay_s, shelf.status = 3.0, 200
        bench.clock[0] = timedelta(seconds=11)
        await asyncio.wait_for(bench.sign(signer), 2.5)
        await until_true(lambda: bench.count("signer_certificate_checks_total", outcome="good"), "the CA's answer")
        await bench.sign(signer, is_long_term=True)
        assert bench.count("signer_signed_without_status_total") == 2
        shelf.status = 503
        for seconds in (5000, 6000):
            bench.clock[0] = timedelta(seconds=seconds)
            await bench.sign(signer)
            await until_true(lambda: not bench.check._asking, "the CA's silence")
        assert len(bench.told) == 2, "each silence is told once, however often it is met"


async def test_a_deadline_ends_the_waiting_and_not_the_asking(shelf: Shelf) -> None:
    signer = teacher(shelf)
    shelf.delay_s = 0.5
    async with checking(trust(pki.root())) as bench:
        with pytest.raises(DeadlineExceeded):
            await bench.sign(signer, within_s=0.05)
        await bench.sign(signer)
        assert shelf.asked == [CRL]


async def test_without_any_ca_believed_for_signing_the_policy_for_unknown_holds(shelf: Shelf) -> None:
    signer = teacher(shelf)
    async with checking(trust()) as bench:
        await bench.sign(signer)
        assert "signer trust" in bench.told[0][1]
        with pytest.raises(CertificateStatusUnavailable):
            await bench.sign(signer, is_long_term=True)
    assert shelf.asked == []


UNFIT: dict[str, Any] = {
    "a stranger's": lambda shelf: teacher(shelf, pki.issue("Stranger CA", pki.rsa_key(130), is_ca=True)),
    "a CA's": lambda shelf: teacher(shelf, is_ca=True),
    "a time-stamping authority's": lambda shelf: teacher(shelf, usages=(ExtendedKeyUsageOID.TIME_STAMPING,)),
    "a server's": lambda shelf: teacher(shelf, usages=(ExtendedKeyUsageOID.SERVER_AUTH,)),
    "one below a SHA-1 CA nobody configured": lambda shelf: teacher(
        shelf, sha1_signed(pki.issue("CA G1", pki.rsa_key(142), pki.root(), is_ca=True), pki.root())
    ),
    "an expired one": lambda shelf: teacher(shelf, not_after=datetime.now(UTC) - timedelta(days=1)),
}


@pytest.mark.parametrize("name", UNFIT)
async def test_what_may_not_sign_is_refused_and_makes_nobody_call_anything(shelf: Shelf, name: str) -> None:
    signer = UNFIT[name](shelf)
    async with checking(trust(pki.root())) as bench:
        with pytest.raises(CertificateExpired if name == "an expired one" else CertificateUnusable):
            await bench.sign(signer)
    assert shelf.asked == [], "an address in a certificate that no believed CA vouches for is not called"


@pytest.mark.parametrize(
    "usages",
    [(ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION), (x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),)],
)
async def test_what_peoples_certificates_name_is_taken(shelf: Shelf, usages: tuple[x509.ObjectIdentifier, ...]) -> None:
    async with checking(trust(pki.root())) as bench:
        await bench.sign(teacher(shelf, usages=usages, usages_critical=False))


async def test_a_first_generation_ca_counts_where_it_is_configured(shelf: Shelf) -> None:
    old = pki.issue("CA G1", pki.rsa_key(142), pki.root(), is_ca=True, extensions=cas.places("", shelf.url(ROOT_CRL)))
    old = sha1_signed(old, pki.root())
    shelf.files[ROOT_CRL] = cas.crl(pki.root())
    async with checking(trust(pki.root(), intermediates=(old,))) as bench:
        await bench.sign(teacher(shelf, old), is_long_term=True)


async def test_a_fresh_look_asks_the_ca_whatever_is_remembered(shelf: Shelf) -> None:
    signer = teacher(shelf)
    async with checking(trust(pki.root())) as bench:
        await bench.sign(signer)
        shelf.files[CRL] = cas.crl(pki.root(), (signer.x509.serial_number,))
        deadline_s = asyncio.get_running_loop().time() + 60
        assert (await bench.check.judge(signer.x509, (), deadline_s)).outcome is CertificateVerdict.GOOD
        assert (await bench.check.judge(signer.x509, (), deadline_s, fresh=True)).outcome is CertificateVerdict.REVOKED


async def test_a_fresh_look_that_learns_of_a_revocation_ends_the_window(shelf: Shelf) -> None:
    """Of the signer, and of everybody below a CA that was revoked; a colleague's verdict stays."""
    authority = pki.issue("CA (DEMO)", pki.rsa_key(101), pki.root(), is_ca=True, extensions=cas.places("", shelf.url(ROOT_CRL)))
    shelf.files[ROOT_CRL] = cas.crl(pki.root())
    signer, colleague = teacher(shelf, authority), teacher(shelf, authority)
    async with checking(trust(pki.root(), intermediates=(authority,))) as bench:
        for each in (signer, colleague):
            await bench.sign(each)
        deadline_s = asyncio.get_running_loop().time() + 60
        shelf.files[CRL] = cas.crl(authority, (signer.x509.serial_number,))
        assert (await bench.check.judge(signer.x509, (), deadline_s, fresh=True)).outcome is CertificateVerdict.REVOKED
        with pytest.raises(CertificateRevoked):
            await bench.sign(signer)
        asked = len(shelf.asked)
        await bench.sign(colleague)
        assert len(shelf.asked) == asked
        shelf.files[ROOT_CRL] = cas.crl(pki.root(), (authority.x509.serial_number,))
        assert (await bench.check.judge(colleague.x509, (), deadline_s, fresh=True)).outcome is CertificateVerdict.REVOKED
        with pytest.raises(CertificateRevoked):
            await bench.sign(colleague)


async def test_other_cas_believed_end_the_window(shelf: Shelf) -> None:
    signer = teacher(shelf)
    async with checking(trust(pki.root())) as bench:
        await bench.sign(signer)
        bench.check.forget()
        await bench.sign(signer)
        assert bench.count("signer_certificate_checks_total", outcome="good") == 2
