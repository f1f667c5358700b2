from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import tsp as asn1_tsp
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from prometheus_client import CollectorRegistry

from signer.algorithms import DigestAlgorithm
from signer.config import Config
from signer.config.server import ServerSettings
from signer.demo.certificate_profiles import Validity
from signer.demo.pem import write_certificates
from signer.demo.tls_pki import TlsPki
from signer.errors import ClockUntrusted, DeadlineExceeded, QueueFull, SignerError, TokenUnavailable
from signer.formats import der
from signer.secrets import PinReference
from signer.timestamp.authority import IssuedTimestamp
from signer.timestamp.clock.settings import ClockSettings, GuardKind
from signer.timestamp.settings import TimestampHttpSettings, TimestampSettings
from signer.timestamp.tsp import TimestampRequest, build_request, message_imprint, parse_response
from signer.timestamp.tst_info import read_tst_info
from tests.support.stamping import authority
from tests.support.timestamp_http import ASKED, IMPRINT, QUERY, Issue, Opened, Stamper, asked, line, opened, post

SHA1 = bytes.fromhex("300906052b0e03021a05000414") + bytes(20)
CRITICAL = der.implicit(0, der.sequence(der.sequence(der.oid("2.999.1"), der.TRUE, der.octet_string(b""))))
EXTENSION = der.implicit(0, der.sequence(der.sequence(der.oid("2.999.1"), der.octet_string(b""))))
_IMPRINT = message_imprint(IMPRINT, DigestAlgorithm.SHA256)

BROKEN = {
    "garbage": (b"not asn.1 at all", "bad_data_format"),
    "html": (b"<html>", "bad_data_format"),
    "cut": (QUERY[:-1], "bad_data_format"),
    "more": (QUERY + b"\x00", "bad_data_format"),
    "version": (der.sequence(der.integer(2), _IMPRINT), "bad_request"),
    "critical extension": (der.sequence(der.integer(1), _IMPRINT, CRITICAL), "unaccepted_extensions"),
    "extension": (der.sequence(der.integer(1), _IMPRINT, EXTENSION), "unaccepted_extensions"),
    "policy": (build_request(replace(ASKED, policy_oid="1.2.3")), "unaccepted_policy"),
    "sha-1": (der.sequence(der.integer(1), der.sequence(SHA1[:11], SHA1[11:])), "bad_alg"),
    "imprint too short": (der.sequence(der.integer(1), message_imprint(IMPRINT[1:], DigestAlgorithm.SHA256)), "bad_data_format"),
    "nonce beyond 64 bytes": (der.sequence(der.integer(1), _IMPRINT, der.integer(1 << 512)), "bad_data_format"),
}
NO_QUERIES = {
    "get": (post(b"", method="GET"), 405),
    "put": (post(method="PUT"), 405),
    "head": (post(b"", method="HEAD"), 405),
    "another path": (post(path="/"), 404),
    "below the path": (post(path="/tsa/x"), 404),
    "another type": (post(kind="application/json"), 415),
    "no type": (post(kind=""), 415),
    "empty": (post(b""), 400),
    "too long": (post(bytes(5000)), 413),
    "too long, in pieces": (
        post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"") + b"1388\r\n" + bytes(5000) + b"\r\n0\r\n\r\n",
        413,
    ),
    "no http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a head without end": (b"POST /tsa HTTP/1.1\r\nX: " + b"a" * 10_000, 400),
    "two lengths": (post(QUERY, "Content-Length: 3"), 400),
}
ERRORS: dict[str, tuple[SignerError, str]] = {
    "clock": (ClockUntrusted("ntp1.internal is 3 s off"), "time_not_available"),
    "token": (TokenUnavailable("token hsm-1: absent"), "system_failure"),
}


def failing(error: SignerError) -> Issue:
    async def issue(_asked: TimestampRequest) -> IssuedTimestamp:
        raise error

    return issue


async def test_a_timestamp_is_given_for_what_was_asked() -> None:
    async with opened() as here:
        answer = await asked(here.port, post())
        info = read_tst_info(_tst_info(parse_response(answer.body)))
        assert (info.imprint, info.nonce) == (IMPRINT, 42)
        assert here.stamper.clients == ["http:127.0.0.1"]
        assert here.counted("granted") == 1


