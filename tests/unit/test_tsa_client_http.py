"""How the client speaks HTTP: connections, limits, authentication, deadlines."""

from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from signer.algorithms import DigestAlgorithm
from signer.demo.pem import write_certificates
from signer.demo.tls_pki import TlsPki
from signer.errors import ConfigError, TimestampUnavailable
from signer.formats.cms.reader import read_signed_data
from signer.secrets import PinReference
from signer.telemetry.metrics import Metrics
from signer.timestamp.client import TimestampClient
from signer.timestamp.client.gate import Gate
from signer.timestamp.client.health import TsaState
from signer.timestamp.client.question import Question
from signer.timestamp.client.transport import Transport
from signer.timestamp.settings import TsaSettings
from signer.timestamp.tsp import TimestampRequest, build_request, parse_response
from signer.timestamp.tst_info import read_tst_info
from signer.timestamp.verify import VerifiedTimestamp
from tests.support.lies import IMPRINT, NOW
from tests.support.tsa import HttpTsa, closes_afterwards, endless, honest, late, settings_for, status, too_many


def client_of(*servers: TsaSettings) -> TimestampClient:
    return TimestampClient(servers, Metrics.on(CollectorRegistry()), lambda: NOW)


async def stamp(client: TimestampClient, within_s: float = 5.0) -> None:
    await client.stamp(IMPRINT, DigestAlgorithm.SHA256, asyncio.get_running_loop().time() + within_s)


def believe(answer: bytes) -> VerifiedTimestamp:
    """Without a look."""
    return VerifiedTimestamp(answer, read_tst_info(read_signed_data(parse_response(answer)).content or b""), b"")


def good() -> HttpTsa:
    return HttpTsa(honest(clock=lambda: NOW))


async def test_one_connection_serves_many_requests(tmp_path: Path) -> None:
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url)) as client:
        for _ in range(10):
            await stamp(client)
        assert (tsa.requests, tsa.connections) == (10, 1)
        assert "content-type: application/timestamp-query\r\n" in tsa.heads[0].lower()


async def test_a_kept_connection_that_the_authority_closed_costs_no_failure(tmp_path: Path) -> None:
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, failures_max=1)) as client:
        tsa.delivery = closes_afterwards
        for _ in range(5):
            await stamp(client)
        assert client.authorities[0].health.state is TsaState.READY


async def test_no_more_requests_are_open_than_agreed(tmp_path: Path) -> None:
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, concurrency_max=3)) as client:
        tsa.delivery = late(0.02)
        await asyncio.gather(*(stamp(client) for _ in range(12)))
        assert (tsa.requests, tsa.busy_max, tsa.connections) == (12, 3, 3)


async def test_the_next_question_has_left_when_the_one_before_it_learns_of_its_answer(tmp_path: Path) -> None:
    async with good() as tsa:
        settings = settings_for(tmp_path, "tsa", tsa.url, concurrency_max=1)
        gate, transport = Gate(settings), Transport(settings, None)
        deadline_s = asyncio.get_running_loop().time() + 5
        body = build_request(TimestampRequest(IMPRINT, DigestAlgorithm.SHA256, nonce=1, with_certificates=True))
        first, second = (Question(gate, transport, body, believe, deadline_s=deadline_s, timeout_s=5.0) for _ in range(2))
        waiting = asyncio.create_task(first.timestamp())
        await asyncio.sleep(0)
        next_one = asyncio.create_task(second.timestamp())
        await asyncio.sleep(0)
        assert (first.admission is None, second.admission is None) == (False, True)
        await waiting
        assert second.admission is not None
        await next_one
        first.end()
        second.end()
        transport.close()


async def test_no_more_requests_leave_than_agreed(tmp_path: Path) -> None:
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, per_second_max=20)) as client:
        await asyncio.gather(*(stamp(client) for _ in range(11)))
        assert tsa.arrived_s[-1] - tsa.arrived_s[0] >= 0.3, "half a second, if none is held up on its way"


async def test_a_turn_that_comes_after_the_deadline_is_not_awaited(tmp_path: Path) -> None:
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, per_second_max=0.01)) as client:
        await stamp(client)
        started_s = asyncio.get_running_loop().time()
        with pytest.raises(TimestampUnavailable, match="deadline comes before its turn"):
            await stamp(client, within_s=60)
        assert asyncio.get_running_loop().time() - started_s < 30
        assert client.authorities[0].health.state is TsaState.READY


async def test_the_callers_deadline_ends_a_request_and_is_not_the_authoritys_fault(tmp_path: Path) -> None:
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, failures_max=1)) as client:
        tsa.delivery = late(300)
        with pytest.raises(TimestampUnavailable, match="the deadline came before its answer"):
            await stamp(client, within_s=1.0)
        assert client.authorities[0].health.state is TsaState.READY


async def test_redirects_and_endless_answers_are_not_followed(tmp_path: Path) -> None:
    async with good() as other, good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, failures_max=9)) as client:
        tsa.delivery = status("307 Temporary Redirect", b"", f"Location: {other.url}")
        with pytest.raises(TimestampUnavailable, match="HTTP status 307"):
            await stamp(client)
        tsa.delivery = endless
        with pytest.raises(TimestampUnavailable, match="more than 12288 bytes"):
            await stamp(client)
        assert other.requests == 0


