"""One question to one NTP server, over a real socket: every lie has its name, and an answer says no more than it can know."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.timestamp.clock import ntp
from signer.timestamp.clock.readings import Reading, read_clocks
from signer.timestamp.clock.sample import SECOND_NS, Leap, Outcome, SourceFailed, TimeSample
from signer.timestamp.clock.sntp import ask
from tests.support.ntp import HONEST, NtpAnswer, ntp_servers

_TIMEOUT_S = 5.0
_SHORT_S = 0.3
NONCE = bytes(range(1, 9))


async def asked(*answers: NtpAnswer, timeout_s: float = _TIMEOUT_S) -> TimeSample:
    async with ntp_servers(HONEST) as (server,):
        server.says(*answers)
        return await ask("127.0.0.1", server.port, read_clocks, timeout_s)


def error_ns(sample: TimeSample) -> int:
    """How far off a sample is, by a clock that is right: this machine's own."""
    reading = read_clocks()
    return sample.lead_ns - (reading.wall_ns - reading.steady_ns)


async def test_an_honest_server_is_believed_as_far_as_it_vouches() -> None:
    sample = await asked(HONEST)
    assert abs(error_ns(sample)) <= sample.doubt_ns
    assert sample.doubt_ns >= (0.002 / 2 + 0.001) * SECOND_NS
    assert sample.leap is Leap.NONE


@pytest.mark.parametrize("offset_s", [-86_400.0, -2.0, 0.25, 2.0, 86_400.0])
async def test_an_offset_is_measured_whatever_its_size(offset_s: float) -> None:
    sample = await asked(replace(HONEST, offset_s=offset_s))
    assert abs(error_ns(sample) - offset_s * SECOND_NS) <= sample.doubt_ns


async def test_a_slow_answer_leaves_half_its_round_trip_open() -> None:
    sample = await asked(replace(HONEST, delay_s=0.2))
    assert sample.doubt_ns >= 0.1 * SECOND_NS
    assert abs(error_ns(sample)) <= sample.doubt_ns


async def test_what_a_server_says_of_its_own_error_is_added() -> None:
    sample = await asked(replace(HONEST, root_delay_s=3.0, root_dispersion_s=2.0))
    assert sample.doubt_ns >= 3.5 * SECOND_NS


@pytest.mark.parametrize(("bits", "leap"), [(1, Leap.INSERT), (2, Leap.DELETE)])
async def test_an_announced_leap_second_is_heard(bits: int, leap: Leap) -> None:
    assert (await asked(replace(HONEST, leap=bits))).leap is leap


@pytest.mark.parametrize(
    ("answer", "outcome", "said"),
    [
        (replace(HONEST, stratum=0, refid=b"RATE"), Outcome.KISS, "kiss-o'-death RATE"),
        (replace(HONEST, stratum=0, refid=b"\xff\n\0\0"), Outcome.KISS, "kiss-o'-death ?"),
        (replace(HONEST, stratum=16), Outcome.UNSYNCHRONISED, "stratum 16"),
        (replace(HONEST, leap=3), Outcome.UNSYNCHRONISED, "leap 3"),
        (replace(HONEST, mode=3), Outcome.NONSENSE, "mode 3"),
        (replace(HONEST, mode=5), Outcome.NONSENSE, "mode 5"),
        (replace(HONEST, version=1), Outcome.NONSENSE, "version 1"),
        (replace(HONEST, root_dispersion_s=16.0), Outcome.UNSYNCHRONISED, "from its reference"),
        (replace(HONEST, root_delay_s=40_000.0), Outcome.UNSYNCHRONISED, "from its reference"),
        (replace(HONEST, updated_s=2 * 86_400.0), Outcome.UNSYNCHRONISED, "a day ago"),
        (replace(HONEST, updated_s=-5.0), Outcome.NONSENSE, "out of order"),
        (replace(HONEST, held_s=-1.0), Outcome.NONSENSE, "out of order"),
        (replace(HONEST, held_s=60.0), Outcome.NONSENSE, "longer than the answer took"),
        (replace(HONEST, receive=0), Outcome.NONSENSE, "missing"),
        (replace(HONEST, transmit=0), Outcome.NONSENSE, "missing"),
    ],
)
async def test_a_server_that_lies_in_a_field_is_not_believed(answer: NtpAnswer, outcome: Outcome, said: str) -> None:
    with pytest.raises(SourceFailed, match=said) as failed:
        await asked(answer)
    assert failed.value.outcome is outcome


