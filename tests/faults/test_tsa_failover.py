"""The first authority fails in every way there is: no lie is accepted, the next one stamps, and how long that takes is written down.

Client and authorities are real and talk HTTP; 64 signatures ask at once, as one window of a batch does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError, TimestampInvalid
from signer.formats import der
from signer.telemetry.metrics import Metrics
from signer.timestamp.client import TimestampClient
from signer.timestamp.client.failure import Failure
from signer.timestamp.client.health import TsaState
from signer.timestamp.settings import TsaSettings
from signer.timestamp.verify import verify_timestamp
from tests.support import pki
from tests.support.lies import IMPRINT, LIES, NOW, POLICY, STAMPING, Lie
from tests.support.rig import Record
from tests.support.tsa import (
    Answers,
    Delivery,
    HttpTsa,
    byte_by_byte,
    cut_off,
    cut_off_without_length,
    endless,
    hanging,
    honest,
    html,
    late,
    lying,
    reset,
    settings_for,
    status,
    too_many,
    whole,
)

TIMEOUT_S = 0.5
"""Of an authority that is too slow; where another fault is to be seen, time is no question."""
WINDOW = 64
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Fault:
    """answers: None for an authority that does not even listen. timeout_s: what a hung request costs before the next is asked."""

    delivery: Delivery | None
    outcome: Failure
    answers: Answers | None = None
    timeout_s: float = 20.0
    state: TsaState = TsaState.OPEN


def expired() -> Answers:
    """An authority that does not look at its own certificate."""
    over = pki.issue("TSA (DEMO)", pki.rsa_key(103), pki.authority(), usages=STAMPING, not_after=datetime.now(UTC) - timedelta(days=1))
    return lying_now(Lie(over, (pki.authority().der,)))


def lying_now(lie: Lie) -> Answers:
    async def answer(request: bytes) -> bytes:
        return await lying(replace(lie, gen_time=der.generalized_time(datetime.now(UTC))))(request)

    return answer


def off_by(days: int) -> Answers:
    return honest(clock=lambda: datetime.now(UTC) + timedelta(days=days))


FAULTS: dict[str, Callable[[], Fault]] = {
    "down": lambda: Fault(None, Failure.UNREACHABLE),
    "slow": lambda: Fault(late(300), Failure.TIMED_OUT, timeout_s=TIMEOUT_S),
    "slow byte by byte": lambda: Fault(byte_by_byte(0.05), Failure.TIMED_OUT, timeout_s=TIMEOUT_S),
    "says nothing": lambda: Fault(hanging, Failure.TIMED_OUT, timeout_s=TIMEOUT_S),
    "HTML": lambda: Fault(html, Failure.NOT_AN_ANSWER),
    "endless": lambda: Fault(endless, Failure.NOT_AN_ANSWER),
    "429": lambda: Fault(too_many("120"), Failure.THROTTLED),
    "500": lambda: Fault(status("500 Internal Server Error"), Failure.HTTP_STATUS),
    "closes mid-answer": lambda: Fault(cut_off, Failure.UNREACHABLE),
    "closes mid-answer, length unsaid": lambda: Fault(cut_off_without_length, Failure.NOT_AN_ANSWER),
    "resets the connection": lambda: Fault(reset, Failure.UNREACHABLE),
    "clock 30 days ahead": lambda: Fault(whole, Failure.LIED, off_by(30), state=TsaState.QUARANTINED),
    "clock 30 days behind": lambda: Fault(whole, Failure.LIED, off_by(-30), state=TsaState.QUARANTINED),
    "expired certificate": lambda: Fault(whole, Failure.LIED, expired(), state=TsaState.QUARANTINED),
}


async def stamp_window(client: TimestampClient) -> tuple[list[Any], float, float]:
    """What each of a window's requests got, and after how many seconds the first and the last."""
    started_s = time.monotonic()
    ended_s: list[float] = []

    async def one() -> Any:
        try:
            return await client.stamp(IMPRINT, DigestAlgorithm.SHA256, asyncio.get_running_loop().time() + _PATIENCE_S)
        finally:
            ended_s.append(time.monotonic() - started_s)

    results = await asyncio.gather(*(one() for _ in range(WINDOW)), return_exceptions=True)
    return results, ended_s[0], ended_s[-1]