@pytest.mark.parametrize("line", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_retry_after_is_honoured_as_seconds_and_as_a_date(tmp_path: Path, line: str) -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    for value in ("60", in_a_minute):
        async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url)) as client:
            tsa.delivery = status(line, b"", f"Retry-After: {value}")
            with pytest.raises(TimestampUnavailable) as refused:
                await stamp(client)
            assert refused.value.retry_after_s == pytest.approx(60, abs=20)
            with pytest.raises(TimestampUnavailable, match="left alone"):
                await stamp(client)
            assert tsa.requests == 1


async def test_a_senseless_retry_after_is_a_failure_like_any_other(tmp_path: Path) -> None:
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url)) as client:
        tsa.delivery = too_many("soon")
        with pytest.raises(TimestampUnavailable, match="HTTP status 429"):
            await stamp(client)
        assert client.authorities[0].health.state is TsaState.READY


def secret(folder: Path, value: str) -> PinReference:
    file = folder / "secret"
    file.write_text(value, encoding="utf-8")
    file.chmod(0o600)
    return PinReference.parse(f"file:{file}")


async def test_password_and_bearer_token_are_sent_and_read_anew_each_time(tmp_path: Path) -> None:
    basic: dict[str, Any] = {"basic_user": "trường", "basic_password": secret(tmp_path, "mật khẩu\n")}
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, **basic)) as client:
        await stamp(client)
        secret(tmp_path, "changed")
        await stamp(client)
        sent = [next(line for line in head.split("\r\n") if line.startswith("Authorization: ")) for head in tsa.heads]
    assert [base64.b64decode(line.split()[-1]).decode() for line in sent] == ["trường:mật khẩu", "trường:changed"]
    async with good() as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, bearer_token=secret(tmp_path, "abc"))) as client:
        await stamp(client)
        assert "Authorization: Bearer abc\r\n" in tsa.heads[0]


async def test_a_secret_that_cannot_be_read_is_told_without_it_and_blames_nobody(tmp_path: Path) -> None:
    settings_of = settings_for(tmp_path, "tsa", "http://127.0.0.1:9", bearer_token=secret(tmp_path, "abc"), failures_max=1)
    (tmp_path / "secret").chmod(0o644)
    async with client_of(settings_of) as client:
        with pytest.raises(TimestampUnavailable, match="open to others") as refused:
            await stamp(client)
        assert "abc" not in refused.value.message
        assert client.authorities[0].health.state is TsaState.READY


async def test_a_bearer_token_that_would_end_its_header_is_not_sent(tmp_path: Path) -> None:
    async with good() as tsa:
        settings = settings_for(tmp_path, "tsa", tsa.url, bearer_token=secret(tmp_path, "abc\r\nX-More: 1\n"), failures_max=1)
        async with client_of(settings) as client:
            with pytest.raises(TimestampUnavailable, match="characters that none may have") as refused:
                await stamp(client)
            assert "X-More" not in refused.value.message
            assert client.authorities[0].health.state is TsaState.READY
        assert tsa.requests == 0


def server_context(folder: Path, tls: TlsPki) -> ssl.SSLContext:
    tls.server().write_pem(folder, "server")
    write_certificates(folder / "tls-ca.crt", tls.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "tls-ca.crt"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context


async def test_https_with_a_client_certificate(tmp_path: Path) -> None:
    tls = TlsPki.create()
    tls.client("school").write_pem(tmp_path, "school")
    tsa = good()
    await tsa.start(ssl=server_context(tmp_path, tls))
    url = f"https://localhost:{tsa.port}/tsa"
    mutual: dict[str, Any] = {
        "tls_ca_files": (tmp_path / "tls-ca.crt",),
        "tls_client_certificate": tmp_path / "school.crt",
        "tls_client_key": tmp_path / "school.key",
    }
    try:
        async with client_of(settings_for(tmp_path, "tsa", url, **mutual)) as client:
            await stamp(client)
        async with client_of(settings_for(tmp_path, "nobody", url, tls_ca_files=mutual["tls_ca_files"])) as client:
            with pytest.raises(TimestampUnavailable):
                await stamp(client)
        async with client_of(settings_for(tmp_path, "stranger", url)) as client:
            with pytest.raises(TimestampUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await stamp(client)
        assert tsa.requests == 1
    finally:
        await tsa.stop()


def test_files_that_cannot_be_used_refuse_the_configuration(tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled.pem"
    spoiled.write_text("no certificate")
    settings = settings_for(tmp_path, "tsa", "https://tsa.example/")
    with pytest.raises(ConfigError, match=r"stamping.servers\[tsa\].ca_files"):
        client_of(TsaSettings("tsa", settings.url, (spoiled,)))
    with pytest.raises(ConfigError, match=r"stamping.servers\[tsa\]: its TLS files"):
        client_of(settings_for(tmp_path, "tsa", settings.url, tls_ca_files=(spoiled,)))