@pytest.mark.parametrize("nonce", [None, 0, -1, 1 << 159, (1 << 511) - 1])
async def test_any_nonce_that_is_accepted_is_echoed(nonce: int | None) -> None:
    async with opened() as here:
        answer = await asked(here.port, post(build_request(replace(ASKED, nonce=nonce))))
        assert read_tst_info(_tst_info(parse_response(answer.body))).nonce == nonce


async def test_one_connection_carries_many_requests_also_before_they_are_answered() -> None:
    async with opened() as here, line(here.port) as one:
        one.send(post() * 20)
        for _ in range(20):
            assert (await one.answer()).failure == ""
        one.send(post(b"", method="GET"))
        assert (await one.answer()).status == 405
        one.send(post(kind="Application/Timestamp-Query; charset=binary"))
        assert (await one.answer()).failure == ""
        assert here.connections == 1


@pytest.mark.parametrize(
    "headers", [("Expect: 100-continue",), ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")]
)
async def test_clients_of_other_platforms_are_served(headers: tuple[str, ...]) -> None:
    async with opened() as here, line(here.port) as one:
        head, body = post(QUERY, *headers)[: -len(QUERY)], QUERY
        one.send(head)
        if "Expect" in headers[0]:
            assert (await one.answer()).status == 100
        one.send(body)
        assert (await one.answer()).failure == ""


@pytest.mark.parametrize(("body", "failure"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_request_is_refused_by_the_protocol_and_the_connection_goes_on(body: bytes, failure: str) -> None:
    async with opened(Stamper(replace(authority(), sign=_never).issue)) as here, line(here.port) as one:
        one.send(post(body) * 2)
        assert (await one.answer()).failure == failure
        assert (await one.answer()).failure == failure
        names = {"bad_alg": "bad-algorithm", "unaccepted_extensions": "unaccepted-extension"}
        assert here.counted(names.get(failure, failure.replace("_", "-"))) == 2


@pytest.mark.parametrize(("raw", "status"), NO_QUERIES.values(), ids=NO_QUERIES)
async def test_what_is_no_query_gets_a_status_and_one_line(raw: bytes, status: int) -> None:
    async with opened(Stamper(failing(AssertionError()))) as here:  # type: ignore[arg-type]
        async with line(here.port) as one:
            one.send(raw)
            if raw.startswith(b"HEAD"):
                head = await one.reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 405 ")
                return
            answer = await one.answer()
        assert answer.status == status
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.body.endswith(b"\n")
        assert answer.body.count(b"\n") == 1
        assert "aiohttp" not in str(answer.headers)


@pytest.mark.parametrize(("error", "failure"), ERRORS.values(), ids=ERRORS)
async def test_what_keeps_us_from_stamping_is_said_without_details(error: SignerError, failure: str) -> None:
    async with opened(Stamper(failing(error))) as here:
        answer = await asked(here.port, post())
        assert answer.failure == failure
        assert error.message.encode() not in answer.body


@pytest.mark.parametrize("error", [QueueFull("full", retry_after_s=1.5), DeadlineExceeded("late")])
async def test_one_who_may_come_back_is_told_when(error: SignerError) -> None:
    async with opened(Stamper(failing(error))) as here:
        answer = await asked(here.port, post())
        assert (answer.status, answer.headers["retry-after"]) == (503, "2" if error.retry_after_s else "1")


async def test_a_bug_of_ours_leaves_nothing_but_a_reference() -> None:
    async def broken(_asked: TimestampRequest) -> IssuedTimestamp:
        message = "secret detail"
        raise RuntimeError(message)

    async with opened(Stamper(broken)) as here:
        answer = await asked(here.port, post())
        assert answer.status == 500
        assert b"secret" not in answer.body
        assert (await asked(here.port, post())).status == 500, "and the door is still there"


async def test_only_those_who_know_the_password_or_the_token_are_let_in(tmp_path: Path) -> None:
    for name, secret in (("password", "mật khẩu"), ("token", "s3cret")):
        (tmp_path / name).write_text(secret, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    secrets: dict[str, Any] = {
        "basic_user": "vnedu",
        "basic_password": PinReference.parse(f"file:{tmp_path / 'password'}"),
        "bearer_token": PinReference.parse(f"file:{tmp_path / 'token'}"),
    }

    def basic(both: str) -> str:
        return f"Authorization: Basic {b64encode(both.encode()).decode()}"

    async with opened(**secrets) as here:
        for let_in in (basic("vnedu:mật khẩu"), "Authorization: Bearer s3cret", "authorization: bearer s3cret"):
            assert (await asked(here.port, post(QUERY, let_in))).status == 200
        for refused in ("X: y", basic("vnedu:mat khau"), basic("vnedu:"), "Authorization: Bearer mật khẩu", "Authorization: Bearer"):
            answer = await asked(here.port, post(QUERY, refused))
            assert (answer.status, answer.headers["www-authenticate"][:5]) == (401, "Basic")
        assert (await asked(here.port, post(QUERY, "Authorization: Bearer any").replace(b"any", b"\xff\xfe"))).status == 401
        assert len(here.stamper.clients) == 3


async def test_a_tls_client_is_journalled_by_its_certificate_and_a_stranger_is_not_let_in(tls: Path) -> None:
    settings: dict[str, Any] = {
        "tls_certificate": tls / "server.crt",
        "tls_private_key": tls / "server.key",
        "tls_client_ca": tls / "tls-ca.crt",
    }
    known = ssl.create_default_context(cafile=tls / "tls-ca.crt")
    async with opened(idle_s=5, **settings) as here:
        for stranger in (None, "stranger"):
            context = ssl.create_default_context(cafile=tls / "tls-ca.crt")
            if stranger:
                context.load_cert_chain(tls / f"{stranger}.crt", tls / f"{stranger}.key")
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await asked(here.port, post(), ssl=context, server_hostname="localhost")
        known.load_cert_chain(tls / "school.crt", tls / "school.key")
        assert (await asked(here.port, post(), ssl=known, server_hostname="localhost")).failure == ""
        certificate = x509.load_pem_x509_certificate((tls / "school.crt").read_bytes())
        assert here.stamper.clients == [f"https:{certificate.fingerprint(SHA256()).hex()}"]


async def test_when_the_certificate_ends_is_told_of_the_one_in_force(tmp_path: Path) -> None:
    """SignerTlsCertificateEnds looks at it, for either door."""
    files: dict[str, Any] = {"tls_certificate": tmp_path / "server.crt", "tls_private_key": tmp_path / "server.key"}
    pki, now = TlsPki.create(), datetime.now(UTC).replace(microsecond=0)

    def renew(days: int) -> float:
        ends = now + timedelta(days=days)
        pki.server(validity=Validity(now, ends)).write_pem(tmp_path, "server")
        return ends.timestamp()

    def told(registry: CollectorRegistry) -> float | None:
        return registry.get_sample_value("signer_tls_certificate_not_after_timestamp_seconds", {"door": "timestamp"})

    def configured(here: Opened) -> Config:
        server = ServerSettings(tls_certificate=tmp_path, tls_private_key=tmp_path, tls_client_ca=tmp_path)
        http = TimestampHttpSettings(listen=f"127.0.0.1:{here.port}", **files)
        return Config(server=server, timestamp=TimestampSettings("tsa", "1.2.3", ClockSettings(GuardKind.UNGUARDED), http=http))

    first = renew(9)
    async with opened(**files) as here:
        assert told(here.registry) == first
        second = renew(90)
        put = here.door.prepare(configured(here))
        assert told(here.registry) == first
        put()
        assert told(here.registry) == second
    async with opened() as plain:
        plain.door.prepare(configured(plain))()
        assert told(plain.registry) is None
        assert (await asked(plain.port, post())).failure == "", "plain HTTP stays plain until a restart"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, ours, others = tmp_path_factory.mktemp("tls"), TlsPki.create(), TlsPki.create()
    write_certificates(folder / "tls-ca.crt", ours.certificate)
    ours.server().write_pem(folder, "server")
    ours.client("school").write_pem(folder, "school")
    others.client("school").write_pem(folder, "stranger")
    return folder


async def _never(*_: object) -> bytes:
    raise AssertionError


def _tst_info(timestamp: bytes) -> bytes:
    return bytes(asn1_tsp.ContentInfo.load(timestamp)["content"]["encap_content_info"]["content"].parsed.dump())


async def test_who_listens_on_every_ipv6_address_serves_ipv4_too_under_its_own_name() -> None:
    async with opened(listen="[::]:0") as here:
        assert (await asked(here.port, post())).failure == ""
        assert here.stamper.clients == ["http:127.0.0.1"]
