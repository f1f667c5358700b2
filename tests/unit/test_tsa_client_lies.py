"""No lie is accepted: whatever a timestamp states wrongly, its authority is quarantined and the next one stamps."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc3161_client
from cryptography import x509
from prometheus_client import CollectorRegistry

from signer.algorithms import DigestAlgorithm
from signer.errors import TimestampInvalid, TimestampUnavailable
from signer.formats import der
from signer.telemetry.metrics import Metrics
from signer.timestamp.client import TimestampClient
from signer.timestamp.client.health import TsaState
from signer.timestamp.settings import TsaSettings
from signer.timestamp.tsp import PkiFailure, PkiStatus, granted, parse_response, rejected
from tests.support import pki
from tests.support.lies import IMPRINT, LIES, NOW, POLICY, STAMPING, Lie
from tests.support.lies import honest as truth
from tests.support.tsa import Answers, HttpTsa, honest, lying, openssl, settings_for

SHA256 = DigestAlgorithm.SHA256
NO_TIMESTAMP = {"empty", "html", "cut short", "trailing bytes"}
"""Lies that leave no TimeStampResp: there is no timestamp to lie with, so the first one only counts as a failure."""


def client_of(*servers: TsaSettings, registry: CollectorRegistry | None = None) -> TimestampClient:
    return TimestampClient(servers, Metrics.on(registry or CollectorRegistry()), lambda: NOW)


async def stamp(client: TimestampClient, within_s: float = 5.0) -> bytes:
    verified = await client.stamp(IMPRINT, SHA256, asyncio.get_running_loop().time() + within_s)
    return verified.encoded


def always(answer: bytes) -> Answers:
    async def answers(_request: bytes) -> bytes:
        return answer

    return answers


@pytest.mark.parametrize("name", LIES)
async def test_each_lie_is_refused_by_its_check_and_the_next_authority_stamps(tmp_path: Path, name: str) -> None:
    make, complaint = LIES[name]
    registry = CollectorRegistry()
    async with HttpTsa(lying(make())) as liar, HttpTsa(honest(clock=lambda: NOW)) as good:
        near, far = (settings_for(tmp_path, which, tsa.url, policy_oids=(POLICY,)) for which, tsa in (("near", liar), ("far", good)))
        async with client_of(near, far, registry=registry) as client:
            await stamp(client)
            await stamp(client)
            state = client.authorities[0].health.state
    assert good.requests == 2
    counted = registry.get_sample_value("signer_tsa_lies_total", {"tsa": "near", "check": complaint.partition(":")[0]})
    if name in NO_TIMESTAMP:
        assert (counted, state) == (None, TsaState.READY)
    else:
        assert (counted, state) == (1, TsaState.QUARANTINED)
        assert liar.requests == 1, "a liar is not asked again"
        assert registry.get_sample_value("signer_tsa_state", {"tsa": "near"}) == TsaState.QUARANTINED


async def test_an_honest_answer_to_another_request_is_a_lie(tmp_path: Path) -> None:
    once: list[bytes] = []
    inner = honest(clock=lambda: NOW)

    async def repeating(request: bytes) -> bytes:
        once.append(await inner(request))
        return once[0]

    async with HttpTsa(repeating) as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url)) as client:
        await stamp(client)
        with pytest.raises(TimestampInvalid, match="nonce: not the one that was sent") as refused:
            await stamp(client)
    assert refused.value.metadata["check"] == "nonce"


async def test_when_all_lie_nothing_is_accepted_and_nobody_is_asked_again(tmp_path: Path) -> None:
    early = replace(truth(), gen_time=der.generalized_time(NOW - timedelta(days=30)))
    async with (
        HttpTsa(lying(early)) as first,
        HttpTsa(lying(LIES["imprint"][0]())) as second,
        client_of(settings_for(tmp_path, "first", first.url), settings_for(tmp_path, "second", second.url)) as client,
    ):
        with pytest.raises(TimestampInvalid) as all_lied:
            await stamp(client)
        with pytest.raises(TimestampUnavailable, match="quarantined") as nobody:
            await stamp(client)
    assert all_lied.value.metadata["check"] == "time,imprint"
    assert (first.requests, second.requests) == (1, 1)
    assert nobody.value.retry_after_s == pytest.approx(600, abs=5)


async def test_a_liar_is_tried_again_when_its_quarantine_ends(tmp_path: Path) -> None:
    async with HttpTsa(lying(LIES["nonce"][0]())) as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url, quarantine_s=1.0)) as client:
        with pytest.raises(TimestampInvalid):
            await stamp(client)
        tsa.answers = honest(clock=lambda: NOW)
        with pytest.raises(TimestampUnavailable):
            await stamp(client)
        await asyncio.sleep(1.05)
        assert await stamp(client)
        assert client.authorities[0].health.state is TsaState.READY


def with_status(status: PkiStatus, lie: Lie | None) -> Answers:
    """A TimeStampResp of this status; lie: None for no timestamp in it."""

    async def answer(request: bytes) -> bytes:
        timestamp = b"" if lie is None else parse_response(await lying(lie)(request))
        return der.sequence(der.sequence(der.integer(status.value)), timestamp)

    return answer


async def test_granted_with_mods_is_judged_by_what_the_timestamp_states(tmp_path: Path) -> None:
    mods = PkiStatus.GRANTED_WITH_MODS
    async with HttpTsa(with_status(mods, truth())) as tsa:
        settings = settings_for(tmp_path, "tsa", tsa.url, policy_oids=(POLICY,))
        async with client_of(settings) as client:
            assert await stamp(client)
            tsa.answers = with_status(mods, LIES["policy"][0]())
            with pytest.raises(TimestampInvalid, match="policy"):
                await stamp(client)


@pytest.mark.parametrize(
    "status", [PkiStatus.REJECTION, PkiStatus.WAITING, PkiStatus.REVOCATION_WARNING, PkiStatus.REVOCATION_NOTIFICATION]
)
async def test_any_other_status_is_no_timestamp_even_with_an_honest_one_inside(tmp_path: Path, status: PkiStatus) -> None:
    async with HttpTsa(with_status(status, truth())) as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url)) as client:
        with pytest.raises(TimestampUnavailable, match=f"status: {status.name.lower()}"):
            await stamp(client)
        assert client.authorities[0].health.state is TsaState.READY, "to refuse is not to lie"


async def test_a_refusal_tells_why(tmp_path: Path) -> None:
    refusal = rejected(PkiFailure.UNACCEPTED_POLICY, "no such policy here")
    async with HttpTsa(always(refusal)) as tsa, client_of(settings_for(tmp_path, "tsa", tsa.url)) as client:
        with pytest.raises(TimestampUnavailable, match="rejection, unaccepted_policy, no such policy here"):
            await stamp(client)


async def test_the_policy_asked_for_is_the_one_accepted(tmp_path: Path) -> None:
    async with HttpTsa(honest(clock=lambda: NOW)) as tsa:
        async with client_of(settings_for(tmp_path, "tsa", tsa.url, request_policy_oid=POLICY)) as client:
            assert await stamp(client)
        async with client_of(settings_for(tmp_path, "tsa", tsa.url, request_policy_oid="2.999.1")) as client:
            with pytest.raises(TimestampUnavailable, match="unaccepted_policy"):
                await stamp(client)


async def test_a_timestamp_longer_than_the_room_kept_for_it_is_not_used(tmp_path: Path) -> None:
    large = pki.issue("TSA (DEMO)", pki.rsa_key(107), pki.authority(), usages=STAMPING, padding_bytes=2000)
    async with HttpTsa(honest(large, clock=lambda: NOW)) as tsa:
        async with client_of(settings_for(tmp_path, "tsa", tsa.url, timestamp_bytes_max=4000)) as client:
            with pytest.raises(TimestampUnavailable, match="see timestamp_bytes_max"):
                await stamp(client)
        async with client_of(settings_for(tmp_path, "tsa", tsa.url)) as client:
            assert 4000 < len(await stamp(client)) <= client.timestamp_bytes_max


def judged_by_openssl(folder: Path, timestamp: bytes) -> str:
    (folder / "timestamp.der").write_bytes(timestamp)
    (folder / "root.pem").write_bytes(pki.root().pem)
    command = f"openssl ts -verify -digest {IMPRINT.hex()} -in timestamp.der -token_in -CAfile root.pem"
    ran = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


def judged_by_rfc3161_client(timestamp: bytes) -> bool:
    root = x509.load_der_x509_certificate(pki.root().der)
    verifier = rfc3161_client.VerifierBuilder(roots=[root]).build()
    return verifier.verify(rfc3161_client.decode_timestamp_response(granted(timestamp)), IMPRINT)


async def stamped_now(folder: Path, answers: Answers) -> bytes:
    async with HttpTsa(answers) as tsa:
        servers = [settings_for(folder, "tsa", tsa.url, policy_oids=(POLICY,))]
        async with TimestampClient(servers, Metrics.on(CollectorRegistry()), lambda: datetime.now(UTC)) as client:
            return await stamp(client)


async def test_openssl_as_the_authority_is_believed_though_it_does_not_sort_its_certificates(tmp_path: Path) -> None:
    (tmp_path / "tsa").mkdir()
    timestamp = await stamped_now(tmp_path, openssl(tmp_path / "tsa", pki.tsa()))
    assert "Verification: OK" in judged_by_openssl(tmp_path, timestamp)
    with pytest.raises(ValueError, match="InvalidSetOrdering"):
        judged_by_rfc3161_client(timestamp)


async def test_what_the_client_takes_openssl_and_rfc3161_client_take(tmp_path: Path) -> None:
    timestamp = await stamped_now(tmp_path, honest())
    assert "Verification: OK" in judged_by_openssl(tmp_path, timestamp)
    assert judged_by_rfc3161_client(timestamp)