@pytest.mark.parametrize(
    "answer",
    [
        replace(HONEST, origin=bytes(8)),
        replace(HONEST, origin=NONCE),
        replace(HONEST, length=47),
        replace(HONEST, length=1),
    ],
)
async def test_what_answers_no_question_of_ours_is_passed_over(answer: NtpAnswer) -> None:
    with pytest.raises(SourceFailed, match="1 foreign packets came") as failed:
        await asked(answer, timeout_s=_SHORT_S)
    assert failed.value.outcome is Outcome.SILENT


async def test_forgeries_that_come_first_do_not_keep_the_answer_out() -> None:
    sample = await asked(replace(HONEST, origin=NONCE, offset_s=100), replace(HONEST, length=3), replace(HONEST, delay_s=0.05))
    assert abs(error_ns(sample)) <= sample.doubt_ns


async def test_an_answer_from_another_port_is_none() -> None:
    with pytest.raises(SourceFailed, match="no answer within") as failed:
        await asked(replace(HONEST, elsewhere=True), timeout_s=_SHORT_S)
    assert failed.value.outcome is Outcome.SILENT


async def test_a_silent_server_costs_no_more_than_the_timeout() -> None:
    begun_s = time.monotonic()
    with pytest.raises(SourceFailed) as failed:
        await asked(replace(HONEST, silent=True), timeout_s=_SHORT_S)
    assert failed.value.outcome is Outcome.SILENT
    assert time.monotonic() - begun_s >= _SHORT_S


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 9), ("no-such-host.invalid", 123), ("a..b", 123), ("x" * 70, 123)])
async def test_a_server_that_is_not_there_is_told_from_a_silent_one(host: str, port: int) -> None:
    with pytest.raises(SourceFailed) as failed:
        await ask(host, port, read_clocks, _TIMEOUT_S)
    assert failed.value.outcome is Outcome.UNREACHABLE


async def test_the_request_tells_nothing_but_the_exchange() -> None:
    async with ntp_servers(HONEST) as (server,):
        for _ in range(2):
            await ask("127.0.0.1", server.port, read_clocks, _TIMEOUT_S)
    first, second = server.requests
    assert first[:40] == second[:40] == b"\x23" + bytes(39)
    assert first[40:] != second[40:]


@pytest.mark.parametrize("year_s", [2_085_978_495, 2_085_978_497, 2_200_000_000, 4_000_000_000])
def test_time_goes_on_after_the_seconds_of_ntp_wrap_in_2036(year_s: int) -> None:
    received = Reading(year_s * SECOND_NS, 50 * SECOND_NS, 0)
    packet = HONEST.packet(ntp.request(NONCE), year_s)
    sample = ntp.judge(packet, ntp.Exchange(NONCE, received._replace(steady_ns=50 * SECOND_NS - 1000), received))
    assert abs(sample.lead_ns - (year_s - 50) * SECOND_NS) <= sample.doubt_ns


@given(st.binary(min_size=24, max_size=24), st.binary(min_size=16, max_size=40))
def test_whatever_bytes_answer_they_are_a_sample_or_refused_by_name(head: bytes, times: bytes) -> None:
    reading = read_clocks()
    packet = head + NONCE + times
    assert ntp.is_ours(packet, NONCE)
    with contextlib.suppress(SourceFailed):
        assert ntp.judge(packet, ntp.Exchange(NONCE, reading, read_clocks())).doubt_ns >= 0