def believed(results: list[Any], roots: tuple[bytes, ...]) -> int:
    """How many stand up to verification once more, each for itself."""
    for result in results:
        verify_timestamp(
            result.encoded,
            imprint=IMPRINT,
            digest_algorithm=DigestAlgorithm.SHA256,
            nonce=None,
            policies={POLICY},
            trusted_roots=roots,
            now=datetime.now(UTC),
            window=timedelta(minutes=5),
        )
    return len(results)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_window_of_signatures_is_stamped_by_the_second_authority_while_the_first_fails(
    name: str, tmp_path: Path, record: Record
) -> None:
    fault, registry = FAULTS[name](), CollectorRegistry()
    second_root = pki.issue("Root thứ hai (DEMO)", pki.rsa_key(110), is_ca=True)
    second_tsa = pki.issue("TSA thứ hai (DEMO)", pki.rsa_key(111), second_root, usages=STAMPING)
    async with HttpTsa(fault.answers or honest(), fault.delivery or whole) as first, HttpTsa(honest(second_tsa, ())) as second:
        if fault.delivery is None:
            await first.stop()
        servers = (
            settings_for(tmp_path, "first", first.url, timeout_s=fault.timeout_s, policy_oids=(POLICY,)),
            settings_for(tmp_path, "second", second.url, root=second_root, policy_oids=(POLICY,)),
        )
        async with TimestampClient(servers, Metrics.on(registry), lambda: datetime.now(UTC)) as client:
            results, first_s, last_s = await stamp_window(client)
            state = client.authorities[0].health.state
    failed = registry.get_sample_value("signer_tsa_requests_total", {"tsa": "first", "outcome": fault.outcome.value}) or 0
    granted = registry.get_sample_value("signer_tsa_requests_total", {"tsa": "first", "outcome": "granted"}) or 0
    record(
        f"first TSA: {name}",
        client_saw="stamped by the second",
        lost=sum(isinstance(result, BaseException) for result in results),
        extra_key_uses=0,
        heal_s=round(last_s, 3),
        first_stamp_s=round(first_s, 3),
        accepted_lies=int(granted),
        asked_of_first=int(failed),
        state=state.name.lower(),
    )
    assert believed(results, (second_root.der,)) == WINDOW, "all by the second, whose root alone is believed here"
    assert (granted, state) == (0, fault.state)
    # A failure frees its place for the next request until `failures_max` of them open the breaker; on a busy machine its pause can end
    # within the window: then one more request is its trial.
    most = servers[0].concurrency_max + (servers[0].failures_max - 1) + 1
    assert 1 <= failed <= most, "those under way, those let in before the breaker opened, and a trial"


async def test_of_all_lies_together_none_is_accepted(tmp_path: Path, record: Record) -> None:
    """One liar after the other, no honest authority behind them."""
    accepted = 0
    for name, (make, _) in LIES.items():
        async with HttpTsa(lying(make())) as liar:
            settings: TsaSettings = settings_for(tmp_path, "liar", liar.url, policy_oids=(POLICY,))
            async with TimestampClient([settings], Metrics.on(CollectorRegistry()), lambda: NOW) as client:
                for _ in range(3):
                    try:
                        await client.stamp(IMPRINT, DigestAlgorithm.SHA256, asyncio.get_running_loop().time() + 5)
                    except SignerError:
                        continue
                    accepted += 1
                    pytest.fail(f"accepted: {name}")
    record(
        "a TSA that lies in each field",
        client_saw=TimestampInvalid.reason.value,
        lost=0,
        extra_key_uses=0,
        accepted_lies=accepted,
        lies=len(LIES),
    )
    assert accepted == 0


async def test_the_first_authority_is_preferred_again_once_it_is_well(tmp_path: Path, record: Record) -> None:
    async with HttpTsa(honest(), html) as first, HttpTsa(honest()) as second:
        servers = [settings_for(tmp_path, name, tsa.url, failures_max=1) for name, tsa in (("first", first), ("second", second))]
        async with TimestampClient(servers, Metrics.on(CollectorRegistry()), lambda: datetime.now(UTC)) as client:
            await stamp_window(client)
            first.delivery = whole
            started_s, asked_before = time.monotonic(), first.requests
            while client.authorities[0].health.state is not TsaState.READY:
                await client.stamp(IMPRINT, DigestAlgorithm.SHA256, asyncio.get_running_loop().time() + _PATIENCE_S)
                await asyncio.sleep(0.02)
                assert time.monotonic() - started_s < _PATIENCE_S
            heal_s = time.monotonic() - started_s
    record(
        "first TSA well again",
        client_saw="stamped",
        lost=0,
        extra_key_uses=0,
        heal_s=round(heal_s, 3),
        trials=first.requests - asked_before,
    )
    assert first.requests - asked_before == 1, "one trial is enough"
