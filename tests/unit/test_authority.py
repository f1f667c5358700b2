from __future__ import annotations

import asyncio
import hashlib
import itertools
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc3161_client
from asn1crypto import core
from asn1crypto import tsp as asn1_tsp

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import CertificateExpired, CertificateNotYetValid, QueueFull, TimestampUnavailable
from signer.timestamp.authority import Authority
from signer.timestamp.template import TimestampTemplate
from signer.timestamp.tsp import TimestampRequest, build_request
from tests.support import pki

NOW = datetime(2026, 5, 30, 10, 0, 0, 123_456, tzinfo=UTC)
POLICY = "2.999.3161.1"
IMPRINT = hashlib.sha256(b"document").digest()
REQUEST = TimestampRequest(IMPRINT, DigestAlgorithm.SHA256, nonce=42, with_certificates=True)
ALGORITHMS = [SignatureAlgorithm.RSA_PKCS1_SHA256, SignatureAlgorithm.RSA_PKCS1_SHA512, SignatureAlgorithm.ECDSA_SHA256]


BAD_REQUESTS = {
    "empty": (b"", "bad_data_format"),
    "garbage": (b"not asn.1 at all", "bad_data_format"),
    "policy": (build_request(replace(REQUEST, policy_oid="1.2.3")), "unaccepted_policy"),
    "digest": (build_request(replace(REQUEST, imprint=bytes(64), digest_algorithm=DigestAlgorithm.SHA512)), "bad_alg"),
}


def authority(algorithm: SignatureAlgorithm = SignatureAlgorithm.RSA_PKCS1_SHA256) -> Authority:
    issued = pki.tsa(algorithm)
    numbers = itertools.count(1)

    async def sign(digest: bytes, _serial: int) -> bytes:
        await asyncio.sleep(0)
        return pki.sign(issued.key, algorithm, digest)

    async def serials() -> int:
        return next(numbers)

    template = TimestampTemplate.build(issued.der, (pki.authority().der,), algorithm, policy_oid=POLICY, accuracy_ms=1000)
    return Authority(template, sign, serials, lambda: NOW)


def status_of(response: bytes) -> tuple[str, set[str]]:
    # asn1crypto's TimeStampResp demands a timestamp even of a rejection.
    status = asn1_tsp.PKIStatusInfo.load(core.Sequence.load(response)[0].dump())
    return status["status"].native, status["fail_info"].native or set()


def openssl_ts(folder: Path, arguments: str) -> str:
    ran = subprocess.run(["openssl", "ts", *arguments.split()], cwd=folder, capture_output=True, check=False, text=True)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_openssl_accepts_the_answer(tmp_path: Path, algorithm: SignatureAlgorithm) -> None:
    request = build_request(REQUEST)
    (tmp_path / "request.tsq").write_bytes(request)
    (tmp_path / "response.tsr").write_bytes(await authority(algorithm).answer(request))
    (tmp_path / "root.pem").write_bytes(pki.root().pem)
    assert "Verification: OK" in openssl_ts(tmp_path, "-verify -queryfile request.tsq -in response.tsr -CAfile root.pem")


async def test_openssl_asks_and_accepts_the_answer_without_certificates_too(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"document")
    (tmp_path / "root.pem").write_bytes(pki.root().pem)
    (tmp_path / "chain.pem").write_bytes(pki.authority().pem + pki.tsa().pem)
    openssl_ts(tmp_path, "-query -data data -sha384 -out request.tsq")
    response = await authority().answer((tmp_path / "request.tsq").read_bytes())
    (tmp_path / "response.tsr").write_bytes(response)
    verify = "-verify -queryfile request.tsq -in response.tsr -CAfile root.pem -untrusted chain.pem"
    assert "Verification: OK" in openssl_ts(tmp_path, verify)
    assert asn1_tsp.TimeStampResp.load(response)["time_stamp_token"]["content"]["certificates"].native is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_rfc3161_client_accepts_the_answer(algorithm: SignatureAlgorithm) -> None:
    response = rfc3161_client.decode_timestamp_response(await authority(algorithm).answer(build_request(REQUEST)))
    verifier = rfc3161_client.VerifierBuilder(roots=[pki.root().x509], nonce=42).build()
    assert verifier.verify(response, IMPRINT)
    assert response.tst_info.policy.dotted_string == POLICY
    assert response.tst_info.accuracy.seconds == 1


async def test_stamps_have_the_time_the_policy_and_serials_of_their_own() -> None:
    one = authority()
    stamps = await asyncio.gather(*(one.stamp(IMPRINT, DigestAlgorithm.SHA256) for _ in range(20)))
    infos = [asn1_tsp.ContentInfo.load(stamp)["content"]["encap_content_info"]["content"].parsed.native for stamp in stamps]
    assert {info["serial_number"] for info in infos} == set(range(1, 21))
    assert {info["gen_time"] for info in infos} == {NOW.replace(microsecond=123_000)}
    assert {info["policy"] for info in infos} == {POLICY}


@pytest.mark.parametrize(("request_der", "failure"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
async def test_what_is_not_served_is_refused_by_the_protocol_without_a_key_use(request_der: bytes, failure: str) -> None:
    async def never(*_: object) -> Any:
        raise AssertionError

    picky = replace(authority(), sign=never, serials=never, accepted_digests=frozenset({DigestAlgorithm.SHA256}))
    assert status_of(await picky.answer(request_der)) == ("rejection", {failure})


async def test_a_policy_asked_for_and_served_is_granted() -> None:
    assert status_of(await authority().answer(build_request(replace(REQUEST, policy_oid=POLICY)))) == ("granted", set())


async def test_a_clock_that_can_not_vouch_stops_issuing() -> None:
    def unsure() -> datetime:
        raise TimestampUnavailable("NTP offset unknown")

    stopped = replace(authority(), clock=unsure)
    assert status_of(await stopped.answer(build_request(REQUEST))) == ("rejection", {"time_not_available"})
    with pytest.raises(TimestampUnavailable):
        await stopped.stamp(IMPRINT, DigestAlgorithm.SHA256)


async def test_a_key_that_can_not_sign_is_a_system_failure_without_details() -> None:
    async def full(*_: object) -> bytes:
        raise QueueFull("queue of token 'hsm-1' is full", retry_after_s=1)

    response = await replace(authority(), sign=full).answer(build_request(REQUEST))
    assert status_of(response) == ("rejection", {"system_failure"})
    assert b"hsm-1" not in response


@pytest.mark.parametrize(
    ("clock", "error"),
    [
        (lambda: pki.NOT_BEFORE - timedelta(seconds=1), CertificateNotYetValid),
        (lambda: pki.NOT_AFTER + timedelta(seconds=1), CertificateExpired),
    ],
)
async def test_nothing_is_stamped_outside_the_certificates_validity(clock: Callable[[], datetime], error: type[Exception]) -> None:
    async def never(*_: object) -> bytes:
        raise AssertionError

    outside = replace(authority(), clock=clock, sign=never)
    with pytest.raises(error):
        await outside.stamp(IMPRINT, DigestAlgorithm.SHA256)
    assert status_of(await outside.answer(build_request(REQUEST))) == ("rejection", {"system_failure"})
